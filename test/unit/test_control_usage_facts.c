/* What follows from intervals, samples and bytes. */
#include "unit.h"

#include "src/control/usage_facts.h"

#define SECOND INT64_C(1000000)
#define HOUR   METER_HOUR

static Interval intervals[] = {
	{.project_id = "p",
	 .compute_id = "a",
	 .kind = INTERVAL_ACTIVE,
	 .size = 500,
	 .cpu_us = 1234567,
	 .started_at = 10 * HOUR + 1800 * SECOND,
	 .ended_at = 11 * HOUR + 600 * SECOND},
	{.project_id = "p",
	 .compute_id = "b",
	 .kind = INTERVAL_FROZEN,
	 .size = 1000,
	 .started_at = 10 * HOUR,
	 .ended_at = 10 * HOUR + SECOND},
	{.project_id = "q",
	 .compute_id = "c",
	 .kind = INTERVAL_ACTIVE,
	 .size = 1000,
	 .started_at = 10 * HOUR + 7 * SECOND,
	 .ended_at = 10 * HOUR + 8 * SECOND},
};

static StorageSample samples[] = {
	{.project_id = "p", .compute_id = "a", .at = 10 * HOUR, .bytes = 3},
	{.project_id = "p", .compute_id = "gone", .at = 9 * HOUR, .bytes = 0},
};

static Traffic traffic[] = {
	{.project_id = "p", .compute_id = "a", .hour = 10 * HOUR, .received = 7, .sent = 1000},
};

static UsageFacts facts(void)
{
	return (UsageFacts){.intervals = intervals,
			    .n_intervals = N_OF(intervals),
			    .samples = samples,
			    .n_samples = N_OF(samples),
			    .traffic = traffic,
			    .n_traffic = N_OF(traffic)};
}

TEST(each_compute_is_named_once)
{
	UsageFacts f = facts();
	UsageOf *of;

	assert_int_equal(usage_computes(&f, &of), 4);
	assert_string_equal(of[0].compute_id, "a");
	assert_string_equal(of[1].compute_id, "b");
	assert_string_equal(of[2].compute_id, "gone");
	assert_string_equal(of[3].compute_id, "c");
	assert_string_equal(of[3].project_id, "q");
	free(of);
}

/* Whole seconds, since storage is exact in those; bytes are to the byte wherever it is cut. */
TEST(e2_7_the_sums_of_adjoining_periods_add_up_wherever_they_are_cut)
{
	UsageFacts f = facts();
	UsageSum whole = usage_sum(&f, "", 10 * HOUR, 12 * HOUR, 20 * HOUR);

	for (int cut = 1; cut < 7200; cut += 13) {
		int64_t at = 10 * HOUR + cut * SECOND;
		UsageSum a = usage_sum(&f, "", 10 * HOUR, at, 20 * HOUR);
		UsageSum b = usage_sum(&f, "", at, 12 * HOUR, 20 * HOUR);

		assert_int_equal(a.time.active_us + b.time.active_us, whole.time.active_us);
		assert_int_equal(a.time.frozen_us + b.time.frozen_us, whole.time.frozen_us);
		assert_int_equal(a.time.compute_us + b.time.compute_us, whole.time.compute_us);
		assert_int_equal(a.time.cpu_us + b.time.cpu_us, 1234567);
		assert_int_equal(a.storage_byte_seconds + b.storage_byte_seconds,
				 whole.storage_byte_seconds);
		assert_int_equal(a.proxied_bytes + b.proxied_bytes, whole.proxied_bytes);
	}
	assert_int_equal(whole.proxied_bytes, 1007);
}

TEST(bytes_of_an_hour_that_goes_on_have_all_come_by_now)
{
	UsageFacts f = facts();
	int64_t now = 10 * HOUR + 60 * SECOND;

	assert_int_equal(usage_sum(&f, "a", 10 * HOUR, now, now).proxied_bytes, 1007);
	assert_int_equal(usage_sum(&f, "a", 10 * HOUR, 10 * HOUR + 30 * SECOND, now).proxied_bytes,
			 503);
	assert_int_equal(usage_sum(&f, "b", 10 * HOUR, now, now).proxied_bytes, 0);
}

TEST(an_hour_is_published_once_and_by_whoever_computes_it)
{
	UsageFacts f = facts();
	UsageNews *news;
	UsageHour published[4];
	int n = usage_news(&f, 10 * HOUR, &news);

	assert_int_equal(n, 3); /* what is gone used nothing */
	assert_string_equal(news[0].now.compute_id, "a");
	assert_int_equal(news[0].now.active_us, 1800 * SECOND);
	assert_int_equal(news[0].now.compute_us, 1800 * SECOND * 500);
	assert_int_equal(news[0].now.storage_byte_seconds, 3 * 3600);
	assert_int_equal(news[0].now.proxied_bytes, 1007);
	assert_int_equal(news[0].now.revision, 1);
	assert_int_equal(news[0].before.revision, 0);
	for (int i = 0; i < n; i++)
		published[i] = news[i].now;
	free(news);
	f.published = published;
	f.n_published = n;
	assert_int_equal(usage_news(&f, 10 * HOUR, &news), 0);
	free(news);
}

TEST(what_was_learnt_late_is_a_revision_that_shows_both)
{
	UsageFacts f = facts();
	UsageHour published[] = {
		{.project_id = "p", .compute_id = "a", .hour = 10 * HOUR, .revision = 3},
		{.project_id = "p", .compute_id = "b", .hour = 10 * HOUR, .revision = 1},
	};
	UsageNews *news;

	f.published = published;
	f.n_published = N_OF(published);
	assert_int_equal(usage_news(&f, 10 * HOUR, &news), 3);
	assert_int_equal(news[0].now.revision, 4);
	assert_int_equal(news[0].before.revision, 3);
	assert_int_equal(news[1].now.revision, 4); /* the project's letters have each a key */
	assert_int_equal(news[2].now.revision, 1);
	free(news);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_compute_is_named_once),
		cmocka_unit_test(e2_7_the_sums_of_adjoining_periods_add_up_wherever_they_are_cut),
		cmocka_unit_test(bytes_of_an_hour_that_goes_on_have_all_come_by_now),
		cmocka_unit_test(an_hour_is_published_once_and_by_whoever_computes_it),
		cmocka_unit_test(what_was_learnt_late_is_a_revision_that_shows_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
