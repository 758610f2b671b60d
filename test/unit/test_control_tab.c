/* What a compute is running up. */
#include "unit.h"

#include "src/control/tab.h"

#define SECOND INT64_C(1000000)
#define HOUR   METER_HOUR

static const Cause web = {.kind = CAUSE_CLIENT, .role = "app", .application = "web"};
static const Cause cron = {.kind = CAUSE_CLIENT, .role = "app", .application = "cron"};

static int64_t given;

/* All that was passed so far, whatever page it was on. */
static void pass(Tab *t, int64_t now)
{
	while (!tab_pass(t, now)) {
		given += awake_sum(&t->hour);
		tab_turn_page(t, now);
	}
}

static int64_t time_of(const Tab *t, const Cause *whose)
{
	for (int i = 0; i < t->hour.n; i++) {
		if (awake_same(&t->hour.at[i].cause, whose))
			return t->hour.at[i].us;
	}
	return 0;
}

TEST(time_is_measured_with_the_clock_that_never_jumps)
{
	Tab t = {0};

	tab_begin(&t, 10 * HOUR, 500, 1000);
	assert_int_equal(tab_now(&t, 500 + 7 * SECOND), 10 * HOUR + 7 * SECOND);
	assert_int_equal(tab_used(&t, 500 + 7 * SECOND, 0, INT64_MAX), 7 * SECOND * 1000);
}

TEST(an_interval_never_begins_before_the_last_one_ended)
{
	Tab t = {0};

	tab_begin(&t, 10 * HOUR, 0, 250);
	tab_end(&t, 11 * HOUR);
	assert_int_equal(tab_used(&t, 3 * HOUR, 0, INT64_MAX), 0);
	tab_begin(&t, 10 * HOUR, 2 * HOUR, 250); /* the wall was set back */
	assert_int_equal(tab_now(&t, 2 * HOUR), 11 * HOUR);
}

TEST(only_what_lies_in_the_period_counts)
{
	Tab t = {0};

	tab_begin(&t, 10 * HOUR - 5 * SECOND, 0, 2000);
	assert_int_equal(tab_used(&t, 12 * SECOND, 10 * HOUR, 10 * HOUR + 3 * SECOND),
			 3 * SECOND * 2000);
	assert_int_equal(tab_used(&t, 12 * SECOND, 11 * HOUR, 12 * HOUR), 0);
}

TEST(what_was_open_before_us_counts_as_far_as_it_was_seen_until_it_is_watched)
{
	const Interval open = {.size = 1000,
			       .started_at = 10 * HOUR,
			       .last_seen = 10 * HOUR + 5 * SECOND,
			       .started_boot = 100 * SECOND};
	Tab t = {0};

	tab_resume(&t, &open);
	assert_int_equal(tab_used(&t, 108 * SECOND, 0, INT64_MAX), 5 * SECOND * 1000);
	pass(&t, tab_now(&t, 108 * SECOND));
	assert_int_equal(awake_sum(&t.hour), 0);
	tab_watch(&t, 108 * SECOND);
	assert_int_equal(tab_used(&t, 109 * SECOND, 0, INT64_MAX), 9 * SECOND * 1000);
	pass(&t, tab_now(&t, 109 * SECOND));
	assert_int_equal(awake_sum(&t.hour), 4 * SECOND); /* the five were written before */
}

TEST(who_woke_it_is_named_by_the_first_report)
{
	Tab t = {0};

	tab_begin(&t, 10 * HOUR, 0, 1000);
	assert_true(tab_is_anonymous(&t));
	tab_blame(&t, &web, 10 * HOUR - SECOND);
	assert_false(tab_is_anonymous(&t));
	pass(&t, 10 * HOUR + 3 * SECOND);
	assert_int_equal(time_of(&t, &web), 3 * SECOND);
}

TEST(whoever_used_it_last_keeps_it_awake)
{
	Tab t = {0};

	tab_begin(&t, 10 * HOUR, 0, 1000);
	tab_blame(&t, &web, 10 * HOUR + SECOND);
	pass(&t, 10 * HOUR + 3 * SECOND);
	tab_blame(&t, &cron, 10 * HOUR); /* he did something before web did */
	pass(&t, 10 * HOUR + 4 * SECOND);
	tab_blame(&t, &cron, 10 * HOUR + 4 * SECOND);
	pass(&t, 10 * HOUR + 9 * SECOND);
	assert_int_equal(time_of(&t, &web), 4 * SECOND);
	assert_int_equal(time_of(&t, &cron), 5 * SECOND);
}

TEST(each_hour_has_a_page_of_its_own)
{
	Tab t = {0};

	given = 0;
	t.next_cause = web;
	tab_begin(&t, 10 * HOUR + 3590 * SECOND, 0, 1000);
	pass(&t, 10 * HOUR + 3595 * SECOND);
	pass(&t, 12 * HOUR + SECOND);
	assert_int_equal(given, 5 * SECOND + 5 * SECOND + HOUR);
	assert_int_equal(t.hour_at, 12 * HOUR);
	assert_int_equal(time_of(&t, &web), SECOND);
}

TEST(nothing_is_given_while_it_sleeps)
{
	Tab t = {0};

	t.next_cause = web;
	tab_begin(&t, 10 * HOUR, 0, 1000);
	pass(&t, 10 * HOUR + SECOND);
	tab_end(&t, 10 * HOUR + SECOND);
	pass(&t, 20 * HOUR);
	assert_int_equal(time_of(&t, &web), SECOND);
	tab_blame(&t, &cron, 20 * HOUR);
	tab_begin(&t, 20 * HOUR, 0, 1000);
	assert_true(tab_is_anonymous(&t)); /* what was said of the last one is over */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_measured_with_the_clock_that_never_jumps),
		cmocka_unit_test(an_interval_never_begins_before_the_last_one_ended),
		cmocka_unit_test(only_what_lies_in_the_period_counts),
		cmocka_unit_test(
			what_was_open_before_us_counts_as_far_as_it_was_seen_until_it_is_watched),
		cmocka_unit_test(who_woke_it_is_named_by_the_first_report),
		cmocka_unit_test(whoever_used_it_last_keeps_it_awake),
		cmocka_unit_test(each_hour_has_a_page_of_its_own),
		cmocka_unit_test(nothing_is_given_while_it_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
