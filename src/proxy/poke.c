#include "poke.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "phases.h"
#include "relay.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/random.h"
#include "wake.h"
#include "wake_answer.h"

#define CHECK_MS 500 /* how often a poke looks whether it is still needed */

/* One frozen compute that somebody of this worker needs. */
struct Poke {
	Worker *worker;
	const Route *row; /* that says frozen */
	Route *route;     /* in which we count as waiting: the same, unless the name has two */
	char compute[ROUTE_NAME_SIZE];
	Party who;     /* who needed it first */
	uint32_t turn; /* of the route's state when we began to wait */
	int failures;
	Fault fault; /* of the last */
	Timer again, check;
	LIST_ENTRY(Poke) all;
};

News poke_news(const Worker *w, const Route *r)
{
	return news_of(r, route_tenancy(w->shared, r));
}

static bool is_frozen(const Worker *w, const Route *r)
{
	return news_is_frozen(r) && poke_news(w, r).kind == NEWS_FROZEN;
}

/* A cancel that another worker delivers counts as well: what the client sends next waits for it. */
static bool is_at_work(const Session *s)
{
	const SlotHead *head = &s->worker->shared->heads[s->slot];

	return !watch_at_rest(&s->watch) || stream_is_blocked(&s->compute.stream) ||
	       atomic_load(&head->canceller) != 0;
}

/* The row of the compute that has to run for this session to go on, or NULL. */
static const Route *needed_by(const Session *s)
{
	if (session_is_in(s, PHASE_cancel))
		return cancel_row(s);
	if (session_is_in(s, PHASE_dial) || session_is_in(s, PHASE_login))
		return s->route;
	if ((session_is_in(s, PHASE_relay) || session_is_in(s, PHASE_drain)) && is_at_work(s))
		return s->route;
	return NULL;
}

static bool is_needed(const Poke *p)
{
	const Session *s;

	TAILQ_FOREACH(s, &p->worker->sessions, all)
	{
		if (needed_by(s) == p->row)
			return true;
	}
	return false;
}

static void end_poke(Poke *p)
{
	timer_stop(&p->again);
	timer_stop(&p->check);
	route_leave(p->route, p->worker->number);
	LIST_REMOVE(p, all);
	loop_bury(p->worker->loop, p, free);
}

/* The compute will not run again, whoever asks how often. */
static bool is_final(const Fault *why)
{
	return why->code == FAULT_QUOTA || why->code == FAULT_NO_ROUTE;
}

static void refuse(Session *s, const Fault *why)
{
	if (session_is_in(s, PHASE_relay) || session_is_in(s, PHASE_drain))
		relay_refuse(s, why);
	else if (!session_is_in(s, PHASE_cancel))
		session_refuse(s, why);
}

static void refuse_who_waits(const Poke *p)
{
	Session *s, *next;

	for (s = TAILQ_FIRST(&p->worker->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (needed_by(s) == p->row)
			refuse(s, &p->fault);
	}
}

/* Goes on in a turn of its own: who caused the poke is in the middle of something. */
static void failed(Poke *p, const Fault *why)
{
	p->fault = *why;
	p->failures++;
	p->turn = route_state(p->route).turn;
	timer_arm(&p->again,
		  is_final(why) ? 0 : wake_backoff_ms(p->failures, random_below(1000) / 1000.0));
}

static void look(Poke *p)
{
	Worker *w = p->worker;
	RouteAnswer answer;

	/* It may have been frozen anew, after it had answered who needed it. */
	if (!is_frozen(w, p->row) || !is_needed(p)) {
		end_poke(p);
		return;
	}
	if (timer_is_armed(&p->again))
		return;
	route_want_until(p->route, clock_ms() + conf_ms(w->conf->reveille.wake_timeout));
	switch (wake_want(w, p->route, p->compute, &p->who, p->turn, &answer)) {
	case ROUTE_USE:
		end_poke(p);
		break;
	case ROUTE_REFUSE:
		failed(p, &answer.fault);
		break;
	case ROUTE_CLAIM:
	case ROUTE_WAIT:
		break;
	}
}

static void on_again(void *arg)
{
	Poke *p = arg;

	if (!is_final(&p->fault)) {
		look(p);
		return;
	}
	refuse_who_waits(p);
	end_poke(p);
}

/* Who needed it may have left: then nobody is to be woken for nobody. */
static void on_check(void *arg)
{
	Poke *p = arg;

	if (is_needed(p))
		timer_arm(&p->check, CHECK_MS);
	else
		end_poke(p);
}

void poke(Worker *w, const Route *row, const SlotInfo *who)
{
	Poke *p;

	LIST_FOREACH(p, &w->pokes, all)
	{
		if (p->row == row)
			return;
	}
	p = NEW(Poke);
	p->worker = w;
	p->row = row;
	text_copy(p->compute, sizeof(p->compute), who->compute);
	p->who = party_of(who);
	timer_init(&p->again, w->loop, on_again, p);
	timer_init(&p->check, w->loop, on_check, p);
	p->route = route_enter(w->shared, p->compute, w->number);
	if (!p->route) {
		free(p);
		return;
	}
	p->turn = route_state(p->route).turn;
	LIST_INSERT_HEAD(&w->pokes, p, all);
	timer_arm(&p->check, CHECK_MS);
	log_debug("poked: compute=%s", p->compute);
	look(p);
}

void poke_if_frozen(Session *s)
{
	SlotInfo info;

	if (!is_frozen(s->worker, s->route) || needed_by(s) != s->route)
		return;
	session_slot_info(s, &info);
	poke(s->worker, s->route, &info);
}

/* What the client has just said is still passed on, and answered. */
static void begin_to_leave(Session *s)
{
	if (!stream_is_blocked(&s->compute.stream))
		relay_pump(s, SIDE_CLIENT);
	if (session_is_in(s, PHASE_relay))
		session_advance(s, PHASE_drain);
}

static void look_at_session(Session *s)
{
	if (session_is_in(s, PHASE_cancel))
		cancel_look_at_news(s);
	else if (s->route && news_is_frozen(s->route))
		poke_if_frozen(s);
	else if (session_is_in(s, PHASE_relay) && session_has_to_go(s, NULL))
		begin_to_leave(s);
	else if (session_is_in(s, PHASE_drain))
		drain_look(s);
}

static void look_at_news(Worker *w)
{
	Session *s, *next;

	for (s = TAILQ_FIRST(&w->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		look_at_session(s);
	}
}

void poke_on_nudge(Worker *w)
{
	uint32_t told = atomic_load(&w->cell->told);
	Poke *p, *next;

	if (told != w->told) {
		w->told = told;
		look_at_news(w);
	}
	for (p = LIST_FIRST(&w->pokes); p; p = next) {
		next = LIST_NEXT(p, all);
		look(p);
	}
}

void poke_stop(Worker *w)
{
	while (!LIST_EMPTY(&w->pokes))
		end_poke(LIST_FIRST(&w->pokes));
}
