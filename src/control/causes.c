#include "causes.h"

#include <assert.h>
#include <string.h>

static const char *const words[] = {
#define CAUSE(name, word) word,
#include "causes.def"
#undef CAUSE
};

const char *cause_word(CauseKind kind)
{
	assert(kind < CAUSE_KINDS);
	return words[kind];
}

CauseKind cause_of_word(const char *word)
{
	int kind = 0;

	while (kind < CAUSE_KINDS && strcmp(words[kind], word) != 0)
		kind++;
	return (CauseKind)kind;
}

bool cause_is(const Cause *a, const Cause *b)
{
	return a->kind == b->kind && strcmp(a->role, b->role) == 0 &&
	       strcmp(a->application, b->application) == 0 && strcmp(a->network, b->network) == 0;
}

/* ---- an hour ----------------------------------------------------------- */

/* Where its time is kept; NULL if there is no room. */
static int64_t *time_of(Causes *c, const Cause *cause)
{
	for (int i = 0; i < c->n; i++) {
		if (cause_is(&c->at[i].cause, cause))
			return &c->at[i].us;
	}
	if (c->n == CAUSES_MOST)
		return NULL;
	c->at[c->n].cause = *cause;
	return &c->at[c->n++].us;
}

void causes_add(Causes *c, const Cause *cause, int64_t us)
{
	int64_t *time = us > 0 ? time_of(c, cause) : NULL;

	if (time)
		*time += us;
	else if (us > 0)
		c->other_us += us;
}

int64_t causes_sum(const Causes *c)
{
	int64_t sum = c->other_us;

	for (int i = 0; i < c->n; i++)
		sum += c->at[i].us;
	return sum;
}

/* ---- whose time runs --------------------------------------------------- */

void cause_begin(CauseClock *clock, const Cause *cause, int64_t now)
{
	clock->cause = *cause;
	clock->since = now;
}

void cause_pass(CauseClock *clock, Causes *hour, int64_t now)
{
	if (clock->since == 0)
		return;
	causes_add(hour, &clock->cause, now - clock->since);
	clock->since = now; /* also when the clock was set back: that gives nothing, and goes on */
}

void cause_turn(CauseClock *clock, Causes *hour, const Cause *cause, int64_t now)
{
	cause_pass(clock, hour, now);
	clock->cause = *cause;
}

void cause_end(CauseClock *clock, Causes *hour, int64_t now)
{
	cause_pass(clock, hour, now);
	clock->since = 0;
}

const Cause *cause_last(const CauseReport *reports, int n)
{
	const CauseReport *last = NULL;

	for (int i = 0; i < n; i++) {
		const CauseReport *r = &reports[i];

		if (r->at_work > 0)
			return &r->cause;
		if (r->idle_ms >= 0 && (!last || r->idle_ms < last->idle_ms))
			last = r;
	}
	return last ? &last->cause : NULL;
}
