/* How large a compute is to be. */
#include "unit.h"

#include "src/control/scale.h"

#define SECOND INT64_C(1000)
#define MB     (INT64_C(1) << 20)

static const ScalePolicy policy = SCALE_POLICY_DEFAULT;

static ScaleLimits limits(int size)
{
	return (ScaleLimits){.size = size,
			     .least = 250,
			     .most = 4000,
			     .memory_per_unit = 1000 * MB,
			     .connections = 100};
}

/* A compute whose load we choose; percentages are of its size. */
typedef struct World {
	ScaleHistory history;
	ScaleLimits limits;
	ScalePolicy policy;
	ScaleSample now;
} World;

static World world(int size)
{
	World w = {.limits = limits(size), .policy = policy};

	w.now = (ScaleSample){.at_ms = 1000 * SECOND, .cpu_waiting = -1, .memory_waiting = -1};
	scale_note(&w.history, &w.now, &w.limits, &w.policy);
	return w;
}

static void pass(World *w, int seconds, int cpu, int memory, int connections)
{
	for (int i = 0; i < seconds; i += 5) {
		w->now.at_ms += 5 * SECOND;
		w->now.cpu_us += 5 * SECOND * w->limits.size * cpu / 100;
		w->now.memory = w->limits.memory_per_unit / 1000 * w->limits.size * memory / 100;
		w->now.connections = w->limits.connections * connections / 100;
		scale_note(&w->history, &w->now, &w->limits, &w->policy);
	}
}

static ScaleDecision decide(const World *w)
{
	return scale_decide(&w->history, &w->limits, &w->policy, w->now.at_ms);
}

static void expect(const World *w, int size, const char *reason)
{
	ScaleDecision d = decide(w);

	assert_contains(d.reason, reason);
	assert_int_equal(d.size, size);
}

/* The mission's thresholds: each alone lets it grow, only all together let it shrink. */
TEST(thresholds_are_those_that_were_promised)
{
	const struct {
		int seconds, cpu, memory, connections, size;
		const char *reason;
	} rows[] = {
		{15, 81, 0, 0, 2000, "cpu 81 % of 1 over 15 s, more than 80 %"},
		{15, 80, 0, 0, 1000, "it has what it needs"},
		{15, 0, 81, 0, 2000, "memory 81 % of 1000 MB over 15 s, more than 80 %"},
		{15, 0, 80, 0, 1000, "it has what it needs"},
		{15, 0, 0, 91, 2000, "connections 91 % of 100 over 15 s, more than 90 %"},
		{15, 0, 0, 90, 1000, "it has what it needs"},
		{10, 99, 99, 99, 1000, "it has what it needs"}, /* too short to say */
		{300, 19, 19, 9, 500,
		 "cpu at most 19 %, memory 19 % and connections 9 % for 300 s"},
		{295, 0, 0, 0, 1000, "it has what it needs"},
		{600, 20, 0, 0, 1000, "it has what it needs"},
		{600, 0, 20, 0, 1000, "it has what it needs"},
		{600, 0, 0, 10, 1000, "it has what it needs"},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		World w = world(1000);

		pass(&w, rows[i].seconds, rows[i].cpu, rows[i].memory, rows[i].connections);
		expect(&w, rows[i].size, rows[i].reason);
	}
}

TEST(a_peak_is_no_load_and_ends_the_calm)
{
	World w = world(1000);

	pass(&w, 10, 0, 5, 0);
	pass(&w, 5, 100, 5, 0);
	expect(&w, 1000, "it has what it needs"); /* 33 % over 15 s */
	pass(&w, 295, 3, 5, 0);
	expect(&w, 1000, "it has what it needs");
	pass(&w, 5, 3, 5, 0);
	expect(&w, 500, "cpu at most 3 %, memory 5 %");
}

TEST(who_waits_needs_no_mean)
{
	World w = world(1000);

	w.now.cpu_waiting = 41;
	pass(&w, 15, 50, 0, 0);
	expect(&w, 2000, "processes waited for cpu 41 % of the time, more than 40 %");
	w.now.cpu_waiting = 40;
	w.now.memory_waiting = 11;
	pass(&w, 5, 50, 0, 0);
	expect(&w, 2000, "processes waited for memory 11 % of the time");
}

TEST(sizes_are_steps_of_a_ladder_between_least_and_most)
{
	const struct {
		int size, least, most, up, down;
	} rows[] = {
		{250, 250, 4000, 500, 250},    {500, 250, 4000, 1000, 250},
		{300, 300, 700, 500, 300},     {500, 300, 700, 700, 300},
		{700, 300, 700, 700, 500},     {3000, 250, 4000, 4000, 2000},
		{4000, 250, 4000, 4000, 2000}, {100, 100, 100, 100, 100},
		{100, 100, 1000, 250, 100},    {250, 100, 1000, 500, 100},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		World busy = world(rows[i].size), calm = world(rows[i].size);

		busy.limits.least = calm.limits.least = rows[i].least;
		busy.limits.most = calm.limits.most = rows[i].most;
		pass(&busy, 30, 100, 0, 0);
		assert_int_equal(decide(&busy).size, rows[i].up);
		pass(&calm, 300, 0, 0, 0);
		assert_int_equal(decide(&calm).size, rows[i].down);
	}
}

TEST(new_bounds_hold_at_once)
{
	World w = world(1000);

	w.limits.most = 500;
	expect(&w, 500, "its project allows 0.25 to 0.5");
	w.limits.least = 2000;
	w.limits.most = 4000;
	expect(&w, 2000, "its project allows 2 to 4");
	w.policy.on = false;
	expect(&w, 1000, "it is not to be scaled");
}

TEST(a_machine_has_only_so_much)
{
	World w = world(1000);

	w.limits.capacity = 4000;
	w.limits.others = 2000;
	pass(&w, 15, 100, 0, 0);
	expect(&w, 2000, "cpu 100 % of 1");
	w.limits.others = 2500;
	expect(&w, 1500, "2 would be right, but this machine has room for 1.5");
	w.limits.others = 3000;
	expect(&w, 1000, "no room for more: others have 3 of 4");
	w.limits.others = 9000;
	expect(&w, 1000, "no room for more");
	w.limits.size = 4000;
	w.limits.others = 0;
	pass(&w, 15, 100, 0, 0);
	expect(&w, 4000, "it is as large as it may be");
}

TEST(after_a_change_it_rests)
{
	World w = world(1000);

	scale_changed(&w.history, w.now.at_ms);
	pass(&w, 20, 100, 0, 0);
	w.policy.up_pause_ms = 60 * SECOND;
	expect(&w, 1000, "cpu 100 % of 1 over 15 s, more than 80 %; it has just been changed");
	pass(&w, 40, 100, 0, 0);
	expect(&w, 2000, "cpu 100 %");
	w.policy.down_pause_ms = 600 * SECOND;
	pass(&w, 350, 0, 0, 0);
	expect(&w, 1000, "it has just been changed");
	pass(&w, 200, 0, 0, 0);
	expect(&w, 500, "cpu at most 0 %");
}

TEST(it_never_becomes_too_small_for_what_it_holds)
{
	World w = world(1000);

	w.policy.memory_down = 60;
	pass(&w, 300, 0, 45, 0);
	expect(&w, 1000, "what it holds would not fit into 0.5");
	w = world(1000);
	w.limits.connections = 1000; /* 90 of them, 8 MB each, need more than 80 % of 500 MB */
	pass(&w, 300, 0, 10, 9);
	expect(&w, 1000, "what it holds would not fit into 0.5");
	pass(&w, 300, 0, 10, 4);
	expect(&w, 500, "connections 9 %");
}

TEST(a_new_incarnation_begins_a_new_history)
{
	World w = world(1000);

	pass(&w, 295, 0, 0, 0);
	w.now.cpu_us = 0;
	pass(&w, 5, 0, 0, 0); /* nothing went back: it was 0 all along */
	expect(&w, 500, "for 300 s");
	w = world(1000);
	pass(&w, 300, 10, 0, 0);
	w.now.cpu_us = 0;
	pass(&w, 5, 0, 0, 0);
	expect(&w, 1000, "it has what it needs");
	pass(&w, 300, 10, 0, 0);
	expect(&w, 500, "cpu at most 10 %");
}

TEST(silence_is_not_calm)
{
	World w = world(1000);

	pass(&w, 200, 0, 0, 0);
	w.now.at_ms += 100 * SECOND; /* frozen, or nobody looked */
	expect(&w, 1000, "nothing is known of its load");
	pass(&w, 5, 0, 0, 0);
	expect(&w, 1000, "it has what it needs");
}

TEST(the_window_is_as_long_as_it_says_however_often_it_is_looked)
{
	World w = world(1000);

	w.policy.up_window_ms = 60 * SECOND;
	for (int i = 0; i < 1200; i++) {
		w.now.at_ms += 100;
		w.now.cpu_us += 95 * SECOND;
		scale_note(&w.history, &w.now, &w.limits, &w.policy);
	}
	expect(&w, 2000, "cpu 95 % of 1 over 6");
}

/*
 * A month of a shop: at night 0.1 CPU is wanted, by day 0.7, for an hour at noon 3.5.
 * What a size does not give is not used.
 */
static int wanted_at(int64_t ms)
{
	int hour = (int)(ms / (3600 * SECOND) % 24);

	return hour == 12 ? 3500 : hour >= 8 && hour < 20 ? 700 : 30;
}

TEST(a_month_of_days_and_nights_is_followed_without_flapping)
{
	World w = world(250);
	int64_t begin = w.now.at_ms - w.now.at_ms % (86400 * SECOND), size_ms = 0;
	int64_t end = begin + 30 * 86400 * SECOND;
	int changes = 0, largest = 0, hungry = 0;

	while (w.now.at_ms < end) {
		int wanted = wanted_at(w.now.at_ms), size = w.limits.size;
		int cpu = (wanted < size ? wanted : size) * 100 / size, next;

		pass(&w, 5, cpu, 10, 5);
		size_ms += 5 * SECOND * size;
		hungry += wanted > size;
		next = decide(&w).size;
		if (next != size) {
			changes++;
			w.limits.size = next;
			scale_changed(&w.history, w.now.at_ms);
		}
		if (next > largest)
			largest = next;
	}
	assert_int_equal(largest, 4000);
	assert_int_equal(w.limits.size, 250);
	assert_in_range(changes, 30 * 6, 30 * 10);
	assert_true(hungry * 5 < 30 * 120);          /* less than two minutes a day */
	assert_true(size_ms < (end - begin) * 1100); /* where 4 CPU are needed at noon */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_are_those_that_were_promised),
		cmocka_unit_test(a_peak_is_no_load_and_ends_the_calm),
		cmocka_unit_test(who_waits_needs_no_mean),
		cmocka_unit_test(sizes_are_steps_of_a_ladder_between_least_and_most),
		cmocka_unit_test(new_bounds_hold_at_once),
		cmocka_unit_test(a_machine_has_only_so_much),
		cmocka_unit_test(after_a_change_it_rests),
		cmocka_unit_test(it_never_becomes_too_small_for_what_it_holds),
		cmocka_unit_test(a_new_incarnation_begins_a_new_history),
		cmocka_unit_test(silence_is_not_calm),
		cmocka_unit_test(the_window_is_as_long_as_it_says_however_often_it_is_looked),
		cmocka_unit_test(a_month_of_days_and_nights_is_followed_without_flapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
