#include "activity.h"

#include <stddef.h>
#include <string.h>

void activity_note(Activity *a, int64_t now_ms)
{
	if (now_ms > a->last_ms)
		a->last_ms = now_ms;
}

static int place_of(const Activity *a, const char *proxy_id)
{
	int oldest = 0;

	for (int i = 0; i < ACTIVITY_PROXIES; i++) {
		if (a->reports[i].at_ms > 0 && strcmp(a->reports[i].report.proxy_id, proxy_id) == 0)
			return i;
		if (a->reports[i].at_ms < a->reports[oldest].at_ms)
			oldest = i;
	}
	return oldest;
}

void activity_report(Activity *a, const Report *report, int64_t now_ms)
{
	int place = place_of(a, report->proxy_id);

	a->reports[place].report = *report;
	a->reports[place].at_ms = now_ms;
	if (report->at_work > 0)
		activity_note(a, now_ms);
	else if (report->idle_ms >= 0)
		activity_note(a, now_ms - report->idle_ms);
}

const Report *activity_next(const Activity *a, int *i, int64_t now_ms)
{
	while (*i < ACTIVITY_PROXIES) {
		int at = (*i)++;

		if (a->reports[at].at_ms > 0 && now_ms - a->reports[at].at_ms < ACTIVITY_BELIEF_MS)
			return &a->reports[at].report;
	}
	return NULL;
}

ActivitySum activity_sum(const Activity *a, int64_t now_ms)
{
	ActivitySum sum = {0};
	const Report *r;

	for (int i = 0; (r = activity_next(a, &i, now_ms)) != NULL;) {
		sum.sessions += r->sessions;
		sum.at_work += r->at_work;
		sum.listening += r->listening;
	}
	return sum;
}
