/* When a compute is suspended, when it is kept, and whom it waits for: a table of facts. */
#include "unit.h"

#include "src/control/activity.h"
#include "src/control/crowd.h"
#include "src/control/suspend.h"

#define MINUTE INT64_C(60000)

static const SuspendFacts idle = {
	.now_ms = 10 * MINUTE,
	.active_ms = 5 * MINUTE,
	.timeout_ms = 5 * MINUTE,
	.server = {.known = true, .idle_ms = -1},
};

static SuspendVerdict decide(SuspendFacts f, const char *expected)
{
	char reason[SUSPEND_REASON_SIZE];
	SuspendVerdict verdict = suspend_decide(&f, reason);

	assert_contains(reason, expected);
	return verdict;
}

TEST(one_that_nobody_used_for_long_enough_is_suspended)
{
	assert_int_equal(decide(idle, "nobody used it for 300 s"), SUSPEND_NOW);
}

TEST(the_server_is_asked_before_it_is_suspended)
{
	SuspendFacts f = idle;

	f.server.known = false;
	assert_int_equal(decide(f, "nobody used it"), SUSPEND_ASK);
}

TEST(the_server_is_not_asked_in_vain)
{
	SuspendFacts f = idle;

	f.server.known = false;
	f.active_ms++;
	assert_int_equal(decide(f, "299 s ago"), SUSPEND_KEEP);
}

TEST(zero_means_never)
{
	SuspendFacts f = idle;

	f.timeout_ms = 0;
	f.active_ms = 0;
	assert_int_equal(decide(f, "never"), SUSPEND_KEEP);
}

TEST(whatever_is_under_way_keeps_it)
{
	SuspendFacts f = idle;

	f.at_work = 1;
	assert_int_equal(decide(f, "at work: 1"), SUSPEND_KEEP);
	f = idle;
	f.server.working = 2;
	assert_int_equal(decide(f, "queries are running: 2"), SUSPEND_KEEP);
	f = idle;
	f.server.in_transaction = 1;
	assert_int_equal(decide(f, "transactions are open"), SUSPEND_KEEP);
	f = idle;
	f.server.replicating = 1;
	assert_int_equal(decide(f, "replicated or backed up"), SUSPEND_KEEP);
	f = idle;
	f.server.maintaining = 1;
	assert_int_equal(decide(f, "maintenance"), SUSPEND_KEEP);
}

TEST(what_the_server_saw_last_counts_too)
{
	SuspendFacts f = idle;

	f.server.idle_ms = 5 * MINUTE - 1;
	assert_int_equal(decide(f, "it was used"), SUSPEND_KEEP);
	f.server.idle_ms = 5 * MINUTE;
	assert_int_equal(decide(f, "nobody used it"), SUSPEND_NOW);
	f.server.idle_ms = 60 * MINUTE;
	assert_int_equal(decide(f, "for 300 s"), SUSPEND_NOW);
}

/* ---- activity ---------------------------------------------------------- */

static Report report(const char *proxy_id, int sessions, int at_work, int64_t idle_ms)
{
	Report r = {.sessions = sessions, .at_work = at_work, .idle_ms = idle_ms};

	snprintf(r.proxy_id, sizeof(r.proxy_id), "%s", proxy_id);
	return r;
}

TEST(reports_of_several_proxies_add_up)
{
	Activity a = {0};
	Report one = report("one", 5, 2, 0), two = report("two", 3, 1, 0);

	activity_report(&a, &one, 1000);
	activity_report(&a, &two, 1000);
	assert_int_equal(activity_at_work(&a, 1000), 3);
	assert_int_equal(activity_sessions(&a, 1000), 8);
	one = report("one", 5, 0, 10);
	activity_report(&a, &one, 2000);
	assert_int_equal(activity_at_work(&a, 2000), 1);
}

TEST(a_proxy_that_died_keeps_nothing_awake)
{
	Activity a = {0};
	Report r = report("one", 5, 2, 0);

	activity_report(&a, &r, 1000);
	assert_int_equal(activity_at_work(&a, 1000 + ACTIVITY_BELIEF_MS - 1), 2);
	assert_int_equal(activity_at_work(&a, 1000 + ACTIVITY_BELIEF_MS), 0);
}

TEST(the_last_use_never_goes_back)
{
	Activity a = {0};
	Report r = report("one", 1, 0, 400);

	activity_note(&a, 1000);
	activity_report(&a, &r, 1200);
	assert_int_equal(a.last_ms, 1000);
	activity_report(&a, &r, 2000);
	assert_int_equal(a.last_ms, 1600);
	r = report("one", 1, 0, -1);
	activity_report(&a, &r, 9000);
	assert_int_equal(a.last_ms, 1600);
}

TEST(the_oldest_report_makes_room_for_a_new_proxy)
{
	Activity a = {0};
	char name[16];

	for (int i = 0; i <= ACTIVITY_PROXIES; i++) {
		Report r;

		snprintf(name, sizeof(name), "proxy %d", i);
		r = report(name, 1, 1, 0);
		activity_report(&a, &r, 1000 + i);
	}
	assert_int_equal(activity_at_work(&a, 2000), ACTIVITY_PROXIES);
}

/* ---- who is on it when it is to stop ------------------------------------ */

static bool may_end(Guest guest, int64_t age_ms, int64_t waited_ms)
{
	Crowd c = {.known = true};

	crowd_add(&c, guest, age_ms);
	return crowd_may_be_ended(&c, waited_ms);
}

TEST(who_was_let_in_is_served_before_the_end)
{
	assert_false(may_end(GUEST_ARRIVING, 5000, 0));
	assert_false(may_end(GUEST_WORKING, 5000, 0));
	assert_false(may_end(GUEST_IDLE, 999, 0)); /* has not said yet what he came for */
	assert_true(may_end(GUEST_IDLE, 1000, 0));
	assert_true(may_end(GUEST_NONE, 0, 0));
}

TEST(somebody_who_was_not_seen_may_be_there)
{
	Crowd c = {.known = false};

	assert_false(crowd_may_be_ended(&c, 0));
}

TEST(patience_ends)
{
	Crowd c = {.known = false};

	assert_false(may_end(GUEST_WORKING, 0, 29999));
	assert_true(may_end(GUEST_WORKING, 0, 30000));
	assert_true(crowd_may_be_ended(&c, 30000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_nobody_used_for_long_enough_is_suspended),
		cmocka_unit_test(the_server_is_asked_before_it_is_suspended),
		cmocka_unit_test(the_server_is_not_asked_in_vain),
		cmocka_unit_test(zero_means_never),
		cmocka_unit_test(whatever_is_under_way_keeps_it),
		cmocka_unit_test(what_the_server_saw_last_counts_too),
		cmocka_unit_test(reports_of_several_proxies_add_up),
		cmocka_unit_test(a_proxy_that_died_keeps_nothing_awake),
		cmocka_unit_test(the_last_use_never_goes_back),
		cmocka_unit_test(the_oldest_report_makes_room_for_a_new_proxy),
		cmocka_unit_test(who_was_let_in_is_served_before_the_end),
		cmocka_unit_test(somebody_who_was_not_seen_may_be_there),
		cmocka_unit_test(patience_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
