/*
 * relay: bytes, in both directions, until one side is done.
 */
#include "account.h"
#include "phases.h"
#include "relay.h"
#include "sys/clock.h"
#include "worker.h"

void phase_relay_enter(Session *s)
{
	account_open(s);
	session_arrived(s);
	s->asked_us = clock_us();
	stat_add(&s->worker->cell->stats.computes_active, 1);
	relay_first(s, SIDE_COMPUTE, &s->compute.in);
	if (session_is_in(s, PHASE_relay))
		relay_first(s, SIDE_CLIENT, &s->client.in);
	if (!session_is_in(s, PHASE_relay))
		return;
	stream_read_on(&s->client.stream);
	if (session_has_to_go(s, NULL))
		session_advance(s, PHASE_drain);
}

void relay_event_common(Session *s, Event e)
{
	switch (e) {
	case EVENT_CLIENT_READABLE:
		relay_pump(s, SIDE_CLIENT);
		break;
	case EVENT_COMPUTE_READABLE:
		relay_pump(s, SIDE_COMPUTE);
		break;
	case EVENT_CLIENT_DRAINED:
		relay_drained(s, SIDE_CLIENT);
		break;
	case EVENT_COMPUTE_DRAINED:
		relay_drained(s, SIDE_COMPUTE);
		break;
	case EVENT_CLIENT_BROKEN:
		relay_not_taken(s, SIDE_CLIENT);
		break;
	case EVENT_COMPUTE_BROKEN:
		relay_not_taken(s, SIDE_COMPUTE);
		break;
	case EVENT_NUDGE:
		relay_look_at_cancel(s);
		break;
	case EVENT_CLIENT_SECURED:
	case EVENT_COMPUTE_SECURED:
		break;
	case EVENT_DEADLINE:
		relay_too_long(s);
		break;
	}
}

void phase_relay_event(Session *s, Event e)
{
	relay_event_common(s, e);
}

void phase_relay_leave(Session *s)
{
	stat_sub(&s->worker->cell->stats.computes_active, 1);
}
