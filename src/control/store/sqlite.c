#include "sqlite.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "schema.h"

#define BUSY_MS 5000

/* ---- statements -------------------------------------------------------- */

static bool broken(Sqlite *s, Fault *why)
{
	return fault_set(why, FAULT_INTERNAL, "the store failed: %s", sqlite3_errmsg(s->db));
}

static void bind_all(sqlite3_stmt *q, const char *types, va_list ap)
{
	for (int i = 0; types[i]; i++) {
		if (types[i] == 't')
			sqlite3_bind_text(q, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(q, i + 1, va_arg(ap, int64_t));
	}
}

static sqlite3_stmt *prepare(Sqlite *s, Fault *why, const char *sql, const char *types, va_list ap)
{
	sqlite3_stmt *q;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) {
		broken(s, why);
		return NULL;
	}
	assert(sqlite3_bind_parameter_count(q) == (int)strlen(types));
	bind_all(q, types, ap);
	return q;
}

sqlite3_stmt *db_query(Sqlite *s, Fault *why, const char *sql, const char *types, ...)
{
	va_list ap;
	sqlite3_stmt *q;

	va_start(ap, types);
	q = prepare(s, why, sql, types, ap);
	va_end(ap);
	return q;
}

bool db_next(Sqlite *s, sqlite3_stmt *q, Fault *why)
{
	int rc = q ? sqlite3_step(q) : SQLITE_DONE;

	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		broken(s, why);
	sqlite3_finalize(q);
	return false;
}

bool db_run(Sqlite *s, Fault *why, const char *sql, const char *types, ...)
{
	va_list ap;
	sqlite3_stmt *q;
	int rc;

	va_start(ap, types);
	q = prepare(s, why, sql, types, ap);
	va_end(ap);
	if (!q)
		return false;
	rc = sqlite3_step(q);
	sqlite3_finalize(q);
	return rc == SQLITE_DONE || broken(s, why);
}

int db_changed(const Sqlite *s)
{
	return sqlite3_changes(s->db);
}

bool db_exists(Sqlite *s, Fault *why, const char *sql, const char *id)
{
	sqlite3_stmt *q = db_query(s, why, sql, "t", id);
	bool found = q && sqlite3_step(q) == SQLITE_ROW;

	sqlite3_finalize(q);
	return found;
}

void column_text(sqlite3_stmt *q, int column, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	text_copy(out, size, text ? text : "");
}

ComputeState column_state(sqlite3_stmt *q, int column)
{
	const char *word = (const char *)sqlite3_column_text(q, column);

	return compute_state_of_word(word ? word : "");
}

/* ---- jobs -------------------------------------------------------------- */

static void free_job(Job *job)
{
	free(job->beats);
	free(job->projects);
	free(job->computes);
	free(job->operations);
	free(job->intervals);
	free(job);
}

static bool command(Sqlite *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool transact(Sqlite *s, Job *job, Fault *why)
{
	/* FULL syncs the write-ahead log at each commit, NORMAL when it is folded in. */
	command(s, job->kind == JOB_PROMISE ? "PRAGMA synchronous = FULL"
					    : "PRAGMA synchronous = NORMAL");
	if (!command(s, "BEGIN IMMEDIATE"))
		return broken(s, why);
	if (!job->run(s, job, why)) {
		command(s, "ROLLBACK");
		return false;
	}
	if (command(s, "COMMIT"))
		return true;
	broken(s, why);
	command(s, "ROLLBACK");
	return false;
}

static void run_job(Sqlite *s, Job *job)
{
	Fault why = {0};
	StoreRows rows = {0};

	if (job->kind == JOB_READ)
		job->run(s, job, &why);
	else
		transact(s, job, &why);
	if (why.code == FAULT_NONE)
		rows = (StoreRows){job->n, job->projects, job->computes, job->operations,
				   job->intervals};
	if (job->call.on_answer)
		job->call.on_answer(job->call.arg, &rows, why.code == FAULT_NONE ? NULL : &why);
	free_job(job);
}

/* Only what was there when the turn began, so that nobody is answered in his own turn. */
static void on_turn(void *arg)
{
	Sqlite *s = arg;
	Job *job = s->first;

	s->first = NULL;
	s->last = &s->first;
	while (job) {
		Job *next = job->next;

		run_job(s, job);
		job = next;
	}
}

Job *job_new(Store *store, JobKind kind, bool (*run)(Sqlite *, Job *, Fault *), StoreCall call)
{
	Sqlite *s = (Sqlite *)store;
	Job *job = NEW(Job);

	job->kind = kind;
	job->run = run;
	job->call = call;
	*s->last = job;
	s->last = &job->next;
	timer_arm(&s->turn, 0);
	return job;
}

/* ---- the store --------------------------------------------------------- */

static void close_store(Store *store)
{
	Sqlite *s = (Sqlite *)store;

	while (s->first) {
		Job *next = s->first->next;

		free_job(s->first);
		s->first = next;
	}
	timer_stop(&s->turn);
	sqlite3_close(s->db);
	loop_bury(s->loop, s, free);
}

static const StoreOps ops = {
	.project_create = sqlite_project_create,
	.project_get = sqlite_project_get,
	.project_list = sqlite_project_list,
	.project_configure = sqlite_project_configure,
	.project_delete = sqlite_project_delete,
	.compute_create = sqlite_compute_create,
	.compute_get = sqlite_compute_get,
	.compute_list = sqlite_compute_list,
	.compute_configure = sqlite_compute_configure,
	.compute_move = sqlite_compute_move,
	.heartbeat = sqlite_heartbeat,
	.operation_list = sqlite_operation_list,
	.interval_list = sqlite_interval_list,
	.close = close_store,
};

static void make_folder_of(const char *path)
{
	char folder[512];
	char *slash;

	text_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = 0;
	mkdir(folder, 0700);
}

/* The file holds passwords of the servers' control role, so nobody else may read it. */
static sqlite3 *open_file(const char *path, Fault *why)
{
	mode_t before = umask(077);
	sqlite3 *db = NULL;
	int rc;

	make_folder_of(path);
	rc = sqlite3_open(path, &db);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON", NULL,
				  NULL, NULL);
	umask(before);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(db, BUSY_MS);
		return db;
	}
	fault_set(why, FAULT_BAD_SETTING, "could not open the store \"%s\": %s", path,
		  sqlite3_errmsg(db));
	sqlite3_close(db);
	return NULL;
}

Store *store_sqlite_open(Loop *loop, const char *path, Fault *why)
{
	sqlite3 *db = open_file(path, why);
	Sqlite *s;

	if (!db)
		return NULL;
	if (!schema_upgrade(db, why)) {
		sqlite3_close(db);
		return NULL;
	}
	s = NEW(Sqlite);
	*s = (Sqlite){.store.ops = &ops, .loop = loop, .db = db};
	s->last = &s->first;
	timer_init(&s->turn, loop, on_turn, s);
	machine_boot_id(s->boot_id);
	return &s->store;
}
