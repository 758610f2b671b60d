/*
 * queue: a place among the connections that the user and the compute may have.
 *
 * Too many clients are refused.  Who would be one connection to a compute too
 * many waits for query_wait_timeout, as in PgBouncer: some session may end.
 */
#include "phases.h"
#include "places.h"
#include "sys/clock.h"
#include "worker.h"

static void look(Session *s)
{
	Fault why;

	switch (places_take(s, &why)) {
	case PLACES_TAKEN:
		session_advance(s, s->arrival->database->wake ? PHASE_wake : PHASE_dial);
		break;
	case PLACES_WAIT:
		session_wait(s, true);
		break;
	case PLACES_REFUSED:
		session_refuse(s, &why);
		break;
	}
}

/* The client's own time to log in stands still: it is not the one who is slow. */
void phase_queue_enter(Session *s)
{
	int64_t ms = conf_ms(s->conf->reveille.query_wait_timeout);

	s->arrival->queued_ms = clock_ms();
	timer_stop(&s->deadline);
	if (ms > 0)
		session_deadline(s, ms);
	look(s);
}

static void too_late(Session *s)
{
	Fault why;

	fault_set(&why, FAULT_LIMIT,
		  "no connection to compute \"%s\" became free within query_wait_timeout",
		  s->arrival->compute);
	fault_hint(&why, "the limits are max_db_connections and max_user_connections");
	session_refuse(s, &why);
}

void phase_queue_event(Session *s, Event e)
{
	if (session_hears_client(s, e))
		return;
	if (e == EVENT_NUDGE)
		look(s);
	else if (e == EVENT_DEADLINE)
		too_late(s);
}

void phase_queue_leave(Session *s)
{
	s->arrival->login_since_ms += clock_ms() - s->arrival->queued_ms;
	session_wait(s, false);
	places_stop_waiting(s);
}
