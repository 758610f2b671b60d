/*
 * wake: the compute is to be running.
 *
 * The session waits in the route's row, whoever makes the call.  Its own time
 * is bounded by wake_timeout, dialling included.
 */
#include "base/text.h"
#include "model/bucket.h"
#include "phases.h"
#include "sys/clock.h"
#include "throttling.h"
#include "wake.h"
#include "worker.h"

/* The clock of the client's own login stands still while its compute wakes. */
void arrival_pause_login(Arrival *a, const Config *conf)
{
	int64_t now = clock_ms();

	if (a->wake_until_ms)
		return;
	a->login_left_ms -= now - a->login_since_ms;
	a->wake_until_ms = now + conf_ms(conf->reveille.wake_timeout);
}

static void use(Session *s, const RouteAnswer *answer)
{
	Arrival *a = s->arrival;

	if (a->generation != answer->generation) {
		/* Started anew: what its last life said is past. */
		a->last = (Fault){0};
		a->attempts = 0;
	}
	a->generation = answer->generation;
	text_copy(a->address, sizeof(a->address), answer->address);
	text_copy(a->compute_server_name, sizeof(a->compute_server_name), answer->server_name);
	a->from_cache = answer->depth == DEPTH_NONE || route_state(s->route).turn == a->wake_turn;
	a->depth = a->from_cache ? DEPTH_NONE : answer->depth;
	a->woken_us = clock_us();
	session_advance(s, PHASE_dial);
}

/* True, and the session is refused, if it would cause more wakes than its address may. */
static bool wakes_too_often(Session *s)
{
	const Arrival *a = s->arrival;
	uint8_t key[CLIENT_KEY_MAX];
	size_t n = client_key(&a->from, key);
	Fault why;

	if (n == 0 || s->conf->reveille.client_wake_rate == 0 ||
	    !wake_would_call(s->worker, s->route, a->compute, a->wake_turn) ||
	    !bucket_take(s->worker->shared, BUCKET_CLIENT_WAKES, key, n, clock_us(),
			 s->conf->reveille.client_wake_rate, s->conf->reveille.client_wake_burst))
		return false;
	fault_set(&why, FAULT_LIMIT, "too many computes are woken from this address");
	fault_hint(&why, "the limits are client_wake_rate and client_wake_burst");
	session_refuse(s, &why);
	return true;
}

static void look(Session *s)
{
	Arrival *a = s->arrival;
	RouteAnswer answer;
	SlotInfo info;
	Party who;

	if (wakes_too_often(s))
		return;

	session_slot_info(s, &info);
	who = party_of(&info);
	switch (wake_want(s->worker, s->route, a->compute, &who, a->wake_turn, &answer)) {
	case ROUTE_USE:
		use(s, &answer);
		break;
	case ROUTE_REFUSE:
		session_refuse(s, &answer.fault);
		break;
	case ROUTE_CLAIM:
	case ROUTE_WAIT:
		break;
	}
}

static void queue_full(Session *s)
{
	Fault why;

	fault_set(&why, FAULT_LIMIT, "too many clients wait for compute \"%s\" to wake",
		  s->arrival->compute);
	fault_hint(&why, "the limit is max_wake_queue");
	session_refuse(s, &why);
}

static bool may_queue(const Session *s)
{
	return route_state(s->route).phase != ROUTE_WAKING ||
	       route_waiting(s->route) <= (uint32_t)s->conf->reveille.max_wake_queue;
}

/* A session that comes back because an address was dead still has its row. */
static bool enter_route(Session *s)
{
	Worker *w = s->worker;

	if (s->route)
		route_session_ends(s->route, w->number);
	s->route = route_enter(w->shared, s->arrival->compute, w->number);
	return s->route;
}

void phase_wake_enter(Session *s)
{
	Arrival *a = s->arrival;
	Fault why;

	arrival_pause_login(a, s->conf);
	if (!enter_route(s)) {
		fault_set(&why, FAULT_LIMIT, "too many computes are in use");
		session_refuse(s, &why);
		return;
	}
	if (!may_queue(s)) {
		queue_full(s);
		return;
	}
	if (!a->wanted_us)
		a->wanted_us = clock_us();
	a->wake_turn = route_state(s->route).turn;
	route_want_until(s->route, a->wake_until_ms);
	session_wait(s, true);
	session_deadline(s, a->wake_until_ms - clock_ms());
	look(s);
}

static void too_late(Session *s)
{
	RouteAnswer answer;
	Fault why;
	long long ms = (long long)conf_ms(s->conf->reveille.wake_timeout);

	route_load(s->route, &answer);
	if (answer.fault.code && strcmp(answer.name, s->arrival->compute) == 0)
		fault_set(&why, FAULT_WAKE_TIMEOUT,
			  "compute \"%s\" did not wake within wake_timeout (%lld ms); last: %s",
			  s->arrival->compute, ms, answer.fault.detail);
	else
		fault_set(&why, FAULT_WAKE_TIMEOUT,
			  "compute \"%s\" did not wake within wake_timeout (%lld ms)",
			  s->arrival->compute, ms);
	fault_hint(&why, "trying again is worth while");
	session_refuse(s, &why);
}

void phase_wake_event(Session *s, Event e)
{
	if (session_hears_client(s, e))
		return;
	if (e == EVENT_NUDGE)
		look(s);
	else if (e == EVENT_DEADLINE)
		too_late(s);
}

/* From one who waits the session becomes one who is there, so the row stays its. */
void phase_wake_leave(Session *s)
{
	session_wait(s, false);
	if (!s->route)
		return;
	route_session_begins(s->route, s->worker->number);
	route_leave(s->route, s->worker->number);
	s->traffic = traffic_cell(s->worker->shared, s->route, s->worker->number);
	atomic_store(&s->worker->shared->heads[s->slot].route,
		     (uint32_t)(s->route - s->worker->shared->routes) + 1);
}
