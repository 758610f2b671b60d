/*
 * What proxies report: which computes are in use, by whom, and how much went through.
 *
 * What counts as use is what is not exempt.  Of a compute that does not run only the
 * number of sessions counts: whoever wants it awake asks for that.
 */
#include "../activity.h"

#include <stdlib.h>
#include <string.h>

#include "../ledger.h"
#include "../meter.h"
#include "api.h"
#include "base/mem.h"
#include "base/text.h"
#include "body.h"
#include "schema.h"
#include "sys/clock.h"
#include "sys/log.h"

#define MOST_SESSIONS 1000000
#define MOST_CAUSES   64
#define MOST_IDLE_MS  INT64_C(100000000000)

/* One compute of a report. */
typedef struct Item {
	const char *compute_id;
	Report report;     /* as the proxy has it: of all who use it */
	const char *epoch; /* of the totals; NULL: none were told */
	int64_t received, sent;
	int n_causes;
	AwakeReport causes[MOST_CAUSES];
	int cause_sessions[MOST_CAUSES], listening[MOST_CAUSES];
} Item;

/* ---- reading ----------------------------------------------------------- */

static bool read_count(const json_t *json, const char *name, int *out, Fault *why)
{
	int64_t n = 0;

	if (!body_int(json, name, 0, MOST_SESSIONS, &n, why))
		return false;
	*out = (int)n;
	return true;
}

/* Names are cut where PostgreSQL would cut them, and half a character is no text. */
static bool read_name(const json_t *json, const char *name, char out[ID_SIZE], Fault *why)
{
	const char *text;

	if (!body_text(json, name, "", &text, why))
		return false;
	text_copy(out, ID_SIZE, text);
	text_printable(out);
	return true;
}

static bool read_cause(const json_t *json, Item *out, Fault *why)
{
	int i = out->n_causes++;
	AwakeReport *c = &out->causes[i];

	if (!json_is_object(json))
		return fault_set(why, FAULT_BAD_VALUE, "causes must hold objects");
	*c = (AwakeReport){.cause.kind = CAUSE_CLIENT, .idle_ms = -1};
	return schema_knows("ActivityCause", json, why) &&
	       read_name(json, "role", c->cause.role, why) &&
	       read_name(json, "application_name", c->cause.application, why) &&
	       read_name(json, "network", c->cause.network, why) &&
	       read_count(json, "sessions", &out->cause_sessions[i], why) &&
	       read_count(json, "at_work", &c->at_work, why) &&
	       read_count(json, "listening", &out->listening[i], why) &&
	       body_int(json, "idle_ms", 0, MOST_IDLE_MS, &c->idle_ms, why);
}

static bool read_causes(const json_t *list, Item *out, Fault *why)
{
	if (list && (!json_is_array(list) || json_array_size(list) > MOST_CAUSES))
		return fault_set(why, FAULT_BAD_VALUE, "causes must be a list of at most %d",
				 MOST_CAUSES);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!read_cause(json_array_get(list, i), out, why))
			return false;
	}
	return true;
}

/* A cut epoch would be another one's. */
static bool read_traffic(const json_t *json, Item *out, Fault *why)
{
	if (!json)
		return true;
	if (!json_is_object(json))
		return fault_set(why, FAULT_BAD_VALUE, "traffic must be an object");
	if (!schema_knows("Traffic", json, why) ||
	    !body_text(json, "epoch", "", &out->epoch, why) ||
	    !body_int(json, "received", 0, INT64_MAX, &out->received, why) ||
	    !body_int(json, "sent", 0, INT64_MAX, &out->sent, why))
		return false;
	if (!*out->epoch || strlen(out->epoch) >= ID_SIZE)
		return fault_set(why, FAULT_BAD_VALUE, "epoch must be a text of 1 to %d bytes",
				 ID_SIZE - 1);
	return true;
}

static bool read_report(const json_t *json, const char *proxy_id, Report *out, Fault *why)
{
	int64_t transactions;

	*out = (Report){.idle_ms = -1};
	text_copy(out->proxy_id, sizeof(out->proxy_id), proxy_id);
	return read_count(json, "sessions", &out->sessions, why) &&
	       read_count(json, "at_work", &out->at_work, why) &&
	       read_count(json, "listening", &out->listening, why) &&
	       body_int(json, "transactions", 0, INT64_MAX, &transactions, why) &&
	       body_int(json, "idle_ms", 0, MOST_IDLE_MS, &out->idle_ms, why);
}

static bool read_item(const json_t *json, const char *proxy_id, Item *out, Fault *why)
{
	*out = (Item){0};
	if (!json_is_object(json))
		return fault_set(why, FAULT_BAD_VALUE, "computes must hold objects");
	if (!schema_knows("ComputeActivity", json, why) ||
	    !body_text(json, "compute_id", NULL, &out->compute_id, why) ||
	    !read_report(json, proxy_id, &out->report, why) ||
	    !read_traffic(json_object_get(json, "traffic"), out, why) ||
	    !read_causes(json_object_get(json, "causes"), out, why))
		return false;
	return out->compute_id || fault_set(why, FAULT_BAD_VALUE, "compute_id is missing");
}

/* ---- what counts ------------------------------------------------------- */

static int64_t soonest(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Takes those who are exempt out of causes and report; who has no cause yet counts. */
static void leave_out_exempt(Item *item, const Unit *u)
{
	Report *r = &item->report;
	int n = 0, told = 0;
	int64_t idle_ms = -1;

	for (int i = 0; i < item->n_causes; i++) {
		const AwakeReport cause = item->causes[i];

		told += item->cause_sessions[i];
		if (fleet_is_exempt(u, &cause.cause)) {
			r->at_work -= cause.at_work;
			r->listening -= item->listening[i];
			continue;
		}
		idle_ms = soonest(idle_ms, cause.idle_ms);
		item->causes[n++] = cause;
	}
	if (n < item->n_causes && told >= r->sessions)
		r->idle_ms = idle_ms;
	r->at_work = r->at_work > 0 ? r->at_work : 0;
	r->listening = r->listening > 0 ? r->listening : 0;
	item->n_causes = n;
}

static void blame(Unit *u, const Item *item)
{
	const Cause *last = awake_last(item->causes, item->n_causes);
	int64_t idle_ms = item->report.at_work > 0 ? 0 : item->report.idle_ms;

	if (last && idle_ms >= 0)
		ledger_blame(u, last, idle_ms * 1000);
}

static void use(Unit *u, Item *item)
{
	if (unit_is_serving(u)) {
		leave_out_exempt(item, u);
		blame(u, item);
	} else {
		item->report.at_work = item->report.listening = 0;
		item->report.idle_ms = -1;
	}
	activity_report(&u->activity, &item->report, clock_ms());
}

/* ---- a whole report ---------------------------------------------------- */

/* A report that is taken in. */
typedef struct Taking {
	Call *call;
	int accepted;
	Traffic *totals;
	int n_totals;
} Taking;

/* Most sessions are idle most of the time: what is known is not written again. */
static bool is_told(const Unit *u, const Traffic *t)
{
	return t->received == u->told.received && t->sent == u->told.sent &&
	       strcmp(t->epoch, u->told.epoch) == 0;
}

static void add_totals(Taking *t, const Unit *u, const Item *item)
{
	Traffic totals = {.received = item->received, .sent = item->sent, .hour = wall_us()};

	if (!item->epoch)
		return;
	totals.hour -= totals.hour % METER_HOUR;
	text_copy(totals.project_id, sizeof(totals.project_id), u->compute.project_id);
	text_copy(totals.compute_id, sizeof(totals.compute_id), u->compute.id);
	text_copy(totals.epoch, sizeof(totals.epoch), item->epoch);
	if (is_told(u, &totals))
		return;
	t->totals = mem_grow(t->totals, (size_t)(t->n_totals + 1) * sizeof(Traffic));
	t->totals[t->n_totals++] = totals;
}

/* A compute that is not known is no error: it may just have been deleted. */
static void take(Taking *t, Item *item)
{
	char id[ID_SIZE];
	Unit *u = call_id(item->compute_id, id) ? fleet_find(&t->call->c->fleet, id) : NULL;

	if (!u)
		return;
	t->accepted++;
	add_totals(t, u, item);
	use(u, item);
}

static bool read_head(const Call *call, const char **proxy_id, const json_t **computes, Fault *why)
{
	if (!body_text(call->body, "proxy_id", NULL, proxy_id, why))
		return false;
	*computes = json_object_get(call->body, "computes");
	if (!*proxy_id || !**proxy_id)
		return fault_set(why, FAULT_BAD_VALUE, "proxy_id is missing");
	if (!json_is_array(*computes))
		return fault_set(why, FAULT_BAD_VALUE, "computes must be a list");
	return true;
}

/* All of a report is checked before any of it counts. */
static bool each(const char *proxy_id, const json_t *computes, Taking *taking, Fault *why)
{
	Item item;

	for (size_t i = 0; i < json_array_size(computes); i++) {
		if (!read_item(json_array_get(computes, i), proxy_id, &item, why))
			return false;
		if (taking)
			take(taking, &item);
	}
	return true;
}

static void free_taking(Taking *t)
{
	free(t->totals);
	free(t);
}

static void answer(Taking *t)
{
	call_answer(t->call, 200, json_pack("{s:i}", "accepted", t->accepted));
	free_taking(t);
}

static void remember_totals(const Taking *t)
{
	for (int i = 0; i < t->n_totals; i++) {
		Unit *u = fleet_compute(&t->call->c->fleet, t->totals[i].compute_id);

		if (u)
			u->told = t->totals[i];
	}
}

/* The proxy counts bytes as told when this is answered, so they are written down before. */
static void on_counted(void *arg, const StoreRows *rows, const Fault *why)
{
	Taking *t = arg;

	(void)rows;
	if (!why) {
		remember_totals(t);
		answer(t);
		return;
	}
	call_refuse(t->call, why, NULL);
	free_taking(t);
}

void api_activity(Call *call)
{
	const json_t *computes;
	const char *proxy_id;
	Taking *taking;
	Fault why;

	if (!read_head(call, &proxy_id, &computes, &why) || !each(proxy_id, computes, NULL, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	taking = NEW(Taking);
	taking->call = call;
	each(proxy_id, computes, taking, &why);
	if (taking->n_totals > 0)
		store_traffic_add(call->c->store, taking->totals, taking->n_totals,
				  (StoreCall){on_counted, taking});
	else
		answer(taking);
}
