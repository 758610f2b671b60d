#include "meter.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define SECOND INT64_C(1000000)

/* The largest that settings allow, and the longest month. */
#define LARGEST_SIZE INT64_C(1024000)
#define MONTH        (31 * 86400 * SECOND)
_Static_assert(MONTH <= INT64_MAX / LARGEST_SIZE, "a month of the largest compute must fit");

/* ---- sums -------------------------------------------------------------- */

static void add(int64_t *sum, int64_t more)
{
	if (__builtin_add_overflow(*sum, more, sum))
		*sum = INT64_MAX;
}

static int64_t times(int64_t a, int64_t b)
{
	int64_t product;

	return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/* How much of [begin, end) lies within [from, to). */
static int64_t overlap(int64_t begin, int64_t end, int64_t from, int64_t to)
{
	if (begin < from)
		begin = from;
	if (end > to)
		end = to;
	return end > begin ? end - begin : 0;
}

static bool is_of(const char *compute_id, const char *id)
{
	return !*compute_id || strcmp(compute_id, id) == 0;
}

#define MS INT64_C(1000)

/* Of an amount that came evenly between two moments, what came before `at`. */
static int64_t part_before(int64_t amount, int64_t begin, int64_t end, int64_t at)
{
	int64_t length = (end - begin) / MS, part = (at - begin) / MS;

	if (at >= end)
		return amount;
	if (part <= 0)
		return 0;
	return amount / length * part + amount % length * part / length;
}

static int64_t part_within(int64_t amount, int64_t begin, int64_t end, int64_t from, int64_t to)
{
	return part_before(amount, begin, end, to) - part_before(amount, begin, end, from);
}

/* ---- intervals --------------------------------------------------------- */

static void add_interval(Usage *sum, const Interval *i, int64_t from, int64_t to)
{
	int64_t end = i->ended_at ? i->ended_at : i->last_seen;
	int64_t us = overlap(i->started_at, end, from, to);

	if (i->kind == INTERVAL_FROZEN) {
		add(&sum->frozen_us, us);
	} else if (i->kind == INTERVAL_ACTIVE) {
		add(&sum->active_us, us);
		add(&sum->compute_us, times(us, i->size));
		add(&sum->cpu_us, part_within(i->cpu_us, i->started_at, end, from, to));
	}
}

void meter_fold(Usage *sum, const Interval *intervals, int n, const char *compute_id, int64_t from,
		int64_t to)
{
	for (int k = 0; k < n; k++) {
		if (is_of(compute_id, intervals[k].compute_id))
			add_interval(sum, &intervals[k], from, to);
	}
}

/* ---- storage ----------------------------------------------------------- */

/* When the next sample of the same compute begins to hold, in seconds. */
static int64_t holds_until(const StorageSample *samples, int n, int i)
{
	for (int next = i + 1; next < n; next++) {
		if (strcmp(samples[next].compute_id, samples[i].compute_id) == 0)
			return samples[next].at / SECOND;
	}
	return INT64_MAX;
}

int64_t meter_storage(const StorageSample *samples, int n, const char *compute_id, int64_t from,
		      int64_t to)
{
	int64_t sum = 0;

	for (int i = 0; i < n; i++) {
		int64_t seconds;

		if (!is_of(compute_id, samples[i].compute_id))
			continue;
		seconds = overlap(samples[i].at / SECOND, holds_until(samples, n, i), from / SECOND,
				  to / SECOND);
		add(&sum, times(samples[i].bytes, seconds));
	}
	return sum;
}

/* ---- bytes ------------------------------------------------------------- */

int64_t meter_traffic(const Traffic *hours, int n, const char *compute_id, int64_t from, int64_t to,
		      int64_t now)
{
	int64_t sum = 0;

	for (const Traffic *t = hours; t < hours + n; t++) {
		int64_t end = t->hour + METER_HOUR, bytes = t->received;

		add(&bytes, t->sent);
		if (now < end)
			end = now > t->hour + MS ? now : t->hour + MS;
		if (is_of(compute_id, t->compute_id))
			add(&sum, part_within(bytes, t->hour, end, from, to));
	}
	return sum;
}

/* ---- hours ------------------------------------------------------------- */

UsageHour meter_hour(const Compute *compute, int64_t hour, const Interval *intervals, int n,
		     const StorageSample *samples, int n_samples)
{
	int64_t end = hour + METER_HOUR;
	UsageHour h = {.hour = hour};
	Usage sum = {0};

	text_copy(h.project_id, sizeof(h.project_id), compute->project_id);
	text_copy(h.compute_id, sizeof(h.compute_id), compute->id);
	meter_fold(&sum, intervals, n, compute->id, hour, end);
	h.active_us = sum.active_us;
	h.frozen_us = sum.frozen_us;
	h.compute_us = sum.compute_us;
	h.cpu_us = sum.cpu_us;
	h.storage_byte_seconds = meter_storage(samples, n_samples, compute->id, hour, end);
	return h;
}

bool meter_is_revised(const UsageHour *published, const UsageHour *now)
{
	return published->active_us != now->active_us || published->frozen_us != now->frozen_us ||
	       published->compute_us != now->compute_us || published->cpu_us != now->cpu_us ||
	       published->storage_byte_seconds != now->storage_byte_seconds ||
	       published->proxied_bytes != now->proxied_bytes;
}

void meter_export_key(char out[EXPORT_KEY_SIZE], const char *compute_id, const char *metric,
		      int64_t hour, int64_t revision)
{
	char time[TIME_TEXT_SIZE];

	time_text(time, hour);
	snprintf(out, EXPORT_KEY_SIZE, "%s|%s|%s|%lld", compute_id, metric, time,
		 (long long)revision);
}

/* ---- periods ----------------------------------------------------------- */

int64_t meter_period_end(Granularity g, int64_t at)
{
	time_t seconds = (time_t)(at / SECOND);
	struct tm tm;

	if (g == METER_WHOLE)
		return INT64_MAX;
	gmtime_r(&seconds, &tm);
	tm.tm_sec = 0;
	tm.tm_min = 0;
	if (g == METER_HOURLY) {
		tm.tm_hour++;
	} else {
		tm.tm_hour = 0;
		tm.tm_mday = g == METER_DAILY ? tm.tm_mday + 1 : 1;
		tm.tm_mon += g == METER_MONTHLY;
	}
	return (int64_t)timegm(&tm) * SECOND;
}
