/* Routes: where each compute is, and whether somebody is waking it. */
#include "crowd.h"

#include "model/shared.h"

static Shared *sh;
static Gate *gate;
static _Atomic uint32_t *board; /* what each of the crowd found in this round */

static int make_table(void **state)
{
	static const uint8_t key[16] = "sixteen bytes of";

	(void)state;
	sh = crowd_memory(shared_size(16));
	gate = crowd_memory(sizeof(*gate));
	board = crowd_memory(sizeof(*board) * (CROWD + 1));
	shared_init(sh, CROWD, 16, key, "token");
	return 0;
}

static int drop_table(void **state)
{
	(void)state;
	munmap(sh, shared_size(16));
	munmap(gate, sizeof(*gate));
	munmap(board, sizeof(*board) * (CROWD + 1));
	return 0;
}

TEST(a_name_has_one_row_for_everybody)
{
	Route *r = route_enter(sh, "frog", 0);
	RouteAnswer answer;

	assert_non_null(r);
	assert_ptr_equal(route_enter(sh, "frog", 3), r);
	assert_ptr_not_equal(route_enter(sh, "toad", 0), r);
	assert_int_equal(route_waiting(r), 2);
	assert_int_equal(route_load(r, &answer).phase, ROUTE_ASLEEP);
	assert_string_equal(answer.address, "");
	route_leave(r, 0);
	route_leave(r, 3);
	assert_int_equal(route_waiting(r), 0);
}

TEST(who_left_finds_the_row_as_it_was)
{
	RouteAnswer answer = {.name = "frog", .address = "10.0.0.1:5432"};
	Route *r = route_enter(sh, "frog", 0);
	RouteState mine = {.phase = ROUTE_WAKING, .claimer = 7};

	mine.turn = route_next_turn(route_state(r));
	assert_true(route_move(r, route_state(r), ROUTE_WAKING, 7));
	route_settle(r, mine, ROUTE_AWAKE, &answer);
	route_leave(r, 0);
	assert_ptr_equal(route_enter(sh, "frog", 1), r);
	assert_int_equal(route_load(r, &answer).phase, ROUTE_AWAKE);
	assert_string_equal(answer.address, "10.0.0.1:5432");
}

/* Enters new names until one finds no place; how many did. */
static int fill_table(void (*hold)(Route *r, int worker))
{
	char name[32];
	int n = 0;

	for (;; n++) {
		Route *r;

		snprintf(name, sizeof(name), "compute-%d", n);
		r = route_enter(sh, name, n % CROWD);
		if (!r)
			return n;
		if (hold) {
			hold(r, n % CROWD);
			route_leave(r, n % CROWD);
		}
	}
}

TEST(a_full_table_turns_names_away_and_no_row_serves_two)
{
	int n = fill_table(NULL);
	char *seen = calloc(ROUTES_MAX, 1), name[32];

	assert_true(n > ROUTES_MAX / 4);
	for (int i = 0; i < n; i++) {
		Route *r;

		snprintf(name, sizeof(name), "compute-%d", i);
		r = route_enter(sh, name, 0);
		assert_non_null(r);
		assert_int_equal(seen[r - sh->routes]++, 0);
	}
	free(seen);
}

static void be_connected(Route *r, int worker)
{
	route_session_begins(r, worker);
}

TEST(a_row_with_sessions_is_not_given_away)
{
	int n = fill_table(be_connected);
	char name[32];

	for (int i = 0; i < n; i++) {
		Route *r;

		snprintf(name, sizeof(name), "compute-%d", i);
		r = route_enter(sh, name, 0);
		assert_non_null(r);
		assert_int_equal(route_sessions(r), 1);
		route_session_ends(r, i % CROWD);
		assert_int_equal(route_sessions(r), 0);
	}
}

static void be_waking(Route *r, int worker)
{
	assert_true(route_move(r, route_state(r), ROUTE_WAKING, claimer_make(worker, 1)));
}

TEST(a_row_that_is_waking_is_not_given_away)
{
	assert_true(fill_table(be_waking) > ROUTES_MAX / 4);
	for (int i = 0; i < ROUTES_MAX; i++) {
		if (atomic_load(&sh->route_tag[i]) != 0)
			assert_int_equal(route_state(&sh->routes[i]).phase, ROUTE_WAKING);
	}
}

TEST(a_row_that_nobody_uses_goes_to_who_comes)
{
	char name[32];

	for (int i = 0; i < 3 * ROUTES_MAX; i++) {
		Route *r;

		snprintf(name, sizeof(name), "compute-%d", i);
		r = route_enter(sh, name, 0);
		assert_non_null(r);
		assert_ptr_equal(route_enter(sh, name, 1), r);
		route_leave(r, 1);
		route_leave(r, 0);
	}
}

#define ROUNDS 1500

/* In each round all of the crowd enter one name, and look whether they met. */
static int enter_together(int who)
{
	int wrong = 0;

	for (int round = 0; round < ROUNDS; round++) {
		char name[32];
		Route *r;

		snprintf(name, sizeof(name), "compute-%d", round);
		gate_pass(gate);
		r = route_enter(sh, name, who);
		atomic_store(&board[who], r ? (uint32_t)(r - sh->routes) : UINT32_MAX);
		gate_pass(gate);
		for (int i = 0; i < CROWD; i++)
			wrong += !r || atomic_load(&board[i]) != atomic_load(&board[who]);
		wrong += r && route_waiting(r) != CROWD;
		gate_pass(gate);
		if (r)
			route_leave(r, who);
	}
	return wrong;
}

TEST(who_asks_for_a_name_at_the_same_time_gets_the_same_row)
{
	assert_int_equal(crowd_run(enter_together), 0);
}

/* Wakes a compute whose row tells nothing of it yet, and says where it is. */
static void wake_if_unknown(Route *r, const char *name, int who)
{
	RouteAnswer answer;
	RouteState seen = route_load(r, &answer), mine = {.phase = ROUTE_WAKING};

	if (seen.phase == ROUTE_WAKING || strcmp(answer.name, name) == 0)
		return;
	mine.claimer = claimer_make(who, 1);
	mine.turn = route_next_turn(seen);
	if (!route_move(r, seen, ROUTE_WAKING, mine.claimer))
		return;
	answer = (RouteAnswer){.depth = DEPTH_COLD};
	snprintf(answer.name, sizeof(answer.name), "%s", name);
	snprintf(answer.address, sizeof(answer.address), "/run/%s", name);
	route_settle(r, mine, ROUTE_AWAKE, &answer);
}

/* More names than rows, so that rows change hands all the time. */
static int wander(int who)
{
	unsigned seed = (unsigned)who + 1;
	int wrong = 0;

	for (int i = 0; i < 40000; i++) {
		RouteAnswer answer;
		char name[32];
		Route *r;

		snprintf(name, sizeof(name), "compute-%d", rand_r(&seed) % (3 * ROUTES_MAX));
		r = route_enter(sh, name, who);
		if (!r)
			continue;
		wake_if_unknown(r, name, who);
		if (route_load(r, &answer).phase == ROUTE_AWAKE && strcmp(answer.name, name) == 0)
			wrong += strcmp(answer.address + strlen("/run/"), name) != 0;
		route_leave(r, who);
	}
	return wrong;
}

TEST(nobody_is_ever_sent_to_anothers_compute)
{
	assert_int_equal(crowd_run(wander), 0);
	for (int i = 0; i < ROUTES_MAX; i++) {
		assert_int_equal(route_waiting(&sh->routes[i]), 0);
		assert_int_not_equal(route_state(&sh->routes[i]).phase, ROUTE_WAKING);
	}
}

static int claim_together(int who)
{
	Route *r = route_enter(sh, "frog", who);
	int wrong = 0;

	for (int round = 0; round < ROUNDS; round++) {
		RouteState seen = route_state(r), mine;
		RouteAnswer answer = {.name = "frog"};

		gate_pass(gate);
		if (route_move(r, seen, ROUTE_WAKING, claimer_make(who, 1))) {
			atomic_fetch_add(&board[CROWD], 1);
			mine = route_state(r);
			wrong += mine.claimer != claimer_make(who, 1);
			answer.generation = (uint64_t)round;
			gate_pass(gate);
			wrong += atomic_exchange(&board[CROWD], 0) != 1;
			route_settle(r, mine, ROUTE_AWAKE, &answer);
		} else {
			gate_pass(gate);
		}
		gate_pass(gate);
		wrong += route_load(r, &answer).phase != ROUTE_AWAKE;
		wrong += answer.generation != (uint64_t)round;
		gate_pass(gate);
	}
	return wrong;
}

TEST(a_claim_has_one_winner)
{
	assert_int_equal(crowd_run(claim_together), 0);
}

TEST(a_state_that_has_moved_on_cannot_be_moved_from)
{
	Route *r = route_enter(sh, "frog", 0);
	RouteState old = route_state(r);

	assert_true(route_move(r, old, ROUTE_WAKING, 9));
	assert_false(route_move(r, old, ROUTE_WAKING, 9));
	assert_true(route_move(r, route_state(r), ROUTE_ASLEEP, 0));
	assert_int_equal(route_state(r).phase, old.phase);
	assert_false(route_move(r, old, ROUTE_WAKING, 9));
	assert_int_equal(route_state(r).turn, (old.turn + 2) & 0xffffff);
}

TEST(turns_begin_again_without_touching_the_phase)
{
	Route *r = route_enter(sh, "frog", 0);
	RouteState last = {.phase = ROUTE_AWAKE, .turn = (1u << ROUTE_TURN_BITS) - 1};

	atomic_store(&r->state,
		     (uint64_t)last.phase << (32 + ROUTE_TURN_BITS) | (uint64_t)last.turn << 32);
	assert_int_equal(route_next_turn(last), 0);
	assert_true(route_move(r, last, ROUTE_WAKING, 5));
	assert_int_equal(route_state(r).phase, ROUTE_WAKING);
	assert_int_equal(route_state(r).turn, 0);
	assert_int_equal(route_state(r).claimer, 5);
}

/* The supervisor took the claim back: whoever it was is thought dead, and says no more. */
TEST(a_claim_that_was_taken_back_settles_nothing)
{
	Route *r = route_enter(sh, "frog", 0);
	RouteAnswer answer = {.name = "frog", .address = "/sock"};
	RouteState mine;

	route_move(r, route_state(r), ROUTE_WAKING, 5);
	mine = route_state(r);
	route_move(r, mine, ROUTE_ASLEEP, 0);
	route_settle(r, mine, ROUTE_AWAKE, &answer);
	assert_int_equal(route_state(r).phase, ROUTE_ASLEEP);
}

TEST(a_half_written_answer_tells_nothing)
{
	Route *r = route_enter(sh, "frog", 0);
	RouteAnswer answer = {.address = "old"};

	atomic_fetch_add(&r->answer.turn, 1);
	route_load(r, &answer);
	assert_string_equal(answer.address, "");
	assert_int_equal(answer.depth, DEPTH_NONE);
}

TEST(the_latest_deadline_counts)
{
	Route *r = route_enter(sh, "frog", 0);

	route_want_until(r, 200);
	route_want_until(r, 100);
	assert_int_equal(atomic_load(&r->wanted_until_ms), 200);
	route_want_until(r, 300);
	assert_int_equal(atomic_load(&r->wanted_until_ms), 300);
}

TEST(what_to_do_follows_from_what_is_known)
{
	static const struct {
		RoutePhase phase;
		int64_t age_ms;
		bool ours, in_use, have_waited;
		RouteVerdict verdict;
	} table[] = {
		{ROUTE_ASLEEP, 0, true, false, false, ROUTE_CLAIM},
		{ROUTE_ASLEEP, 0, true, false, true, ROUTE_CLAIM},
		{ROUTE_WAKING, 0, true, false, false, ROUTE_WAIT},
		{ROUTE_WAKING, 0, true, true, true, ROUTE_WAIT},
		/* an address is believed while it is fresh, in use, or waited for */
		{ROUTE_AWAKE, 0, true, false, false, ROUTE_USE},
		{ROUTE_AWAKE, 9999, true, false, false, ROUTE_USE},
		{ROUTE_AWAKE, 10000, true, false, false, ROUTE_CLAIM},
		{ROUTE_AWAKE, 10000, true, true, false, ROUTE_USE},
		{ROUTE_AWAKE, 10000, true, false, true, ROUTE_USE},
		/* a failure is believed for a short time, and by who waited for it */
		{ROUTE_FAILED, 0, true, false, false, ROUTE_REFUSE},
		{ROUTE_FAILED, 999, true, false, false, ROUTE_REFUSE},
		{ROUTE_FAILED, 1000, true, false, false, ROUTE_CLAIM},
		{ROUTE_FAILED, 1000, true, false, true, ROUTE_REFUSE},
		{ROUTE_FAILED, 1000, true, true, false, ROUTE_CLAIM},
		/* what is known of another compute, whose row it was, is nothing */
		{ROUTE_ASLEEP, 0, false, false, false, ROUTE_CLAIM},
		{ROUTE_WAKING, 0, false, false, false, ROUTE_WAIT},
		{ROUTE_AWAKE, 0, false, true, true, ROUTE_CLAIM},
		{ROUTE_FAILED, 0, false, false, true, ROUTE_CLAIM},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		RouteView view = {.state = {.phase = table[i].phase},
				  .answer = {.learnt_ms = 50000},
				  .ours = table[i].ours,
				  .in_use = table[i].in_use,
				  .have_waited = table[i].have_waited,
				  .now_ms = 50000 + table[i].age_ms,
				  .ttl_ms = 10000,
				  .negative_ttl_ms = 1000};

		if (route_verdict(&view) != table[i].verdict)
			fail_msg("row %zu of the table", i);
	}
}

TEST(a_frozen_compute_is_woken_however_good_its_address)
{
	for (int facts = 0; facts < 4; facts++) {
		RouteView view = {.state = {.phase = ROUTE_AWAKE},
				  .ours = true,
				  .frozen = true,
				  .in_use = facts & 1,
				  .have_waited = facts & 2,
				  .ttl_ms = 10000};

		assert_int_equal(route_verdict(&view), ROUTE_CLAIM);
		view.state.phase = ROUTE_WAKING;
		assert_int_equal(route_verdict(&view), ROUTE_WAIT);
	}
}

TEST(without_a_cache_every_address_is_asked_for)
{
	RouteView view = {.state = {.phase = ROUTE_AWAKE},
			  .answer = {.learnt_ms = 5},
			  .ours = true,
			  .now_ms = 5};

	assert_int_equal(route_verdict(&view), ROUTE_CLAIM);
	view.have_waited = true;
	assert_int_equal(route_verdict(&view), ROUTE_USE);
}

TEST(the_bucket_gives_a_burst_and_then_a_rate)
{
	Route *r = route_enter(sh, "frog", 0);
	int64_t now = 1000000;

	for (int i = 0; i < 20; i++)
		assert_int_equal(route_take_wake(r, now, 10, 20), 0);
	assert_int_equal(route_take_wake(r, now, 10, 20), 100000);
	assert_int_equal(route_take_wake(r, now + 40000, 10, 20), 60000);
	assert_int_equal(route_take_wake(r, now + 100000, 10, 20), 0);
	assert_int_equal(route_take_wake(r, now + 100000, 10, 20), 100000);
}

TEST(a_bucket_is_full_again_after_a_rest)
{
	Route *r = route_enter(sh, "frog", 0);

	for (int burst = 0; burst < 3; burst++) {
		int64_t now = 1000000 + burst * 10000000;

		for (int i = 0; i < 5; i++)
			assert_int_equal(route_take_wake(r, now, 1, 5), 0);
		assert_true(route_take_wake(r, now, 1, 5) > 0);
	}
}

/* Whoever comes when the pause is over gets one. */
TEST(the_pause_that_was_told_is_enough)
{
	Route *r = route_enter(sh, "frog", 0);
	int64_t now = 77;

	for (int i = 0; i < 1000; i++) {
		int64_t pause = route_take_wake(r, now, 7, 3);

		now += pause;
		assert_true(pause == 0 || route_take_wake(r, now, 7, 3) == 0);
	}
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(a_name_has_one_row_for_everybody),
		TABLE_TEST(who_left_finds_the_row_as_it_was),
		TABLE_TEST(a_full_table_turns_names_away_and_no_row_serves_two),
		TABLE_TEST(a_row_with_sessions_is_not_given_away),
		TABLE_TEST(a_row_that_is_waking_is_not_given_away),
		TABLE_TEST(a_row_that_nobody_uses_goes_to_who_comes),
		TABLE_TEST(who_asks_for_a_name_at_the_same_time_gets_the_same_row),
		TABLE_TEST(nobody_is_ever_sent_to_anothers_compute),
		TABLE_TEST(a_claim_has_one_winner),
		TABLE_TEST(a_state_that_has_moved_on_cannot_be_moved_from),
		TABLE_TEST(turns_begin_again_without_touching_the_phase),
		TABLE_TEST(a_claim_that_was_taken_back_settles_nothing),
		TABLE_TEST(a_half_written_answer_tells_nothing),
		TABLE_TEST(the_latest_deadline_counts),
		cmocka_unit_test(what_to_do_follows_from_what_is_known),
		cmocka_unit_test(a_frozen_compute_is_woken_however_good_its_address),
		cmocka_unit_test(without_a_cache_every_address_is_asked_for),
		TABLE_TEST(the_bucket_gives_a_burst_and_then_a_rate),
		TABLE_TEST(a_bucket_is_full_again_after_a_rest),
		TABLE_TEST(the_pause_that_was_told_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
