/*
 * Where a server is: "host:port", "[v6]:port", or the path of a Unix socket.
 */
#ifndef SYS_ADDRESS_H
#define SYS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_TEXT_MAX 272

/* A socket address with its size, as connect(2) takes it. Lies in shared memory too. */
typedef struct Address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} at;
	socklen_t size; /* 0: none */
} Address;

/* Splits "host:port"; false if it is not that. A path ("/…" or "@…") gives port 0. */
bool address_split(const char *text, char *host, size_t host_size, int *port);

/* A literal IP address or a Unix path needs no resolver; false if it is a name. */
bool address_of_literal(Address *out, const char *host, int port);

/* The IP's bytes in network order and the port; returns 4, 6, or 0 for anything else. */
int address_bytes(const Address *a, uint8_t bytes[16], uint16_t *port);

/* Whether it leads nowhere but to this machine: a Unix socket, or loopback. */
bool address_is_local(const Address *a);

/* "10.0.0.1:5432", "[::1]:5432", "unix:/path" or "unix". */
void address_print(const Address *a, char *out, size_t size);

/* The address of the own end of a socket; of size 0 if it has none. */
void address_of_own_end(Address *out, int fd);

#endif
