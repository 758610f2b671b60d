/*
 * The header by which a load balancer tells whose connection it passes on:
 * HAProxy's PROXY protocol, version 1 (a line of text) and version 2 (binary).
 * Source: haproxy's doc/proxy-protocol.txt.
 *
 * It is believed only if it comes from a balancer that the operator named: anybody
 * else could claim any address.  PostgreSQL's first packet is never mistaken for
 * one: it begins with its length, at most 10,000, so its first byte is 0, where
 * the headers begin with 'P' and with a carriage return.
 */
#ifndef PROTO_PROXY_HEADER_H
#define PROTO_PROXY_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

#define PROXY_HEADER_MAX (16 + 512) /* of version 2; a line of version 1 is at most 107 */

typedef enum ProxyVerdict {
	PROXY_MORE, /* so far it is one */
	PROXY_NONE, /* as soon as the bytes cannot be the beginning of one */
	PROXY_DONE,
	PROXY_BAD, /* it began as one and is wrong */
} ProxyVerdict;

typedef struct ProxyHeader {
	bool local;          /* LOCAL, UNKNOWN or UNSPEC: the connection's own address counts */
	int family;          /* 4 or 6; 0 if local, or on a Unix socket */
	uint8_t address[16]; /* the client's, in network order, of IPv4 the first four bytes */
	uint16_t port;
	uint8_t to_address[16]; /* what the client connected to */
	uint16_t to_port;
	size_t size; /* bytes of the header, to be taken off */
} ProxyHeader;

/*
 * Reads a header at the beginning of what a connection has said so far.  Version
 * 2 may carry more than addresses: that is skipped, once its layout has been
 * checked, and what would make the header longer than PROXY_HEADER_MAX is refused.
 */
ProxyVerdict proxy_header_read(ProxyHeader *out, Span in, Fault *why);

/* Appends a header of version 2; family 4 or 6, or 0 for LOCAL (then from and to are unused). */
void proxy_header_write(int family, const uint8_t *from, uint16_t from_port, const uint8_t *to,
			uint16_t to_port, Buf *out);

#endif
