/* Running hours and hours to get up, with summer time and without. */
#include "unit.h"

#include "src/control/hours.h"
#include "src/control/schedule.h"

/* Seconds since 1970 of what is written here. */
static int64_t at(const char *text)
{
	WakeAt w;
	Fault why;

	assert_true(wake_at_parse(&w, text, &why));
	assert_int_equal(w.days, 0);
	return w.once;
}

static Hours hours(const char *days, const char *from, const char *to)
{
	Hours h;
	Fault why = {0};

	if (!hours_parse(&h, days, from, to, "UTC", &why))
		fail_msg("%s", why.detail);
	return h;
}

static const ZoneClock utc = {.change_at = HOURS_NEVER};

/* Clocks go from 02:00 to 03:00 on Sunday, 2026-03-29; from 03:00 to 02:00 on 2026-10-25. */
static ZoneClock berlin_in_spring(void)
{
	return (ZoneClock){3600, at("2026-03-29T01:00:00Z"), 7200};
}

static ZoneClock berlin_in_autumn(void)
{
	return (ZoneClock){7200, at("2026-10-25T01:00:00Z"), 3600};
}

TEST(days_are_written_as_people_write_them)
{
	static const struct {
		const char *text;
		int days;
	} rows[] = {
		{"mon", 0x01},     {"sun", 0x40},           {"mon-fri", 0x1f},
		{"sat,sun", 0x60}, {"daily", 0x7f},         {"fri-mon", 0x71},
		{"mon-sun", 0x7f}, {"Mon, wed ,fri", 0x15}, {"tue-tue", 0x02},
	};

	for (size_t i = 0; i < N_OF(rows); i++)
		assert_int_equal(hours(rows[i].text, "08:00", "18:00").days, rows[i].days);
}

TEST(what_is_no_day_or_time_is_named)
{
	static const char *const bad[][4] = {
		{"", "08:00", "18:00", "names no days"},
		{"mon-", "08:00", "18:00", "\"mon-\" names no days"},
		{"monday", "08:00", "18:00", "\"monday\" names no days"},
		{"mon,,tue", "08:00", "18:00", "names no days"},
		{"mon", "8:00", "18:00", "\"8:00\" is no time of the day"},
		{"mon", "24:00", "18:00", "\"24:00\" is no time of the day"},
		{"mon", "08:00", "24:01", "\"24:01\" is no time of the day"},
		{"mon", "08:00", "18:60", "is no time of the day"},
		{"mon", "08:00", "08:00", "a whole day is \"00:00\" to \"24:00\""},
	};

	for (size_t i = 0; i < N_OF(bad); i++) {
		Hours h;
		Fault why;

		assert_false(hours_parse(&h, bad[i][0], bad[i][1], bad[i][2], "UTC", &why));
		assert_contains(why.detail, bad[i][3]);
	}
}

TEST(hours_are_within_the_week)
{
	Hours office = hours("mon-fri", "08:00", "18:00"), night = hours("sun", "22:00", "06:00");
	Hours whole = hours("tue", "00:00", "24:00");

	assert_false(hours_has(&office, 8 * 60 - 1));
	assert_true(hours_has(&office, 8 * 60));
	assert_true(hours_has(&office, 18 * 60 - 1));
	assert_false(hours_has(&office, 18 * 60));
	assert_false(hours_has(&office, 5 * DAY_MINUTES + 9 * 60));
	assert_true(hours_has(&night, 6 * DAY_MINUTES + 22 * 60));
	assert_true(hours_has(&night, 0)); /* into Monday, over the end of the week */
	assert_true(hours_has(&night, 6 * 60 - 1));
	assert_false(hours_has(&night, 6 * 60));
	assert_false(hours_has(&night, DAY_MINUTES));
	assert_false(hours_has(&whole, DAY_MINUTES - 1));
	assert_true(hours_has(&whole, DAY_MINUTES));
	assert_true(hours_has(&whole, 2 * DAY_MINUTES - 1));
	assert_false(hours_has(&whole, 2 * DAY_MINUTES));
}

TEST(several_hours_and_zones_count_together)
{
	const Hours list[] = {hours("daily", "08:00", "09:00"), hours("daily", "08:00", "09:00")};
	const ZoneClock zones[] = {utc, {7200, HOURS_NEVER, 7200}};

	assert_true(hours_have(list, 2, zones, at("2026-07-01T08:30:00Z")));
	assert_true(hours_have(list, 2, zones, at("2026-07-01T06:30:00Z")));
	assert_false(hours_have(list, 2, zones, at("2026-07-01T07:30:00Z")));
	assert_false(hours_have(list, 0, zones, at("2026-07-01T08:30:00Z")));
	assert_int_equal(hours_change(list, 2, zones, at("2026-07-01T07:00:00Z")),
			 at("2026-07-01T08:00:00Z"));
	assert_true(hours_change(list, 0, zones, 0) == HOURS_NEVER);
}

/* Whatever the clocks do, nothing changes before the moment that is said. */
static void walk(const Hours *h, const ZoneClock *z, const char *from, int days)
{
	int64_t now = at(from), end = now + days * INT64_C(86400);

	while (now < end) {
		bool within = hours_have(h, 1, z, now);
		int64_t next = hours_change(h, 1, z, now);

		assert_true(next > now);
		for (; now < next && now < end; now += 60)
			assert_int_equal(hours_have(h, 1, z, now), within);
	}
}

TEST(between_two_changes_nothing_changes_in_spring_and_in_autumn)
{
	static const char *const times[][3] = {
		{"mon-fri", "08:00", "18:00"}, {"daily", "02:30", "02:45"},
		{"sun", "01:30", "02:30"},     {"sat", "22:00", "02:15"},
		{"sun", "00:00", "24:00"},
	};
	const ZoneClock spring = berlin_in_spring(), autumn = berlin_in_autumn();

	for (size_t i = 0; i < N_OF(times); i++) {
		Hours h = hours(times[i][0], times[i][1], times[i][2]);

		walk(&h, &utc, "2026-03-25T00:00:00Z", 9);
		walk(&h, &spring, "2026-03-25T00:00:00Z", 9);
		walk(&h, &autumn, "2026-10-22T00:00:00Z", 9);
	}
}

static int64_t next_of(const char *text, const ZoneClock *z, const char *now)
{
	WakeAt w;
	Fault why = {0};

	if (!wake_at_parse(&w, text, &why))
		fail_msg("%s", why.detail);
	return wake_at_next(&w, 1, z, at(now));
}

TEST(the_next_time_to_wake_is_found)
{
	const ZoneClock spring = berlin_in_spring(), autumn = berlin_in_autumn();
	const struct {
		const char *text;
		const ZoneClock *zone;
		const char *now, *next;
	} rows[] = {
		{"07:55", &utc, "2026-11-21T07:54:59Z", "2026-11-21T07:55:00Z"},
		{"07:55", &utc, "2026-11-21T07:55:00Z", "2026-11-21T07:55:00Z"},
		{"07:55", &utc, "2026-11-21T07:55:01Z", "2026-11-22T07:55:00Z"},
		{"mon-fri 07:55", &utc, "2026-11-21T00:00:00Z", "2026-11-23T07:55:00Z"},
		{"sat 07:55", &utc, "2026-11-21T08:00:00Z", "2026-11-28T07:55:00Z"},
		{"07:55 Europe/Berlin", &spring, "2026-03-28T08:00:00Z", "2026-03-29T05:55:00Z"},
		{"02:30 Europe/Berlin", &spring, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"07:55 Europe/Berlin", &autumn, "2026-10-24T08:00:00Z", "2026-10-25T06:55:00Z"},
		{"02:30 Europe/Berlin", &autumn, "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"},
		{"02:30 Europe/Berlin", &autumn, "2026-10-25T00:31:00Z", "2026-10-26T01:30:00Z"},
		{"2026-12-01T08:55:00+01:00", &utc, "2026-11-21T00:00:00Z", "2026-12-01T07:55:00Z"},
	};

	for (size_t i = 0; i < N_OF(rows); i++)
		assert_int_equal(next_of(rows[i].text, rows[i].zone, rows[i].now),
				 at(rows[i].next));
	assert_true(next_of("2026-12-01T07:55:00Z", &utc, "2026-12-01T07:55:01Z") == HOURS_NEVER);
}

TEST(the_first_of_several_times_is_next)
{
	WakeAt list[2];
	const ZoneClock zones[] = {utc, utc};
	Fault why;

	assert_true(wake_at_parse(&list[0], "sat,sun 09:00", &why));
	assert_true(wake_at_parse(&list[1], "mon-fri 07:55", &why));
	assert_int_equal(wake_at_next(list, 2, zones, at("2026-11-20T08:00:00Z")),
			 at("2026-11-21T09:00:00Z"));
	assert_int_equal(wake_at_next(list, 2, zones, at("2026-11-22T10:00:00Z")),
			 at("2026-11-23T07:55:00Z"));
	assert_true(wake_at_next(list, 0, zones, 0) == HOURS_NEVER);
}

TEST(what_is_no_time_to_wake_is_named)
{
	static const char *const bad[] = {
		"",
		"noon",
		"24:00",
		"7:55",
		"mon-fri",
		"07:55 mon-fri Europe/Berlin and more of the like than fits",
		"07:55 ",
		"2026-02-31T00:00:00Z",
		"2026-12-01T07:55:00",
		"2026-12-01",
		"2026-12-01T07:55:00+1:00",
	};

	for (size_t i = 0; i < N_OF(bad); i++) {
		WakeAt w;
		Fault why;

		assert_false(wake_at_parse(&w, bad[i], &why));
		assert_contains(why.detail, "is no time to wake at");
	}
}

/* ---- what this machine knows of zones ----------------------------------- */

TEST(a_zone_is_known_or_not)
{
	assert_true(clock_zone_exists("UTC"));
	assert_false(clock_zone_exists(""));
	assert_false(clock_zone_exists("Europe/Nowhere"));
	assert_false(clock_zone_exists("../../../etc/passwd"));
	assert_false(clock_zone_exists("Europe"));
	assert_false(clock_zone_exists("/etc/localtime"));
	assert_false(clock_zone_exists("zone.tab"));
}

TEST(the_clocks_of_a_zone_are_read_and_ours_stay_as_they_were)
{
	const ZoneClock spring = berlin_in_spring();
	ZoneClock z;

	if (!clock_zone_exists("Europe/Berlin"))
		skip();
	setenv("TZ", "Asia/Tokyo", 1);
	assert_true(clock_zone("Europe/Berlin", at("2026-03-25T00:00:00Z"), &z));
	assert_int_equal(z.offset, spring.offset);
	assert_int_equal(z.change_at, spring.change_at);
	assert_int_equal(z.offset_after, spring.offset_after);
	assert_string_equal(getenv("TZ"), "Asia/Tokyo");
	assert_true(clock_zone("Europe/Berlin", at("2026-03-29T01:00:00Z"), &z));
	assert_int_equal(z.offset, 7200);
	assert_true(z.change_at == INT64_MAX);
	unsetenv("TZ");
	assert_true(clock_zone("UTC", 0, &z));
	assert_null(getenv("TZ"));
	assert_false(clock_zone("Europe/Nowhere", 0, &z));
	assert_int_equal(z.offset, 0);
}

/* ---- what a project says of both ---------------------------------------- */

static Schedule schedule(const char *config, const char *now, int64_t more_us)
{
	ProjectSettings s = settings_of_project(config);

	return schedule_at(&s, at(now) * 1000000 + more_us);
}

TEST(a_project_is_warm_until_its_hours_end_and_says_when_it_is_to_be_awake)
{
	static const char config[] =
		"{\"keep_warm\": [{\"days\": \"mon-fri\", \"from\": \"08:00\", \"to\": \"18:00\"}],"
		" \"wake_at\": [\"mon-fri 07:55\"]}";
	Schedule s = schedule(config, "2026-11-20T17:59:00Z", 1);

	assert_true(s.warm);
	assert_int_equal(s.change_in_ms, 60000);
	assert_int_equal(s.wake_in_ms, (2 * 24 * 60 + 13 * 60 + 56) * 60000);
	s = schedule(config, "2026-11-20T18:00:00Z", 0);
	assert_false(s.warm);
	s = schedule(config, "2026-11-23T07:54:59Z", 999999);
	assert_int_equal(s.wake_in_ms, 1);
	s = schedule(config, "2026-11-23T07:55:00Z", 0); /* it has come; the next is tomorrow's */
	assert_int_equal(s.wake_in_ms, 24 * 3600000);
	s = schedule("{}", "2026-11-23T07:55:00Z", 0);
	assert_false(s.warm);
	assert_int_equal(s.change_in_ms, 0);
	assert_int_equal(s.wake_in_ms, -1);
}

TEST(a_zone_that_the_machine_has_lost_counts_as_greenwich)
{
	Schedule s =
		schedule("{\"wake_at\": [\"08:00 Europe/Nowhere\"]}", "2026-07-01T07:00:00Z", 0);

	assert_int_equal(s.wake_in_ms, 3600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_written_as_people_write_them),
		cmocka_unit_test(what_is_no_day_or_time_is_named),
		cmocka_unit_test(hours_are_within_the_week),
		cmocka_unit_test(several_hours_and_zones_count_together),
		cmocka_unit_test(between_two_changes_nothing_changes_in_spring_and_in_autumn),
		cmocka_unit_test(the_next_time_to_wake_is_found),
		cmocka_unit_test(the_first_of_several_times_is_next),
		cmocka_unit_test(what_is_no_time_to_wake_is_named),
		cmocka_unit_test(a_zone_is_known_or_not),
		cmocka_unit_test(the_clocks_of_a_zone_are_read_and_ours_stay_as_they_were),
		cmocka_unit_test(
			a_project_is_warm_until_its_hours_end_and_says_when_it_is_to_be_awake),
		cmocka_unit_test(a_zone_that_the_machine_has_lost_counts_as_greenwich),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
