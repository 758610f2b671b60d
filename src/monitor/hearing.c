#include "hearing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/mem.h"
#include "event.h"
#include "model/doubt.h"
#include "proto/sse.h"
#include "sys/clock.h"
#include "sys/fetch.h"
#include "sys/log.h"
#include "sys/random.h"
#include "sys/token.h"

#define CONNECT_MS      5000
#define SILENT_MS       15000 /* three beats that were not heard: nobody is there */
#define AGAIN_FIRST_MS  100
#define AGAIN_MOST_MS   5000
#define SILENT_ATTEMPTS 4
#define FOREIGN_MS      60000 /* before a control plane without events is asked again */

struct Hearing {
	Loop *loop;
	Shared *shared;
	const int *nudges;
	const Config *conf;
	Fetcher *fetcher;
	Fetch *call; /* NULL during a pause */
	Timer again, silent;
	SseReader reader;
	Fault why;                  /* for which we ended the stream, if we did */
	int attempts;               /* since the last that told all */
	bool said;                  /* the log knows that there are none */
	int64_t since_ms;           /* of this stream */
	bool mentioned[ROUTES_MAX]; /* rows of computes of which this stream has told */
};

/* ---- what is heard --------------------------------------------------------- */

static void nudge(const Hearing *h, int worker)
{
	atomic_fetch_add(&h->shared->workers[worker].told, 1);
	/* Fails only when the counter is full, and then a nudge is already waiting. */
	if (eventfd_write(h->nudges[worker], 1) == -1 && errno != EAGAIN)
		log_warning("could not nudge a worker: worker=%d error=\"%s\"", worker + 1,
			    strerror(errno));
}

static void nudge_concerned(const Hearing *h, const Route *r)
{
	for (int i = 0; i < h->shared->n_workers; i++) {
		if (atomic_load(&r->waiting[i]) > 0 || atomic_load(&r->sessions[i]) > 0)
			nudge(h, i);
	}
}

/* It was started anew, and we have not heard of the stop between. */
static bool has_moved(const ComputeEvent *event, const RouteAnswer *answer)
{
	return *event->address && event->generation > answer->generation &&
	       strcmp(event->address, answer->address) != 0;
}

/* Looks after the news is in its place: who settles an answer meanwhile looks at that (wake.c). */
static void forget_address(const RouteTenant *t, const ComputeEvent *event)
{
	RouteAnswer answer;
	RouteState state = route_load(t->row, &answer);
	News news = news_of(t->row, t->tenancy);

	if (state.phase != ROUTE_AWAKE || strcmp(answer.name, event->compute) != 0)
		return;
	if (news_outdates(&news, answer.generation) || has_moved(event, &answer))
		route_move(t->row, state, ROUTE_ASLEEP, 0);
}

static void apply(Hearing *h, const ComputeEvent *event)
{
	RouteTenant rows[ROUTE_WAYS];
	int n = route_rows(h->shared, event->compute, rows);

	log_debug("event: compute=%s state=%s generation=%llu known=%d", event->compute,
		  event->state, (unsigned long long)event->generation, n);
	for (int i = 0; i < n; i++) {
		News news = {event->kind, rows[i].tenancy, event->generation};

		h->mentioned[rows[i].row - h->shared->routes] = true;
		if (event->kind == NEWS_NONE || !news_take(rows[i].row, news))
			continue;
		forget_address(&rows[i], event);
		nudge_concerned(h, rows[i].row);
	}
}

/* What was known before, and is not among all that there is, is gone. */
static void forget_unmentioned(Hearing *h)
{
	for (int i = 0; i < ROUTES_MAX; i++) {
		Route *r = &h->shared->routes[i];
		RouteAnswer answer;
		RouteState state;

		if (h->mentioned[i] || atomic_load(&h->shared->route_tag[i]) == 0)
			continue;
		state = route_load(r, &answer);
		if (state.phase == ROUTE_AWAKE && answer.learnt_ms < h->since_ms)
			route_move(r, state, ROUTE_ASLEEP, 0);
	}
}

/* Whatever changed before this stream began nobody told us. */
static void told_all(Hearing *h)
{
	doubt_all(h->shared, h->since_ms);
	forget_unmentioned(h);
	if (h->said)
		log_info("the control plane tells of its computes again: attempts=%d", h->attempts);
	h->attempts = 0;
	h->said = false;
}

static bool take_access(Hearing *h)
{
	char compute[ROUTE_NAME_SIZE];

	if (!event_read_access(sse_data(&h->reader), compute, &h->why))
		return false;
	doubt_compute(h->shared, compute, clock_ms());
	return true;
}

static bool take_event(Hearing *h)
{
	ComputeEvent event;

	if (strcmp(h->reader.name, "access") == 0)
		return take_access(h);
	if (strcmp(h->reader.name, "snapshot") == 0)
		told_all(h);
	if (strcmp(h->reader.name, "compute") != 0)
		return true;
	if (!event_read(sse_data(&h->reader), &event, &h->why))
		return false;
	apply(h, &event);
	return true;
}

/* ---- the stream ----------------------------------------------------------- */

static bool on_data(void *arg, Span piece)
{
	Hearing *h = arg;

	timer_arm(&h->silent, SILENT_MS);
	for (;;) {
		switch (sse_next(&h->reader, &piece, &h->why)) {
		case SSE_MORE:
			return true;
		case SSE_FAULT:
			return false;
		case SSE_EVENT:
			if (!take_event(h))
				return false;
		}
	}
}

static bool is_foreign(int status)
{
	return status == 404 || status == 405 || status == 501;
}

static int64_t pause_ms(const Hearing *h, int status)
{
	int64_t ms = AGAIN_FIRST_MS;

	for (int i = 1; i < h->attempts && ms < AGAIN_MOST_MS; i++)
		ms *= 2;
	if (is_foreign(status))
		ms = FOREIGN_MS;
	else if (ms > AGAIN_MOST_MS)
		ms = AGAIN_MOST_MS;
	/* From half to the whole, so that proxies do not come all at once. */
	return ms / 2 + random_below((uint32_t)(ms / 2) + 1);
}

/* Both begin at the same time, so a first failure is no news. */
static void say(Hearing *h, int status, const char *error)
{
	if (h->said || (!is_foreign(status) && h->attempts < SILENT_ATTEMPTS))
		return;
	h->said = true;
	if (is_foreign(status))
		log_info("the control plane has no events: computes are not frozen under sessions");
	else
		log_warning("the control plane's events ended, asking for them again: status=%d "
			    "error=\"%s\"",
			    status, error);
}

static void try_again(Hearing *h, int status, const char *error)
{
	h->call = NULL;
	timer_stop(&h->silent);
	say(h, status, error);
	timer_arm(&h->again, pause_ms(h, status));
}

static void on_answer(void *arg, const FetchAnswer *answer)
{
	Hearing *h = arg;

	try_again(h, answer->status, h->why.code ? h->why.detail : answer->error);
}

static void on_silent(void *arg)
{
	Hearing *h = arg;

	fetch_cancel(h->call);
	try_again(h, 0, "nothing was heard for 15 s");
}

/*
 * Who tells now may know of other computes than who told before.  What is learnt from
 * here on is newer than the state with which the stream begins.
 */
static void forget_generations(Hearing *h)
{
	memset(h->mentioned, 0, sizeof(h->mentioned));
	for (int i = 0; i < ROUTES_MAX; i++) {
		if (atomic_load(&h->shared->route_tag[i]) != 0)
			news_age(&h->shared->routes[i]);
	}
}

static void begin(void *arg)
{
	Hearing *h = arg;
	char url[CONF_VALUE_MAX + 100], token[TOKEN_SIZE];
	FetchCall call = {.url = url,
			  .token = token,
			  .ca_file = h->conf->wake.ca_file.s,
			  .connect_ms = CONNECT_MS,
			  .on_data = on_data,
			  .on_answer = on_answer,
			  .arg = h};

	h->attempts++;
	h->since_ms = clock_ms();
	h->reader = (SseReader){.line_n = 0};
	h->why = (Fault){.code = FAULT_NONE};
	forget_generations(h);
	token_read(h->conf, h->shared->proxy_token, token);
	snprintf(url, sizeof(url), "%s/api/v1/events?proxy_id=%s",
		 h->conf->wake.control_plane_url.s, h->shared->proxy_id);
	timer_arm(&h->silent, SILENT_MS);
	h->call = fetch(h->fetcher, &call);
}

static void stop(Hearing *h)
{
	if (h->call)
		fetch_cancel(h->call);
	h->call = NULL;
	timer_stop(&h->again);
	timer_stop(&h->silent);
}

Hearing *hearing_new(Loop *loop, Shared *sh, const int *nudges, const Config *conf)
{
	Hearing *h = NEW(Hearing);

	h->loop = loop;
	h->shared = sh;
	h->nudges = nudges;
	h->conf = conf_hold(conf);
	h->fetcher = fetcher_new(loop);
	timer_init(&h->again, loop, begin, h);
	timer_init(&h->silent, loop, on_silent, h);
	begin(h);
	return h;
}

void hearing_reconfigure(Hearing *h, const Config *conf)
{
	bool moved = strcmp(h->conf->wake.control_plane_url.s, conf->wake.control_plane_url.s) != 0;

	conf_release(h->conf);
	h->conf = conf_hold(conf);
	if (!moved)
		return;
	stop(h);
	begin(h);
}

void hearing_free(Hearing *h)
{
	stop(h);
	fetcher_free(h->fetcher);
	conf_release(h->conf);
	free(h);
}
