/*
 * route: the name that the client said becomes a compute.
 */
#include "base/text.h"
#include "phases.h"
#include "routing.h"
#include "sys/clock.h"

void phase_route_enter(Session *s)
{
	Arrival *a = s->arrival;
	Fault why;

	a->routed_us = clock_us();
	if (routing_find(s->conf, s->proto->name, &a->hello.startup, a->compute, sizeof(a->compute),
			 &a->database, &why))
		session_advance(s, PHASE_admit);
	else
		session_refuse(s, &why);
}

void phase_route_event(Session *s, Event e)
{
	(void)s, (void)e;
}

void phase_route_leave(Session *s)
{
	(void)s;
}
