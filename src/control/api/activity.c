/* What proxies report: which computes are in use. */
#include "../activity.h"

#include "api.h"
#include "base/text.h"
#include "body.h"
#include "sys/clock.h"

#define MOST_SESSIONS 1000000
#define MOST_IDLE_MS  INT64_C(100000000000)

typedef struct Item {
	Report report;
	const char *compute_id;
} Item;

static bool read_item(const json_t *json, const char *proxy_id, Item *out, Fault *why)
{
	int64_t sessions = 0, at_work = 0, transactions = 0, idle_ms = -1;

	if (!json_is_object(json))
		return fault_set(why, FAULT_BAD_VALUE, "computes must hold objects");
	if (!body_text(json, "compute_id", NULL, &out->compute_id, why) ||
	    !body_int(json, "sessions", 0, MOST_SESSIONS, &sessions, why) ||
	    !body_int(json, "at_work", 0, MOST_SESSIONS, &at_work, why) ||
	    !body_int(json, "transactions", 0, INT64_MAX, &transactions, why) ||
	    !body_int(json, "idle_ms", 0, MOST_IDLE_MS, &idle_ms, why))
		return false;
	if (!out->compute_id)
		return fault_set(why, FAULT_BAD_VALUE, "compute_id is missing");
	out->report =
		(Report){.sessions = (int)sessions, .at_work = (int)at_work, .idle_ms = idle_ms};
	text_copy(out->report.proxy_id, sizeof(out->report.proxy_id), proxy_id);
	return true;
}

/* A compute that is not known is no error: it may just have been deleted. */
static int take(Call *call, const Item *item)
{
	char id[ID_SIZE];
	Unit *u = call_id(item->compute_id, id) ? fleet_find(&call->c->fleet, id) : NULL;

	if (!u)
		return 0;
	activity_report(&u->activity, &item->report, clock_ms());
	return 1;
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
static bool each(Call *call, const char *proxy_id, const json_t *computes, bool for_real,
		 int *accepted, Fault *why)
{
	Item item;

	for (size_t i = 0; i < json_array_size(computes); i++) {
		if (!read_item(json_array_get(computes, i), proxy_id, &item, why))
			return false;
		if (for_real)
			*accepted += take(call, &item);
	}
	return true;
}

void api_activity(Call *call)
{
	const json_t *computes;
	const char *proxy_id;
	int accepted = 0;
	Fault why;

	if (!read_head(call, &proxy_id, &computes, &why) ||
	    !each(call, proxy_id, computes, false, NULL, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	each(call, proxy_id, computes, true, &accepted, &why);
	call_answer(call, 200, json_pack("{s:i}", "accepted", accepted));
}
