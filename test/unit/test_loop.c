/* One loop per process: timers, descriptors, signals, and burial. */
#include "unit.h"

#include <signal.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/loop.h"

static Loop *loop;
static char story[100]; /* what happened, a letter each */
static Timer timers[3];
static ReadWatch watch;
static SignalWatch signals;
static int pipes[2];

static int make_loop(void **state)
{
	(void)state;
	loop = loop_new();
	memset(story, 0, sizeof(story));
	return pipe(pipes);
}

static int drop_loop(void **state)
{
	(void)state;
	loop_free(loop);
	close(pipes[0]);
	close(pipes[1]);
	return 0;
}

static void tell(char what)
{
	size_t n = strlen(story);

	assert_true(n < sizeof(story) - 1);
	story[n] = what;
}

static void tell_a(void *arg)
{
	(void)arg;
	tell('a');
}

static void tell_b(void *arg)
{
	(void)arg;
	tell('b');
}

static void stop(void *arg)
{
	(void)arg;
	tell('.');
	loop_stop(loop);
}

static void arm(int i, void (*on_time)(void *arg), int64_t ms)
{
	timer_init(&timers[i], loop, on_time, NULL);
	timer_arm(&timers[i], ms);
}

TEST(timers_run_in_their_order)
{
	arm(0, tell_b, 10);
	arm(1, tell_a, 1);
	arm(2, stop, 20);
	loop_run(loop);
	assert_string_equal(story, "ab.");
}

TEST(a_timer_runs_once_and_not_too_early)
{
	int64_t before = clock_us();

	arm(0, tell_a, 5);
	arm(1, stop, 30);
	assert_true(timer_is_armed(&timers[0]));
	loop_run(loop);
	assert_string_equal(story, "a.");
	assert_false(timer_is_armed(&timers[0]));
	assert_true(clock_us() - before >= 29000);
}

TEST(a_stopped_timer_never_runs)
{
	arm(0, tell_a, 0);
	arm(1, stop, 5);
	timer_stop(&timers[0]);
	timer_stop(&timers[0]);
	assert_false(timer_is_armed(&timers[0]));
	loop_run(loop);
	assert_string_equal(story, ".");
}

TEST(arming_again_replaces_what_was_armed)
{
	arm(0, stop, 5);
	arm(1, tell_a, 60000);
	timer_arm(&timers[1], 1);
	timer_arm(&timers[0], 10);
	loop_run(loop);
	assert_string_equal(story, "a.");
}

static void on_readable(void *arg)
{
	char c;

	(void)arg;
	assert_int_equal(read(pipes[0], &c, 1), 1);
	tell(c);
	if (c == 'z')
		loop_stop(loop);
}

TEST(a_descriptor_calls_back_as_long_as_there_is_something)
{
	read_watch_init(&watch, loop, pipes[0], on_readable, NULL);
	read_watch_start(&watch);
	read_watch_start(&watch);
	assert_int_equal(write(pipes[1], "xyz", 3), 3);
	loop_run(loop);
	assert_string_equal(story, "xyz");
	read_watch_stop(&watch);
	read_watch_stop(&watch);
}

TEST(a_stopped_watch_hears_nothing)
{
	read_watch_init(&watch, loop, pipes[0], on_readable, NULL);
	read_watch_start(&watch);
	read_watch_stop(&watch);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	arm(0, stop, 5);
	loop_run(loop);
	assert_string_equal(story, ".");
}

static void bury_it(void *object)
{
	(void)object;
	tell('+');
}

static void on_last_use(void *arg)
{
	tell('u');
	loop_bury(loop, arg, bury_it);
}

static void on_later_use(void *arg)
{
	(void)arg;
	tell('v');
	loop_stop(loop);
}

/* Both timers are due in the same turn; what the first buries the second may still look at. */
TEST(what_is_buried_lives_to_the_end_of_the_turn)
{
	arm(0, on_last_use, 0);
	arm(1, tell_a, 0);
	arm(2, stop, 10);
	loop_run(loop);
	assert_string_equal(story, "ua+.");
}

TEST(a_loop_that_stops_buries_its_dead)
{
	arm(0, on_last_use, 0);
	arm(1, on_later_use, 0);
	loop_run(loop);
	assert_contains(story, "uv");
	loop_free(loop);
	assert_string_equal(story, "uv+");
	loop = loop_new();
}

static void bury_another(void *object)
{
	tell('1');
	loop_bury(loop, object, bury_it);
}

TEST(the_dead_may_bury_their_dead)
{
	loop_bury(loop, NULL, bury_another);
	loop_bury(loop, NULL, bury_it);
	arm(0, stop, 5);
	loop_run(loop);
	assert_int_equal(strlen(story), 4);
	assert_contains(story, "1");
	assert_contains(story, "+.");
}

static void on_signal(void *arg, int number)
{
	(void)arg;
	assert_int_equal(number, SIGUSR1);
	tell('s');
	loop_stop(loop);
}

/* Who is born with signals blocked loses none of them. */
TEST(a_signal_that_came_before_the_loop_is_heard_in_it)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_watch_start(&signals, loop, SIGUSR1, on_signal, NULL);
	raise(SIGUSR1);
	assert_string_equal(story, "");
	loop_run(loop);
	assert_string_equal(story, "s");
	signal_watch_stop(&signals);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, drop_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(timers_run_in_their_order),
		LOOP_TEST(a_timer_runs_once_and_not_too_early),
		LOOP_TEST(a_stopped_timer_never_runs),
		LOOP_TEST(arming_again_replaces_what_was_armed),
		LOOP_TEST(a_descriptor_calls_back_as_long_as_there_is_something),
		LOOP_TEST(a_stopped_watch_hears_nothing),
		LOOP_TEST(what_is_buried_lives_to_the_end_of_the_turn),
		LOOP_TEST(a_loop_that_stops_buries_its_dead),
		LOOP_TEST(the_dead_may_bury_their_dead),
		LOOP_TEST(a_signal_that_came_before_the_loop_is_heard_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
