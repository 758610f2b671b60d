/*
 * Places for TLS handshakes.
 *
 * A handshake costs much and holds memory, so only so many are in flight in a
 * worker (client_tls_max_handshakes); who comes then waits for its turn.  While
 * somebody waits, a handshake that does not come to its end is given little time:
 * a client that began one and fell silent must not keep the others out.
 */
#ifndef PROXY_HANDSHAKE_H
#define PROXY_HANDSHAKE_H

#include "session.h"

/* The client has begun: a place now, or later, and session_secure() is called then. */
void handshake_begin(Session *s);

/* Before the first. */
void handshakes_init(Worker *w);

/* Gives the place back, or the wait up; harmless without either. */
void handshake_end(Session *s);

/* Begins with the handshake (phase hello). */
void session_secure(Session *s);

#endif
