/* Listening sockets, TCP and Unix. */
#ifndef SYS_LISTEN_H
#define SYS_LISTEN_H

#include "base/fault.h"
#include "sys/address.h"

#define LISTENERS_MAX 32

typedef struct Listeners {
	int fd[LISTENERS_MAX];
	int n;
} Listeners;

/*
 * Opens a socket for each of the addresses: IPv4, IPv6 or names, separated by
 * commas; "*" is every address of both families.  False and *why if one fails;
 * those that were opened before it stay open in *out.
 */
bool listen_tcp(Listeners *out, const char *addresses, int port, int backlog, Fault *why);

/* A Unix socket of that path ("@…" is abstract); a stale file in its place is removed. */
bool listen_unix(Listeners *out, const char *path, int mode, const char *group, int backlog,
		 Fault *why);

#endif
