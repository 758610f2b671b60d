/* What was used in a period. */
#include "unit.h"

#include "src/control/meter.h"

#define S    INT64_C(1000000)
#define HOUR (3600 * S)

static Interval interval(const char *compute, int size, int64_t from, int64_t to)
{
	Interval i = {.size = size, .started_at = from, .last_seen = to, .ended_at = to};

	snprintf(i.compute_id, sizeof(i.compute_id), "%s", compute);
	return i;
}

static Usage fold(const Interval *i, int n, const char *compute, int64_t from, int64_t to)
{
	Usage sum = {0};

	meter_fold(&sum, i, n, compute, from, to);
	return sum;
}

TEST(time_counts_by_size)
{
	const Interval i[] = {interval("a", 250, 10 * S, 20 * S),
			      interval("a", 2000, 30 * S, 31 * S)};
	Usage sum = fold(i, 2, "", 0, 100 * S);

	assert_int_equal(sum.active_us, 11 * S);
	assert_int_equal(sum.compute_us, 10 * S * 250 + 1 * S * 2000);
}

TEST(only_what_lies_within_the_period_counts)
{
	const Interval i[] = {interval("a", 1000, 10 * S, 20 * S)};

	assert_int_equal(fold(i, 1, "", 15 * S, 100 * S).active_us, 5 * S);
	assert_int_equal(fold(i, 1, "", 0, 12 * S).active_us, 2 * S);
	assert_int_equal(fold(i, 1, "", 12 * S, 15 * S).active_us, 3 * S);
	assert_int_equal(fold(i, 1, "", 20 * S, 30 * S).active_us, 0);
	assert_int_equal(fold(i, 1, "", 0, 10 * S).active_us, 0);
}

/* A.1 item 9 of the predecessors: an interval was counted whole in the period it began in. */
TEST(adjoining_periods_add_up_exactly)
{
	const Interval i[] = {interval("a", 333, 7, 3 * HOUR + 11),
			      interval("b", 777, HOUR - 1, 2 * HOUR)};
	Usage whole = fold(i, 2, "", 0, 5 * HOUR), sum = {0};

	for (int64_t at = 0; at < 5 * HOUR; at += HOUR)
		meter_fold(&sum, i, 2, "", at, at + HOUR);
	assert_int_equal(sum.active_us, whole.active_us);
	assert_int_equal(sum.compute_us, whole.compute_us);
}

TEST(an_open_interval_counts_up_to_when_it_was_last_seen)
{
	Interval i = interval("a", 1000, 10 * S, 0);

	i.last_seen = 25 * S;
	assert_int_equal(fold(&i, 1, "", 0, 100 * S).active_us, 15 * S);
}

TEST(one_compute_can_be_counted_alone)
{
	const Interval i[] = {interval("a", 1000, 0, 10 * S), interval("b", 1000, 0, 3 * S)};

	assert_int_equal(fold(i, 2, "b", 0, 100 * S).active_us, 3 * S);
	assert_int_equal(fold(i, 2, "c", 0, 100 * S).active_us, 0);
}

TEST(periods_end_where_the_calendar_says)
{
	const int64_t leap_day = INT64_C(1709208000) * S; /* 2024-02-29T12:00:00Z */

	assert_int_equal(meter_period_end(METER_HOURLY, leap_day), leap_day + HOUR);
	assert_int_equal(meter_period_end(METER_HOURLY, leap_day + 1), leap_day + HOUR);
	assert_int_equal(meter_period_end(METER_DAILY, leap_day), leap_day + 12 * HOUR);
	assert_int_equal(meter_period_end(METER_MONTHLY, leap_day), leap_day + 12 * HOUR);
	assert_true(meter_period_end(METER_WHOLE, leap_day) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_counts_by_size),
		cmocka_unit_test(only_what_lies_within_the_period_counts),
		cmocka_unit_test(adjoining_periods_add_up_exactly),
		cmocka_unit_test(an_open_interval_counts_up_to_when_it_was_last_seen),
		cmocka_unit_test(one_compute_can_be_counted_alone),
		cmocka_unit_test(periods_end_where_the_calendar_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
