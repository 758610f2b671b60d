/* Bytes of each compute: totals that lose nothing and count nothing twice. */
#include "crowd.h"

#include "model/shared.h"

static Shared *sh;

static int make_table(void **state)
{
	static const uint8_t key[16] = "sixteen bytes of";

	(void)state;
	sh = crowd_memory(shared_size(4));
	shared_init(sh, 2, 4, key, "token");
	return 0;
}

static int drop_table(void **state)
{
	(void)state;
	munmap(sh, shared_size(4));
	return 0;
}

static void carry(Route *r, int worker, uint64_t received, uint64_t sent)
{
	TrafficCell *cell = traffic_cell(sh, r, worker);

	stat_add(&cell->received, received);
	stat_add(&cell->sent, sent);
}

static uint64_t total(const Route *r)
{
	Traffic sum = traffic_sum(sh, r, route_tenancy(sh, r));

	return sum.received + sum.sent;
}

TEST(a_computes_bytes_are_those_of_all_workers)
{
	Route *r = route_enter(sh, "frog", 0);
	Traffic sum;

	carry(r, 0, 10, 100);
	carry(r, 1, 1, 1000);
	carry(r, 0, 5, 0);
	sum = traffic_sum(sh, r, route_tenancy(sh, r));
	assert_int_equal(sum.received, 16);
	assert_int_equal(sum.sent, 1100);
	assert_int_equal(total(route_enter(sh, "toad", 0)), 0);
}

TEST(a_killed_workers_bytes_stay)
{
	Route *r = route_enter(sh, "frog", 1);

	carry(r, 1, 10, 100);
	shared_release(sh, claimer_make(1, 1));
	assert_int_equal(total(r), 110);
	carry(r, 1, 1, 0);
	assert_int_equal(total(r), 111);
}

/* Enters names until one of them gets the row; that name's row is entered. */
static bool give_away(const Route *row, char name[32])
{
	for (int i = 0; i < 200000; i++) {
		Route *r;

		snprintf(name, 32, "compute-%d", i);
		r = route_enter(sh, name, 0);
		assert_non_null(r);
		if (r == row)
			return true;
		route_leave(r, 0);
	}
	return false;
}

TEST(a_row_goes_to_another_compute_only_when_its_bytes_are_reported)
{
	Route *r = route_enter(sh, "frog", 0);
	Traffic sum;
	char name[32];

	carry(r, 0, 10, 100);
	route_leave(r, 0);
	assert_false(traffic_is_reported(sh, r));
	assert_false(give_away(r, name));
	sum = traffic_sum(sh, r, route_tenancy(sh, r));
	traffic_reported(r, &sum);
	assert_true(traffic_is_reported(sh, r));
	assert_true(give_away(r, name));
}

TEST(who_gets_a_row_begins_with_nothing)
{
	Route *r = route_enter(sh, "frog", 0);
	uint32_t before = route_tenancy(sh, r), tenancy;
	Traffic sum;
	char name[32];

	carry(r, 0, 10, 100);
	carry(r, 1, 10, 100);
	sum = traffic_sum(sh, r, before);
	traffic_reported(r, &sum);
	route_leave(r, 0);
	assert_true(give_away(r, name));
	assert_false(route_is_of(sh, r, "frog", &tenancy));
	assert_true(route_is_of(sh, r, name, &tenancy));
	assert_int_equal(tenancy, before + 1);
	assert_int_equal(total(r), 0);
	carry(r, 1, 3, 4);
	assert_int_equal(total(r), 7);
}

TEST(where_there_is_no_other_row_unreported_bytes_make_way)
{
	char name[32];

	for (int i = 0; i < 4 * ROUTES_MAX; i++) {
		Route *r;

		snprintf(name, sizeof(name), "compute-%d", i);
		r = route_enter(sh, name, 0);
		assert_non_null(r);
		carry(r, 0, 1, 1);
		route_leave(r, 0);
	}
}

TEST(a_name_is_found_where_it_is)
{
	RouteTenant found[ROUTE_WAYS];
	Route *r;

	assert_int_equal(route_rows(sh, "frog", found), 0);
	r = route_enter(sh, "frog", 0);
	assert_int_equal(route_rows(sh, "frog", found), 1);
	assert_ptr_equal(found[0].row, r);
	assert_int_equal(found[0].tenancy, 0);
	assert_int_equal(route_waiting(r), 1);
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(a_computes_bytes_are_those_of_all_workers),
		TABLE_TEST(a_killed_workers_bytes_stay),
		TABLE_TEST(a_row_goes_to_another_compute_only_when_its_bytes_are_reported),
		TABLE_TEST(who_gets_a_row_begins_with_nothing),
		TABLE_TEST(where_there_is_no_other_row_unreported_bytes_make_way),
		TABLE_TEST(a_name_is_found_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
