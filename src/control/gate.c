#include "gate.h"

void gate_init(Gate *g, int limit)
{
	g->limit = limit;
	g->used = 0;
	TAILQ_INIT(&g->queue);
}

bool gate_enter(Gate *g, Ticket *t, void (*on_turn)(void *arg), void *arg)
{
	if (t->state != TICKET_NONE)
		return t->state == TICKET_IN;
	t->on_turn = on_turn;
	t->arg = arg;
	if (g->used < g->limit) {
		g->used++;
		t->state = TICKET_IN;
		return true;
	}
	t->state = TICKET_WAITS;
	TAILQ_INSERT_TAIL(&g->queue, t, link);
	return false;
}

static void let_next_in(Gate *g)
{
	Ticket *next = TAILQ_FIRST(&g->queue);

	if (!next || g->used >= g->limit)
		return;
	TAILQ_REMOVE(&g->queue, next, link);
	g->used++;
	next->state = TICKET_IN;
	next->on_turn(next->arg);
}

void gate_leave(Gate *g, Ticket *t)
{
	if (t->state == TICKET_WAITS)
		TAILQ_REMOVE(&g->queue, t, link);
	if (t->state == TICKET_IN)
		g->used--;
	t->state = TICKET_NONE;
	let_next_in(g);
}
