/*
 * How many computes may be starting at once: the others wait their turn, so that a
 * crowd of wakes is not slower than one after the other.
 *
 * Fair between tenants: who has the fewest in goes next, and among those who came
 * first; so one tenant's hundred wakes do not hold up another's one.
 */
#ifndef CONTROL_GATE_H
#define CONTROL_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

typedef struct Ticket {
	enum { TICKET_NONE, TICKET_WAITS, TICKET_IN } state;
	const char *tenant; /* borrowed while it waits or is in */
	void (*on_turn)(void *arg);
	void *arg;
	TAILQ_ENTRY(Ticket) link;
} Ticket;

TAILQ_HEAD(TicketQueue, Ticket);

typedef struct Gate {
	int limit, used;
	struct TicketQueue waiting, in;
} Gate;

void gate_init(Gate *g, int limit);

/* True if the ticket is in; else on_turn() is called when it is. Asking again changes nothing. */
bool gate_enter(Gate *g, Ticket *t, const char *tenant, void (*on_turn)(void *arg), void *arg);

/* Leaves, or waits no more; whoever is next gets in. */
void gate_leave(Gate *g, Ticket *t);

#endif
