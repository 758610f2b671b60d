#include "quota.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "record.h"

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

/* Of a compute unit for a second, in microseconds × thousandths. */
#define COMPUTE_SECOND (1000 * SECOND)

typedef enum Measure { SUMS, LEVELS, COUNTS } Measure;

static const struct {
	const char *unit;
	Measure measure;
	const char *reason, *setting;
} kinds[] = {
#define QUOTA(name, unit, kind, reason, setting) {unit, kind, reason, setting},
#include "quotas.def"
#undef QUOTA
};

/* ---- periods ----------------------------------------------------------- */

static int64_t month_start(int64_t at, int months_later)
{
	time_t seconds = (time_t)(at / SECOND);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	tm.tm_sec = tm.tm_min = tm.tm_hour = 0;
	tm.tm_mday = 1;
	tm.tm_mon += months_later;
	return (int64_t)timegm(&tm) * SECOND;
}

QuotaPeriod quota_period(const QuotaPolicy *p, int64_t created_at, int64_t now)
{
	int64_t length = p->period_days * DAY, start;

	if (length == 0)
		return (QuotaPeriod){month_start(now, 0), month_start(now, 1)};
	start = now < created_at ? created_at : now - (now - created_at) % length;
	return (QuotaPeriod){start, start + length};
}

/* ---- verdicts ---------------------------------------------------------- */

/* Rounded up: a warning before anything is used warns of nothing. */
static int64_t soft_limit(int64_t limit, int percent)
{
	return limit / 100 * percent + (limit % 100 * percent + 99) / 100;
}

QuotaVerdict quota_judge(const QuotaPolicy *p, QuotaKind kind, int64_t used)
{
	int64_t limit = p->limits[kind];

	if (limit == 0)
		return QUOTA_OK;
	if (used > limit || (used == limit && kinds[kind].measure != COUNTS))
		return QUOTA_HARD;
	return p->soft > 0 && used >= soft_limit(limit, p->soft) ? QUOTA_SOFT : QUOTA_OK;
}

/* Rounded up, so that it is used up when the time has come. */
static int64_t lasts_ms(int64_t limit, int64_t used, int64_t rate)
{
	if (limit == 0 || rate <= 0)
		return INT64_MAX;
	if (used / COMPUTE_SECOND >= limit)
		return 0;
	return ((limit * COMPUTE_SECOND - used + rate - 1) / rate + 999) / 1000;
}

int64_t quota_lasts_ms(const QuotaPolicy *p, int64_t used, int64_t rate)
{
	return lasts_ms(p->limits[QUOTA_COMPUTE], used, rate);
}

int64_t quota_news_ms(const QuotaPolicy *p, int64_t used, int64_t rate)
{
	int64_t soft = p->soft > 0 ? soft_limit(p->limits[QUOTA_COMPUTE], p->soft) : 0;
	int64_t warning = lasts_ms(soft, used, rate), end = quota_lasts_ms(p, used, rate);

	return warning > 0 && warning < end ? warning : end;
}

const char *quota_setting(QuotaKind kind)
{
	return kinds[kind].setting;
}

/* ---- words ------------------------------------------------------------- */

QuotaWords quota_words(const QuotaPolicy *p, QuotaKind kind, int64_t used,
		       const QuotaPeriod *period)
{
	QuotaWords w = {.reason = kinds[kind].reason};
	char reset[TIME_TEXT_SIZE];

	snprintf(w.detail, sizeof(w.detail), "used %lld of %lld %s", (long long)used,
		 (long long)p->limits[kind], kinds[kind].unit);
	time_text(reset, period->end);
	if (kinds[kind].measure == SUMS)
		snprintf(w.hint, sizeof(w.hint), "resets at %s, or when \"%s\" is raised", reset,
			 kinds[kind].setting);
	else
		snprintf(w.hint, sizeof(w.hint), "use less, or have \"%s\" raised",
			 kinds[kind].setting);
	return w;
}
