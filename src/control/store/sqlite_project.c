/* Projects in SQLite. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "sqlite.h"

#define COLUMNS "id, name, config, created_at, deleting"

/* Computes and projects are asked for by the same name, so no two may share one. */
#define TAKEN "SELECT 1 FROM projects WHERE id = ?1 UNION ALL SELECT 1 FROM computes WHERE id = ?1"

static void read_rows(Sqlite *s, Job *job, sqlite3_stmt *q, Fault *why)
{
	while (db_next(s, q, why)) {
		Project *p;

		job->projects = mem_grow(job->projects, sizeof(Project) * (size_t)(job->n + 1));
		p = &job->projects[job->n++];
		column_text(q, 0, p->id, sizeof(p->id));
		column_text(q, 1, p->name, sizeof(p->name));
		column_text(q, 2, p->config, sizeof(p->config));
		p->created_at = sqlite3_column_int64(q, 3);
		p->deleting = sqlite3_column_int(q, 4);
	}
}

static bool read_one(Sqlite *s, Job *job, const char *id, Fault *why)
{
	read_rows(s, job,
		  db_query(s, why, "SELECT " COLUMNS " FROM projects WHERE id = ?", "t", id), why);
	if (why->code == FAULT_NONE && job->n == 0)
		fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", id);
	return why->code == FAULT_NONE;
}

static bool run_create(Sqlite *s, Job *job, Fault *why)
{
	const Project *p = &job->with.project;

	if (db_exists(s, why, TAKEN, p->id))
		return fault_set(why, FAULT_EXISTS, "\"%s\" is taken", p->id);
	return db_run(s, why,
		      "INSERT INTO projects (id, name, config, created_at) VALUES (?, ?, ?, ?)",
		      "ttti", p->id, p->name, p->config, p->created_at) &&
	       read_one(s, job, p->id, why);
}

void sqlite_project_create(Store *s, const Project *p, StoreCall call)
{
	job_new(s, JOB_PROMISE, run_create, call)->with.project = *p;
}

static bool run_get(Sqlite *s, Job *job, Fault *why)
{
	return read_one(s, job, job->with.id, why);
}

void sqlite_project_get(Store *s, const char *id, StoreCall call)
{
	text_copy(job_new(s, JOB_READ, run_get, call)->with.id, ID_SIZE, id);
}

static bool run_list(Sqlite *s, Job *job, Fault *why)
{
	const Page *page = &job->with.page;

	read_rows(s, job,
		  db_query(s, why,
			   "SELECT " COLUMNS " FROM projects WHERE id > ? ORDER BY id LIMIT ?",
			   "ti", page->after, (int64_t)(page->limit ? page->limit : -1)),
		  why);
	return why->code == FAULT_NONE;
}

void sqlite_project_list(Store *s, const Page *page, StoreCall call)
{
	job_new(s, JOB_READ, run_list, call)->with.page = *page;
}

static bool run_configure(Sqlite *s, Job *job, Fault *why)
{
	const Project *p = &job->with.project;

	return db_run(s, why, "UPDATE projects SET name = ?, config = ? WHERE id = ?", "ttt",
		      p->name, p->config, p->id) &&
	       read_one(s, job, p->id, why);
}

void sqlite_project_configure(Store *s, const Project *p, StoreCall call)
{
	job_new(s, JOB_PROMISE, run_configure, call)->with.project = *p;
}

/* ---- deletion ---------------------------------------------------------- */

typedef struct Doomed {
	Move *moves;
	int n;
} Doomed;

static Doomed find_doomed(Sqlite *s, const char *project_id, Fault *why)
{
	sqlite3_stmt *q = db_query(s, why,
				   "SELECT id, state, generation FROM computes"
				   " WHERE project_id = ? AND state <> 'destroying'",
				   "t", project_id);
	Doomed d = {0};

	while (db_next(s, q, why)) {
		Move *m;

		d.moves = mem_grow(d.moves, sizeof(Move) * (size_t)(d.n + 1));
		m = &d.moves[d.n++];
		*m = (Move){.from = column_state(q, 1), .to = COMPUTE_DESTROYING};
		column_text(q, 0, m->compute_id, sizeof(m->compute_id));
		m->generation = sqlite3_column_int64(q, 2);
		text_copy(m->reason, sizeof(m->reason), "its project was deleted");
	}
	return d;
}

static bool doom_computes(Sqlite *s, Job *job, const char *project_id, Fault *why)
{
	Doomed d = find_doomed(s, project_id, why);

	for (int i = 0; i < d.n && why->code == FAULT_NONE; i++)
		compute_apply_move(s, job, &d.moves[i], why);
	free(d.moves);
	return why->code == FAULT_NONE;
}

static bool run_delete(Sqlite *s, Job *job, Fault *why)
{
	const char *id = job->with.id;

	if (!db_run(s, why, "UPDATE projects SET deleting = 1 WHERE id = ?", "t", id))
		return false;
	if (db_changed(s) == 0)
		return fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", id);
	return doom_computes(s, job, id, why) &&
	       db_run(s, why,
		      "DELETE FROM projects WHERE id = ?1"
		      " AND NOT EXISTS (SELECT 1 FROM computes WHERE project_id = ?1)",
		      "t", id);
}

void sqlite_project_delete(Store *s, const char *id, StoreCall call)
{
	text_copy(job_new(s, JOB_PROMISE, run_delete, call)->with.id, ID_SIZE, id);
}
