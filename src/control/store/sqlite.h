/*
 * Inside the SQLite store: one connection, a queue of jobs, and short words for
 * running statements.
 *
 * SQLite answers at once, but callers may rely on never being answered from
 * within their own call; so a call only queues its job.
 */
#ifndef CONTROL_STORE_SQLITE_H
#define CONTROL_STORE_SQLITE_H

#include <sqlite3.h>

#include "store.h"
#include "sys/machine.h"

typedef struct Job Job;

typedef struct Sqlite {
	Store store; /* first, so that a Store * is one of these */
	Loop *loop;
	sqlite3 *db;
	Job *first, **last;
	Timer turn;
	char boot_id[BOOT_ID_SIZE];
} Sqlite;

typedef enum JobKind {
	JOB_READ,
	JOB_WRITE,   /* survives our death */
	JOB_PROMISE, /* survives the machine's, for what a client was told is done */
} JobKind;

struct Job {
	JobKind kind;
	bool (*run)(Sqlite *s, Job *job, Fault *why);
	union {
		char id[ID_SIZE];
		Project project;
		Compute compute;
		Page page;
		Move move;
	} with;
	Heartbeat *beats; /* owned, as what it found */
	int n_beats;
	StoreCall call;
	Project *projects;
	Compute *computes;
	Operation *operations;
	Interval *intervals;
	int n;
	Job *next;
};

/* A job to be filled in; it runs in a later turn of the loop. */
Job *job_new(Store *store, JobKind kind, bool (*run)(Sqlite *, Job *, Fault *), StoreCall call);

/*
 * Statements.  types has one letter for each argument: 't' text, 'i' int64_t.
 * All fill *why when SQLite fails.
 */
sqlite3_stmt *db_query(Sqlite *s, Fault *why, const char *sql, const char *types, ...);

/* Steps to the next row; false at the end or on failure, after freeing the query. */
bool db_next(Sqlite *s, sqlite3_stmt *q, Fault *why);
bool db_run(Sqlite *s, Fault *why, const char *sql, const char *types, ...);
int db_changed(const Sqlite *s); /* rows of the last db_run() */
bool db_exists(Sqlite *s, Fault *why, const char *sql, const char *id);

void column_text(sqlite3_stmt *q, int column, char *out, size_t size);
ComputeState column_state(sqlite3_stmt *q, int column);

/* The operations, by the records they are about. */
void sqlite_project_create(Store *s, const Project *p, StoreCall call);
void sqlite_project_get(Store *s, const char *id, StoreCall call);
void sqlite_project_list(Store *s, const Page *page, StoreCall call);
void sqlite_project_configure(Store *s, const Project *p, StoreCall call);
void sqlite_project_delete(Store *s, const char *id, StoreCall call);

void sqlite_compute_create(Store *s, const Compute *c, StoreCall call);
void sqlite_compute_get(Store *s, const char *id, StoreCall call);
void sqlite_compute_list(Store *s, const Page *page, StoreCall call);
void sqlite_compute_configure(Store *s, const Compute *c, StoreCall call);

void sqlite_compute_move(Store *s, const Move *move, StoreCall call);

void sqlite_heartbeat(Store *s, const Heartbeat *beats, int n, StoreCall call);
void sqlite_operation_list(Store *s, const Page *page, StoreCall call);
void sqlite_interval_list(Store *s, const Page *page, StoreCall call);

/* Shared between them. */
bool compute_read(Sqlite *s, Job *job, const char *id, Fault *why);
bool compute_apply_move(Sqlite *s, Job *job, const Move *move, Fault *why);
bool operation_write(Sqlite *s, const Operation *op, Fault *why);

/* Opens or closes the compute's interval, as lifecycle_is_metered() says. */
bool usage_follow(Sqlite *s, const Compute *now, ComputeState from, bool unseen, Fault *why);

#endif
