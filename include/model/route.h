/*
 * Routes: where each compute is, and whether somebody is waking it.
 *
 * A route's state is one word, changed by compare-and-swap: its phase, how often
 * it has changed, and who claimed it.
 *
 *	ASLEEP    nothing is known; who wants the compute may claim the waking
 *	WAKING    the claimer is asking the control plane; others leave a mark and wait
 *	AWAKE     the answer holds an address
 *	FAILED    the answer holds a fault, believed for a short time
 *
 * The answer is written by the claimer alone, and only while it is the claimer.
 * A worker that waits or has sessions counts itself in the row; a row that
 * nobody counts on may be given to another compute, which is why an answer says
 * whose it is.  Each tenant of a row has a number, its tenancy; what others write
 * about the tenant carries it, so that nothing has to be cleaned at the change.
 */
#ifndef MODEL_ROUTE_H
#define MODEL_ROUTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "model/row.h"

#define ROUTE_NAME_SIZE    64
#define ROUTE_ADDRESS_SIZE 272
#define ROUTE_SERVER_SIZE  256
#define ROUTE_WORKERS      64
#define ROUTE_TURN_BITS    24
#define ROUTE_TENANCY_BITS 16
#define ROUTE_WAYS         16 /* rows that a name may lie in */

typedef struct Shared Shared;

typedef enum RoutePhase { ROUTE_ASLEEP, ROUTE_WAKING, ROUTE_AWAKE, ROUTE_FAILED } RoutePhase;

typedef struct RouteState {
	RoutePhase phase;
	uint32_t turn; /* of ROUTE_TURN_BITS */
	uint32_t claimer;
} RouteState;

typedef enum WakeDepth { DEPTH_NONE, DEPTH_WARM, DEPTH_FROZEN, DEPTH_COLD } WakeDepth;

typedef struct RouteAnswer {
	char name[ROUTE_NAME_SIZE];
	char address[ROUTE_ADDRESS_SIZE];    /* "host:port" or the path of a Unix socket */
	char server_name[ROUTE_SERVER_SIZE]; /* it has TLS, with a certificate for this name; or ""
					      */
	int64_t learnt_ms;                   /* when, on the machine's monotonic clock */
	uint64_t generation;
	WakeDepth depth;
	Fault fault; /* if FAILED */
} RouteAnswer;

typedef struct Route {
	_Atomic uint64_t state;
	_Atomic int64_t wanted_until_ms; /* the latest deadline of those who wait */
	_Atomic int64_t next_wake_us;    /* a token bucket (model/bucket.h) */
	_Atomic uint64_t news;           /* what was told of it (model/news.h) */
	_Atomic uint64_t reported; /* bytes that the control plane knows of (model/traffic.h) */
	_Atomic uint32_t waiting[ROUTE_WORKERS];
	_Atomic uint32_t sessions[ROUTE_WORKERS];
	ROW(RouteAnswer) answer;
} Route;

/*
 * The row of a compute, found or made, with this worker counted as waiting in
 * it (undo with route_leave).  NULL if the table is full of rows in use.
 */
Route *route_enter(Shared *sh, const char *name, int worker);
void route_leave(Route *r, int worker);

/* A compute's row, and its tenancy there. */
typedef struct RouteTenant {
	Route *row;
	uint32_t tenancy;
} RouteTenant;

/* The rows that a name has now: almost always one, or none. The caller is not counted in them. */
int route_rows(Shared *sh, const char *name, RouteTenant out[ROUTE_WAYS]);

/* The tenancy of a row's present tenant. */
uint32_t route_tenancy(const Shared *sh, const Route *r);

/* Whether the row's tenant has that name, and which tenancy it is. */
bool route_is_of(const Shared *sh, const Route *r, const char *name, uint32_t *tenancy);

RouteState route_state(const Route *r);

/* The state and the answer that belongs to it. */
RouteState route_load(const Route *r, RouteAnswer *answer);

/* Moves from a state that was seen to a new phase; false if somebody was quicker. */
bool route_move(Route *r, RouteState from, RoutePhase to, uint32_t claimer);

/* The turn that a state has after one move. */
static inline uint32_t route_next_turn(RouteState s)
{
	return (s.turn + 1) & ((1u << ROUTE_TURN_BITS) - 1);
}

/* The claimer ends its claim with an answer. */
void route_settle(Route *r, RouteState mine, RoutePhase to, const RouteAnswer *answer);

/* How many wait or are connected, over all workers. */
uint32_t route_waiting(const Route *r);
uint32_t route_sessions(const Route *r);

void route_session_begins(Route *r, int worker);
void route_session_ends(Route *r, int worker);

/* Whoever waits says until when. */
void route_want_until(Route *r, int64_t until_ms);

/*
 * Takes one wake out of the bucket: 0 if there was one, else the microseconds
 * until there will be (and nothing is taken).
 */
int64_t route_take_wake(Route *r, int64_t now_us, int per_second, int burst);

/* What a session that wants the compute is to do now. Pure. */
typedef enum RouteVerdict {
	ROUTE_USE,    /* the address is good */
	ROUTE_CLAIM,  /* claim the waking; the old address, if any, may serve if that fails */
	ROUTE_WAIT,   /* somebody else is waking it */
	ROUTE_REFUSE, /* the answer's fault stands */
} RouteVerdict;

typedef struct RouteView {
	RouteState state;
	RouteAnswer answer;
	bool ours;        /* the answer is about the compute that is wanted */
	bool in_use;      /* a session is connected there */
	bool frozen;      /* its server does not run, wherever it is */
	bool have_waited; /* the caller waited for this very answer */
	int64_t now_ms, ttl_ms, negative_ttl_ms;
} RouteView;

RouteVerdict route_verdict(const RouteView *view);

#endif
