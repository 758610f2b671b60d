/* How often the API may be asked. */
#include "unit.h"

#include "src/control/api/limit.h"

#define SECOND INT64_C(1000000)

static Limits limits;
static const LimitRate ten = {.per_second = 10, .burst = 20};

static int64_t take(const char *key, int64_t now_us)
{
	return limit_take(&limits, LIMIT_TOKEN, key, strlen(key), ten, now_us);
}

/* How many can be taken at once. */
static int drain(const char *key, int64_t now_us)
{
	int n = 0;

	while (n < 1000 && take(key, now_us) == 0)
		n++;
	return n;
}

static int forget(void **state)
{
	(void)state;
	limits = (Limits){0};
	return 0;
}

TEST(a_burst_may_be_taken_at_once_and_then_so_many_a_second)
{
	assert_int_equal(drain("a", SECOND), 20);
	assert_int_equal(take("a", SECOND), SECOND / 10);
	assert_int_equal(take("a", SECOND + 50000), 50000);
	assert_int_equal(take("a", SECOND + 100000), 0);
	assert_int_equal(drain("a", 2 * SECOND), 9);
	assert_int_equal(drain("a", 1000 * SECOND), 20); /* no more than a burst comes back */
}

TEST(keys_and_kinds_do_not_share)
{
	drain("a", SECOND);
	assert_int_equal(take("b", SECOND), 0);
	assert_int_equal(limit_take(&limits, LIMIT_GUESS, "a", 1, ten, SECOND), 0);
	assert_true(take("a", SECOND) > 0);
}

TEST(a_rate_of_zero_is_no_limit)
{
	const LimitRate any = {.per_second = 0, .burst = 1};

	for (int i = 0; i < 1000; i++)
		assert_int_equal(limit_take(&limits, LIMIT_TOKEN, "a", 1, any, SECOND), 0);
}

TEST(a_lower_rate_holds_for_what_was_taken_under_a_higher_one)
{
	const LimitRate one = {.per_second = 1, .burst = 0};

	drain("a", SECOND);
	assert_true(limit_take(&limits, LIMIT_TOKEN, "a", 1, one, SECOND) <= 2 * SECOND);
}

TEST(a_flood_of_keys_takes_no_memory_and_forgets_who_asks_least)
{
	int refused = 0;
	char key[20];

	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "stranger %d", i);
		take(key, SECOND + i);
		refused += take("busy", SECOND + i) > 0;
	}
	assert_true(refused > 99000);
}

#define FRESH(test) cmocka_unit_test_setup(test, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(a_burst_may_be_taken_at_once_and_then_so_many_a_second),
		FRESH(keys_and_kinds_do_not_share),
		FRESH(a_rate_of_zero_is_no_limit),
		FRESH(a_lower_rate_holds_for_what_was_taken_under_a_higher_one),
		FRESH(a_flood_of_keys_takes_no_memory_and_forgets_who_asks_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
