#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

/* ---- zones ------------------------------------------------------------- */

#define ZONES   "/usr/share/zoneinfo/"
#define HORIZON INT64_C(864000)

static bool is_zone_name(const char *zone)
{
	size_t n =
		strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");

	return n > 0 && n < ZONE_SIZE && !zone[n] && zone[0] != '/';
}

bool clock_zone_exists(const char *zone)
{
	char path[sizeof(ZONES) + ZONE_SIZE], magic[4] = "";
	FILE *file;
	bool is_zone;

	if (strcmp(zone, "UTC") == 0)
		return true;
	if (!is_zone_name(zone))
		return false;
	snprintf(path, sizeof(path), ZONES "%s", zone);
	file = fopen(path, "re");
	if (!file)
		return false;
	is_zone = fread(magic, sizeof(magic), 1, file) == 1 && memcmp(magic, "TZif", 4) == 0;
	fclose(file);
	return is_zone;
}

static int offset_at(int64_t at)
{
	time_t seconds = (time_t)at;
	struct tm tm;

	localtime_r(&seconds, &tm);
	return (int)tm.tm_gmtoff;
}

/* The first moment in (from, to] with another offset than that of `from`; there is one. */
static int64_t find_change(int64_t from, int64_t to)
{
	int before = offset_at(from);

	while (to - from > 1) {
		int64_t middle = from + (to - from) / 2;

		if (offset_at(middle) == before)
			from = middle;
		else
			to = middle;
	}
	return to;
}

static void read_zone(int64_t at, ZoneClock *out)
{
	out->offset = offset_at(at);
	out->offset_after = offset_at(at + HORIZON);
	if (out->offset_after != out->offset)
		out->change_at = find_change(at, at + HORIZON);
}

static void set_zone(const char *tz)
{
	if (tz)
		setenv("TZ", tz, 1);
	else
		unsetenv("TZ");
	tzset();
}

bool clock_zone(const char *zone, int64_t at, ZoneClock *out)
{
	const char *tz = getenv("TZ");
	char *before;

	*out = (ZoneClock){.change_at = INT64_MAX};
	if (!clock_zone_exists(zone))
		return false;
	if (strcmp(zone, "UTC") == 0)
		return true;
	before = tz ? mem_text(tz) : NULL;
	set_zone(zone);
	read_zone(at, out);
	set_zone(before);
	free(before);
	return true;
}
