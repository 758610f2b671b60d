#include "causes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include <uthash.h>

/* What tells one cause from another; zeroed before it is filled, since it is hashed whole. */
typedef struct CauseKey {
	int compute;
	Party who;
} CauseKey;

struct Cause {
	CauseKey key;
	Doing doing;
	Cause *next; /* of the same compute */
	UT_hash_handle hh;
};

struct Causes {
	Cause *all;
	int n_computes;
	Cause *of[]; /* each compute's first */
};

Causes *causes_new(int n_computes)
{
	Causes *c = mem_new(1, sizeof(Causes) + (size_t)n_computes * sizeof(Cause *));

	c->n_computes = n_computes;
	return c;
}

void causes_clear(Causes *c)
{
	for (Cause *cause = c->all; cause; cause = cause->hh.next)
		cause->doing = (Doing){.sessions = 0};
}

/* The lists are made anew of those that are left. */
void causes_prune(Causes *c)
{
	Cause *cause, *next;

	memset(c->of, 0, (size_t)c->n_computes * sizeof(Cause *));
	HASH_ITER(hh, c->all, cause, next)
	{
		if (cause->doing.sessions > 0 || cause->doing.active_ms > 0) {
			cause->next = c->of[cause->key.compute];
			c->of[cause->key.compute] = cause;
			continue;
		}
		HASH_DEL(c->all, cause);
		free(cause);
	}
}

void causes_free(Causes *c)
{
	causes_clear(c);
	causes_prune(c);
	free(c);
}

Cause *causes_find(Causes *c, int compute, const Party *who)
{
	CauseKey key;
	Cause *cause;

	memset(&key, 0, sizeof(key));
	key.compute = compute;
	key.who = *who;
	HASH_FIND(hh, c->all, &key, sizeof(key), cause);
	if (cause)
		return cause;
	cause = NEW(Cause);
	cause->key = key;
	HASH_ADD(hh, c->all, key, sizeof(cause->key), cause);
	return cause;
}

static void add_up(Doing *sum, const Doing *more)
{
	sum->sessions += more->sessions;
	sum->at_work += more->at_work;
	sum->listening += more->listening;
	if (more->active_ms > sum->active_ms)
		sum->active_ms = more->active_ms;
}

void cause_add(Cause *cause, const Doing *what)
{
	add_up(&cause->doing, what);
}

/* Who is at work comes first, then who was last. */
static int by_activity(const void *a, const void *b)
{
	const Doing *x = &(*(Cause *const *)a)->doing, *y = &(*(Cause *const *)b)->doing;

	if ((x->at_work > 0) != (y->at_work > 0))
		return x->at_work > 0 ? -1 : 1;
	return (x->active_ms < y->active_ms) - (x->active_ms > y->active_ms);
}

static json_t *describe(const Party *who, const Doing *what, int64_t now_ms)
{
	return json_pack("{s:s s:s s:s s:i s:i s:i s:I}", "role", who->role, "application_name",
			 who->application_name, "network", who->network, "sessions",
			 (int)what->sessions, "at_work", (int)what->at_work, "listening",
			 (int)what->listening, "idle_ms", (json_int_t)(now_ms - what->active_ms));
}

static json_t *make_list(Cause **sorted, int n, int64_t now_ms)
{
	static const Party other = {.network = CAUSES_OTHER};
	json_t *list = json_array();
	Doing rest = {0};

	for (int i = 0; i < n; i++) {
		if (i < CAUSES_TOLD)
			json_array_append_new(
				list, describe(&sorted[i]->key.who, &sorted[i]->doing, now_ms));
		else
			add_up(&rest, &sorted[i]->doing);
	}
	if (n > CAUSES_TOLD)
		json_array_append_new(list, describe(&other, &rest, now_ms));
	return list;
}

json_t *causes_list(const Causes *c, int compute, int64_t now_ms)
{
	Cause **sorted;
	json_t *list;
	int n = 0;

	for (const Cause *cause = c->of[compute]; cause; cause = cause->next)
		n++;
	sorted = mem_new((size_t)n + 1, sizeof(Cause *));
	n = 0;
	for (Cause *cause = c->of[compute]; cause; cause = cause->next)
		sorted[n++] = cause;
	qsort(sorted, (size_t)n, sizeof(Cause *), by_activity);
	list = make_list(sorted, n, now_ms);
	free(sorted);
	return list;
}
