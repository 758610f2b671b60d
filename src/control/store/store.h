/*
 * Where the control plane's records are kept.
 *
 * Named operations, not SQL.  Each is one transaction; its answer comes later,
 * never from within the call, and in the order in which they were asked.  A
 * change of state is a compare-and-swap on (state, generation) that writes the
 * compute, its operation and its metered interval together or not at all.
 */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include "../record.h"
#include "base/fault.h"
#include "sys/loop.h"

typedef struct Store Store;

/* What was found; borrowed until the callback returns. */
typedef struct StoreRows {
	int n;
	const Project *projects;
	const Compute *computes;
	const Operation *operations;
	const Interval *intervals;
} StoreRows;

/* why is NULL if it was done; FAULT_BUSY says that another change came first. */
typedef void (*StoreAnswer)(void *arg, const StoreRows *rows, const Fault *why);

typedef struct StoreCall {
	StoreAnswer on_answer;
	void *arg;
} StoreCall;

/* One page of a list: what comes after an id ("" or 0 for the first), and how many. */
typedef struct Page {
	char project_id[ID_SIZE]; /* "" for all */
	char compute_id[ID_SIZE]; /* "" for all */
	char after[ID_SIZE];
	int64_t before;   /* of operations, which are listed newest first */
	int limit;        /* 0: all */
	int64_t from, to; /* intervals that overlap [from, to) */
} Page;

typedef struct Move {
	char compute_id[ID_SIZE];
	ComputeState from;
	int64_t generation;
	ComputeState to; /* COMPUTE_GONE removes the compute */
	char incarnation[INCARNATION_SIZE];
	char address[ADDRESS_SIZE];
	char reason[REASON_SIZE];
	bool unseen; /* when it ended nobody saw, so its interval ends when it was last seen */
} Move;

/* A compute that was active and watched at this moment. */
typedef struct Heartbeat {
	char compute_id[ID_SIZE];
	int64_t last_activity;
} Heartbeat;

typedef struct StoreOps {
	/* Answers the project. Ids must be new, also among computes: EXISTS. */
	void (*project_create)(Store *s, const Project *p, StoreCall call);
	void (*project_get)(Store *s, const char *id, StoreCall call);
	void (*project_list)(Store *s, const Page *page, StoreCall call);
	void (*project_configure)(Store *s, const Project *p, StoreCall call);
	/* Marks it, and makes all its computes destroying; answers those. */
	void (*project_delete)(Store *s, const char *id, StoreCall call);

	/* Answers the compute, whose state must be creating. */
	void (*compute_create)(Store *s, const Compute *c, StoreCall call);
	void (*compute_get)(Store *s, const char *id, StoreCall call);
	void (*compute_list)(Store *s, const Page *page, StoreCall call);
	void (*compute_configure)(Store *s, const Compute *c, StoreCall call);
	/* Answers the compute as it now is; the last compute of a deleted project takes it along.
	 */
	void (*compute_move)(Store *s, const Move *move, StoreCall call);

	void (*heartbeat)(Store *s, const Heartbeat *beats, int n, StoreCall call);
	void (*operation_list)(Store *s, const Page *page, StoreCall call);
	void (*interval_list)(Store *s, const Page *page, StoreCall call);
	void (*close)(Store *s);
} StoreOps;

struct Store {
	const StoreOps *ops;
};

/* "sqlite:PATH"; made if it is not there. NULL and *why if it cannot be used. */
Store *store_open(Loop *loop, const char *url, Fault *why);

/* The path within "sqlite:PATH", or NULL. */
const char *store_path(const char *url);

Store *store_sqlite_open(Loop *loop, const char *path, Fault *why);

#endif
