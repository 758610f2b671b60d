#include "awake.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

static const char *const words[] = {
#define CAUSE(name, word) word,
#include "awake.def"
#undef CAUSE
};

const char *awake_word(CauseKind kind)
{
	assert(kind < CAUSE_KINDS);
	return words[kind];
}

CauseKind awake_kind_of_word(const char *word)
{
	int kind = 0;

	while (kind < CAUSE_KINDS && strcmp(words[kind], word) != 0)
		kind++;
	return (CauseKind)kind;
}

bool awake_same(const Cause *a, const Cause *b)
{
	return a->kind == b->kind && strcmp(a->role, b->role) == 0 &&
	       strcmp(a->application, b->application) == 0 && strcmp(a->network, b->network) == 0;
}

/* ---- an hour ----------------------------------------------------------- */

/* Where its time is kept; NULL if there is no room. */
static int64_t *time_of(AwakeHour *c, const Cause *cause)
{
	for (int i = 0; i < c->n; i++) {
		if (awake_same(&c->at[i].cause, cause))
			return &c->at[i].us;
	}
	if (c->n == AWAKE_MOST)
		return NULL;
	c->at[c->n].cause = *cause;
	return &c->at[c->n++].us;
}

void awake_add(AwakeHour *c, const Cause *cause, int64_t us)
{
	int64_t *time = us > 0 ? time_of(c, cause) : NULL;

	if (time)
		*time += us;
	else if (us > 0)
		c->other_us += us;
}

int64_t awake_sum(const AwakeHour *c)
{
	int64_t sum = c->other_us;

	for (int i = 0; i < c->n; i++)
		sum += c->at[i].us;
	return sum;
}

static AwakeCause row_of(const Compute *compute, int64_t hour, const AwakeTime *t)
{
	AwakeCause row = {.hour = hour, .active_us = t->us};

	text_copy(row.project_id, sizeof(row.project_id), compute->project_id);
	text_copy(row.compute_id, sizeof(row.compute_id), compute->id);
	text_copy(row.kind, sizeof(row.kind), awake_word(t->cause.kind));
	text_copy(row.role, sizeof(row.role), t->cause.role);
	text_copy(row.application, sizeof(row.application), t->cause.application);
	text_copy(row.network, sizeof(row.network), t->cause.network);
	return row;
}

int awake_rows(const AwakeHour *c, const Compute *compute, int64_t hour,
	       AwakeCause out[AWAKE_MOST + 1])
{
	const AwakeTime others = {.cause.kind = CAUSE_OTHER, .us = c->other_us};
	int n = 0;

	for (int i = 0; i < c->n; i++) {
		if (c->at[i].us > 0)
			out[n++] = row_of(compute, hour, &c->at[i]);
	}
	if (others.us > 0)
		out[n++] = row_of(compute, hour, &others);
	return n;
}

void awake_taken(AwakeHour *c)
{
	for (int i = 0; i < c->n; i++)
		c->at[i].us = 0;
	c->other_us = 0;
}

/* ---- whose time runs --------------------------------------------------- */

void awake_begin(AwakeClock *clock, const Cause *cause, int64_t now)
{
	clock->cause = *cause;
	clock->since = now;
}

void awake_pass(AwakeClock *clock, AwakeHour *hour, int64_t now)
{
	if (clock->since == 0)
		return;
	awake_add(hour, &clock->cause, now - clock->since);
	clock->since = now; /* also when the clock was set back: that gives nothing, and goes on */
}

void awake_turn(AwakeClock *clock, AwakeHour *hour, const Cause *cause, int64_t now)
{
	awake_pass(clock, hour, now);
	clock->cause = *cause;
}

void awake_end(AwakeClock *clock, AwakeHour *hour, int64_t now)
{
	awake_pass(clock, hour, now);
	clock->since = 0;
}

const Cause *awake_last(const AwakeReport *reports, int n)
{
	const AwakeReport *last = NULL;

	for (int i = 0; i < n; i++) {
		const AwakeReport *r = &reports[i];

		if (r->at_work > 0)
			return &r->cause;
		if (r->idle_ms >= 0 && (!last || r->idle_ms < last->idle_ms))
			last = r;
	}
	return last ? &last->cause : NULL;
}
