/*
 * drain: as relay, but the session ends as soon as it is at rest.
 */
#include "phases.h"
#include "worker.h"

static void end_if_at_rest(Session *s)
{
	Fault why;

	if (!watch_at_rest(&s->watch) || stream_is_blocked(&s->client.stream))
		return;
	fault_set(&why, FAULT_SHUTDOWN,
		  "terminating connection because the proxy is shutting down");
	session_refuse(s, &why);
}

void phase_drain_enter(Session *s)
{
	stat_add(&s->worker->cell->stats.computes_active, 1);
	end_if_at_rest(s);
}

void phase_drain_event(Session *s, Event e)
{
	relay_event_common(s, e);
	if (session_is_in(s, PHASE_drain))
		end_if_at_rest(s);
}

void phase_drain_leave(Session *s)
{
	stat_sub(&s->worker->cell->stats.computes_active, 1);
}
