/*
 * drain: as relay, but the session ends as soon as it is at rest.
 *
 * If what it had to go for is past by then, as when a compute that was to be
 * suspended is wanted after all, it stays.
 */
#include "phases.h"
#include "poke.h"
#include "sys/clock.h"
#include "worker.h"

/* From being let in to the first request: a client's round trip, and some thinking. */
#define MOMENT_MS 500

bool session_has_to_go(const Session *s, Fault *why)
{
	SlotInfo info;

	if (s->worker->draining)
		return !why || !fault_set(why, FAULT_SHUTDOWN,
					  "terminating connection because the proxy is shutting "
					  "down");
	if (!s->route || poke_news(s->worker, s->route).kind != NEWS_ENDING)
		return false;
	if (!why)
		return true;
	session_slot_info(s, &info);
	fault_set(why, FAULT_SUSPENDED, "compute \"%s\" is being suspended", info.compute);
	return !fault_hint(why, "connect again: that wakes it");
}

/* Whoever was let in only just now is served before it is told to go. */
static bool is_newcomer(const Session *s)
{
	return s->watch.requests == 0 && !s->worker->draining;
}

static int64_t moment_left_ms(const Session *s)
{
	return is_newcomer(s) ? MOMENT_MS - (clock_us() - s->asked_us) / 1000 : 0;
}

void drain_look(Session *s)
{
	int64_t left_ms;
	Fault why;

	if (!watch_at_rest(&s->watch) || stream_is_blocked(&s->client.stream) ||
	    !session_has_to_go(s, &why))
		return;
	left_ms = moment_left_ms(s);
	if (left_ms > 0)
		session_deadline(s, left_ms);
	else
		session_refuse(s, &why);
}

void phase_drain_enter(Session *s)
{
	stat_add(&s->worker->cell->stats.computes_active, 1);
	drain_look(s);
}

void phase_drain_event(Session *s, Event e)
{
	if (e != EVENT_DEADLINE || !is_newcomer(s))
		relay_event_common(s, e);
	if (session_is_in(s, PHASE_drain))
		drain_look(s);
}

void phase_drain_leave(Session *s)
{
	stat_sub(&s->worker->cell->stats.computes_active, 1);
}
