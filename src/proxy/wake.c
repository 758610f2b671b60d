#include "wake.h"

#include <stdio.h>
#include <stdlib.h>

#include "account.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/news.h"
#include "poke.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/random.h"
#include "wake_answer.h"

#define LOOK_MS    1000 /* how often a call looks whether anybody still waits */
#define CONNECT_MS 5000 /* for the connection to the control plane */
#define ENCODED    (3 * NAME_SIZE)
#define URL_SIZE   (CONF_VALUE_MAX + 200 + 3 * ENCODED)

/* A claim that this worker holds, and the call to the control plane for it. */
struct WakeCall {
	Worker *worker;
	Route *route;
	RouteState mine;
	RouteAnswer answer; /* what will be published; until then the old address */
	Party who;          /* for whom it was begun */
	Fetch *fetch;       /* NULL during a pause */
	Timer pause, look, stale;
	int attempt;
	int64_t since_us;
	LIST_ENTRY(WakeCall) all;
};

static void begin_attempt(WakeCall *c);

static void free_call(void *arg)
{
	free(arg);
}

static void end_call(WakeCall *c)
{
	if (c->fetch)
		fetch_cancel(c->fetch);
	timer_stop(&c->pause);
	timer_stop(&c->look);
	timer_stop(&c->stale);
	LIST_REMOVE(c, all);
	loop_bury(c->worker->loop, c, free_call);
}

static void nudge_waiting(Worker *w, Route *r)
{
	for (int i = 0; i < w->shared->n_workers; i++) {
		if (atomic_load(&r->waiting[i]) > 0)
			worker_nudge(w, i);
	}
}

static void count(Stats *stats, const WakeCall *c, RoutePhase phase)
{
	if (phase != ROUTE_AWAKE)
		stat_add(&stats->wakes_failed, 1);
	else if (c->answer.depth == DEPTH_COLD)
		stat_add(&stats->wakes_cold, 1);
	else if (c->answer.depth == DEPTH_FROZEN)
		stat_add(&stats->wakes_frozen, 1);
	else if (c->answer.depth == DEPTH_WARM)
		stat_add(&stats->wakes_warm, 1);
}

static bool is_outdated(const WakeCall *c)
{
	News news = poke_news(c->worker, c->route);

	return news_outdates(&news, c->answer.generation);
}

/* Looks after the address is in its place: who brings news meanwhile looks at that (hearing.c). */
static void forget_if_outdated(const WakeCall *c)
{
	if (is_outdated(c))
		wake_forget(c->route, c->answer.address);
}

static void settle(WakeCall *c, RoutePhase phase)
{
	c->answer.learnt_ms = clock_ms();
	count(&c->worker->cell->stats, c, phase);
	if (phase == ROUTE_AWAKE && c->answer.depth != DEPTH_NONE)
		news_woken(c->route, route_tenancy(c->worker->shared, c->route),
			   c->answer.generation);
	route_settle(c->route, c->mine, phase, &c->answer);
	if (phase == ROUTE_AWAKE)
		forget_if_outdated(c);
	nudge_waiting(c->worker, c->route);
	end_call(c);
}

static void log_failure(const WakeCall *c, const char *what)
{
	const Fault *why = &c->answer.fault;
	char error[600], cause[600];

	log_warning("%s: compute=%s attempt=%d error=%s cause=%s", what, c->answer.name, c->attempt,
		    text_quote(error, sizeof(error), why->detail),
		    text_quote(cause, sizeof(cause), why->cause));
}

/* Nobody waits: the claim is given up as if it had never been. */
static void on_look(void *arg)
{
	WakeCall *c = arg;
	bool had_address = *c->answer.address;

	if (route_waiting(c->route) > 0) {
		timer_arm(&c->look, LOOK_MS);
		return;
	}
	log_info("gave up a wake that nobody waits for any more: compute=%s", c->answer.name);
	c->answer.learnt_ms = 0;
	ROW_STORE(&c->route->answer, &c->answer);
	route_move(c->route, c->mine, had_address ? ROUTE_AWAKE : ROUTE_ASLEEP, 0);
	forget_if_outdated(c);
	nudge_waiting(c->worker, c->route); /* somebody may have come this very moment */
	end_call(c);
}

/*
 * An old address is there, and nobody confirms or denies it: it has to do, unless it is
 * known to be no good, or of a server that does not run.
 */
static void on_stale(void *arg)
{
	WakeCall *c = arg;

	if (is_outdated(c) || poke_news(c->worker, c->route).kind == NEWS_FROZEN)
		return;

	c->answer.depth = DEPTH_NONE; /* nothing was woken: who finds it dead asks again */
	log_warning("the control plane has not confirmed an address within wake_stale_after, "
		    "using the old one: compute=%s address=%s",
		    c->answer.name, c->answer.address);
	settle(c, ROUTE_AWAKE);
}

static void on_pause_over(void *arg)
{
	begin_attempt(arg);
}

/* A pause that outlasts everybody's patience is no use: they are told now. */
static void pause_and_retry(WakeCall *c, int64_t asked_ms)
{
	int64_t ms = wake_backoff_ms(c->attempt, random_below(1000) / 1000.0);
	int64_t until = atomic_load(&c->route->wanted_until_ms);

	if (asked_ms > ms)
		ms = asked_ms;
	if (asked_ms > 0 && clock_ms() + ms > until && !*c->answer.address) {
		log_failure(c, "the control plane asks for a longer pause than anybody waits");
		settle(c, ROUTE_FAILED);
		return;
	}
	/* Who runs out of time meanwhile reads here why. */
	ROW_STORE(&c->route->answer, &c->answer);
	log_failure(c, "a wake call failed, trying again");
	stat_add(&c->worker->cell->stats.wake_retries, 1);
	timer_arm(&c->pause, ms);
}

static void on_answer(void *arg, const FetchAnswer *fetched)
{
	WakeCall *c = arg;

	c->fetch = NULL;
	switch (wake_judge(fetched, c->answer.name, &c->answer)) {
	case WAKE_OK:
		log_info("woke: compute=%s address=%s generation=%llu depth=%s attempt=%d us=%lld",
			 c->answer.name, c->answer.address,
			 (unsigned long long)c->answer.generation, account_depth(c->answer.depth),
			 c->attempt, (long long)(clock_us() - c->since_us));
		settle(c, ROUTE_AWAKE);
		break;
	case WAKE_RETRY:
		pause_and_retry(c, fetched->retry_after_ms);
		break;
	case WAKE_FAILED:
		log_failure(c, "a compute could not be woken");
		settle(c, ROUTE_FAILED);
		break;
	}
}

/* What a client chose is a DNS label, or encoded. */
static void make_url(const WakeCall *c, int64_t hold_ms, char out[URL_SIZE])
{
	char role[ENCODED], application[ENCODED], network[ENCODED];

	text_percent_encode(role, sizeof(role), c->who.role);
	text_percent_encode(application, sizeof(application), c->who.application_name);
	text_percent_encode(network, sizeof(network), c->who.network);
	snprintf(out, URL_SIZE,
		 "%s/api/v1/wake_compute?endpointish=%s&timeout=%lld&role=%s&application_name=%s"
		 "&network=%s",
		 c->worker->conf->wake.control_plane_url.s, c->answer.name,
		 (long long)(hold_ms / 1000 > 0 ? hold_ms / 1000 : 1), role, application, network);
}

static void begin_attempt(WakeCall *c)
{
	const Config *conf = c->worker->conf;
	int64_t total = conf_ms(conf->reveille.wake_request_timeout), pause;
	char url[URL_SIZE];
	FetchCall call = {.url = url,
			  .ca_file = conf->wake.ca_file.s,
			  .token = c->worker->token,
			  .connect_ms = CONNECT_MS < total ? CONNECT_MS : total,
			  .total_ms = total,
			  .on_answer = on_answer,
			  .arg = c};

	pause = route_take_wake(c->route, clock_us(), conf->reveille.wake_rate,
				conf->reveille.wake_burst);
	if (pause > 0) {
		timer_arm(&c->pause, pause / 1000 + 1);
		return;
	}
	c->attempt++;
	make_url(c, total, url);
	c->fetch = fetch(c->worker->fetcher, &call);
}

static void begin_call(Worker *w, Route *r, const Party *who, RouteState mine,
		       const RouteAnswer *old)
{
	WakeCall *c = NEW(WakeCall);

	*c = (WakeCall){.worker = w, .route = r, .mine = mine, .answer = *old, .who = *who};
	c->since_us = clock_us();
	c->answer.fault = (Fault){0};
	timer_init(&c->pause, w->loop, on_pause_over, c);
	timer_init(&c->look, w->loop, on_look, c);
	timer_init(&c->stale, w->loop, on_stale, c);
	LIST_INSERT_HEAD(&w->calls, c, all);
	timer_arm(&c->look, LOOK_MS);
	if (*c->answer.address)
		timer_arm(&c->stale, conf_ms(w->conf->reveille.wake_stale_after));
	begin_attempt(c);
}

static RouteVerdict claim(Worker *w, Route *r, const char *compute, const Party *who,
			  RouteState seen, RouteAnswer *old)
{
	RouteState mine = {.phase = ROUTE_WAKING, .claimer = w->claimer};

	if (!route_move(r, seen, ROUTE_WAKING, w->claimer))
		return ROUTE_WAIT; /* somebody was quicker, and nudges us */
	mine.turn = route_next_turn(seen);
	/* An address serves again only if it was ours and good, and nobody has found it dead since.
	 */
	if (seen.phase != ROUTE_AWAKE || strcmp(old->name, compute) != 0)
		*old->address = 0;
	text_copy(old->name, sizeof(old->name), compute);
	begin_call(w, r, who, mine, old);
	return ROUTE_WAIT;
}

static RouteVerdict judge(const Worker *w, const Route *r, const char *compute, uint32_t turn,
			  RouteView *view)
{
	*view = (RouteView){.now_ms = clock_ms(),
			    .ttl_ms = conf_ms(w->conf->reveille.wake_cache_ttl),
			    .negative_ttl_ms = conf_ms(w->conf->reveille.wake_negative_ttl),
			    .frozen = poke_news(w, r).kind == NEWS_FROZEN,
			    .in_use = route_sessions(r) > 0};
	view->state = route_load(r, &view->answer);
	view->have_waited = view->state.turn != turn;
	view->ours = strcmp(view->answer.name, compute) == 0;
	return route_verdict(view);
}

bool wake_would_call(const Worker *w, const Route *r, const char *compute, uint32_t turn)
{
	RouteView view;

	return judge(w, r, compute, turn, &view) == ROUTE_CLAIM;
}

RouteVerdict wake_want(Worker *w, Route *r, const char *compute, const Party *who, uint32_t turn,
		       RouteAnswer *answer)
{
	RouteView view;
	RouteVerdict verdict = judge(w, r, compute, turn, &view);

	*answer = view.answer;
	if (verdict == ROUTE_CLAIM)
		verdict = claim(w, r, compute, who, view.state, &view.answer);
	return verdict;
}

void wake_forget(Route *r, const char *address)
{
	RouteAnswer answer;
	RouteState state = route_load(r, &answer);

	if (state.phase == ROUTE_AWAKE && strcmp(answer.address, address) == 0)
		route_move(r, state, ROUTE_ASLEEP, 0);
}

void wake_stop(Worker *w)
{
	while (!LIST_EMPTY(&w->calls))
		end_call(LIST_FIRST(&w->calls));
}
