#include "hours.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"

#define DAY_SECONDS 86400
#define EVERY_DAY   0x7f

/* Longer than anything that is a list of days, or a time with days and zone. */
#define WORDS_SIZE 128

static bool is_day(int days, int64_t weekday)
{
	return days >> weekday & 1;
}

/* ---- reading ----------------------------------------------------------- */

static int weekday_of(const char *word)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int i = 0; i < 7; i++) {
		if (strcasecmp(word, names[i]) == 0)
			return i;
	}
	return -1;
}

/* "tue", or "fri-mon" over the end of the week; 0 if it is neither. */
static uint8_t days_of_word(char *word)
{
	char *first = strsep(&word, "-");
	int from = weekday_of(first), to = word ? weekday_of(word) : from;
	uint8_t days = 0;

	if (from < 0 || to < 0)
		return 0;
	for (int day = from; day != to; day = (day + 1) % 7)
		days = (uint8_t)(days | 1 << day);
	return (uint8_t)(days | 1 << to);
}

static bool read_days(uint8_t *out, const char *text, Fault *why)
{
	char copy[WORDS_SIZE], *rest = copy;
	bool fits = text_copy(copy, sizeof(copy), text);

	*out = strcmp(text, "daily") == 0 ? EVERY_DAY : 0;
	while (*out != EVERY_DAY && fits && rest) {
		uint8_t days = days_of_word(text_trim(strsep(&rest, ",")));

		fits = days != 0;
		*out |= days;
	}
	return fits || fault_set(why, FAULT_BAD_VALUE,
				 "\"%.40s\" names no days; write them as \"mon-fri\", \"sat,sun\" "
				 "or \"daily\"",
				 text);
}

static bool two_digits(const char *text, int *out)
{
	*out = 0;
	for (int i = 0; i < 2; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + text[i] - '0';
	}
	return true;
}

/* "HH:MM", up to `last`; -1 if it is none. */
static int minute_of(const char *text, int last)
{
	int hour, minute;

	if (strlen(text) != 5 || text[2] != ':' || !two_digits(text, &hour) ||
	    !two_digits(text + 3, &minute) || minute > 59 || hour * 60 + minute > last)
		return -1;
	return hour * 60 + minute;
}

static bool read_minute(int *out, const char *text, int last, Fault *why)
{
	*out = minute_of(text, last);
	return *out >= 0 ||
	       fault_set(why, FAULT_BAD_VALUE,
			 "\"%.40s\" is no time of the day; write it as \"08:00\"", text);
}

static bool read_zone(char out[ZONE_SIZE], const char *text, Fault *why)
{
	return (*text && text_copy(out, ZONE_SIZE, text)) ||
	       fault_set(why, FAULT_BAD_VALUE, "there is no time zone \"%.60s\"", text);
}

bool hours_parse(Hours *out, const char *days, const char *from, const char *to, const char *zone,
		 Fault *why)
{
	if (!read_days(&out->days, days, why) ||
	    !read_minute(&out->from, from, DAY_MINUTES - 1, why) ||
	    !read_minute(&out->to, to, DAY_MINUTES, why) || !read_zone(out->zone, zone, why))
		return false;
	if (out->from == out->to)
		return fault_set(why, FAULT_BAD_VALUE,
				 "\"from\" and \"to\" are both \"%s\"; a whole day is \"00:00\" to "
				 "\"24:00\"",
				 from);
	return true;
}

/* "Z" or "+01:00": seconds east of Greenwich. */
static bool read_offset(const char *text, int *out)
{
	int minutes;

	*out = 0;
	if (strcmp(text, "Z") == 0)
		return true;
	minutes = *text == '+' || *text == '-' ? minute_of(text + 1, DAY_MINUTES - 1) : -1;
	*out = (*text == '-' ? -60 : 60) * minutes;
	return minutes >= 0;
}

/* RFC 3339, without fractions of a second. */
static bool read_moment(int64_t *out, const char *text)
{
	struct tm tm = {0}, same;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t at;
	int offset;

	if (!end || !read_offset(end, &offset))
		return false;
	same = tm;
	at = timegm(&same);
	*out = (int64_t)at - offset;
	return same.tm_mday == tm.tm_mday; /* the 31st of February is another day by now */
}

static bool read_words(WakeAt *out, char *words, Fault *why)
{
	char *first = strsep(&words, " ");
	bool has_days = !strchr(first, ':');
	const char *time = has_days ? strsep(&words, " ") : first;

	return read_days(&out->days, has_days ? first : "daily", why) &&
	       read_minute(&out->minute, time ? time : "", DAY_MINUTES - 1, why) &&
	       read_zone(out->zone, words ? words : "UTC", why);
}

bool wake_at_parse(WakeAt *out, const char *text, Fault *why)
{
	char words[WORDS_SIZE];

	*out = (WakeAt){.zone = "UTC"};
	if (read_moment(&out->once, text))
		return true;
	if (text_copy(words, sizeof(words), text) && read_words(out, words, why))
		return true;
	return fault_set(why, FAULT_BAD_VALUE,
			 "\"%.60s\" is no time to wake at; write it as \"07:55\", \"mon-fri 07:55 "
			 "Europe/Berlin\" or \"2026-12-01T07:55:00Z\"",
			 text);
}

/* ---- local time -------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The local time, in seconds as if that zone were Greenwich. */
static int64_t local_of(const ZoneClock *z, int64_t at)
{
	return at + (at < z->change_at ? z->offset : z->offset_after);
}

/* 1970 began on a Thursday. */
static int weekday(int64_t day)
{
	return (int)(((day + 3) % 7 + 7) % 7);
}

static int minute_of_week(const ZoneClock *z, int64_t at)
{
	int64_t local = local_of(z, at), day = floor_div(local, DAY_SECONDS);

	return weekday(day) * DAY_MINUTES + (int)((local - day * DAY_SECONDS) / 60);
}

/* The first moment that shows this local time; one that a change leaves out is the change itself.
 */
static int64_t moment_of(const ZoneClock *z, int64_t local)
{
	int64_t after = local - z->offset_after;

	if (local - z->offset < z->change_at)
		return local - z->offset;
	return after > z->change_at ? after : z->change_at;
}

/* ---- hours ------------------------------------------------------------- */

/* Where it ends, counted from the midnight before it begins. */
static int end_of(const Hours *h)
{
	return h->to > h->from ? h->to : h->to + DAY_MINUTES;
}

bool hours_has(const Hours *h, int minute_of_week)
{
	for (int day = 0; day < 7; day++) {
		int begun = (minute_of_week - day * DAY_MINUTES - h->from + WEEK_MINUTES) %
			    WEEK_MINUTES;

		if (is_day(h->days, day) && begun < end_of(h) - h->from)
			return true;
	}
	return false;
}

bool hours_have(const Hours *list, int n, const ZoneClock *zones, int64_t now)
{
	for (int i = 0; i < n; i++) {
		if (hours_has(&list[i], minute_of_week(&zones[i], now)))
			return true;
	}
	return false;
}

static void keep_next(int64_t *next, int64_t at, int64_t now)
{
	if (at > now && at < *next)
		*next = at;
}

/* A local time may come twice when clocks are set back. */
static void keep_next_local(int64_t *next, const ZoneClock *z, int64_t local, int64_t now)
{
	keep_next(next, moment_of(z, local), now);
	if (local - z->offset_after >= z->change_at)
		keep_next(next, local - z->offset_after, now);
}

static int64_t change_of(const Hours *h, const ZoneClock *z, int64_t now)
{
	int64_t today = floor_div(local_of(z, now), DAY_SECONDS), next = HOURS_NEVER;

	keep_next(&next, z->change_at, now);
	for (int64_t day = today - 1; day <= today + 8; day++) {
		if (!is_day(h->days, weekday(day)))
			continue;
		keep_next_local(&next, z, day * DAY_SECONDS + h->from * 60, now);
		keep_next_local(&next, z, day * DAY_SECONDS + end_of(h) * 60, now);
	}
	return next;
}

int64_t hours_change(const Hours *list, int n, const ZoneClock *zones, int64_t now)
{
	int64_t next = HOURS_NEVER;

	for (int i = 0; i < n; i++)
		keep_next(&next, change_of(&list[i], &zones[i], now), now);
	return next;
}

/* ---- getting up -------------------------------------------------------- */

static int64_t next_of(const WakeAt *w, const ZoneClock *z, int64_t now)
{
	int64_t today = floor_div(local_of(z, now), DAY_SECONDS), next = HOURS_NEVER;

	if (w->days == 0)
		return w->once >= now ? w->once : HOURS_NEVER;
	for (int64_t day = today - 1; day <= today + 8; day++) {
		if (is_day(w->days, weekday(day)))
			keep_next(&next, moment_of(z, day * DAY_SECONDS + w->minute * 60), now - 1);
	}
	return next;
}

int64_t wake_at_next(const WakeAt *list, int n, const ZoneClock *zones, int64_t now)
{
	int64_t next = HOURS_NEVER;

	for (int i = 0; i < n; i++)
		keep_next(&next, next_of(&list[i], &zones[i], now), now - 1);
	return next;
}
