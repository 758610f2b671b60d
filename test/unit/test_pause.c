/* How soon a child that ended is started again. */
#include "unit.h"

#include "src/supervisor/pause.h"

TEST(who_has_served_for_a_while_is_replaced_at_once)
{
	assert_int_equal(pause_after(0, 3000, false), 0);
	assert_int_equal(pause_after(30000, 3000, false), 0);
	assert_int_equal(pause_after(30000, INT64_MAX, true), 0);
}

TEST(who_ends_as_soon_as_it_begins_waits_twice_as_long_each_time_up_to_half_a_minute)
{
	int64_t pause = 0;

	for (int64_t expected = 500; expected < 30000; expected *= 2) {
		pause = pause_after(pause, 20, false);
		assert_int_equal(pause, expected);
	}
	for (int i = 0; i < 100; i++) {
		pause = pause_after(pause, 20, false);
		assert_int_equal(pause, 30000);
	}
}

TEST(who_is_killed_or_crashes_again_and_again_waits_no_longer_than_the_first_time)
{
	int64_t pause = 0;

	for (int i = 0; i < 100; i++) {
		pause = pause_after(pause, 20, true);
		assert_int_equal(pause, 500);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_served_for_a_while_is_replaced_at_once),
		cmocka_unit_test(
			who_ends_as_soon_as_it_begins_waits_twice_as_long_each_time_up_to_half_a_minute),
		cmocka_unit_test(
			who_is_killed_or_crashes_again_and_again_waits_no_longer_than_the_first_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
