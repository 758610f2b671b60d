#include "activity.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "causes.h"
#include "sys/clock.h"
#include "sys/fetch.h"
#include "sys/log.h"
#include "sys/token.h"

#define CALL_MS   5000
#define BATCH_MAX (256 << 10) /* bytes, after which another batch is begun */

/* What was seen of one compute. */
typedef struct Seen {
	uint32_t sessions, at_work, listening;
	uint64_t transactions;      /* of the sessions there are now */
	uint64_t last_transactions; /* as it was at the last look */
	uint32_t last_sessions;
	int64_t active_ms; /* when something last moved */
	bool left;         /* somebody, since the last look */
	bool under_way;    /* in the batch that is being sent, with the following */
	uint32_t tenancy;
	Traffic traffic;
} Seen;

/* And of one session, at the last look. */
typedef struct SeenSession {
	Cause *cause;  /* NULL: it was not there */
	int compute;   /* of which it was that cause */
	uint32_t turn; /* of its slot's row, in which it stands who it is */
	uint64_t id, transactions;
	int64_t active_ms;
} SeenSession;

struct Activity {
	Loop *loop;
	Shared *shared;
	const Config *conf;
	Fetcher *fetcher;
	Fetch *call; /* under way */
	Timer timer;
	Causes *causes;
	uint64_t partings[WORKERS_MAX]; /* of each worker, that were looked at */
	int64_t now_ms;                 /* of the last look */
	int next;                       /* the row with which the next batch begins */
	bool failing;                   /* the last batch did not arrive; said once */
	SeenSession *sessions;
	Seen seen[ROUTES_MAX];
};

/* ---- looking -------------------------------------------------------------- */

/* Who it is is read only when it was written since: most sessions are those of the last look. */
static bool recognize(Activity *a, int slot, int compute)
{
	const SlotRow *row = &a->shared->slots[slot];
	uint32_t turn = atomic_load(&row->turn);
	SeenSession *s = &a->sessions[slot];
	SlotInfo info;
	Party who;

	if (s->cause && s->compute == compute && s->turn == turn)
		return true;
	s->cause = NULL;
	if (!ROW_LOAD(row, &info))
		return false; /* it is being written: the next look tells */
	if (s->id != info.session_id)
		s->active_ms = a->now_ms;
	s->id = info.session_id;
	s->turn = turn;
	s->compute = compute;
	who = party_of(&info);
	s->cause = causes_find(a->causes, compute, &who);
	return true;
}

static void look_at_session(Activity *a, int slot, int compute)
{
	const SlotHead *head = &a->shared->heads[slot];
	SeenSession *session = &a->sessions[slot];
	Doing doing = {.sessions = 1};
	Seen *s = &a->seen[compute];
	uint64_t transactions = atomic_load_explicit(&head->transactions, memory_order_relaxed);

	doing.at_work = atomic_load_explicit(&head->at_work, memory_order_relaxed);
	doing.listening = atomic_load_explicit(&head->listening, memory_order_relaxed);
	s->sessions++;
	s->at_work += doing.at_work;
	s->listening += doing.listening;
	s->transactions += transactions;
	if (!recognize(a, slot, compute))
		return;
	if (doing.at_work > 0 || session->transactions != transactions)
		session->active_ms = a->now_ms;
	session->transactions = transactions;
	doing.active_ms = session->active_ms;
	cause_add(session->cause, &doing);
}

static void forget_last_look(Activity *a)
{
	causes_clear(a->causes);
	for (int i = 0; i < ROUTES_MAX; i++) {
		Seen *s = &a->seen[i];

		s->last_transactions = s->transactions;
		s->last_sessions = s->sessions;
		s->sessions = s->at_work = s->listening = 0;
		s->transactions = 0;
		s->left = false;
	}
}

static void look_at_parting(Activity *a, const Parting *p)
{
	Seen *s = &a->seen[p->route];
	const Doing doing = {.active_ms = p->at_ms};

	if (p->tenancy != route_tenancy(a->shared, &a->shared->routes[p->route]))
		return;
	s->left = true;
	if (s->active_ms < p->at_ms)
		s->active_ms = p->at_ms;
	cause_add(causes_find(a->causes, (int)p->route, &p->who), &doing);
}

static void look_at_partings(Activity *a)
{
	Parting p;

	for (int i = 0; i < a->shared->n_workers; i++) {
		while (parting_next(&a->shared->partings[i], &a->partings[i], &p))
			look_at_parting(a, &p);
	}
}

static void look(Activity *a)
{
	const Shared *sh = a->shared;

	forget_last_look(a);
	a->now_ms = clock_ms();
	for (int i = 0; i < sh->n_slots; i++) {
		const SlotHead *head = &sh->heads[i];
		uint32_t route = atomic_load_explicit(&head->route, memory_order_relaxed);

		if (route != 0 && atomic_load_explicit(&head->owner, memory_order_relaxed) != 0)
			look_at_session(a, i, (int)route - 1);
		else if (a->sessions[i].cause)
			a->sessions[i].cause = NULL;
	}
	look_at_partings(a);
	causes_prune(a->causes);
}

/* ---- telling -------------------------------------------------------------- */

/*
 * Totals begin anew with each tenancy of a row, and with each life of the process
 * tree; the epoch says which of them they are of.
 */
static json_t *describe_traffic(const Activity *a, int compute)
{
	const Seen *s = &a->seen[compute];
	char epoch[80];

	snprintf(epoch, sizeof(epoch), "%s-%d-%u", a->shared->proxy_id, compute, s->tenancy);
	return json_pack("{s:s s:I s:I}", "epoch", epoch, "received",
			 (json_int_t)s->traffic.received, "sent", (json_int_t)s->traffic.sent);
}

static json_t *describe(Activity *a, int compute, const char *name)
{
	Seen *s = &a->seen[compute];
	int64_t now = a->now_ms;

	if (s->at_work > 0 || s->transactions != s->last_transactions ||
	    s->sessions != s->last_sessions)
		s->active_ms = now;
	return json_pack("{s:s s:i s:i s:i s:I s:I s:o s:o}", "compute_id", name, "sessions",
			 (int)s->sessions, "at_work", (int)s->at_work, "listening",
			 (int)s->listening, "transactions", (json_int_t)s->transactions, "idle_ms",
			 (json_int_t)(now - s->active_ms), "traffic", describe_traffic(a, compute),
			 "causes", causes_list(a->causes, compute, now));
}

/* Whether there is something to tell of a row, and of whom; bytes that are not known yet are. */
static bool is_worth_telling(Activity *a, int compute, RouteAnswer *answer)
{
	Seen *s = &a->seen[compute];
	const Route *r = &a->shared->routes[compute];

	if (s->sessions == 0 && s->last_sessions == 0 && !s->left &&
	    traffic_is_reported(a->shared, r))
		return false;
	route_load(r, answer);
	if (!route_is_of(a->shared, r, answer->name, &s->tenancy))
		return false; /* it changes hands */
	s->traffic = traffic_sum(a->shared, r, s->tenancy);
	return true;
}

static void append(Buf *out, const char *text)
{
	buf_append(out, span_of_text(text));
}

static void append_compute(Activity *a, int compute, const char *name, bool first, Buf *out)
{
	json_t *json = describe(a, compute, name);
	char *text = json_dumps(json, JSON_COMPACT);

	append(out, first ? "" : ",");
	append(out, text);
	a->seen[compute].under_way = true;
	free(text);
	json_decref(json);
}

/* False if there is nothing to tell of the rows that are left. */
static bool make_batch(Activity *a, Buf *out)
{
	bool any = false;

	append(out, "{\"proxy_id\":\"");
	append(out, a->shared->proxy_id);
	append(out, "\",\"computes\":[");
	for (; a->next < ROUTES_MAX && buf_size(out) < BATCH_MAX; a->next++) {
		RouteAnswer answer;

		if (atomic_load(&a->shared->route_tag[a->next]) == 0 ||
		    !is_worth_telling(a, a->next, &answer))
			continue;
		append_compute(a, a->next, answer.name, !any, out);
		any = true;
	}
	buf_append_text(out, "]}");
	return any;
}

static void batch_is_over(Activity *a, bool arrived)
{
	for (int i = 0; i < ROUTES_MAX; i++) {
		Seen *s = &a->seen[i];
		Route *r = &a->shared->routes[i];

		if (s->under_way && arrived && route_tenancy(a->shared, r) == s->tenancy)
			traffic_reported(r, &s->traffic);
		s->under_way = false;
	}
}

static void send_batch(Activity *a);

static void on_answer(void *arg, const FetchAnswer *answer)
{
	Activity *a = arg;
	bool failed = answer->status != 200;

	a->call = NULL;
	batch_is_over(a, !failed);
	if (failed && !a->failing)
		log_warning("could not report activity, trying again each activity_interval: "
			    "status=%d error=\"%s\"",
			    answer->status, answer->error);
	a->failing = failed;
	if (!failed)
		send_batch(a);
}

static void post(Activity *a, const char *text)
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

/* The rest goes when this has arrived. */
static void send_batch(Activity *a)
{
	Buf batch = {0};

	if (make_batch(a, &batch))
		post(a, (const char *)buf_span(&batch).at);
	buf_free(&batch);
}

static void on_time(void *arg)
{
	Activity *a = arg;

	timer_arm(&a->timer, conf_ms(a->conf->reveille.activity_interval));
	if (a->call)
		return;
	look(a);
	a->next = 0;
	send_batch(a);
}

Activity *activity_new(Loop *loop, Shared *sh, const Config *conf)
{
	Activity *a = NEW(Activity);

	a->loop = loop;
	a->shared = sh;
	a->conf = conf_hold(conf);
	a->fetcher = fetcher_new(loop);
	a->causes = causes_new(ROUTES_MAX);
	a->sessions = mem_new((size_t)sh->n_slots, sizeof(SeenSession));
	for (int i = 0; i < WORKERS_MAX; i++)
		a->partings[i] = atomic_load(&sh->partings[i].n);
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
	causes_free(a->causes);
	free(a->sessions);
	free(a);
}
