/*
 * Delivering cancel requests to computes.
 *
 * While a cancel is on its way the session's slot says so, and its worker holds
 * the session's requests back: a cancel can hit only what was running when it
 * was asked for, never the query after it.  It has arrived when the compute has
 * closed the connection on which it was sent.
 */
#ifndef PROXY_CANCEL_H
#define PROXY_CANCEL_H

#include "session.h"

typedef struct Canceller Canceller;

/* Whom to tell, and which of its sessions is meant. */
typedef struct CancelTarget {
	CancelKey key;
	Address to; /* size 0: server_name is looked up */
	char server_name[128];
	int port;
	bool tls; /* it was reached over TLS before */
} CancelTarget;

/*
 * Sends a cancel; calls on_done, if it is not NULL, when the server has closed
 * the connection, or it failed, or cancel_wait_timeout is over.
 */
Canceller *cancel_send(Worker *w, const CancelTarget *target, void (*on_done)(void *arg),
		       void *arg);

/* on_done will not be called; the cancel goes its way. */
void cancel_forget(Canceller *c);

/* The worker ends: so do the cancels that are on their way, and nobody is told. */
void cancel_stop(Worker *w);

/* The client of this session has vanished in the middle of a request: nobody waits for the end. */
void cancel_abandoned(Session *s);

/* What a slot has for its compute; false if there is nothing. */
bool cancel_target(const SlotInfo *info, CancelTarget *target);

#endif
