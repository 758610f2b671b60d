/* Computes in SQLite: made, read, listed and configured; sqlite_move.c changes their state. */
#include "base/mem.h"
#include "base/text.h"
#include "sqlite.h"
#include "sys/clock.h"

#define COLUMNS                                                                                   \
	"id, project_id, engine, state, generation, size, config, incarnation, address, failure," \
	" verifier, control_password, created_at, last_activity"

#define TAKEN "SELECT 1 FROM projects WHERE id = ?1 UNION ALL SELECT 1 FROM computes WHERE id = ?1"

static void read_row(sqlite3_stmt *q, Compute *c)
{
	column_text(q, 0, c->id, sizeof(c->id));
	column_text(q, 1, c->project_id, sizeof(c->project_id));
	column_text(q, 2, c->engine, sizeof(c->engine));
	c->state = column_state(q, 3);
	c->generation = sqlite3_column_int64(q, 4);
	c->size = sqlite3_column_int(q, 5);
	column_text(q, 6, c->config, sizeof(c->config));
	column_text(q, 7, c->incarnation, sizeof(c->incarnation));
	column_text(q, 8, c->address, sizeof(c->address));
	column_text(q, 9, c->failure, sizeof(c->failure));
	column_text(q, 10, c->verifier, sizeof(c->verifier));
	column_text(q, 11, c->control_password, sizeof(c->control_password));
	c->created_at = sqlite3_column_int64(q, 12);
	c->last_activity = sqlite3_column_int64(q, 13);
}

static void read_rows(Sqlite *s, Job *job, sqlite3_stmt *q, Fault *why)
{
	while (db_next(s, q, why)) {
		job->computes = mem_grow(job->computes, sizeof(Compute) * (size_t)(job->n + 1));
		read_row(q, &job->computes[job->n++]);
	}
}

bool compute_read(Sqlite *s, Job *job, const char *id, Fault *why)
{
	int before = job->n;

	read_rows(s, job,
		  db_query(s, why, "SELECT " COLUMNS " FROM computes WHERE id = ?", "t", id), why);
	if (why->code == FAULT_NONE && job->n == before)
		fault_set(why, FAULT_NOT_FOUND, "there is no compute \"%s\"", id);
	return why->code == FAULT_NONE;
}

static bool insert(Sqlite *s, const Compute *c, Fault *why)
{
	return db_run(s, why,
		      "INSERT INTO computes (id, project_id, engine, state, generation, size,"
		      " config, verifier, control_password, created_at, last_activity)"
		      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      "tttt"
		      "ii"
		      "ttt"
		      "ii",
		      c->id, c->project_id, c->engine, compute_state_word(c->state), c->generation,
		      (int64_t)c->size, c->config, c->verifier, c->control_password, c->created_at,
		      c->last_activity);
}

static bool write_birth(Sqlite *s, const Compute *c, Fault *why)
{
	Operation op = {.from = COMPUTE_GONE, .to = c->state, .generation = c->generation};

	text_copy(op.project_id, sizeof(op.project_id), c->project_id);
	text_copy(op.compute_id, sizeof(op.compute_id), c->id);
	text_copy(op.reason, sizeof(op.reason), "asked for");
	op.at = wall_us();
	return operation_write(s, &op, why);
}

static bool run_create(Sqlite *s, Job *job, Fault *why)
{
	const Compute *c = &job->with.compute;

	if (!db_exists(s, why, "SELECT 1 FROM projects WHERE id = ? AND NOT deleting",
		       c->project_id))
		return fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", c->project_id);
	if (db_exists(s, why, TAKEN, c->id))
		return fault_set(why, FAULT_EXISTS, "the name \"%s\" is taken", c->id);
	return insert(s, c, why) && write_birth(s, c, why) && compute_read(s, job, c->id, why);
}

void sqlite_compute_create(Store *s, const Compute *c, StoreCall call)
{
	job_new(s, JOB_PROMISE, run_create, call)->with.compute = *c;
}

static bool run_get(Sqlite *s, Job *job, Fault *why)
{
	return compute_read(s, job, job->with.id, why);
}

void sqlite_compute_get(Store *s, const char *id, StoreCall call)
{
	text_copy(job_new(s, JOB_READ, run_get, call)->with.id, ID_SIZE, id);
}

static bool run_list(Sqlite *s, Job *job, Fault *why)
{
	const Page *page = &job->with.page;

	read_rows(s, job,
		  db_query(s, why,
			   "SELECT " COLUMNS " FROM computes"
			   " WHERE (?1 = '' OR project_id = ?1) AND id > ?2 ORDER BY id LIMIT ?3",
			   "tti", page->project_id, page->after,
			   (int64_t)(page->limit ? page->limit : -1)),
		  why);
	return why->code == FAULT_NONE;
}

void sqlite_compute_list(Store *s, const Page *page, StoreCall call)
{
	job_new(s, JOB_READ, run_list, call)->with.page = *page;
}

static bool run_configure(Sqlite *s, Job *job, Fault *why)
{
	const Compute *c = &job->with.compute;

	return db_run(s, why, "UPDATE computes SET config = ?, size = ? WHERE id = ?", "tit",
		      c->config, (int64_t)c->size, c->id) &&
	       compute_read(s, job, c->id, why);
}

void sqlite_compute_configure(Store *s, const Compute *c, StoreCall call)
{
	job_new(s, JOB_PROMISE, run_configure, call)->with.compute = *c;
}
