/* How much a project may use, and what it is told. */
#include "unit.h"

#include "src/control/quota.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

#define NOVEMBER  (INT64_C(1793491200) * SECOND) /* 2026-11-01T00:00:00Z */
#define LEAP_YEAR (INT64_C(1830297600) * SECOND) /* 2028-01-01T00:00:00Z */

static QuotaPolicy policy_of(QuotaKind kind, int64_t limit, int soft)
{
	QuotaPolicy p = {.soft = soft};

	p.limits[kind] = limit;
	return p;
}

TEST(a_limit_is_near_or_reached)
{
	const struct {
		QuotaKind kind;
		int64_t limit;
		int soft;
		int64_t used;
		QuotaVerdict verdict;
	} rows[] = {
		{QUOTA_COMPUTE, 0, 80, INT64_MAX, QUOTA_OK},
		{QUOTA_COMPUTE, 3600, 80, 0, QUOTA_OK},
		{QUOTA_COMPUTE, 3600, 80, 2879, QUOTA_OK},
		{QUOTA_COMPUTE, 3600, 80, 2880, QUOTA_SOFT},
		{QUOTA_COMPUTE, 3600, 80, 3599, QUOTA_SOFT},
		{QUOTA_COMPUTE, 3600, 80, 3600, QUOTA_HARD},
		{QUOTA_COMPUTE, 3600, 0, 3599, QUOTA_OK},
		{QUOTA_COMPUTE, 1, 80, 0, QUOTA_OK},
		{QUOTA_STORAGE, INT64_C(1) << 50, 50, (INT64_C(1) << 49) - 1, QUOTA_OK},
		{QUOTA_STORAGE, INT64_C(1) << 50, 50, INT64_C(1) << 49, QUOTA_SOFT},
		{QUOTA_STORAGE, INT64_C(1) << 50, 50, INT64_MAX, QUOTA_HARD},
		{QUOTA_COMPUTES, 3, 0, 3, QUOTA_OK},
		{QUOTA_COMPUTES, 3, 100, 3, QUOTA_SOFT},
		{QUOTA_COMPUTES, 3, 100, 4, QUOTA_HARD},
		{QUOTA_CONNECTIONS, 1, 80, 1, QUOTA_SOFT},
		{QUOTA_CONNECTIONS, 1, 80, 2, QUOTA_HARD},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		QuotaPolicy p = policy_of(rows[i].kind, rows[i].limit, rows[i].soft);

		assert_int_equal(quota_judge(&p, rows[i].kind, rows[i].used), rows[i].verdict);
	}
}

TEST(a_period_is_a_calendar_month_or_so_many_days)
{
	const struct {
		int days;
		int64_t created, now, start, end;
	} rows[] = {
		{0, 5, NOVEMBER, NOVEMBER, NOVEMBER + 30 * DAY},
		{0, 5, NOVEMBER + 30 * DAY - 1, NOVEMBER, NOVEMBER + 30 * DAY},
		{0, 5, NOVEMBER + 30 * DAY, NOVEMBER + 30 * DAY, NOVEMBER + 61 * DAY},
		{0, 5, LEAP_YEAR + 45 * DAY, LEAP_YEAR + 31 * DAY, LEAP_YEAR + 60 * DAY},
		{7, NOVEMBER + HOUR, NOVEMBER + HOUR, NOVEMBER + HOUR, NOVEMBER + HOUR + 7 * DAY},
		{7, NOVEMBER + HOUR, NOVEMBER + 8 * DAY, NOVEMBER + HOUR + 7 * DAY,
		 NOVEMBER + HOUR + 14 * DAY},
		{7, NOVEMBER, NOVEMBER - 5, NOVEMBER, NOVEMBER + 7 * DAY}, /* a clock set back */
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		QuotaPolicy p = {.period_days = rows[i].days};
		QuotaPeriod period = quota_period(&p, rows[i].created, rows[i].now);

		assert_int_equal(period.start, rows[i].start);
		assert_int_equal(period.end, rows[i].end);
	}
}

TEST(who_is_refused_is_told_how_much_and_until_when)
{
	QuotaPolicy p = {.limits = {3600, 1 << 20, 2, 50}};
	QuotaPeriod period = quota_period(&p, 0, NOVEMBER);
	const struct {
		QuotaKind kind;
		int64_t used;
		const char *reason, *detail, *hint;
	} rows[] = {
		{QUOTA_COMPUTE, 3601, "COMPUTE_TIME_QUOTA_EXCEEDED",
		 "used 3601 of 3600 compute-seconds",
		 "resets at 2026-12-01T00:00:00Z, or when \"quota_compute_seconds\" is raised"},
		{QUOTA_STORAGE, 2 << 20, "LOGICAL_SIZE_QUOTA_EXCEEDED",
		 "used 2097152 of 1048576 bytes of storage",
		 "use less, or have \"quota_storage_bytes\" raised"},
		{QUOTA_COMPUTES, 2, "ACTIVE_ENDPOINTS_LIMIT_EXCEEDED", "used 2 of 2 computes",
		 "\"quota_computes\""},
		{QUOTA_CONNECTIONS, 50, "CONCURRENCY_LIMIT_REACHED", "used 50 of 50 connections",
		 "\"quota_connections\""},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		QuotaWords w = quota_words(&p, rows[i].kind, rows[i].used, &period);

		assert_string_equal(w.reason, rows[i].reason);
		assert_string_equal(w.detail, rows[i].detail);
		assert_contains(w.hint, rows[i].hint);
	}
}

/* A timer that is armed for it fires when it is used up, and neither before nor long after. */
TEST(how_long_it_lasts_is_known)
{
	QuotaPolicy p = policy_of(QUOTA_COMPUTE, 3600, 80);

	assert_int_equal(quota_lasts_ms(&p, 0, 1000), 3600000);
	assert_int_equal(quota_lasts_ms(&p, 0, 250), 4 * 3600000);
	assert_int_equal(quota_lasts_ms(&p, 3599 * 1000 * SECOND, 2000), 500);
	assert_int_equal(quota_lasts_ms(&p, 3600 * 1000 * SECOND - 1, 1000), 1);
	assert_int_equal(quota_lasts_ms(&p, 3600 * 1000 * SECOND, 1000), 0);
	assert_int_equal(quota_lasts_ms(&p, INT64_MAX, 1000), 0);
	assert_true(quota_lasts_ms(&p, 0, 0) == INT64_MAX);
	p.limits[QUOTA_COMPUTE] = 0;
	assert_true(quota_lasts_ms(&p, 0, 1000) == INT64_MAX);
}

TEST(a_warning_comes_when_it_is_due_and_then_the_end)
{
	QuotaPolicy p = policy_of(QUOTA_COMPUTE, 4, 50);

	assert_int_equal(quota_news_ms(&p, 0, 1000), 2000);
	assert_int_equal(quota_news_ms(&p, 2 * 1000 * SECOND, 1000), 2000);
	assert_int_equal(quota_news_ms(&p, 4 * 1000 * SECOND, 1000), 0);
	p.soft = 0;
	assert_int_equal(quota_news_ms(&p, 0, 1000), 4000);
	p.limits[QUOTA_COMPUTE] = 0;
	assert_true(quota_news_ms(&p, 0, 1000) == INT64_MAX);
}

/* Half a unit runs all the time, ten hours of it are allowed: it sleeps for the rest of a month. */
TEST(three_months_are_cut_off_at_the_same_hour_each)
{
	QuotaPolicy p = policy_of(QUOTA_COMPUTE, 10 * 3600, 80);
	int64_t now = NOVEMBER, used = 0, ran = 0, warned = 0;
	int resets = 0;

	while (resets < 3) {
		QuotaPeriod period = quota_period(&p, 0, now);
		int64_t next = period.end, lasts = quota_lasts_ms(&p, used, 500);

		if (lasts > 0) {
			next = now + 60 * SECOND < period.end ? now + 60 * SECOND : period.end;
			ran += next - now;
			used += (next - now) * 500;
			warned +=
				quota_judge(&p, QUOTA_COMPUTE, used / SECOND / 1000) == QUOTA_SOFT;
		} else {
			assert_int_equal(quota_judge(&p, QUOTA_COMPUTE, used / SECOND / 1000),
					 QUOTA_HARD);
			assert_int_equal(now - period.start, 20 * HOUR);
		}
		now = next;
		if (now == period.end) {
			used = 0;
			resets++;
		}
	}
	assert_int_equal(ran, 3 * 20 * HOUR);
	assert_int_equal(warned, 3 * 4 * 60); /* from 16 to 20 hours, once a minute */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_is_near_or_reached),
		cmocka_unit_test(a_period_is_a_calendar_month_or_so_many_days),
		cmocka_unit_test(who_is_refused_is_told_how_much_and_until_when),
		cmocka_unit_test(how_long_it_lasts_is_known),
		cmocka_unit_test(a_warning_comes_when_it_is_due_and_then_the_end),
		cmocka_unit_test(three_months_are_cut_off_at_the_same_hour_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
