/*
 * One line of [peers]: another Reveille of the same group, to which cancel
 * requests are sent on that are meant for its sessions.
 */
#ifndef CONF_PEER_H
#define CONF_PEER_H

#include "base/fault.h"

typedef struct PeerEntry {
	int id;         /* its peer_id, 1 to 16383 */
	char host[128]; /* a name, an address, or a folder of a Unix socket */
	int port;
} PeerEntry;

/* Parses one entry; false and *why (without file and line) if it is not understood. */
bool peer_parse(PeerEntry *p, const char *id, const char *value, Fault *why);

#endif
