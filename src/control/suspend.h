/*
 * Whether a compute is to be suspended: facts and policy in, verdict and reason out.
 *
 * Pure.  Clients that are connected but do nothing keep nothing awake; a request
 * under way, an open transaction, replication and maintenance do.  The server
 * itself is asked last, and only if everything else speaks for suspending.
 */
#ifndef CONTROL_SUSPEND_H
#define CONTROL_SUSPEND_H

#include <stdbool.h>
#include <stdint.h>

/* What the server says of itself. */
typedef struct ServerFacts {
	bool known;         /* it was asked and answered */
	int working;        /* sessions with a query under way */
	int in_transaction; /* sessions idle in an open transaction */
	int replicating;    /* walsenders, also those of a base backup */
	int maintaining;    /* autovacuum, parallel and replication workers */
	int64_t idle_ms;    /* since a session last did something; -1 if there is none */
} ServerFacts;

typedef struct SuspendFacts {
	int64_t now_ms;
	int64_t active_ms;  /* when it was last used, as far as we know */
	int64_t timeout_ms; /* 0: never suspend */
	int at_work;        /* sessions at work, as proxies report them */
	ServerFacts server;
} SuspendFacts;

typedef enum SuspendVerdict {
	SUSPEND_KEEP,
	SUSPEND_ASK, /* everything but the server, which was not asked, speaks for it */
	SUSPEND_NOW,
} SuspendVerdict;

#define SUSPEND_REASON_SIZE 160

/* reason says why, for operations and the log. */
SuspendVerdict suspend_decide(const SuspendFacts *f, char reason[SUSPEND_REASON_SIZE]);

#endif
