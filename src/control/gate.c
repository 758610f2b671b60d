#include "gate.h"

#include <limits.h>
#include <string.h>

void gate_init(Gate *g, int limit)
{
	g->limit = limit;
	g->used = 0;
	TAILQ_INIT(&g->waiting);
	TAILQ_INIT(&g->in);
}

static void let_in(Gate *g, Ticket *t)
{
	g->used++;
	t->state = TICKET_IN;
	TAILQ_INSERT_TAIL(&g->in, t, link);
}

bool gate_enter(Gate *g, Ticket *t, const char *tenant, void (*on_turn)(void *arg), void *arg)
{
	if (t->state != TICKET_NONE)
		return t->state == TICKET_IN;
	t->tenant = tenant;
	t->on_turn = on_turn;
	t->arg = arg;
	if (g->used < g->limit) {
		let_in(g, t);
		return true;
	}
	t->state = TICKET_WAITS;
	TAILQ_INSERT_TAIL(&g->waiting, t, link);
	return false;
}

static int count_in(const Gate *g, const char *tenant)
{
	const Ticket *t;
	int n = 0;

	TAILQ_FOREACH(t, &g->in, link)
	{
		n += strcmp(t->tenant, tenant) == 0;
	}
	return n;
}

static Ticket *next_of(const Gate *g)
{
	Ticket *t, *best = NULL;
	int fewest = INT_MAX;

	TAILQ_FOREACH(t, &g->waiting, link)
	{
		int n = count_in(g, t->tenant);

		if (n < fewest) {
			fewest = n;
			best = t;
		}
	}
	return best;
}

static void let_next_in(Gate *g)
{
	Ticket *next = g->used < g->limit ? next_of(g) : NULL;

	if (!next)
		return;
	TAILQ_REMOVE(&g->waiting, next, link);
	let_in(g, next);
	next->on_turn(next->arg);
}

void gate_leave(Gate *g, Ticket *t)
{
	if (t->state == TICKET_NONE)
		return;
	TAILQ_REMOVE(t->state == TICKET_WAITS ? &g->waiting : &g->in, t, link);
	if (t->state == TICKET_IN)
		g->used--;
	t->state = TICKET_NONE;
	let_next_in(g);
}
