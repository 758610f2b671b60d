#include "activity.h"

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

int activity_at_work(const Activity *a, int64_t now_ms)
{
	int n = 0;

	for (int i = 0; i < ACTIVITY_PROXIES; i++) {
		if (a->reports[i].at_ms > 0 && now_ms - a->reports[i].at_ms < ACTIVITY_BELIEF_MS)
			n += a->reports[i].report.at_work;
	}
	return n;
}

int activity_sessions(const Activity *a, int64_t now_ms)
{
	int n = 0;

	for (int i = 0; i < ACTIVITY_PROXIES; i++) {
		if (a->reports[i].at_ms > 0 && now_ms - a->reports[i].at_ms < ACTIVITY_BELIEF_MS)
			n += a->reports[i].report.sessions;
	}
	return n;
}
