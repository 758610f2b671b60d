/* The life of a compute: what is done in which state, and which changes there may be. */
#include "unit.h"

#include "src/control/gate.h"
#include "src/control/lifecycle.h"

static Step next(ComputeState state, LifeFacts facts)
{
	return lifecycle_next(state, &facts);
}

TEST(a_state_on_the_way_is_itself_the_order)
{
	assert_int_equal(next(COMPUTE_CREATING, (LifeFacts){0}), STEP_CREATE);
	assert_int_equal(next(COMPUTE_RESUMING, (LifeFacts){0}), STEP_START);
	assert_int_equal(next(COMPUTE_DESTROYING, (LifeFacts){0}), STEP_DESTROY);
	assert_int_equal(next(COMPUTE_SUSPENDING, (LifeFacts){.runs = true}), STEP_DRAIN);
	assert_int_equal(next(COMPUTE_SUSPENDING, (LifeFacts){0}), STEP_THAW);
	assert_int_equal(next(COMPUTE_SUSPENDING, (LifeFacts){.drained = true}), STEP_STOP);
}

TEST(at_rest_nothing_is_done_unless_it_is_wished)
{
	assert_int_equal(next(COMPUTE_SUSPENDED, (LifeFacts){0}), STEP_NONE);
	assert_int_equal(next(COMPUTE_FAILED, (LifeFacts){0}), STEP_NONE);
	assert_int_equal(next(COMPUTE_ACTIVE, (LifeFacts){.observed = true, .runs = true}),
			 STEP_NONE);
	assert_int_equal(next(COMPUTE_SUSPENDED, (LifeFacts){.wanted = true}), STEP_RESUME);
	assert_int_equal(next(COMPUTE_FAILED, (LifeFacts){.wanted = true}), STEP_RESUME);
	assert_int_equal(
		next(COMPUTE_ACTIVE, (LifeFacts){.observed = true, .runs = true, .unwanted = true}),
		STEP_SUSPEND);
}

TEST(an_active_one_is_looked_for_before_it_is_believed)
{
	assert_int_equal(next(COMPUTE_ACTIVE, (LifeFacts){.unwanted = true, .wanted = true}),
			 STEP_OBSERVE);
}

TEST(a_wake_while_suspending_waits_for_the_end_of_it)
{
	assert_int_equal(next(COMPUTE_SUSPENDING, (LifeFacts){.wanted = true, .drained = true}),
			 STEP_STOP);
}

TEST(a_compute_can_be_deleted_in_every_state)
{
	const LifeFacts doomed = {.doomed = true, .wanted = true};

	for (int s = COMPUTE_CREATING; s < COMPUTE_DESTROYING; s++)
		assert_int_equal(next((ComputeState)s, doomed), STEP_DOOM);
	assert_int_equal(next(COMPUTE_DESTROYING, doomed), STEP_DESTROY);
	assert_int_equal(next(COMPUTE_GONE, doomed), STEP_NONE);
}

TEST(it_is_called_frozen_before_it_is_and_active_when_it_is)
{
	LifeFacts f = {.observed = true, .runs = true, .unneeded = true};

	assert_int_equal(next(COMPUTE_ACTIVE, f), STEP_CHILL);
	f.wanted = true;
	assert_int_equal(next(COMPUTE_ACTIVE, f), STEP_NONE);
	f = (LifeFacts){.observed = true, .runs = true};
	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_FREEZE);
	f.runs = false;
	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_NONE);
	f.wanted = f.unwanted = true;
	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_THAW);
	f.runs = true;
	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_WARM);
	f.wanted = false;
	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_SUSPEND);
	assert_int_equal(next(COMPUTE_FROZEN, (LifeFacts){.wanted = true}), STEP_OBSERVE);
	assert_int_equal(next(COMPUTE_ACTIVE, (LifeFacts){.observed = true}), STEP_THAW);
}

TEST(another_size_is_metered_first_and_then_told_to_its_server)
{
	LifeFacts f = {.observed = true, .runs = true, .resized = true, .untold = true};

	assert_int_equal(next(COMPUTE_ACTIVE, f), STEP_SCALE);
	f.resized = false;
	assert_int_equal(next(COMPUTE_ACTIVE, f), STEP_RESIZE);
	f.unneeded = true;
	assert_int_equal(next(COMPUTE_ACTIVE, f), STEP_RESIZE);
	f.unwanted = true;
	assert_int_equal(next(COMPUTE_ACTIVE, f), STEP_SUSPEND);
	assert_int_equal(next(COMPUTE_SUSPENDED, (LifeFacts){.resized = true, .wanted = true}),
			 STEP_SCALE);
	assert_int_equal(next(COMPUTE_SUSPENDED, (LifeFacts){.untold = true}), STEP_NONE);
}

TEST(a_frozen_one_hears_of_its_size_when_it_is_thawed)
{
	LifeFacts f = {.observed = true, .resized = true, .untold = true};

	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_SCALE);
	f.resized = false;
	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_NONE);
	f.wanted = f.resized = true;
	assert_int_equal(next(COMPUTE_FROZEN, f), STEP_THAW);
}

TEST(what_is_active_is_metered_and_what_is_frozen_recorded)
{
	for (int s = 0; s < COMPUTE_STATES; s++)
		assert_int_equal(lifecycle_interval((ComputeState)s),
				 s == COMPUTE_ACTIVE   ? INTERVAL_ACTIVE
				 : s == COMPUTE_FROZEN ? INTERVAL_FROZEN
						       : INTERVAL_NONE);
}

TEST(nothing_becomes_active_but_what_was_resuming_or_frozen)
{
	for (int s = 0; s < COMPUTE_STATES; s++)
		assert_int_equal(lifecycle_allows((ComputeState)s, COMPUTE_ACTIVE),
				 s == COMPUTE_RESUMING || s == COMPUTE_FROZEN);
	assert_false(lifecycle_allows(COMPUTE_SUSPENDING, COMPUTE_RESUMING));
	assert_false(lifecycle_allows(COMPUTE_GONE, COMPUTE_CREATING));
}

TEST(states_have_names_that_can_be_read_back)
{
	for (int s = 0; s < COMPUTE_STATES; s++)
		assert_int_equal(compute_state_of_word(compute_state_word((ComputeState)s)), s);
	assert_int_equal(compute_state_of_word("asleep"), COMPUTE_STATES);
}

/* ---- the gate before the start ------------------------------------------ */

static char order[16];

static void on_turn(void *arg)
{
	strcat(order, arg);
}

TEST(starts_wait_their_turn_first_come_first_served)
{
	Ticket a = {0}, b = {0}, c = {0}, d = {0};
	Gate g;

	order[0] = 0;
	gate_init(&g, 1);
	assert_true(gate_enter(&g, &a, "t", on_turn, "a"));
	assert_true(gate_enter(&g, &a, "t", on_turn, "a"));
	assert_false(gate_enter(&g, &b, "t", on_turn, "b"));
	assert_false(gate_enter(&g, &c, "t", on_turn, "c"));
	assert_false(gate_enter(&g, &c, "t", on_turn, "c"));
	assert_false(gate_enter(&g, &d, "t", on_turn, "d"));
	gate_leave(&g, &a);
	assert_string_equal(order, "b");
	gate_leave(&g, &c); /* gives up while waiting */
	gate_leave(&g, &b);
	assert_string_equal(order, "bd");
	gate_leave(&g, &d);
	gate_leave(&g, &d);
	assert_int_equal(g.used, 0);
}

TEST(one_tenants_crowd_does_not_hold_up_another)
{
	Ticket a[4] = {0}, b = {0};
	Gate g;

	order[0] = 0;
	gate_init(&g, 2);
	for (int i = 0; i < 4; i++)
		gate_enter(&g, &a[i], "crowd", on_turn, "a");
	gate_enter(&g, &b, "other", on_turn, "b");
	gate_leave(&g, &a[0]);
	assert_string_equal(order, "b");
	gate_leave(&g, &a[1]);
	assert_string_equal(order, "ba");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_on_the_way_is_itself_the_order),
		cmocka_unit_test(at_rest_nothing_is_done_unless_it_is_wished),
		cmocka_unit_test(an_active_one_is_looked_for_before_it_is_believed),
		cmocka_unit_test(a_wake_while_suspending_waits_for_the_end_of_it),
		cmocka_unit_test(a_compute_can_be_deleted_in_every_state),
		cmocka_unit_test(it_is_called_frozen_before_it_is_and_active_when_it_is),
		cmocka_unit_test(another_size_is_metered_first_and_then_told_to_its_server),
		cmocka_unit_test(a_frozen_one_hears_of_its_size_when_it_is_thawed),
		cmocka_unit_test(what_is_active_is_metered_and_what_is_frozen_recorded),
		cmocka_unit_test(nothing_becomes_active_but_what_was_resuming_or_frozen),
		cmocka_unit_test(states_have_names_that_can_be_read_back),
		cmocka_unit_test(starts_wait_their_turn_first_come_first_served),
		cmocka_unit_test(one_tenants_crowd_does_not_hold_up_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
