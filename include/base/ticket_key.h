/*
 * The keys of TLS session tickets (RFC 5077, RFC 8446 section 4.6.1): what the
 * supervisor makes and all workers share, so that a session begun at one of them
 * is resumed at any other.
 *
 * The newest key seals; all of them open.
 */
#ifndef BASE_TICKET_KEY_H
#define BASE_TICKET_KEY_H

#include <stdint.h>

#define TICKET_KEYS 3

typedef struct TicketKey {
	uint8_t name[16]; /* stands in the ticket, to find the key by */
	uint8_t cipher_key[32];
	uint8_t mac_key[32];
	int64_t made_s; /* on the machine's monotonic clock */
} TicketKey;

typedef struct TicketKeys {
	TicketKey at[TICKET_KEYS]; /* newest first */
	int n;
} TicketKeys;

/* Puts a key in front; the oldest goes if there is no room. */
void ticket_keys_turn(TicketKeys *k, const TicketKey *fresh);

#endif
