/* Token buckets: how often somebody may do something, over all workers. */
#include "crowd.h"

#include <signal.h>

#include "model/shared.h"

#define NOW 5000000000

static Shared *sh;
static _Atomic int *taken;

static int make_table(void **state)
{
	static const uint8_t key[16] = "sixteen bytes of";

	(void)state;
	sh = crowd_memory(shared_size(4));
	taken = crowd_memory(sizeof(*taken));
	shared_init(sh, CROWD, 4, key, "token");
	return 0;
}

static int drop_table(void **state)
{
	(void)state;
	munmap(sh, shared_size(4));
	munmap((void *)(uintptr_t)taken, sizeof(*taken));
	return 0;
}

static int64_t take(BucketKind kind, const char *key, int64_t now_us, int per_second, int burst)
{
	return bucket_take(sh, kind, key, strlen(key), now_us, per_second, burst);
}

static int64_t connect_at(int64_t now_us)
{
	return take(BUCKET_CLIENT_CONNECTS, "10.0.0.1", now_us, 10, 20);
}

TEST(a_bucket_gives_a_burst_and_then_a_rate)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(connect_at(NOW), 0);
	assert_int_equal(connect_at(NOW), 100000);
	assert_int_equal(connect_at(NOW + 40000), 60000);
	assert_int_equal(connect_at(NOW + 100000), 0);
	assert_int_equal(connect_at(NOW + 100000), 100000);
}

TEST(a_bucket_is_full_again_after_a_rest)
{
	for (int burst = 0; burst < 3; burst++) {
		int64_t now = NOW + burst * 10000000;

		for (int i = 0; i < 20; i++)
			assert_int_equal(connect_at(now), 0);
		assert_true(connect_at(now) > 0);
	}
}

TEST(keys_and_kinds_have_buckets_of_their_own)
{
	for (BucketKind kind = 0; kind < BUCKET_KINDS; kind++) {
		assert_int_equal(take(kind, "frog", NOW, 1, 1), 0);
		assert_int_equal(take(kind, "frog", NOW, 1, 1), 1000000);
		assert_int_equal(take(kind, "toad", NOW, 1, 1), 0);
	}
}

TEST(without_a_rate_there_is_no_limit)
{
	for (int i = 0; i < 1000; i++)
		assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW, 0, 0), 0);
	assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW, 1, 1), 0);
}

TEST(without_a_burst_it_is_what_comes_in_a_second)
{
	for (int i = 0; i < 7; i++)
		assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW, 7, 0), 0);
	assert_true(take(BUCKET_CLIENT_WAKES, "frog", NOW, 7, 0) > 0);
}

TEST(a_rate_beyond_what_the_clock_can_tell_is_not_divided_by)
{
	assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW, INT32_MAX, INT32_MAX), 0);
	assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW, 2000000, 1), 1);
}

/* A reload made the rule stricter, or looser: the pause is never longer than the rule's. */
TEST(a_debt_from_another_rule_is_never_more_than_the_bucket_holds)
{
	for (int i = 0; i < 1000; i++)
		assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW, 1, 1000), 0);
	assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW, 10, 5), 100000);
	assert_int_equal(take(BUCKET_CLIENT_WAKES, "frog", NOW + 100000, 10, 5), 0);
}

/* Whoever comes when the pause is over gets one. */
TEST(the_pause_that_was_told_is_enough)
{
	int64_t now = NOW;

	for (int i = 0; i < 1000; i++) {
		int64_t pause = take(BUCKET_CLIENT_CANCELS, "frog", now, 7, 3);

		now += pause;
		assert_true(pause == 0 || take(BUCKET_CLIENT_CANCELS, "frog", now, 7, 3) == 0);
	}
}

static int take_at_once(int who)
{
	(void)who;
	for (int i = 0; i < 5000; i++) {
		if (take(BUCKET_COMPUTE_CONNECTS, "frog", NOW, 1, 7777) == 0)
			atomic_fetch_add(taken, 1);
	}
	return 0;
}

TEST(the_rate_holds_over_all_workers)
{
	crowd_run(take_at_once);
	assert_int_equal(atomic_load(taken), 7777);
}

/* A flood of addresses that never come again does not free one that comes all the time. */
TEST(who_is_over_his_rate_is_remembered_through_a_flood)
{
	unsigned granted = 0;

	for (int64_t i = 0; i < 4 * MEMO_ROWS; i++) {
		granted += bucket_take(sh, BUCKET_CLIENT_CONNECTS, &i, sizeof(i), NOW + i, 1000,
				       10) == 0;
		take(BUCKET_CLIENT_CONNECTS, "busy", NOW + i, 1, 5);
	}
	assert_int_equal(granted, 4 * MEMO_ROWS);
	assert_true(take(BUCKET_CLIENT_CONNECTS, "busy", NOW + 4 * MEMO_ROWS, 1, 5) > 0);
}

static void take_many_for_ever(void)
{
	for (unsigned i = 0;; i++) {
		unsigned key = i % 50000;

		bucket_take(sh, BUCKET_CLIENT_CONNECTS, &key, sizeof(key), NOW, 1, 3);
		atomic_fetch_add(taken, 1);
	}
}

/* Whatever a dead worker was doing: nobody waits longer than the rule says. */
TEST(who_is_killed_anywhere_leaves_no_bucket_empty_for_long)
{
	for (int round = 1; round <= 10; round++) {
		pid_t pid = fork();

		if (pid == 0)
			take_many_for_ever();
		while (atomic_load(taken) < 20000 * round)
			sched_yield();
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	for (unsigned key = 0; key < 50000; key++) {
		int64_t pause = bucket_take(sh, BUCKET_CLIENT_CONNECTS, &key, sizeof(key),
					    NOW + 1000000, 1, 3);

		assert_int_equal(pause, 0);
	}
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(a_bucket_gives_a_burst_and_then_a_rate),
		TABLE_TEST(a_bucket_is_full_again_after_a_rest),
		TABLE_TEST(keys_and_kinds_have_buckets_of_their_own),
		TABLE_TEST(without_a_rate_there_is_no_limit),
		TABLE_TEST(without_a_burst_it_is_what_comes_in_a_second),
		TABLE_TEST(a_rate_beyond_what_the_clock_can_tell_is_not_divided_by),
		TABLE_TEST(a_debt_from_another_rule_is_never_more_than_the_bucket_holds),
		TABLE_TEST(the_pause_that_was_told_is_enough),
		TABLE_TEST(the_rate_holds_over_all_workers),
		TABLE_TEST(who_is_over_his_rate_is_remembered_through_a_flood),
		TABLE_TEST(who_is_killed_anywhere_leaves_no_bucket_empty_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
