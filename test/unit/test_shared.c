/* What the processes share, and how the supervisor frees what a dead worker held. */
#include "crowd.h"

#include "model/shared.h"

#define SLOTS 16

static Shared *sh;
static Claimer dead, alive, reborn;

static int make_table(void **state)
{
	static const uint8_t key[16] = {0};

	(void)state;
	sh = crowd_memory(shared_size(SLOTS));
	shared_init(sh, 2, SLOTS, key, "token");
	dead = claimer_make(0, 1);
	alive = claimer_make(1, 1);
	reborn = claimer_make(0, 2);
	return 0;
}

static int drop_table(void **state)
{
	(void)state;
	munmap(sh, shared_size(SLOTS));
	return 0;
}

TEST(a_claimer_is_a_worker_in_one_of_its_lives)
{
	for (int worker = 0; worker < WORKERS_MAX; worker++) {
		assert_int_not_equal(claimer_make(worker, 0), 0);
		assert_int_equal(claimer_worker(claimer_make(worker, 0)), worker);
		assert_int_equal(claimer_worker(claimer_make(worker, 1000000)), worker);
	}
	assert_int_not_equal(dead, alive);
	assert_int_not_equal(dead, reborn);
}

TEST(a_mapping_tells_who_made_it)
{
	assert_true(shared_is_ours(sh));
	sh->layout++;
	assert_false(shared_is_ours(sh));
	sh->layout--;
	sh->magic = 0;
	assert_false(shared_is_ours(sh));
}

TEST(the_limit_begins_as_the_number_of_slots)
{
	assert_int_equal(atomic_load(&sh->max_clients), SLOTS);
	assert_string_equal(sh->proxy_token, "token");
}

TEST(a_configuration_that_was_put_is_got)
{
	char *text;

	shared_put_conf(sh, "[reveille]\nworkers = 12\n", 24);
	shared_put_conf(sh, "short", 5);
	text = shared_get_conf(sh);
	assert_string_equal(text, "short");
	free(text);
	assert_int_equal(atomic_load(&sh->conf_turn) % 2, 0);
}

TEST(the_slots_of_the_dead_are_freed_and_no_others)
{
	uint32_t hint = 0;
	SlotInfo info = {.compute_pid = 5, .compute = "frog"};

	for (int i = 0; i < 9; i++)
		slot_claim(sh, i % 3 == 0 ? dead : i % 3 == 1 ? alive : reborn, &hint);
	for (int i = 0; i < 9; i++)
		ROW_STORE(&sh->slots[i], &info);
	shared_release(sh, dead);
	for (int i = 0; i < 9; i++) {
		assert_true(ROW_LOAD(&sh->slots[i], &info));
		assert_int_equal(info.compute_pid, i % 3 == 0 ? 0 : 5);
		assert_int_equal(atomic_load(&sh->heads[i].owner), i % 3 == 0   ? 0
								   : i % 3 == 1 ? alive
										: reborn);
	}
}

/* It may have been killed in the middle of writing its row. */
TEST(a_slot_whose_owner_died_writing_can_be_used_again)
{
	uint32_t hint = 0, slot = slot_claim(sh, dead, &hint);
	SlotInfo info = {.compute_pid = 5};

	ROW_STORE(&sh->slots[slot], &info);
	atomic_fetch_add(&sh->slots[slot].turn, 1);
	assert_false(ROW_LOAD(&sh->slots[slot], &info));
	shared_release(sh, dead);
	assert_true(ROW_LOAD(&sh->slots[slot], &info));
	assert_int_equal(info.compute_pid, 0);
}

TEST(a_cancel_of_the_dead_holds_nobody_up)
{
	uint32_t hint = 0;

	slot_claim(sh, alive, &hint);
	slot_claim(sh, alive, &hint);
	atomic_store(&sh->heads[0].canceller, dead);
	atomic_store(&sh->heads[1].canceller, alive);
	shared_release(sh, dead);
	assert_int_equal(atomic_load(&sh->heads[0].canceller), 0);
	assert_int_equal(atomic_load(&sh->heads[1].canceller), alive);
	assert_int_equal(atomic_load(&sh->heads[0].owner), alive);
}

/* The session ended before the cancel did; the next in this slot must not wait for it. */
TEST(a_cancel_of_the_dead_is_lifted_from_a_free_slot_too)
{
	atomic_store(&sh->heads[3].canceller, dead);
	shared_release(sh, dead);
	assert_int_equal(atomic_load(&sh->heads[3].canceller), 0);
}

TEST(a_wake_of_the_dead_can_be_claimed_anew)
{
	Route *his = route_enter(sh, "his", 0), *other = route_enter(sh, "other", 1);

	assert_true(route_move(his, route_state(his), ROUTE_WAKING, dead));
	assert_true(route_move(other, route_state(other), ROUTE_WAKING, alive));
	assert_true(shared_release(sh, dead));
	assert_int_equal(route_state(his).phase, ROUTE_ASLEEP);
	assert_int_equal(route_state(other).phase, ROUTE_WAKING);
	assert_int_equal(route_state(other).claimer, alive);
}

TEST(a_wake_of_the_next_life_is_not_touched)
{
	Route *r = route_enter(sh, "frog", 0);

	assert_true(route_move(r, route_state(r), ROUTE_WAKING, reborn));
	assert_false(shared_release(sh, dead));
	assert_int_equal(route_state(r).claimer, reborn);
}

TEST(the_dead_neither_wait_nor_are_connected)
{
	Route *r = route_enter(sh, "frog", 0);

	route_enter(sh, "frog", 0);
	route_enter(sh, "frog", 1);
	route_session_begins(r, 0);
	route_session_begins(r, 1);
	assert_false(shared_release(sh, dead));
	assert_int_equal(route_waiting(r), 1);
	assert_int_equal(route_sessions(r), 1);
	assert_int_equal(atomic_load(&r->waiting[1]), 1);
	assert_int_equal(atomic_load(&r->sessions[1]), 1);
}

TEST(places_of_the_dead_are_free)
{
	bool full;

	assert_non_null(tally_take(sh, TALLY_DB_CLIENTS, "frog", 2, 0, &full));
	assert_non_null(tally_take(sh, TALLY_DB_CLIENTS, "frog", 2, 1, &full));
	shared_release(sh, dead);
	assert_non_null(tally_take(sh, TALLY_DB_CLIENTS, "frog", 2, 1, &full));
	assert_null(tally_take(sh, TALLY_DB_CLIENTS, "frog", 2, 1, &full));
}

TEST(totals_outlive_the_worker_and_gauges_do_not)
{
	WorkerCell *cell = &sh->workers[0], *other = &sh->workers[1];

	stat_add(&cell->stats.connections, 5);
	stat_add(&cell->stats.clients_active, 3);
	stat_add(&other->stats.clients_active, 2);
	histogram_add(&cell->stats.wake_time, 1000);
	atomic_store(&cell->sessions, 3);
	atomic_store(&cell->ready, 1);
	atomic_store(&cell->gated, 1);
	atomic_store(&other->sessions, 2);
	shared_release(sh, dead);
	assert_int_equal(stat_get(&cell->stats.connections), 5);
	assert_int_equal(stat_get(&cell->stats.wake_time.sum_us), 1000);
	assert_int_equal(stat_get(&cell->stats.clients_active), 0);
	assert_int_equal(stat_get(&other->stats.clients_active), 2);
	assert_int_equal(atomic_load(&cell->sessions), 0);
	assert_int_equal(atomic_load(&cell->ready), 0);
	assert_int_equal(atomic_load(&cell->gated), 0);
	assert_int_equal(atomic_load(&other->sessions), 2);
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(a_claimer_is_a_worker_in_one_of_its_lives),
		TABLE_TEST(a_mapping_tells_who_made_it),
		TABLE_TEST(the_limit_begins_as_the_number_of_slots),
		TABLE_TEST(a_configuration_that_was_put_is_got),
		TABLE_TEST(the_slots_of_the_dead_are_freed_and_no_others),
		TABLE_TEST(a_slot_whose_owner_died_writing_can_be_used_again),
		TABLE_TEST(a_cancel_of_the_dead_holds_nobody_up),
		TABLE_TEST(a_cancel_of_the_dead_is_lifted_from_a_free_slot_too),
		TABLE_TEST(a_wake_of_the_dead_can_be_claimed_anew),
		TABLE_TEST(a_wake_of_the_next_life_is_not_touched),
		TABLE_TEST(the_dead_neither_wait_nor_are_connected),
		TABLE_TEST(places_of_the_dead_are_free),
		TABLE_TEST(totals_outlive_the_worker_and_gauges_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
