/* The throttle: pauses after failed logins, doubling, forgotten after success. */
#include "crowd.h"

#include "model/shared.h"

#define NOW    5000000000
#define SECOND 1000000

static const ThrottleRule rule = {.first_us = SECOND, .most_us = 60 * SECOND};
static Shared *sh;

static int make_table(void **state)
{
	static const uint8_t key[16] = "sixteen bytes of";

	(void)state;
	sh = crowd_memory(shared_size(4));
	shared_init(sh, CROWD, 4, key, "token");
	return 0;
}

static int drop_table(void **state)
{
	(void)state;
	munmap(sh, shared_size(4));
	return 0;
}

static int64_t wait_at(const char *key, int64_t now_us)
{
	return throttle_wait(sh, key, strlen(key), now_us);
}

/* The pause that one more failure leads to. */
static int64_t fail_at(const char *key, int64_t now_us)
{
	throttle_failed(sh, key, strlen(key), now_us, &rule);
	return wait_at(key, now_us);
}

TEST(who_never_failed_does_not_wait)
{
	assert_int_equal(wait_at("frog", NOW), 0);
	fail_at("toad", NOW);
	assert_int_equal(wait_at("frog", NOW), 0);
}

TEST(each_failure_doubles_the_pause_up_to_the_most)
{
	static const int pauses[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	int64_t now = NOW;

	for (size_t i = 0; i < N_OF(pauses); i++) {
		assert_int_equal(fail_at("frog", now), pauses[i] * SECOND);
		assert_int_equal(wait_at("frog", now + 100), pauses[i] * SECOND - 100);
		now += pauses[i] * SECOND;
		assert_int_equal(wait_at("frog", now - 1), 1);
		assert_int_equal(wait_at("frog", now), 0);
	}
}

TEST(success_forgets_all_failures)
{
	for (int i = 0; i < 5; i++)
		fail_at("frog", NOW);
	throttle_passed(sh, "frog", 4);
	assert_int_equal(wait_at("frog", NOW), 0);
	assert_int_equal(fail_at("frog", NOW), SECOND);
	throttle_passed(sh, "never failed", 12);
}

TEST(failures_are_forgotten_after_ten_pauses_and_at_least_a_minute)
{
	int64_t now = NOW;

	fail_at("frog", now);
	now += SECOND + 60 * SECOND;
	assert_int_equal(fail_at("frog", now), 2 * SECOND);
	now += 2 * SECOND + 60 * SECOND + SECOND;
	assert_int_equal(fail_at("frog", now), SECOND);
	for (int i = 0; i < 4; i++)
		fail_at("frog", now);
	now += 16 * SECOND + 160 * SECOND;
	assert_int_equal(fail_at("frog", now), 32 * SECOND);
	now += 32 * SECOND + 320 * SECOND + SECOND;
	assert_int_equal(fail_at("frog", now), SECOND);
}

TEST(no_number_of_failures_is_too_many)
{
	for (int i = 0; i < 70000; i++)
		fail_at("frog", NOW);
	assert_int_equal(fail_at("frog", NOW), 60 * SECOND);
}

TEST(pauses_are_told_to_the_millisecond_and_never_too_short)
{
	const ThrottleRule odd = {.first_us = 1500, .most_us = 2500};

	throttle_failed(sh, "frog", 4, NOW + 1, &odd);
	assert_in_range(wait_at("frog", NOW + 1), 1500, 2999);
	throttle_failed(sh, "frog", 4, NOW + 1, &odd);
	assert_in_range(wait_at("frog", NOW + 1), 2500, 3999);
}

TEST(a_rule_without_a_pause_lets_everybody_in)
{
	const ThrottleRule none = {.first_us = 0, .most_us = 60 * SECOND};

	for (int i = 0; i < 100; i++)
		throttle_failed(sh, "frog", 4, NOW, &none);
	assert_int_equal(wait_at("frog", NOW), 0);
}

/* Who fails often at one compute cannot spray his failures to be forgotten there. */
TEST(the_longest_pause_is_remembered_longest)
{
	for (int i = 0; i < 5; i++)
		fail_at("frog", NOW);
	for (int64_t i = 0; i < 4 * MEMO_ROWS; i++)
		throttle_failed(sh, &i, sizeof(i), NOW, &rule);
	assert_int_equal(wait_at("frog", NOW), 16 * SECOND);
}

static int fail_together(int who)
{
	const ThrottleRule long_one = {.first_us = 1000, .most_us = (int64_t)1000 << 40};

	(void)who;
	for (int i = 0; i < 5; i++)
		throttle_failed(sh, "frog", 4, NOW, &long_one);
	return 0;
}

TEST(failures_on_all_workers_count)
{
	crowd_run(fail_together);
	assert_int_equal(wait_at("frog", NOW), (int64_t)1000 << (5 * CROWD - 1));
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(who_never_failed_does_not_wait),
		TABLE_TEST(each_failure_doubles_the_pause_up_to_the_most),
		TABLE_TEST(success_forgets_all_failures),
		TABLE_TEST(failures_are_forgotten_after_ten_pauses_and_at_least_a_minute),
		TABLE_TEST(no_number_of_failures_is_too_many),
		TABLE_TEST(pauses_are_told_to_the_millisecond_and_never_too_short),
		TABLE_TEST(a_rule_without_a_pause_lets_everybody_in),
		TABLE_TEST(the_longest_pause_is_remembered_longest),
		TABLE_TEST(failures_on_all_workers_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
