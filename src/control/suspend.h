/*
 * Whether a compute is to be frozen or stopped: facts and policy in; verdict, reason and
 * when to look again out.
 *
 * Pure.  There are two tiers.  Frozen is in memory but not scheduled: its sessions
 * stay, so it may come soon, but never while something goes on that a stopped
 * clock would break.  Stopped costs the sessions, so it comes late.  Clients that
 * are connected but do nothing keep nothing awake unless the project says so; a
 * request under way, an open transaction, a backup, replication and maintenance do.
 * The server itself is asked last, and only if everything else speaks for it.
 *
 * Who is exempt keeps nothing awake, but is served: what was woken for him stays for a
 * moment, and is frozen again.  What was started for him is stopped no sooner than what
 * was used then, since he may come each few seconds and a start is dear; thaws count for nothing.
 */
#ifndef CONTROL_SUSPEND_H
#define CONTROL_SUSPEND_H

#include <stdbool.h>
#include <stdint.h>

/* What the server says of itself. Who is exempt is in exempt_busy and sessions alone. */
typedef struct ServerFacts {
	bool known;         /* it was asked and answered */
	int sessions;       /* clients that are connected, also idle and exempt ones */
	int working;        /* sessions and background workers with a query under way */
	int in_transaction; /* sessions idle in an open transaction */
	int exempt_busy;    /* exempt sessions that are either */
	int backups;        /* base backups, and sessions that have begun one by SQL */
	int replicating;    /* other walsenders, and workers of subscriptions */
	int maintaining; /* autovacuum and parallel workers; index builds and the like of anybody */
	int prepared;    /* transactions prepared for two-phase commit */
	bool idle_timers; /* idle_session_timeout is set, for all or for some */
	int64_t idle_ms;  /* since a session that counts last did something; -1 if there is none */
} ServerFacts;

typedef struct SuspendPolicy {
	int64_t freeze_after_ms; /* 0: never frozen */
	int64_t idle_timeout_ms; /* 0: never stopped */
	int64_t check_ms;        /* how soon to look again where nobody will tell us */
	bool idle_clients_keep_awake;
	bool listeners_keep_awake;
	bool replication_keeps_awake;
} SuspendPolicy;

typedef struct SuspendFacts {
	int64_t now_ms;
	int64_t used_ms;   /* when it was last used by anybody who counts, as far as we know */
	int64_t since_ms;  /* since when it is active, or frozen; 0 if that is a favour */
	int64_t favour_ms; /* when it was last woken for somebody who is exempt, or 0 */
	int64_t favour_start_ms; /* and when it was last started for one, or 0 */
	bool frozen;
	bool can_freeze;   /* the driver can */
	bool asked;        /* somebody asked for it to be frozen, who answers for his own clients */
	bool proxies_hear; /* all proxies with sessions here will hear that it is frozen */

	/* As proxies report them, without those who are exempt; sessions are of all. */
	int sessions, at_work, listening;

	bool warm;              /* it is within its running hours: not stopped */
	int64_t warm_change_ms; /* until that changes, 0 if it does not */
	int64_t wake_in_ms;     /* until it is to be awake, -1 if it is not */

	ServerFacts server;
} SuspendFacts;

typedef enum SuspendVerdict {
	SUSPEND_KEEP,
	SUSPEND_ASK, /* everything but the server, which was not asked, speaks for it */
	SUSPEND_FREEZE,
	SUSPEND_STOP,
} SuspendVerdict;

#define SUSPEND_REASON_SIZE 160

typedef struct SuspendDecision {
	SuspendVerdict verdict;
	int64_t again_ms; /* from now; 0 if time alone changes nothing. Set for SUSPEND_KEEP */
	char reason[SUSPEND_REASON_SIZE]; /* for operations and the log */
} SuspendDecision;

SuspendDecision suspend_decide(const SuspendFacts *f, const SuspendPolicy *p);

#endif
