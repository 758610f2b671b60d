/* Who kept a compute awake. */
#include "unit.h"

#include "src/control/awake.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

static Cause cause(CauseKind kind, const char *role, const char *application, const char *network)
{
	Cause c = {.kind = kind};

	snprintf(c.role, sizeof(c.role), "%s", role);
	snprintf(c.application, sizeof(c.application), "%s", application);
	snprintf(c.network, sizeof(c.network), "%s", network);
	return c;
}

static Cause client(const char *application)
{
	return cause(CAUSE_CLIENT, "app", application, "192.0.2.0/24");
}

static int64_t time_of(const AwakeHour *c, const Cause *whose)
{
	for (int i = 0; i < c->n; i++) {
		if (awake_same(&c->at[i].cause, whose))
			return c->at[i].us;
	}
	return 0;
}

TEST(time_belongs_to_who_used_it_last)
{
	const Cause web = client("web"), cron = client("cron");
	AwakeClock clock = {0};
	AwakeHour hour = {0};

	awake_pass(&clock, &hour, 5 * SECOND); /* not active: nobody's time */
	awake_begin(&clock, &web, 10 * SECOND);
	awake_turn(&clock, &hour, &cron, 13 * SECOND);
	awake_pass(&clock, &hour, 20 * SECOND);
	awake_turn(&clock, &hour, &web, 30 * SECOND);
	awake_end(&clock, &hour, 60 * SECOND);
	awake_pass(&clock, &hour, 90 * SECOND); /* asleep */
	assert_int_equal(time_of(&hour, &web), 33 * SECOND);
	assert_int_equal(time_of(&hour, &cron), 17 * SECOND);
	assert_int_equal(awake_sum(&hour), 50 * SECOND);
}

TEST(causes_differ_in_any_of_their_marks)
{
	const Cause all[] = {
		cause(CAUSE_CLIENT, "app", "web", "192.0.2.0/24"),
		cause(CAUSE_API, "app", "web", "192.0.2.0/24"),
		cause(CAUSE_CLIENT, "root", "web", "192.0.2.0/24"),
		cause(CAUSE_CLIENT, "app", "cron", "192.0.2.0/24"),
		cause(CAUSE_CLIENT, "app", "web", "local"),
	};

	for (size_t i = 0; i < N_OF(all); i++) {
		for (size_t k = 0; k < N_OF(all); k++)
			assert_int_equal(awake_same(&all[i], &all[k]), i == k);
	}
}

TEST(there_is_room_for_so_many_and_the_rest_is_one_sum)
{
	AwakeHour hour = {0};
	char name[16];

	for (int i = 0; i < AWAKE_MOST + 10; i++) {
		Cause c;

		snprintf(name, sizeof(name), "client %d", i);
		c = client(name);
		awake_add(&hour, &c, SECOND);
		awake_add(&hour, &c, SECOND);
	}
	assert_int_equal(hour.n, AWAKE_MOST);
	assert_int_equal(hour.other_us, 20 * SECOND);
	assert_int_equal(awake_sum(&hour), 2 * (AWAKE_MOST + 10) * SECOND);
}

TEST(rows_for_the_store_have_all_of_it)
{
	const Compute compute = {.id = "shop", .project_id = "p"};
	AwakeCause rows[AWAKE_MOST + 1];
	AwakeHour hour = {0};
	Cause c = client("web");

	awake_add(&hour, &c, 3 * SECOND);
	assert_int_equal(awake_rows(&hour, &compute, HOUR, rows), 1);
	assert_string_equal(rows[0].project_id, "p");
	assert_string_equal(rows[0].compute_id, "shop");
	assert_string_equal(rows[0].kind, "client");
	assert_string_equal(rows[0].role, "app");
	assert_string_equal(rows[0].application, "web");
	assert_string_equal(rows[0].network, "192.0.2.0/24");
	assert_int_equal(rows[0].hour, HOUR);
	assert_int_equal(rows[0].active_us, 3 * SECOND);
	hour.other_us = 5;
	assert_int_equal(awake_rows(&hour, &compute, HOUR, rows), 2);
	assert_string_equal(rows[1].kind, "other");
	assert_int_equal(rows[1].active_us, 5);
}

TEST(a_clock_that_is_set_back_takes_nothing_away)
{
	const Cause web = client("web");
	AwakeClock clock = {0};
	AwakeHour hour = {0};

	awake_begin(&clock, &web, HOUR);
	awake_pass(&clock, &hour, HOUR + 5 * SECOND);
	awake_pass(&clock, &hour, 10 * SECOND);
	awake_pass(&clock, &hour, 12 * SECOND);
	assert_int_equal(time_of(&hour, &web), 7 * SECOND);
}

/* A week of any clients: each hour has its causes, and all of them together are the active time. */
TEST(the_times_of_all_causes_are_the_active_time)
{
	AwakeClock clock = {0};
	AwakeHour hour = {0};
	int64_t now = HOUR, active = 0, sum = 0, hour_end = 2 * HOUR;
	uint32_t dice = 1;

	while (now < 7 * 24 * HOUR) {
		int64_t before = now;
		bool awake = clock.since > 0;
		char name[16];
		Cause c;

		dice = dice * 1664525 + 1013904223;
		now += 1 + dice % (600 * SECOND);
		while (now >= hour_end) {
			awake_pass(&clock, &hour, hour_end);
			assert_true(awake_sum(&hour) <= HOUR);
			sum += awake_sum(&hour);
			hour = (AwakeHour){0};
			hour_end += HOUR;
		}
		active += awake ? now - before : 0;
		snprintf(name, sizeof(name), "client %d", (int)(dice >> 8 & 63));
		c = client(name);
		if (awake && dice >> 16 & 1)
			awake_end(&clock, &hour, now);
		else if (awake)
			awake_turn(&clock, &hour, &c, now);
		else
			awake_begin(&clock, &c, now);
	}
	assert_true(active > 0);
	assert_true(sum + awake_sum(&hour) == active);
}

TEST(who_was_last_is_found_in_the_reports)
{
	AwakeReport reports[] = {
		{client("never"), 0, -1},
		{client("long ago"), 0, 60000},
		{client("just now"), 0, 10},
		{client("at work"), 1, 5000},
	};

	assert_null(awake_last(reports, 0));
	assert_null(awake_last(reports, 1));
	assert_string_equal(awake_last(reports, 2)->application, "long ago");
	assert_string_equal(awake_last(reports, 3)->application, "just now");
	assert_string_equal(awake_last(reports, 4)->application, "at work");
}

TEST(kinds_have_words_that_can_be_read_back)
{
	for (int kind = 0; kind < CAUSE_KINDS; kind++)
		assert_int_equal(awake_kind_of_word(awake_word((CauseKind)kind)), kind);
	assert_int_equal(awake_kind_of_word("weather"), CAUSE_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_belongs_to_who_used_it_last),
		cmocka_unit_test(causes_differ_in_any_of_their_marks),
		cmocka_unit_test(there_is_room_for_so_many_and_the_rest_is_one_sum),
		cmocka_unit_test(rows_for_the_store_have_all_of_it),
		cmocka_unit_test(a_clock_that_is_set_back_takes_nothing_away),
		cmocka_unit_test(the_times_of_all_causes_are_the_active_time),
		cmocka_unit_test(who_was_last_is_found_in_the_reports),
		cmocka_unit_test(kinds_have_words_that_can_be_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
