/*
 * Where the control plane's records are kept: SQLite or PostgreSQL.
 *
 * Named operations, not SQL.  Each is one transaction; its answer comes later,
 * never from within the call, and in the order in which they were asked.  A
 * change of state is a compare-and-swap on (state, generation) that writes the
 * compute, its operation and its metered interval together or not at all.
 *
 * Of several control processes on one store one is in charge; what another one
 * still writes that was in charge before is refused (FAULT_NOT_LEADER).
 */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include "../record.h"
#include "base/fault.h"
#include "sys/loop.h"
#include "sys/machine.h"

typedef struct Store Store;
typedef struct Deed Deed;

/* What was found; borrowed until the callback returns. */
typedef struct StoreRows {
	int n;
	union {
		const void *at;
		const Project *projects;
		const Compute *computes;
		const Operation *operations;
		const Interval *intervals;
		const Role *roles;
		const OwnedDatabase *databases;
		const Token *tokens;
		const StorageSample *samples;
		const Traffic *traffic;
		const AwakeCause *causes;
		const UsageHour *hours;
		const Letter *letters;
		const PastAnswer *answers;
		const Leadership *leadership;
	};
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
	int64_t from, to; /* what overlaps [from, to) */
} Page;

typedef struct Move {
	char compute_id[ID_SIZE];
	ComputeState from;
	int64_t generation;
	ComputeState to; /* COMPUTE_GONE removes the compute */
	char incarnation[INCARNATION_SIZE];
	char address[ADDRESS_SIZE];
	char reason[REASON_SIZE];
	int64_t cpu_start, cpu_us; /* of the interval that ends, as in Heartbeat */
	bool unseen; /* when it ended nobody saw, so its interval ends when it was last seen */
} Move;

/* A running compute gets another size; its state stays. */
typedef struct Resize {
	char compute_id[ID_SIZE];
	ComputeState state;
	int64_t generation;
	int size; /* thousandths of a compute unit */
	char reason[REASON_SIZE];
} Resize;

/* A compute whose interval is open and that was watched at this moment. */
typedef struct Heartbeat {
	char compute_id[ID_SIZE];
	int64_t last_activity;
	int64_t cpu_start, cpu_us; /* as in Interval; 0 if nothing new is known */
} Heartbeat;

typedef struct StoreOps {
	void (*run)(Store *s, Deed *deed);
	void (*lead)(Store *s);
	void (*close)(Store *s);
} StoreOps;

typedef enum LeadNews {
	LEAD_WON,    /* this process is in charge */
	LEAD_OTHERS, /* another one is; there will be more news */
	LEAD_LOST,   /* it was, and may not be any more */
	LEAD_DOUBTS, /* it is, and something it had the store do may be done or not */
} LeadNews;

struct Store {
	const StoreOps *ops;
	Loop *loop;
	char boot_id[BOOT_ID_SIZE];
	bool shared;   /* with other control processes */
	int64_t epoch; /* of our being in charge, 0 if we are not */
	void (*on_lead)(void *arg, LeadNews news);
	void *lead_arg;
};

/* "sqlite:PATH" or "postgresql://…"; made if it is not there. NULL and *why if it cannot be used.
 */
Store *store_open(Loop *loop, const char *url, Fault *why);
void store_close(Store *s);

/* The path within "sqlite:PATH", or NULL. */
const char *store_path(const char *url);

/* Writes something and takes it back, to find out whether that can be done. */
void store_try(Store *s, StoreCall call);

/* ---- who is in charge -------------------------------------------------- */

/* Asks to be in charge, and tells when that is so. */
void store_lead(Store *s, void (*on_lead)(void *arg, LeadNews news), void *arg);

/* In charge from here on: others will find us at that URL, and what they write is refused. */
void store_take_over(Store *s, const char *url, StoreCall call);
void store_leader(Store *s, StoreCall call);

/* ---- projects ---------------------------------------------------------- */

/* Answers the project. Ids must be new, also among computes: EXISTS. past may be NULL. */
void store_project_create(Store *s, const Project *p, const PastAnswer *past, StoreCall call);
void store_project_get(Store *s, const char *id, StoreCall call);
void store_project_list(Store *s, const Page *page, StoreCall call);
void store_project_configure(Store *s, const Project *p, StoreCall call);

/* Marks it, and makes all its computes destroying; answers those. */
void store_project_delete(Store *s, const char *id, StoreCall call);

/* ---- computes ---------------------------------------------------------- */

/* Answers the compute, whose state must be creating. past may be NULL. */
void store_compute_create(Store *s, const Compute *c, const PastAnswer *past, StoreCall call);
void store_compute_get(Store *s, const char *id, StoreCall call);
void store_compute_list(Store *s, const Page *page, StoreCall call);
/* Its size stays: that is changed with store_compute_resize(), and metered. */
void store_compute_configure(Store *s, const Compute *c, StoreCall call);

/* Answers the compute as it now is; the last compute of a deleted project takes it along. */
void store_compute_move(Store *s, const Move *move, StoreCall call);
void store_compute_resize(Store *s, const Resize *r, StoreCall call);

/* An operation that changes nothing, in that state. */
void store_compute_note(Store *s, const char *id, ComputeState state, const char *reason,
			StoreCall call);

void store_heartbeat(Store *s, const Heartbeat *beats, int n, StoreCall call);

/* Newest first. */
void store_operation_list(Store *s, const Page *page, StoreCall call);

/* Those of that time, but for the last of each compute. */
void store_operation_forget(Store *s, int64_t before, StoreCall call);

/* ---- roles and databases of a compute ---------------------------------- */

/* New, or with another secret; pending until store_role_settled(). */
void store_role_put(Store *s, const Role *r, bool must_be_new, StoreCall call);
void store_role_drop(Store *s, const char *compute_id, const char *name, StoreCall call);
void store_role_list(Store *s, const char *compute_id, StoreCall call); /* "" for all */

/* The server has been told what was pending; nothing happens if it is another thing by now. */
void store_role_settled(Store *s, const Role *told, StoreCall call);

void store_database_put(Store *s, const OwnedDatabase *d, StoreCall call);
void store_database_drop(Store *s, const char *compute_id, const char *name, StoreCall call);
void store_database_list(Store *s, const char *compute_id, StoreCall call);
void store_database_settled(Store *s, const OwnedDatabase *told, StoreCall call);

/* ---- what was used ----------------------------------------------------- */

void store_interval_list(Store *s, const Page *page, StoreCall call);
void store_interval_open(Store *s, StoreCall call); /* those that are, of all projects */

void store_sample_add(Store *s, const StorageSample *sample, StoreCall call);

/* Those of [from, to), and the last one of each compute before that. */
void store_sample_list(Store *s, const Page *page, StoreCall call);

/* A proxy's totals: what they grew by since they were last heard of is added to the hour. */
void store_traffic_add(Store *s, const Traffic *totals, int n, StoreCall call);
void store_traffic_list(Store *s, const Page *page, StoreCall call);

/* Samples, and totals of proxies, of that time; hours that were published are kept. */
void store_usage_forget(Store *s, int64_t before, StoreCall call);

void store_cause_add(Store *s, const AwakeCause *causes, int n, StoreCall call);
void store_cause_list(Store *s, const Page *page, StoreCall call);

/* Publishes hours, and the letters that tell of them, together. */
void store_hour_publish(Store *s, const UsageHour *hours, int n_hours, const Letter *letters,
			int n_letters, StoreCall call);
void store_hour_list(Store *s, const Page *page, StoreCall call);

/* The last hour that was published, or the one before anything was used; none if nothing was. */
void store_hour_last(Store *s, StoreCall call);

void store_letter_add(Store *s, const Letter *letter, StoreCall call);

/* Letters whose time has come by then: one of each URL, those first that have waited longest. */
void store_letter_list(Store *s, int64_t now, int limit, StoreCall call);
void store_letter_arrived(Store *s, int64_t id, StoreCall call);

/* Where nobody is there, the other letters to that URL wait as long. */
void store_letter_failed(Store *s, int64_t id, int64_t next_at, bool nobody_there, StoreCall call);

/* ---- who may ask, and what was answered -------------------------------- */

void store_token_put(Store *s, const Token *t, StoreCall call); /* in place of its id's */
void store_token_find(Store *s, const char *hash, StoreCall call);
void store_token_list(Store *s, const Page *page, StoreCall call);
void store_token_drop(Store *s, const char *id, StoreCall call);

/* EXISTS if there is one with that key. */
void store_answer_begin(Store *s, const PastAnswer *past, StoreCall call);
void store_answer_find(Store *s, const char *key_hash, StoreCall call);
void store_answer_finish(Store *s, const PastAnswer *past, StoreCall call);
void store_answer_forget(Store *s, const char *key_hash, StoreCall call);
void store_answer_sweep(Store *s, int64_t before, StoreCall call);

/* ---- engines ----------------------------------------------------------- */

Store *store_sqlite_open(Loop *loop, const char *path, Fault *why);
Store *store_postgres_open(Loop *loop, const char *url, Fault *why);

#endif
