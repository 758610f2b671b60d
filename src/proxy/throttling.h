/*
 * The pauses after failed logins, of one client's address at one compute, or at one
 * entry of [databases] where all of its computes have the same secrets.
 */
#ifndef PROXY_THROTTLING_H
#define PROXY_THROTTLING_H

#include "session.h"

/* Milliseconds until the client may try; 0: now, and that counts until login_passed(). */
int64_t login_pause(Session *s);

void login_failed(Session *s);
void login_passed(Session *s);

/*
 * What stands for a client's address where it is counted: of IPv6 the network, of
 * which everybody has a whole one to himself.  The size in bytes; 0 on a Unix socket.
 */
#define CLIENT_KEY_MAX 16
size_t client_key(const ClientAddress *from, uint8_t out[CLIENT_KEY_MAX]);

#endif
