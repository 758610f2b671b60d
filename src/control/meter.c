#include "meter.h"

#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)

static int64_t overlap(const Interval *i, int64_t from, int64_t to)
{
	int64_t end = i->ended_at ? i->ended_at : i->last_seen;
	int64_t begin = i->started_at > from ? i->started_at : from;

	if (end > to)
		end = to;
	return end > begin ? end - begin : 0;
}

void meter_fold(Usage *sum, const Interval *intervals, int n, const char *compute_id, int64_t from,
		int64_t to)
{
	for (int k = 0; k < n; k++) {
		const Interval *i = &intervals[k];
		int64_t us;

		if (*compute_id && strcmp(compute_id, i->compute_id) != 0)
			continue;
		us = overlap(i, from, to);
		sum->active_us += us;
		sum->compute_us += us * i->size;
	}
}

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
