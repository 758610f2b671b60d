/* Doubts: what is no longer believed of who may connect to a compute. */
#include "unit.h"

#include <stdlib.h>

#include "model/doubt.h"
#include "model/shared.h"

static Shared *sh;

static int make_shared(void **state)
{
	static const uint8_t key[16] = "sixteen bytes of";

	(void)state;
	sh = calloc(1, shared_size(1));
	shared_init(sh, 1, 1, key, "");
	return 0;
}

static int drop_shared(void **state)
{
	(void)state;
	free(sh);
	return 0;
}

TEST(nothing_is_doubted_at_first)
{
	assert_int_equal(doubt_since(sh, "db"), 0);
}

TEST(a_doubt_is_about_one_compute)
{
	doubt_compute(sh, "db", 5);
	assert_int_equal(doubt_since(sh, "db"), 5);
	assert_int_equal(doubt_since(sh, "other"), 0);
	doubt_compute(sh, "db", 7);
	assert_int_equal(doubt_since(sh, "db"), 7);
}

TEST(a_doubt_about_all_is_one_about_each)
{
	doubt_compute(sh, "db", 5);
	doubt_all(sh, 6);
	assert_int_equal(doubt_since(sh, "db"), 6);
	assert_int_equal(doubt_since(sh, "other"), 6);
	doubt_compute(sh, "db", 8);
	assert_int_equal(doubt_since(sh, "db"), 8);
	assert_int_equal(doubt_since(sh, "other"), 6);
}

TEST(no_doubt_is_lost_however_many_there_are)
{
	char name[32];

	for (int i = 0; i < 3 * DOUBT_PLACES; i++) {
		snprintf(name, sizeof(name), "co-%d", i);
		doubt_compute(sh, name, i + 1);
	}
	for (int i = 0; i < 3 * DOUBT_PLACES; i++) {
		snprintf(name, sizeof(name), "co-%d", i);
		assert_true(doubt_since(sh, name) >= i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_doubted_at_first, make_shared,
						drop_shared),
		cmocka_unit_test_setup_teardown(a_doubt_is_about_one_compute, make_shared,
						drop_shared),
		cmocka_unit_test_setup_teardown(a_doubt_about_all_is_one_about_each, make_shared,
						drop_shared),
		cmocka_unit_test_setup_teardown(no_doubt_is_lost_however_many_there_are,
						make_shared, drop_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
