#include "schedule.h"

#define SECOND INT64_C(1000000)

/* Rounded up: whoever looks then is not too early. */
static int64_t ms_until(int64_t at, int64_t now_us)
{
	int64_t us = at * SECOND - now_us;

	return us > 0 ? (us + 999) / 1000 : 0;
}

static void read_hours(Schedule *out, const ProjectSettings *s, int64_t now_us)
{
	int64_t now = now_us / SECOND, change;
	ZoneClock zones[SETTINGS_HOURS];

	for (int i = 0; i < s->n_keep_warm; i++)
		clock_zone(s->keep_warm[i].zone, now, &zones[i]);
	out->warm = hours_have(s->keep_warm, s->n_keep_warm, zones, now);
	change = hours_change(s->keep_warm, s->n_keep_warm, zones, now);
	out->change_in_ms = change == HOURS_NEVER ? 0 : ms_until(change, now_us);
}

static void read_times(Schedule *out, const ProjectSettings *s, int64_t now_us)
{
	int64_t now = now_us / SECOND, next;
	ZoneClock zones[SETTINGS_TIMES];

	for (int i = 0; i < s->n_wake_at; i++)
		clock_zone(s->wake_at[i].zone, now, &zones[i]);
	next = wake_at_next(s->wake_at, s->n_wake_at, zones, now + 1);
	out->wake_in_ms = next == HOURS_NEVER ? -1 : ms_until(next, now_us);
}

Schedule schedule_at(const ProjectSettings *s, int64_t now_us)
{
	Schedule out = {0};

	read_hours(&out, s, now_us);
	read_times(&out, s, now_us);
	return out;
}
