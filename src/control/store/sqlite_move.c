/*
 * A change of a compute's state in SQLite: one transaction that compares state
 * and generation, writes the new state and its operation, and opens or closes
 * the interval that is metered.
 */
#include <assert.h>

#include "../lifecycle.h"
#include "base/text.h"
#include "sqlite.h"
#include "sys/clock.h"

static bool swap_state(Sqlite *s, const Move *m, Fault *why)
{
	if (!db_run(s, why,
		    "UPDATE computes SET state = ?, generation = generation + 1, incarnation = ?,"
		    " address = ?, failure = ? WHERE id = ? AND state = ? AND generation = ?",
		    "tttt"
		    "tti",
		    compute_state_word(m->to), m->incarnation, m->address,
		    m->to == COMPUTE_FAILED ? m->reason : "", m->compute_id,
		    compute_state_word(m->from), m->generation))
		return false;
	if (db_changed(s) == 0)
		return fault_set(why, FAULT_BUSY, "compute \"%s\" is being changed", m->compute_id);
	return true;
}

static bool write_operation(Sqlite *s, const Move *m, const Compute *now, Fault *why)
{
	Operation op = {.from = m->from, .to = m->to, .generation = now->generation};

	text_copy(op.project_id, sizeof(op.project_id), now->project_id);
	text_copy(op.compute_id, sizeof(op.compute_id), now->id);
	text_copy(op.reason, sizeof(op.reason), m->reason);
	op.at = wall_us();
	return operation_write(s, &op, why);
}

/* With the last compute of a deleted project goes the project. */
static bool remove_compute(Sqlite *s, const Compute *c, Fault *why)
{
	return db_run(s, why, "DELETE FROM computes WHERE id = ?", "t", c->id) &&
	       db_run(s, why,
		      "DELETE FROM projects WHERE id = ?1 AND deleting"
		      " AND NOT EXISTS (SELECT 1 FROM computes WHERE project_id = ?1)",
		      "t", c->project_id);
}

bool compute_apply_move(Sqlite *s, Job *job, const Move *m, Fault *why)
{
	const Compute *now;

	assert(lifecycle_allows(m->from, m->to));
	if (!swap_state(s, m, why) || !compute_read(s, job, m->compute_id, why))
		return false;
	now = &job->computes[job->n - 1];
	if (!write_operation(s, m, now, why) || !usage_follow(s, now, m->from, m->unseen, why))
		return false;
	return m->to != COMPUTE_GONE || remove_compute(s, now, why);
}

static bool run_move(Sqlite *s, Job *job, Fault *why)
{
	return compute_apply_move(s, job, &job->with.move, why);
}

void sqlite_compute_move(Store *s, const Move *move, StoreCall call)
{
	job_new(s, JOB_WRITE, run_move, call)->with.move = *move;
}
