/* Who has just left: nobody is lost, and a storm takes little room. */
#include "unit.h"

#include "model/party.h"

static Partings *list;
static uint64_t seen;

static int make_list(void **state)
{
	(void)state;
	list = calloc(1, sizeof(*list));
	seen = 0;
	return list ? 0 : -1;
}

static int drop_list(void **state)
{
	(void)state;
	free(list);
	return 0;
}

static void leave(uint32_t route, const char *role, int64_t at_ms)
{
	SlotInfo info = {.network = "local"};
	Parting p = {.route = route, .tenancy = 1, .at_ms = at_ms};

	snprintf(info.user, sizeof(info.user), "%s", role);
	p.who = party_of(&info);
	parting_note(list, &p);
}

static void expect(const char *role, int64_t at_ms)
{
	Parting p;

	assert_true(parting_next(list, &seen, &p));
	assert_string_equal(p.who.role, role);
	assert_int_equal(p.at_ms, at_ms);
}

static void expect_no_more(void)
{
	Parting p;

	assert_false(parting_next(list, &seen, &p));
}

TEST(names_are_printable_and_equal_ones_are_equal_bytes)
{
	SlotInfo a = {.user = "app\n",
		      .application_name = "w\x01"
					  "b",
		      .network = "local"},
		 b;
	Party x, y;

	memset(&b, 0xff, sizeof(b));
	memcpy(b.user, "app\r", 5);
	memcpy(b.application_name,
	       "w\x02"
	       "b",
	       4);
	memcpy(b.network, "local", 6);
	x = party_of(&a);
	y = party_of(&b);
	assert_string_equal(x.role, "app?");
	assert_string_equal(x.application_name, "w?b");
	assert_memory_equal(&x, &y, sizeof(x));
}

TEST(all_who_left_are_told_in_order_and_once)
{
	expect_no_more();
	leave(1, "a", 10);
	leave(1, "b", 11);
	expect("a", 10);
	leave(2, "a", 12);
	expect("b", 11);
	expect("a", 12);
	expect_no_more();
}

TEST(whoever_comes_and_goes_all_the_time_is_noted_once_a_second)
{
	for (int64_t ms = 0; ms < 2500; ms++)
		leave(1, ms % 2 ? "odd" : "even", ms);
	expect("even", 0);
	expect("odd", 1);
	expect("even", 1000);
	expect("odd", 1001);
	expect("even", 2000);
	expect("odd", 2001);
	expect_no_more();
}

TEST(a_reader_that_comes_late_finds_the_last)
{
	char role[16];

	for (int i = 0; i < PARTINGS_KEPT + 10; i++) {
		snprintf(role, sizeof(role), "role%d", i);
		leave(1, role, i);
	}
	for (int i = 10; i < PARTINGS_KEPT + 10; i++) {
		snprintf(role, sizeof(role), "role%d", i);
		expect(role, i);
	}
	expect_no_more();
}

int main(void)
{
#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, make_list, drop_list)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_printable_and_equal_ones_are_equal_bytes),
		LIST_TEST(all_who_left_are_told_in_order_and_once),
		LIST_TEST(whoever_comes_and_goes_all_the_time_is_noted_once_a_second),
		LIST_TEST(a_reader_that_comes_late_finds_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
