/*
 * Statements that several operations of the store have in common: say_…() adds
 * one or more to a deed.
 */
#ifndef CONTROL_STORE_SHARED_H
#define CONTROL_STORE_SHARED_H

#include "deed.h"

/* LIMIT's value: PostgreSQL knows no negative one. */
static inline int64_t page_limit(const Page *page)
{
	return page->limit ? page->limit : INT64_C(1) << 40;
}

#define COMPUTE_COLUMNS                                                                           \
	"id, project_id, engine, state, generation, size, config, incarnation, address, failure," \
	" verifier, control_password, created_at, last_activity, since"

/* The state whose word stands in that column. */
ComputeState row_state(const Row *row, int column);

void take_compute(void *record, const Row *row);

/* A new name, for a project or a compute. */
void say_name_taken(Deed *d, const char *id);
void say_compute_get(Deed *d, const char *id);

/* Removes deleted projects that have no computes any more. */
void say_deleted_projects_gone(Deed *d);

/* Writes that the compute, as it is at this point of the deed, got there from that state. */
void say_operation(Deed *d, const char *compute_id, ComputeState from, const char *reason);

/* usage.c: of the open interval, what its server had used of CPUs before, and since. */
void say_cpu(Deed *d, const char *compute_id, int64_t start, int64_t us);

/* Ends the open interval, unseen: when it was last seen. */
void say_interval_ends(Deed *d, const char *compute_id, bool unseen, const char *reason);
void say_intervals_of_project_end(Deed *d, const char *project_id);

/* Begins one for the compute as it is; `follows`: where the one before it ended. */
void say_interval_begins(Deed *d, const char *compute_id, IntervalKind kind, bool follows);

/* answer.c: notes which request made something; nothing for NULL. */
void say_answer_begin(Deed *d, const PastAnswer *past);

#endif
