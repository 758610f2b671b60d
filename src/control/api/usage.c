/* What was done to computes, and what projects used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../meter.h"
#include "api.h"
#include "base/text.h"
#include "page.h"
#include "sys/clock.h"

#define SECOND       INT64_C(1000000)
#define DAY          (86400 * SECOND)
#define MOST_PERIODS 1000

/* ---- operations -------------------------------------------------------- */

static void on_operations(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	json_t *list = json_array();
	int n = page_count(call, rows->n);
	char next[24] = "";

	if (why) {
		json_decref(list);
		call_refuse(call, why, NULL);
		return;
	}
	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_of_operation(&rows->operations[i]));
	if (n < rows->n)
		snprintf(next, sizeof(next), "%lld", (long long)rows->operations[n - 1].id);
	page_answer(call, "operations", list, *next ? next : NULL);
}

void api_operation_list(Call *call)
{
	Page page = {0};

	if (!page_of_query(call, &page))
		return;
	text_copy(page.compute_id, sizeof(page.compute_id), call->id);
	text_copy(page.project_id, sizeof(page.project_id), call_tenant(call));
	page.before = strtoll(page.after, NULL, 10);
	store_operation_list(call->c->store, &page, (StoreCall){on_operations, call});
}

/* ---- usage ------------------------------------------------------------- */

typedef struct Period {
	int64_t from, to;
	Granularity granularity;
} Period;

static bool read_time(const Call *call, const char *name, int64_t otherwise, int64_t *out,
		      Fault *why)
{
	const char *text = request_query(call->request, name);

	*out = text ? time_of_text(text) : otherwise;
	if (*out == -1)
		return fault_set(why, FAULT_BAD_VALUE, "%s must be a time as 2025-01-31T00:00:00Z",
				 name);
	return true;
}

static bool read_granularity(const Call *call, Granularity *out, Fault *why)
{
	static const char *const words[] = {"whole", "hourly", "daily", "monthly"};
	const char *text = request_query(call->request, "granularity");

	*out = METER_WHOLE;
	for (int g = METER_WHOLE; text && g <= METER_MONTHLY; g++) {
		if (strcmp(text, words[g]) == 0) {
			*out = (Granularity)g;
			return true;
		}
	}
	return !text ||
	       fault_set(why, FAULT_BAD_VALUE, "granularity must be hourly, daily or monthly");
}

/* The last thirty days, if nothing is said. */
static bool read_period(const Call *call, Period *p, Fault *why)
{
	int64_t now = wall_us();

	if (!read_time(call, "to", now, &p->to, why) ||
	    !read_time(call, "from", p->to > 30 * DAY ? p->to - 30 * DAY : 0, &p->from, why) ||
	    !read_granularity(call, &p->granularity, why))
		return false;
	if (p->from > p->to)
		return fault_set(why, FAULT_BAD_VALUE, "from must not be later than to");
	return true;
}

static void set_usage(json_t *json, const Usage *u)
{
	json_object_set_new(json, "active_seconds", json_real((double)u->active_us / 1e6));
	json_object_set_new(json, "compute_seconds", json_real((double)u->compute_us / 1e9));
}

static json_t *json_of_period(const StoreRows *rows, int64_t from, int64_t to)
{
	json_t *json = json_pack("{s:o, s:o}", "from", json_of_time(from), "to", json_of_time(to));
	Usage sum = {0};

	meter_fold(&sum, rows->intervals, rows->n, "", from, to);
	set_usage(json, &sum);
	return json;
}

static json_t *json_of_periods(const StoreRows *rows, const Period *p)
{
	json_t *list = json_array();
	int64_t from = p->from;

	while (from < p->to && json_array_size(list) < MOST_PERIODS) {
		int64_t end = meter_period_end(p->granularity, from);

		if (end > p->to)
			end = p->to;
		json_array_append_new(list, json_of_period(rows, from, end));
		from = end;
	}
	return list;
}

static bool is_listed(const json_t *list, const char *compute_id)
{
	size_t i;
	json_t *entry;

	json_array_foreach((json_t *)(uintptr_t)list, i, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "compute_id")), compute_id) ==
		    0)
			return true;
	}
	return false;
}

static json_t *json_of_each_compute(const StoreRows *rows, const Period *p)
{
	json_t *list = json_array();

	for (int i = 0; i < rows->n; i++) {
		const char *id = rows->intervals[i].compute_id;
		Usage sum = {0};
		json_t *entry;

		if (is_listed(list, id))
			continue;
		meter_fold(&sum, rows->intervals, rows->n, id, p->from, p->to);
		entry = json_pack("{s:s}", "compute_id", id);
		set_usage(entry, &sum);
		json_array_append_new(list, entry);
	}
	return list;
}

/* A project that is deleted is still known by what it used. */
static bool is_known(const Call *call, const StoreRows *rows, Fault *why)
{
	if (rows->n > 0 || fleet_project(&call->c->fleet, call->id))
		return true;
	return fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", call->id);
}

static void on_intervals(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	Usage sum = {0};
	json_t *json;
	Period p;
	Fault bad;

	if (why || !is_known(call, rows, &bad) || !read_period(call, &p, &bad)) {
		call_refuse(call, why ? why : &bad, NULL);
		return;
	}
	meter_fold(&sum, rows->intervals, rows->n, "", p.from, p.to);
	json = json_pack("{s:s, s:o, s:o, s:o, s:o}", "project_id", call->id, "from",
			 json_of_time(p.from), "to", json_of_time(p.to), "periods",
			 json_of_periods(rows, &p), "computes", json_of_each_compute(rows, &p));
	set_usage(json, &sum);
	call_answer(call, 200, json);
}

void api_usage(Call *call)
{
	Page page = {0};
	Period p;
	Fault why;

	if (!read_period(call, &p, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	text_copy(page.project_id, sizeof(page.project_id), call->id);
	page.from = p.from;
	page.to = p.to;
	store_interval_list(call->c->store, &page, (StoreCall){on_intervals, call});
}
