/* What was done to computes, and what projects used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gather.h"
#include "api.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "page.h"
#include "sys/clock.h"

#define SECOND       INT64_C(1000000)
#define DAY          (86400 * SECOND)
#define MOST_PERIODS 1000

/* ---- operations -------------------------------------------------------- */

static json_t *operation_row(const Call *call, const StoreRows *rows, int i)
{
	(void)call;
	return json_of_operation(&rows->operations[i]);
}

static void on_operations(void *arg, const StoreRows *rows, const Fault *why)
{
	page_answer(arg, "operations", operation_row, rows, why);
}

static void list_operations(Call *call, Page *page)
{
	page->before = strtoll(page->after, NULL, 10);
	store_operation_list(call->c->store, page, (StoreCall){on_operations, call});
}

void api_operation_list(Call *call)
{
	Page page = {0};

	if (!page_of_query(call, &page))
		return;
	text_copy(page.compute_id, sizeof(page.compute_id), call->id);
	text_copy(page.project_id, sizeof(page.project_id), call_tenant(call));
	list_operations(call, &page);
}

/* Also of one that was deleted. */
void api_operation_list_of_project(Call *call)
{
	Page page = {0};

	if (!page_of_query(call, &page))
		return;
	text_copy(page.project_id, sizeof(page.project_id), call->id);
	list_operations(call, &page);
}

/* ---- usage ------------------------------------------------------------- */

typedef struct Period {
	int64_t from, to;
	Granularity granularity;
	bool csv;
} Period;

/* A question on its way to the store and back. */
typedef struct Asked {
	Call *call;
	Period period;
	const UsageFacts *facts;
	int64_t now;
} Asked;

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

static bool read_format(const Call *call, bool *csv, Fault *why)
{
	const char *format = request_query(call->request, "format");
	const char *accept = request_header(call->request, "Accept");

	*csv = format ? strcmp(format, "csv") == 0 : accept && strstr(accept, "text/csv");
	return !format || *csv || strcmp(format, "json") == 0 ||
	       fault_set(why, FAULT_BAD_VALUE, "format must be json or csv");
}

static bool check_length(const Period *p, Fault *why)
{
	int n = 0;

	for (int64_t at = p->from; at < p->to && n <= MOST_PERIODS; n++)
		at = meter_period_end(p->granularity, at);
	return n <= MOST_PERIODS ||
	       fault_set(why, FAULT_BAD_VALUE, "from and to must not be more than %d periods apart",
			 MOST_PERIODS);
}

/* The last thirty days, if nothing is said. */
static bool read_period(const Call *call, Period *p, Fault *why)
{
	int64_t now = wall_us();

	if (!read_time(call, "to", now, &p->to, why) ||
	    !read_time(call, "from", p->to > 30 * DAY ? p->to - 30 * DAY : 0, &p->from, why) ||
	    !read_granularity(call, &p->granularity, why) || !read_format(call, &p->csv, why))
		return false;
	if (p->from > p->to)
		return fault_set(why, FAULT_BAD_VALUE, "from must not be later than to");
	return check_length(p, why);
}

/* ---- sums -------------------------------------------------------------- */

static UsageSum sum_of(const Asked *a, const char *compute_id, int64_t from, int64_t to)
{
	return usage_sum(a->facts, compute_id, from, to, a->now);
}

static void set_sum(json_t *json, const UsageSum *s)
{
	json_object_set_new(json, "active_seconds", json_real((double)s->time.active_us / 1e6));
	json_object_set_new(json, "frozen_seconds", json_real((double)s->time.frozen_us / 1e6));
	json_object_set_new(json, "compute_seconds", json_real((double)s->time.compute_us / 1e9));
	json_object_set_new(json, "cpu_seconds", json_real((double)s->time.cpu_us / 1e6));
	json_object_set_new(json, "storage_byte_seconds", json_integer(s->storage_byte_seconds));
	json_object_set_new(json, "proxied_bytes", json_integer(s->proxied_bytes));
}

static int64_t end_of_period(const Period *p, int64_t from)
{
	int64_t end = meter_period_end(p->granularity, from);

	return end < p->to ? end : p->to;
}

static json_t *json_of_periods(const Asked *a)
{
	json_t *list = json_array();

	for (int64_t from = a->period.from, to; from < a->period.to; from = to) {
		UsageSum sum;
		json_t *json;

		to = end_of_period(&a->period, from);
		sum = sum_of(a, "", from, to);
		json = json_pack("{s:o, s:o}", "from", json_of_time(from), "to", json_of_time(to));
		set_sum(json, &sum);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *json_of_computes(const Asked *a)
{
	json_t *list = json_array();
	UsageOf *computes;
	int n = usage_computes(a->facts, &computes);

	for (int i = 0; i < n; i++) {
		const char *id = computes[i].compute_id;
		UsageSum sum = sum_of(a, id, a->period.from, a->period.to);
		json_t *json;

		if (usage_is_nothing(&sum))
			continue;
		json = json_pack("{s:s}", "compute_id", id);
		set_sum(json, &sum);
		json_array_append_new(list, json);
	}
	free(computes);
	return list;
}

/* What a client calls itself need not be UTF-8. */
static void set_text(json_t *json, const char *name, const char *text)
{
	json_t *value = json_string(text);

	json_object_set_new(json, name, value ? value : json_string("?"));
}

static json_t *json_of_causes(const UsageFacts *f)
{
	json_t *list = json_array();

	for (int i = 0; i < f->n_causes; i++) {
		const AwakeCause *c = &f->causes[i];
		json_t *json = json_pack("{s:s, s:s, s:f}", "kind", c->kind, "compute_id",
					 c->compute_id, "seconds", (double)c->active_us / 1e6);

		set_text(json, "role", c->role);
		set_text(json, "application_name", c->application);
		set_text(json, "network", c->network);
		json_array_append_new(list, json);
	}
	return list;
}

static void answer_json(const Asked *a)
{
	const Period *p = &a->period;
	UsageSum sum = sum_of(a, "", p->from, p->to);
	json_t *json = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "project_id", a->call->id,
				 "from", json_of_time(p->from), "to", json_of_time(p->to),
				 "periods", json_of_periods(a), "computes", json_of_computes(a),
				 "awake_causes", json_of_causes(a->facts));

	set_sum(json, &sum);
	call_answer(a->call, 200, json);
}

/* ---- CSV (RFC 4180) ---------------------------------------------------- */

#define CSV_HEAD                                                                       \
	"project_id,compute_id,from,to,active_seconds,frozen_seconds,compute_seconds," \
	"cpu_seconds,storage_byte_seconds,proxied_bytes\r\n"

/* Nothing in it needs quotes: ids are DNS labels. */
static void add_line(Buf *out, const Asked *a, const char *compute_id, int64_t from, int64_t to)
{
	UsageSum s = sum_of(a, compute_id, from, to);
	char begin[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE], line[512];

	if (usage_is_nothing(&s))
		return;
	time_text(begin, from);
	time_text(end, to);
	snprintf(line, sizeof(line), "%s,%s,%s,%s,%.6f,%.6f,%.9f,%.6f,%lld,%lld\r\n", a->call->id,
		 compute_id, begin, end, (double)s.time.active_us / 1e6,
		 (double)s.time.frozen_us / 1e6, (double)s.time.compute_us / 1e9,
		 (double)s.time.cpu_us / 1e6, (long long)s.storage_byte_seconds,
		 (long long)s.proxied_bytes);
	buf_append(out, span_of_text(line));
}

static void answer_csv(const Asked *a)
{
	Buf out = {0};
	UsageOf *computes;
	int n = usage_computes(a->facts, &computes);

	buf_append(&out, span_of_text(CSV_HEAD));
	for (int64_t from = a->period.from, to; from < a->period.to; from = to) {
		to = end_of_period(&a->period, from);
		for (int i = 0; i < n; i++)
			add_line(&out, a, computes[i].compute_id, from, to);
	}
	free(computes);
	call_answer_text(a->call, "text/csv", buf_span(&out));
	buf_free(&out);
}

/* ---- answering --------------------------------------------------------- */

/* A project that is deleted is still known by what it used. */
static bool is_known(const Asked *a, Fault *why)
{
	const UsageFacts *f = a->facts;

	if (f->n_intervals + f->n_samples + f->n_traffic + f->n_published > 0 ||
	    fleet_project(&a->call->c->fleet, a->call->id))
		return true;
	return fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", a->call->id);
}

static void on_gathered(void *arg, UsageFacts *facts, const Fault *why)
{
	Asked *a = arg;
	Fault bad;

	a->facts = facts;
	if (why || !is_known(a, &bad))
		call_refuse(a->call, why ? why : &bad, NULL);
	else if (a->period.csv)
		answer_csv(a);
	else
		answer_json(a);
	usage_facts_free(facts);
	free(a);
}

void api_usage(Call *call)
{
	Asked *a;
	Period p;
	Fault why;

	if (!read_period(call, &p, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	a = NEW(Asked);
	*a = (Asked){.call = call, .period = p, .now = wall_us()};
	gather(call->c->store, call->id, p.from, p.to, on_gathered, a);
}
