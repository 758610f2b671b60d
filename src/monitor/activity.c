#include "activity.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/fetch.h"
#include "sys/log.h"
#include "sys/token.h"

#define CALL_MS 5000

/* What was seen of one compute. */
typedef struct Seen {
	uint32_t sessions, at_work;
	uint64_t transactions;      /* of the sessions there are now */
	uint64_t last_transactions; /* as it was at the last look */
	uint32_t last_sessions;
	int64_t active_ms; /* when something last moved */
} Seen;

struct Activity {
	Loop *loop;
	const Shared *shared;
	const Config *conf;
	Fetcher *fetcher;
	Fetch *call; /* under way */
	Timer timer;
	bool failing; /* the last batch did not arrive; said once */
	Seen seen[ROUTES_MAX];
};

static void count_sessions(Activity *a)
{
	const Shared *sh = a->shared;

	for (int i = 0; i < ROUTES_MAX; i++) {
		Seen *s = &a->seen[i];

		s->last_transactions = s->transactions;
		s->last_sessions = s->sessions;
		s->sessions = s->at_work = 0;
		s->transactions = 0;
	}
	for (int i = 0; i < sh->n_slots; i++) {
		const SlotHead *head = &sh->heads[i];
		uint32_t route = atomic_load_explicit(&head->route, memory_order_relaxed);

		if (route == 0 || atomic_load_explicit(&head->owner, memory_order_relaxed) == 0)
			continue;
		a->seen[route - 1].sessions++;
		a->seen[route - 1].at_work +=
			atomic_load_explicit(&head->at_work, memory_order_relaxed);
		a->seen[route - 1].transactions +=
			atomic_load_explicit(&head->transactions, memory_order_relaxed);
	}
}

static json_t *describe(const Shared *sh, int route, Seen *s, int64_t now)
{
	RouteAnswer answer;

	if (s->at_work > 0 || s->transactions != s->last_transactions ||
	    s->sessions != s->last_sessions)
		s->active_ms = now;
	route_load(&sh->routes[route], &answer);
	return json_pack("{s:s s:i s:i s:I s:I}", "compute_id", answer.name, "sessions",
			 (int)s->sessions, "at_work", (int)s->at_work, "transactions",
			 (json_int_t)s->transactions, "idle_ms", (json_int_t)(now - s->active_ms));
}

/* NULL if there is nothing to tell. */
static char *make_batch(Activity *a)
{
	json_t *list = json_array(), *batch;
	int64_t now = clock_ms();
	char *text = NULL;

	for (int i = 0; i < ROUTES_MAX; i++) {
		Seen *s = &a->seen[i];

		if (s->sessions > 0 || s->last_sessions > 0)
			json_array_append_new(list, describe(a->shared, i, s, now));
	}
	batch = json_pack("{s:s s:o}", "proxy_id", a->shared->proxy_id, "computes", list);
	if (json_array_size(list) > 0)
		text = json_dumps(batch, JSON_COMPACT);
	json_decref(batch);
	return text;
}

static void on_answer(void *arg, const FetchAnswer *answer)
{
	Activity *a = arg;
	bool failed = answer->status != 200;

	a->call = NULL;
	if (failed && !a->failing)
		log_warning("could not report activity, trying again each activity_interval: "
			    "status=%d error=\"%s\"",
			    answer->status, answer->error);
	a->failing = failed;
}

static void send_batch(Activity *a, char *text)
{
	char url[CONF_VALUE_MAX + 32], token[TOKEN_SIZE];
	FetchCall call = {.url = url,
			  .ca_file = a->conf->wake.ca_file.s,
			  .token = token,
			  .post = text,
			  .connect_ms = CALL_MS,
			  .total_ms = CALL_MS,
			  .on_answer = on_answer,
			  .arg = a};

	token_read(a->conf, a->shared->proxy_token, token);
	snprintf(url, sizeof(url), "%s/api/v1/activity", a->conf->wake.control_plane_url.s);
	a->call = fetch(a->fetcher, &call);
}

static void on_time(void *arg)
{
	Activity *a = arg;
	char *text;

	timer_arm(&a->timer, conf_ms(a->conf->reveille.activity_interval));
	if (a->call)
		return;
	count_sessions(a);
	text = make_batch(a);
	if (text)
		send_batch(a, text);
	free(text);
}

Activity *activity_new(Loop *loop, const Shared *sh, const Config *conf)
{
	Activity *a = NEW(Activity);

	a->loop = loop;
	a->shared = sh;
	a->conf = conf_hold(conf);
	a->fetcher = fetcher_new(loop);
	timer_init(&a->timer, loop, on_time, a);
	on_time(a);
	return a;
}

void activity_reconfigure(Activity *a, const Config *conf)
{
	conf_release(a->conf);
	a->conf = conf_hold(conf);
}

void activity_free(Activity *a)
{
	if (a->call)
		fetch_cancel(a->call);
	timer_stop(&a->timer);
	fetcher_free(a->fetcher);
	conf_release(a->conf);
	free(a);
}
