/* What a worker counts. */
#include "unit.h"

#include "model/stats.h"

TEST(a_value_falls_into_the_first_bucket_that_holds_it)
{
	for (int i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		Histogram h = {0};

		histogram_add(&h, histogram_bounds_us[i]);
		assert_int_equal(stat_get(&h.bucket[i]), 1);
		histogram_add(&h, histogram_bounds_us[i] + 1);
		assert_int_equal(stat_get(&h.bucket[i + 1]), 1);
	}
}

TEST(bounds_grow)
{
	for (int i = 1; i < HISTOGRAM_BUCKETS - 1; i++)
		assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
}

TEST(nothing_is_too_small_or_too_large_to_be_counted)
{
	Histogram h = {0};

	histogram_add(&h, 0);
	histogram_add(&h, UINT32_MAX);
	assert_int_equal(stat_get(&h.bucket[0]), 1);
	assert_int_equal(stat_get(&h.bucket[HISTOGRAM_BUCKETS - 1]), 1);
	assert_int_equal(stat_get(&h.sum_us), UINT32_MAX);
}

TEST(a_gauge_goes_both_ways)
{
	_Atomic uint64_t gauge = 0;

	stat_add(&gauge, 3);
	stat_sub(&gauge, 2);
	assert_int_equal(stat_get(&gauge), 1);
	stat_sub(&gauge, 1);
	assert_int_equal(stat_get(&gauge), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_falls_into_the_first_bucket_that_holds_it),
		cmocka_unit_test(bounds_grow),
		cmocka_unit_test(nothing_is_too_small_or_too_large_to_be_counted),
		cmocka_unit_test(a_gauge_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
