/* What was used in a period. */
#include "unit.h"

#include "src/control/meter.h"

#define S    INT64_C(1000000)
#define HOUR (3600 * S)

static Interval interval(const char *compute, int size, int64_t from, int64_t to)
{
	Interval i = {.kind = INTERVAL_ACTIVE,
		      .size = size,
		      .started_at = from,
		      .last_seen = to,
		      .ended_at = to};

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

TEST(frozen_time_is_counted_apart_and_costs_nothing)
{
	Interval i[] = {interval("a", 1000, 0, 10 * S), interval("a", 1000, 10 * S, 70 * S),
			interval("a", 2000, 70 * S, 71 * S)};
	Usage sum;

	i[1].kind = INTERVAL_FROZEN;
	sum = fold(i, 3, "a", 5 * S, 100 * S);
	assert_int_equal(sum.active_us, 6 * S);
	assert_int_equal(sum.frozen_us, 60 * S);
	assert_int_equal(sum.compute_us, 5 * S * 1000 + 1 * S * 2000);
}

TEST(a_month_of_the_largest_compute_fits_and_what_does_not_fit_is_not_small)
{
	const int64_t month = 31 * 24 * HOUR;
	const Interval i[] = {interval("a", 1024000, 0, month), interval("a", 1024000, 0, month),
			      interval("a", 1024000, 0, month), interval("a", 1024000, 0, month)};
	const Interval year = interval("a", 1024000, 0, 365 * 24 * HOUR);

	assert_true(fold(i, 1, "", 0, month).compute_us == month * 1024000);
	assert_true(fold(i, 4, "", 0, month).compute_us == INT64_MAX);
	assert_true(fold(&year, 1, "", 0, 366 * 24 * HOUR).compute_us == INT64_MAX);
}

/* ---- any intervals, cut anywhere ---------------------------------------- */

static uint64_t seed;

/* 0 to n - 1; the same in each run. */
static int64_t any(int64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((seed >> 33) % (uint64_t)n);
}

#define SPAN   (48 * HOUR)
#define MOST   40
#define ROUNDS 500

static int make_intervals(Interval out[MOST])
{
	static const char *const ids[] = {"a", "b", "c"};
	int n = (int)any(MOST);

	for (int i = 0; i < n; i++) {
		int64_t from = any(SPAN / 1000) * 1000 + any(1000);

		out[i] = interval(ids[any(3)], (int)any(8000) + 1, from, from + any(3 * HOUR / 7));
		out[i].kind = any(3) == 0 ? INTERVAL_FROZEN : INTERVAL_ACTIVE;
		if (any(4) == 0)
			out[i].ended_at = 0;
	}
	return n;
}

static void assert_same(const Usage *a, const Usage *b)
{
	assert_true(a->active_us == b->active_us);
	assert_true(a->frozen_us == b->frozen_us);
	assert_true(a->compute_us == b->compute_us);
}

TEST(however_time_is_cut_the_sums_are_the_same)
{
	for (int round = 0; round < ROUNDS; round++) {
		Interval list[MOST];
		Usage whole, sum = {0};
		int64_t at = 0;
		int n;

		seed = (uint64_t)round;
		n = make_intervals(list);
		whole = fold(list, n, "", 0, 2 * SPAN);
		while (at < 2 * SPAN) {
			int64_t next = at + 1 + any(3 * HOUR);

			meter_fold(&sum, list, n, "", at, next < 2 * SPAN ? next : 2 * SPAN);
			at = next;
		}
		assert_same(&sum, &whole);
	}
}

static const Compute computes[] = {{.id = "a"}, {.id = "b"}, {.id = "c"}};

TEST(hours_of_all_computes_add_up_to_the_whole)
{
	for (int round = 0; round < ROUNDS; round++) {
		Interval list[MOST];
		Usage whole, sum = {0};
		int n;

		seed = (uint64_t)round;
		n = make_intervals(list);
		whole = fold(list, n, "", 0, 2 * SPAN);
		for (int i = 0; i < 3; i++) {
			for (int64_t hour = 0; hour < 2 * SPAN; hour += METER_HOUR) {
				UsageHour r = meter_hour(&computes[i], hour, list, n, NULL, 0);

				assert_true(r.active_us + r.frozen_us <= n * METER_HOUR);
				sum.active_us += r.active_us;
				sum.frozen_us += r.frozen_us;
				sum.compute_us += r.compute_us;
			}
		}
		assert_same(&sum, &whole);
	}
}

TEST(the_order_of_intervals_does_not_matter_nor_where_one_was_split)
{
	for (int round = 0; round < ROUNDS; round++) {
		Interval list[MOST + 1];
		Usage before, after;
		int n, k;

		seed = (uint64_t)round;
		n = make_intervals(list);
		if (n == 0)
			continue;
		before = fold(list, n, "", HOUR, SPAN);
		for (int i = n - 1; i > 0; i--) {
			int other = (int)any(i + 1);
			Interval kept = list[i];

			list[i] = list[other];
			list[other] = kept;
		}
		k = (int)any(n);
		list[n] = list[k];
		list[k].ended_at =
			list[k].started_at + any(list[k].last_seen - list[k].started_at + 1);
		list[n].started_at = list[k].ended_at;
		if (list[k].ended_at == 0)
			continue; /* at the very beginning: 0 means open */
		after = fold(list, n + 1, "", HOUR, SPAN);
		assert_same(&after, &before);
	}
}

/* ---- storage ----------------------------------------------------------- */

static StorageSample sample(const char *compute, int64_t at, int64_t bytes)
{
	StorageSample s = {.at = at, .bytes = bytes};

	snprintf(s.compute_id, sizeof(s.compute_id), "%s", compute);
	return s;
}

TEST(storage_holds_from_one_sample_to_the_next)
{
	const StorageSample s[] = {sample("a", 10 * S, 100), sample("b", 15 * S, 7),
				   sample("a", 20 * S, 200), sample("a", 30 * S, 0)};
	const struct {
		const char *compute;
		int64_t from, to, byte_seconds;
	} rows[] = {
		{"a", 0, 100 * S, 10 * 100 + 10 * 200},         {"a", 0, 10 * S, 0},
		{"a", 15 * S, 25 * S, 5 * 100 + 5 * 200},       {"b", 0, 100 * S, 85 * 7},
		{"", 0, 100 * S, 10 * 100 + 10 * 200 + 85 * 7}, {"c", 0, 100 * S, 0},
	};

	for (size_t i = 0; i < N_OF(rows); i++)
		assert_int_equal(
			meter_storage(s, N_OF(s), rows[i].compute, rows[i].from, rows[i].to),
			rows[i].byte_seconds);
	assert_int_equal(meter_storage(s, 0, "", 0, 100 * S), 0);
}

TEST(an_hour_of_two_pebibytes_fits)
{
	const StorageSample s = sample("a", 0, INT64_C(1) << 51);

	assert_true(meter_storage(&s, 1, "a", 0, HOUR) == (INT64_C(1) << 51) * 3600);
	assert_true(meter_storage(&s, 1, "a", 0, 1000 * HOUR) == INT64_MAX);
}

TEST(hours_of_storage_add_up_whenever_the_samples_were_taken)
{
	for (int round = 0; round < ROUNDS; round++) {
		StorageSample s[MOST];
		int64_t at = 0, sum = 0;
		int n;

		seed = (uint64_t)round;
		n = (int)any(MOST);
		for (int i = 0; i < n; i++) {
			at += any(2 * HOUR);
			s[i] = sample(any(2) ? "a" : "b", at, any(INT64_C(1) << 30));
		}
		for (int64_t hour = 0; hour < 3 * SPAN; hour += METER_HOUR) {
			sum += meter_hour(&computes[0], hour, NULL, 0, s, n).storage_byte_seconds;
			sum += meter_hour(&computes[1], hour, NULL, 0, s, n).storage_byte_seconds;
		}
		assert_true(sum == meter_storage(s, n, "", 0, 3 * SPAN));
	}
}

/* ---- what is published -------------------------------------------------- */

TEST(an_hour_is_published_again_only_if_something_in_it_changed)
{
	Interval i = interval("a", 1000, 10 * S, 20 * S);
	UsageHour before = meter_hour(&computes[0], 0, &i, 1, NULL, 0), after;

	after = meter_hour(&computes[0], 0, &i, 1, NULL, 0);
	assert_false(meter_is_revised(&before, &after));
	i.ended_at++;
	after = meter_hour(&computes[0], 0, &i, 1, NULL, 0);
	assert_true(meter_is_revised(&before, &after));
	i = interval("a", 1000, 10 * S, 20 * S);
	i.kind = INTERVAL_FROZEN;
	after = meter_hour(&computes[0], 0, &i, 1, NULL, 0);
	assert_true(meter_is_revised(&before, &after));
}

TEST(an_export_has_the_same_key_whoever_makes_it)
{
	char key[EXPORT_KEY_SIZE];

	meter_export_key(key, "shop", "compute_us", INT64_C(1795280400) * S, 2);
	assert_string_equal(key, "shop|compute_us|2026-11-21T17:00:00Z|2");
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
		cmocka_unit_test(frozen_time_is_counted_apart_and_costs_nothing),
		cmocka_unit_test(
			a_month_of_the_largest_compute_fits_and_what_does_not_fit_is_not_small),
		cmocka_unit_test(however_time_is_cut_the_sums_are_the_same),
		cmocka_unit_test(hours_of_all_computes_add_up_to_the_whole),
		cmocka_unit_test(the_order_of_intervals_does_not_matter_nor_where_one_was_split),
		cmocka_unit_test(storage_holds_from_one_sample_to_the_next),
		cmocka_unit_test(an_hour_of_two_pebibytes_fits),
		cmocka_unit_test(hours_of_storage_add_up_whenever_the_samples_were_taken),
		cmocka_unit_test(an_hour_is_published_again_only_if_something_in_it_changed),
		cmocka_unit_test(an_export_has_the_same_key_whoever_makes_it),
		cmocka_unit_test(periods_end_where_the_calendar_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
