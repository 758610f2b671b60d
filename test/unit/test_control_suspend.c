/* When a compute is suspended, when it is kept, and whom it waits for: a table of facts. */
#include "unit.h"

#include "src/control/activity.h"
#include "src/control/crowd.h"
#include "src/control/suspend.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

/* Nobody was here for five minutes, and the server says the same. */
static const SuspendFacts idle = {
	.now_ms = 10 * MINUTE,
	.used_ms = 5 * MINUTE,
	.can_freeze = true,
	.proxies_hear = true,
	.wake_in_ms = -1,
	.server = {.known = true, .idle_ms = -1},
};

static const SuspendPolicy policy = {
	.freeze_after_ms = 30 * SECOND,
	.idle_timeout_ms = 5 * MINUTE,
	.check_ms = 20 * SECOND,
	.replication_keeps_awake = true,
};

static SuspendFacts used_ago(int64_t ms)
{
	SuspendFacts f = idle;

	f.used_ms = f.now_ms - ms;
	return f;
}

static void expect(const SuspendFacts *f, const SuspendPolicy *p, SuspendVerdict verdict,
		   int64_t again_ms, const char *reason)
{
	SuspendDecision d = suspend_decide(f, p);

	assert_contains(d.reason, reason);
	assert_int_equal(d.verdict, verdict);
	assert_int_equal(d.again_ms, again_ms);
}

TEST(one_that_nobody_used_is_frozen_soon_and_stopped_later)
{
	const struct {
		int64_t idle_ms;
		SuspendVerdict verdict;
		int64_t again_ms;
		const char *reason;
	} rows[] = {
		{0, SUSPEND_KEEP, 30 * SECOND, "it was used 0 s ago"},
		{29999, SUSPEND_KEEP, 1, "it was used 29 s ago"},
		{30 * SECOND, SUSPEND_FREEZE, 0, "nobody used it for 30 s"},
		{5 * MINUTE - 1, SUSPEND_FREEZE, 0, "nobody used it for 299 s"},
		{5 * MINUTE, SUSPEND_STOP, 0, "nobody used it for 300 s"},
		{-5, SUSPEND_KEEP, 30 * SECOND, "it was used 0 s ago"},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		SuspendFacts f = used_ago(rows[i].idle_ms);

		expect(&f, &policy, rows[i].verdict, rows[i].again_ms, rows[i].reason);
	}
}

/* He wakes it after a minute in which nobody who counts used it, or after an hour. */
TEST(who_is_exempt_is_served_for_a_moment_and_keeps_nothing_awake)
{
	const struct {
		int64_t idle_ms, favour_ms, start_ms, idle_timeout_ms;
		bool frozen, can_freeze;
		SuspendVerdict verdict;
		int64_t again_ms;
	} rows[] = {
		{MINUTE, 0, HOUR, 5 * MINUTE, false, true, SUSPEND_KEEP, SECOND},
		{MINUTE, 999, HOUR, 5 * MINUTE, false, true, SUSPEND_KEEP, 1},
		{MINUTE, SECOND, HOUR, 5 * MINUTE, false, true, SUSPEND_FREEZE, 0},
		{10 * SECOND, SECOND, HOUR, 5 * MINUTE, false, true, SUSPEND_KEEP, 20 * SECOND},
		/* Started for him it is not stopped at once, if it can be frozen, */
		{HOUR, 0, 0, 5 * MINUTE, false, true, SUSPEND_KEEP, SECOND},
		{HOUR, SECOND, SECOND, 5 * MINUTE, false, true, SUSPEND_FREEZE, 0},
		{HOUR, 0, 2 * MINUTE, 5 * MINUTE, true, true, SUSPEND_KEEP, 3 * MINUTE},
		/* but however often it was thawed for him since, */
		{HOUR, 0, 5 * MINUTE, 5 * MINUTE, true, true, SUSPEND_STOP, 0},
		{HOUR, SECOND, 5 * MINUTE, 5 * MINUTE, false, true, SUSPEND_STOP, 0},
		{HOUR, 0, 2 * MINUTE, 0, true, true, SUSPEND_KEEP, 0},
		/* and soon if it cannot. */
		{HOUR, SECOND, SECOND, 5 * MINUTE, false, false, SUSPEND_KEEP, 9 * SECOND},
		{HOUR, 10 * SECOND, 10 * SECOND, 5 * MINUTE, false, false, SUSPEND_STOP, 0},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		SuspendFacts f = used_ago(rows[i].idle_ms);
		SuspendPolicy p = policy;

		f.now_ms += HOUR;
		f.used_ms += HOUR;
		f.favour_ms = f.now_ms - rows[i].favour_ms;
		f.favour_start_ms = f.now_ms - rows[i].start_ms;
		f.frozen = rows[i].frozen;
		f.can_freeze = rows[i].can_freeze;
		p.idle_timeout_ms = rows[i].idle_timeout_ms;
		expect(&f, &p, rows[i].verdict, rows[i].again_ms, "");
	}
}

TEST(the_server_is_asked_before_it_is_suspended_and_not_in_vain)
{
	SuspendFacts f = idle;

	f.server.known = false;
	expect(&f, &policy, SUSPEND_ASK, 0, "nobody used it for 300 s");
	f = used_ago(30 * SECOND);
	f.server.known = false;
	expect(&f, &policy, SUSPEND_ASK, 0, "nobody used it for 30 s");
	f.used_ms++;
	expect(&f, &policy, SUSPEND_KEEP, 1, "29 s ago");
	f.used_ms--;
	f.sessions = 1;
	f.proxies_hear = false;
	expect(&f, &policy, SUSPEND_KEEP, 20 * SECOND, "would not hear of it");
}

TEST(clients_that_come_past_the_proxies_would_hang)
{
	SuspendFacts f = used_ago(30 * SECOND);

	f.sessions = 2;
	f.server.sessions = 3;
	expect(&f, &policy, SUSPEND_KEEP, 20 * SECOND, "past the proxies: 1");
	f.asked = true;
	expect(&f, &policy, SUSPEND_FREEZE, 0, "nobody used it");
	f.asked = false;
	f.server.sessions = 2;
	expect(&f, &policy, SUSPEND_FREEZE, 0, "nobody used it");
}

TEST(a_frozen_one_is_stopped_without_being_asked)
{
	SuspendFacts f = used_ago(2 * MINUTE);

	f.frozen = true;
	f.server.known = false;
	f.since_ms = f.now_ms; /* which is no use of it */
	expect(&f, &policy, SUSPEND_KEEP, 3 * MINUTE, "it was used 120 s ago");
	f.used_ms = 5 * MINUTE;
	expect(&f, &policy, SUSPEND_STOP, 0, "nobody used it for 300 s");
}

TEST(one_that_has_just_begun_was_used)
{
	SuspendFacts f = idle;

	f.since_ms = f.now_ms - SECOND;
	expect(&f, &policy, SUSPEND_KEEP, 29 * SECOND, "used 1 s ago");
}

TEST(zero_means_never)
{
	SuspendFacts f = used_ago(HOUR);
	SuspendPolicy p = policy;

	p.idle_timeout_ms = 0;
	expect(&f, &p, SUSPEND_FREEZE, 0, "nobody used it");
	f.frozen = true;
	expect(&f, &p, SUSPEND_KEEP, 0, "never");
	f.frozen = false;
	p.freeze_after_ms = 0;
	expect(&f, &p, SUSPEND_KEEP, 0, "never to be suspended");
	p = policy;
	p.freeze_after_ms = 0;
	f = used_ago(MINUTE);
	expect(&f, &p, SUSPEND_KEEP, 4 * MINUTE, "60 s ago");
	f = idle;
	expect(&f, &p, SUSPEND_STOP, 0, "nobody used it");
}

TEST(where_the_driver_cannot_freeze_it_is_stopped_on_time)
{
	SuspendFacts f = used_ago(MINUTE);

	f.can_freeze = false;
	expect(&f, &policy, SUSPEND_KEEP, 4 * MINUTE, "60 s ago");
	f.used_ms = 5 * MINUTE;
	expect(&f, &policy, SUSPEND_STOP, 0, "nobody used it");
}

/* The facts that keep a compute from both tiers. */
TEST(whatever_is_under_way_keeps_it)
{
	const struct {
		SuspendFacts more; /* than an idle one has */
		const char *reason;
	} rows[] = {
		{{.at_work = 1}, "sessions are at work: 1"},
		{{.server.working = 2}, "queries are running: 2"},
		{{.server.in_transaction = 1}, "transactions are open: 1"},
		{{.server.backups = 1}, "backups are running: 1"},
		{{.server.replicating = 1}, "it is being replicated: 1"},
		{{.server.maintaining = 1}, "maintenance is running: 1"},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		SuspendFacts f = idle;

		f.at_work = rows[i].more.at_work;
		f.server = rows[i].more.server;
		f.server.known = true;
		f.server.idle_ms = -1;
		expect(&f, &policy, SUSPEND_KEEP, 20 * SECOND, rows[i].reason);
		f.used_ms = f.now_ms - MINUTE;
		expect(&f, &policy, SUSPEND_KEEP, 20 * SECOND, rows[i].reason);
	}
}

TEST(what_is_connected_keeps_it_only_if_the_project_says_so)
{
	SuspendFacts f = idle;
	SuspendPolicy p = policy;

	f.sessions = 100;
	f.listening = 1;
	f.server.sessions = 100;
	expect(&f, &p, SUSPEND_STOP, 0, "nobody used it");
	p.listeners_keep_awake = true;
	expect(&f, &p, SUSPEND_KEEP, 20 * SECOND, "sessions listen, which keeps it awake: 1");
	f.frozen = true;
	expect(&f, &p, SUSPEND_KEEP, 20 * SECOND, "sessions listen");
	f.frozen = false;
	f.listening = 0;
	expect(&f, &p, SUSPEND_STOP, 0, "nobody used it");
	p.idle_clients_keep_awake = true;
	expect(&f, &p, SUSPEND_KEEP, 20 * SECOND,
	       "clients are connected, which keeps it awake: 100");
}

/* What speaks against freezing speaks not against stopping. */
TEST(what_a_stopped_clock_would_break_is_only_stopped)
{
	const struct {
		int sessions;
		bool proxies_hear;
		ServerFacts server;
		const char *reason;
	} rows[] = {
		{1, false, {0}, "a proxy with sessions would not hear of it"},
		{1, true, {.idle_timers = true}, "idle_session_timeout would end sessions"},
		{0, true, {.idle_timers = true, .sessions = 1}, "idle_session_timeout"},
		{0, true, {.replicating = 2}, "not frozen, since it is being replicated: 2"},
		{0, true, {.exempt_busy = 1}, "exempt sessions are at work: 1"},
	};
	SuspendPolicy p = policy;

	p.replication_keeps_awake = false;
	for (size_t i = 0; i < N_OF(rows); i++) {
		SuspendFacts f = used_ago(MINUTE);

		f.sessions = rows[i].sessions;
		f.proxies_hear = rows[i].proxies_hear;
		f.server = rows[i].server;
		f.server.known = true;
		f.server.idle_ms = -1;
		expect(&f, &p, SUSPEND_KEEP, 20 * SECOND, rows[i].reason);
		f.used_ms = f.now_ms - 5 * MINUTE + SECOND;
		expect(&f, &p, SUSPEND_KEEP, SECOND, rows[i].reason);
		f.used_ms = f.now_ms - 5 * MINUTE;
		expect(&f, &p, SUSPEND_STOP, 0, "nobody used it");
	}
}

TEST(timers_harm_nobody_where_nobody_is_connected)
{
	SuspendFacts f = used_ago(MINUTE);

	f.server.idle_timers = true;
	f.proxies_hear = false;
	expect(&f, &policy, SUSPEND_FREEZE, 0, "nobody used it");
}

TEST(prepared_transactions_survive_a_stop_and_are_named)
{
	SuspendFacts f = idle;

	f.server.prepared = 3;
	expect(&f, &policy, SUSPEND_STOP, 0, "prepared transactions stay prepared: 3");
}

TEST(what_the_server_saw_last_counts_too)
{
	SuspendFacts f = idle;

	f.server.idle_ms = 5 * MINUTE - 1;
	expect(&f, &policy, SUSPEND_FREEZE, 0, "for 299 s");
	f.server.idle_ms = 10 * SECOND;
	expect(&f, &policy, SUSPEND_KEEP, 20 * SECOND, "used 10 s ago");
	f.server.idle_ms = 60 * MINUTE;
	expect(&f, &policy, SUSPEND_STOP, 0, "for 300 s");
}

TEST(within_running_hours_it_is_frozen_but_never_stopped)
{
	SuspendFacts f = idle;

	f.warm = true;
	f.warm_change_ms = 2 * HOUR;
	expect(&f, &policy, SUSPEND_FREEZE, 0, "nobody used it");
	f.can_freeze = false;
	expect(&f, &policy, SUSPEND_KEEP, 2 * HOUR, "within its running hours");
	f.frozen = true;
	expect(&f, &policy, SUSPEND_KEEP, 2 * HOUR, "within its running hours");
	f.warm_change_ms = 0; /* always */
	expect(&f, &policy, SUSPEND_KEEP, 0, "within its running hours");
	f = used_ago(MINUTE);
	f.can_freeze = false;
	f.warm = true;
	f.warm_change_ms = SECOND; /* which end before it is due */
	expect(&f, &policy, SUSPEND_KEEP, 4 * MINUTE, "used 60 s ago");
}

TEST(who_is_soon_to_be_awake_is_not_stopped_before)
{
	SuspendFacts f = idle;

	f.can_freeze = false;
	f.wake_in_ms = 59 * SECOND;
	expect(&f, &policy, SUSPEND_KEEP, 59 * SECOND + 1, "to be awake in 59 s");
	f.wake_in_ms = MINUTE;
	expect(&f, &policy, SUSPEND_STOP, 0, "nobody used it");
}

/*
 * A month, as a scheduler would live it: it looks when it was told to, and when somebody
 * comes.  Office hours bring a client every 20 minutes, and a wake is a use.
 */
typedef struct Month {
	int64_t active_ms, frozen_ms, looks, stops;
} Month;

static Month live(const SuspendPolicy *p, int64_t every_ms)
{
	SuspendFacts f = {.can_freeze = true, .proxies_hear = true, .wake_in_ms = -1};
	int64_t end = 30 * 24 * HOUR, next_client = 0;
	bool running = false;
	Month m = {0};

	f.server = (ServerFacts){.known = true, .idle_ms = -1};
	while (f.now_ms < end) {
		SuspendDecision d = {0};
		int64_t next;

		if (f.now_ms >= next_client) {
			running = true;
			f.frozen = false;
			f.used_ms = f.now_ms;
			next_client += every_ms;
		}
		if (running) {
			d = suspend_decide(&f, p);
			m.looks++;
		}
		if (d.verdict == SUSPEND_FREEZE) {
			f.frozen = true;
			continue;
		}
		if (d.verdict == SUSPEND_STOP) {
			running = f.frozen = false;
			m.stops++;
		}
		next = running && d.again_ms && f.now_ms + d.again_ms < next_client
			       ? f.now_ms + d.again_ms
			       : next_client;
		m.active_ms += running && !f.frozen ? next - f.now_ms : 0;
		m.frozen_ms += running && f.frozen ? next - f.now_ms : 0;
		f.now_ms = next;
	}
	return m;
}

TEST(a_month_of_few_clients_costs_what_was_promised)
{
	const int64_t visits = 30 * 24 * 3;
	SuspendPolicy p = policy;
	Month m = live(&p, 20 * MINUTE);

	assert_int_equal(m.stops, visits);
	assert_int_equal(m.active_ms, visits * 30 * SECOND);
	assert_int_equal(m.frozen_ms, visits * (5 * MINUTE - 30 * SECOND));
	assert_true(m.looks <= 4 * visits);
	p.freeze_after_ms = 0;
	m = live(&p, 20 * MINUTE);
	assert_int_equal(m.active_ms, visits * 5 * MINUTE);
	assert_int_equal(m.frozen_ms, 0);
	p.idle_timeout_ms = 0;
	m = live(&p, 20 * MINUTE);
	assert_int_equal(m.active_ms, 30 * 24 * HOUR);
	assert_int_equal(m.looks, visits);
	m = live(&policy, 10 * SECOND); /* a pool's ping, not exempt */
	assert_int_equal(m.active_ms, 30 * 24 * HOUR);
	assert_int_equal(m.stops, 0);
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
	assert_int_equal(activity_sum(&a, 1000).at_work, 3);
	assert_int_equal(activity_sum(&a, 1000).sessions, 8);
	one = report("one", 5, 0, 10);
	activity_report(&a, &one, 2000);
	assert_int_equal(activity_sum(&a, 2000).at_work, 1);
}

TEST(a_proxy_that_died_keeps_nothing_awake)
{
	Activity a = {0};
	Report r = report("one", 5, 2, 0);

	activity_report(&a, &r, 1000);
	assert_int_equal(activity_sum(&a, 1000 + ACTIVITY_BELIEF_MS - 1).at_work, 2);
	assert_int_equal(activity_sum(&a, 1000 + ACTIVITY_BELIEF_MS).at_work, 0);
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
	assert_int_equal(activity_sum(&a, 2000).at_work, ACTIVITY_PROXIES);
}

/* ---- who is on it when it is to stop ------------------------------------ */

static bool may_end(Guest guest, int64_t age_ms, int64_t waited_ms)
{
	Crowd c = {.known = true};

	crowd_add(&c, guest, age_ms);
	return crowd_may_be_ended(&c, waited_ms, 0);
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

	assert_false(crowd_may_be_ended(&c, 0, 0));
}

TEST(patience_ends)
{
	Crowd c = {.known = false};

	assert_false(may_end(GUEST_WORKING, 0, 29999));
	assert_true(may_end(GUEST_WORKING, 0, 30000));
	assert_true(crowd_may_be_ended(&c, 30000, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_nobody_used_is_frozen_soon_and_stopped_later),
		cmocka_unit_test(the_server_is_asked_before_it_is_suspended_and_not_in_vain),
		cmocka_unit_test(clients_that_come_past_the_proxies_would_hang),
		cmocka_unit_test(a_frozen_one_is_stopped_without_being_asked),
		cmocka_unit_test(one_that_has_just_begun_was_used),
		cmocka_unit_test(zero_means_never),
		cmocka_unit_test(where_the_driver_cannot_freeze_it_is_stopped_on_time),
		cmocka_unit_test(whatever_is_under_way_keeps_it),
		cmocka_unit_test(what_is_connected_keeps_it_only_if_the_project_says_so),
		cmocka_unit_test(who_is_exempt_is_served_for_a_moment_and_keeps_nothing_awake),
		cmocka_unit_test(what_a_stopped_clock_would_break_is_only_stopped),
		cmocka_unit_test(timers_harm_nobody_where_nobody_is_connected),
		cmocka_unit_test(prepared_transactions_survive_a_stop_and_are_named),
		cmocka_unit_test(what_the_server_saw_last_counts_too),
		cmocka_unit_test(within_running_hours_it_is_frozen_but_never_stopped),
		cmocka_unit_test(who_is_soon_to_be_awake_is_not_stopped_before),
		cmocka_unit_test(a_month_of_few_clients_costs_what_was_promised),
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
