/*
 * Running hours and hours to get up: what people write of days, times and zones.
 *
 * Pure.  The moment comes in as seconds since 1970, and with it how the clocks of
 * each zone stand (sys/clock.h), so that a change to summer time is a row in a
 * test's table.
 */
#ifndef CONTROL_HOURS_H
#define CONTROL_HOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "sys/clock.h"

#define DAY_MINUTES  1440
#define WEEK_MINUTES (7 * DAY_MINUTES)

/* No moment at all. */
#define HOURS_NEVER INT64_MAX

/* From a time of the day to another, on some days of the week; over midnight if `to` is not later.
 */
typedef struct Hours {
	uint8_t days; /* bit 0 is Monday: the days on which it begins */
	int from, to; /* minutes of the day */
	char zone[ZONE_SIZE];
} Hours;

/* A time of the day on some days of the week, or one moment. */
typedef struct WakeAt {
	uint8_t days; /* 0 if it is one moment */
	int minute;
	char zone[ZONE_SIZE];
	int64_t once; /* seconds since 1970 */
} WakeAt;

/* "mon-fri", "sat,sun", "fri-mon", "daily"; "08:00" to "18:00" or "24:00"; zones are not looked up.
 */
bool hours_parse(Hours *out, const char *days, const char *from, const char *to, const char *zone,
		 Fault *why);

/* "07:55", "mon-fri 07:55", "mon-fri 07:55 Europe/Berlin", "2026-12-01T07:55:00+01:00" */
bool wake_at_parse(WakeAt *out, const char *text, Fault *why);

/* Whether that minute of the week is within; Monday begins with minute 0. */
bool hours_has(const Hours *h, int minute_of_week);

/* Whether now is within any of them. zones has one clock for each. */
bool hours_have(const Hours *list, int n, const ZoneClock *zones, int64_t now);

/* The next moment after now when that may change, HOURS_NEVER for an empty list. */
int64_t hours_change(const Hours *list, int n, const ZoneClock *zones, int64_t now);

/* The first of them at or after now, or HOURS_NEVER. zones has one clock for each. */
int64_t wake_at_next(const WakeAt *list, int n, const ZoneClock *zones, int64_t now);

#endif
