/*
 * Addresses of clients, and lists of the networks that they come from.
 *
 * A list is what allow_networks and its like hold: networks in CIDR notation,
 * single addresses, and the word unix, separated by commas.  IPv4 addresses in
 * IPv6's clothes (::ffff:a.b.c.d, RFC 4291 2.5.5.2) count as IPv4 wherever they
 * stand, so that a listener for both families cannot be used to slip past a rule.
 */
#ifndef CONF_NETWORK_H
#define CONF_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

typedef struct ClientAddress {
	int family;        /* 4, 6, or 0 for a Unix socket */
	uint8_t bytes[16]; /* in network order; the first four of IPv4 */
	uint16_t port;
} ClientAddress;

typedef struct Network {
	int family; /* 4 or 6 */
	int bits;   /* that count, from the left */
	uint8_t bytes[16];
} Network;

typedef struct NetworkList {
	Network *at;
	int n;
	bool unix_too;
} NetworkList;

/* Reads an address without a port; false if it is none. */
bool client_address_parse(ClientAddress *out, const char *text);

/* "10.0.0.1:5432", "[::1]:5432" or "unix". */
void client_address_print(const ClientAddress *a, char *out, size_t size);

/* The same without the port and brackets. */
void client_address_print_ip(const ClientAddress *a, char *out, size_t size);

/*
 * The network that the address is taken to be of: a /24 of IPv4, a /56 of IPv6 as
 * sites have them, or "local" for a Unix socket.
 */
void client_address_print_network(const ClientAddress *a, char *out, size_t size);

/* Takes an IPv4 address out of IPv6's clothes; leaves all others as they are. */
void client_address_unmap(ClientAddress *a);

/* Reads one network or address; false and *why, which says what would be right. */
bool network_parse(Network *out, const char *text, Fault *why);

/* As network_parse, of an address and a mask that is written as one: 255.255.0.0. */
bool network_parse_mask(Network *out, const char *address, const char *mask, Fault *why);

bool network_has(const Network *n, const ClientAddress *a);

/* Reads a list, which network_list_free() frees; nothing but blanks is an empty one. */
bool network_list_parse(NetworkList *out, const char *text, Fault *why);

/* Whether the address is in one of the networks; an empty list has none. */
bool network_list_has(const NetworkList *l, const ClientAddress *a);

void network_list_free(NetworkList *l);

#endif
