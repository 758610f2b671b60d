/*
 * Operations and metered intervals in SQLite.
 *
 * An interval begins at the wall's time and from then on is measured with the
 * clock that never jumps: its end is its begin plus what was measured.  It
 * never begins before the compute's last one ended, so steps of the wall's
 * clock neither lengthen an interval nor make two overlap.
 */
#include <string.h>

#include "../lifecycle.h"
#include "base/mem.h"
#include "sqlite.h"
#include "sys/clock.h"
#include "sys/machine.h"

/* ---- operations -------------------------------------------------------- */

bool operation_write(Sqlite *s, const Operation *op, Fault *why)
{
	return db_run(s, why,
		      "INSERT INTO operations (project_id, compute_id, from_state, to_state,"
		      " generation, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		      "tttt"
		      "iti",
		      op->project_id, op->compute_id, compute_state_word(op->from),
		      compute_state_word(op->to), op->generation, op->reason, op->at);
}

static void read_operation(sqlite3_stmt *q, Operation *op)
{
	op->id = sqlite3_column_int64(q, 0);
	column_text(q, 1, op->project_id, sizeof(op->project_id));
	column_text(q, 2, op->compute_id, sizeof(op->compute_id));
	op->from = column_state(q, 3);
	op->to = column_state(q, 4);
	op->generation = sqlite3_column_int64(q, 5);
	column_text(q, 6, op->reason, sizeof(op->reason));
	op->at = sqlite3_column_int64(q, 7);
}

static bool run_operation_list(Sqlite *s, Job *job, Fault *why)
{
	const Page *page = &job->with.page;
	sqlite3_stmt *q = db_query(
		s, why,
		"SELECT id, project_id, compute_id, from_state, to_state, generation,"
		" reason, at FROM operations WHERE compute_id = ?1 AND (?2 = 0 OR id < ?2)"
		" ORDER BY id DESC LIMIT ?3",
		"tii", page->compute_id, page->before, (int64_t)(page->limit ? page->limit : -1));

	while (db_next(s, q, why)) {
		job->operations =
			mem_grow(job->operations, sizeof(Operation) * (size_t)(job->n + 1));
		read_operation(q, &job->operations[job->n++]);
	}
	return why->code == FAULT_NONE;
}

void sqlite_operation_list(Store *s, const Page *page, StoreCall call)
{
	job_new(s, JOB_READ, run_operation_list, call)->with.page = *page;
}

/* ---- intervals --------------------------------------------------------- */

static bool open_interval(Sqlite *s, const Compute *c, Fault *why)
{
	return db_run(
		s, why,
		"INSERT INTO compute_usage (project_id, compute_id, incarnation, size, boot_id,"
		" started_boot, started_at, last_seen)"
		" SELECT ?1, ?2, ?3, ?4, ?5, ?6, at, at FROM (SELECT max(?7, coalesce((SELECT"
		" max(ended_at) FROM compute_usage WHERE compute_id = ?2), 0)) AS at)",
		"ttt"
		"iti"
		"i",
		c->project_id, c->id, c->incarnation, (int64_t)c->size, s->boot_id,
		machine_boot_us(), wall_us());
}

static bool close_interval(Sqlite *s, const Compute *c, bool unseen, Fault *why)
{
	return db_run(s, why,
		      "UPDATE compute_usage SET ended_at = CASE WHEN ?1 OR boot_id <> ?2"
		      " THEN last_seen ELSE max(last_seen, started_at + ?3 - started_boot) END"
		      " WHERE compute_id = ?4 AND ended_at IS NULL",
		      "itit", (int64_t)unseen, s->boot_id, machine_boot_us(), c->id);
}

bool usage_follow(Sqlite *s, const Compute *now, ComputeState from, bool unseen, Fault *why)
{
	bool before = lifecycle_is_metered(from), after = lifecycle_is_metered(now->state);

	if (before == after)
		return true;
	return after ? open_interval(s, now, why) : close_interval(s, now, unseen, why);
}

static bool beat(Sqlite *s, const Heartbeat *b, int64_t boot_us, Fault *why)
{
	return db_run(s, why,
		      "UPDATE compute_usage SET last_seen = max(last_seen, started_at + ? - "
		      "started_boot)"
		      " WHERE compute_id = ? AND ended_at IS NULL AND boot_id = ?",
		      "itt", boot_us, b->compute_id, s->boot_id) &&
	       db_run(s, why,
		      "UPDATE computes SET last_activity = ?1 WHERE id = ?2"
		      " AND last_activity <> ?1",
		      "it", b->last_activity, b->compute_id);
}

static bool run_heartbeat(Sqlite *s, Job *job, Fault *why)
{
	int64_t boot_us = machine_boot_us();
	bool good = true;

	for (int i = 0; i < job->n_beats && good; i++)
		good = beat(s, &job->beats[i], boot_us, why);
	return good;
}

void sqlite_heartbeat(Store *s, const Heartbeat *beats, int n, StoreCall call)
{
	Job *job = job_new(s, JOB_WRITE, run_heartbeat, call);

	job->n_beats = n;
	job->beats = mem_new((size_t)n, sizeof(*beats));
	memcpy(job->beats, beats, sizeof(*beats) * (size_t)n);
}

static void read_interval(sqlite3_stmt *q, Interval *i)
{
	i->id = sqlite3_column_int64(q, 0);
	column_text(q, 1, i->project_id, sizeof(i->project_id));
	column_text(q, 2, i->compute_id, sizeof(i->compute_id));
	column_text(q, 3, i->incarnation, sizeof(i->incarnation));
	i->size = sqlite3_column_int(q, 4);
	i->started_at = sqlite3_column_int64(q, 5);
	i->last_seen = sqlite3_column_int64(q, 6);
	i->ended_at = sqlite3_column_int64(q, 7);
}

static bool run_interval_list(Sqlite *s, Job *job, Fault *why)
{
	const Page *page = &job->with.page;
	sqlite3_stmt *q = db_query(
		s, why,
		"SELECT id, project_id, compute_id, incarnation, size, started_at, last_seen,"
		" ended_at FROM compute_usage WHERE project_id = ?1 AND started_at < ?3"
		" AND (ended_at IS NULL OR ended_at > ?2) ORDER BY started_at",
		"tii", page->project_id, page->from, page->to);

	while (db_next(s, q, why)) {
		job->intervals = mem_grow(job->intervals, sizeof(Interval) * (size_t)(job->n + 1));
		read_interval(q, &job->intervals[job->n++]);
	}
	return why->code == FAULT_NONE;
}

void sqlite_interval_list(Store *s, const Page *page, StoreCall call)
{
	job_new(s, JOB_READ, run_interval_list, call)->with.page = *page;
}
