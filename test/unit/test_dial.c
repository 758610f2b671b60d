/* Connecting to one address, within a time. */
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/dial.h"

static Loop *loop;
static Dial dial;
static Timer guard;
static Address here; /* of a listening socket */
static int listener;
static int calls, got_fd, got_error;

static void on_dialled(void *arg, int fd, int error)
{
	(void)arg;
	calls++;
	got_fd = fd;
	got_error = error;
	loop_stop(loop);
}

static void on_guard(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static int make_listener(void **state)
{
	(void)state;
	loop = loop_new();
	calls = 0;
	got_fd = -1;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	address_of_literal(&here, "127.0.0.1", 0);
	if (bind(listener, &here.at.any, here.size) || listen(listener, 1) ||
	    getsockname(listener, &here.at.any, &here.size))
		return -1;
	dial_init(&dial, loop, on_dialled, NULL);
	return 0;
}

static int drop_listener(void **state)
{
	(void)state;
	dial_stop(&dial);
	loop_free(loop);
	if (listener != -1)
		close(listener);
	if (got_fd != -1)
		close(got_fd);
	return 0;
}

TEST(who_is_there_is_connected_to)
{
	dial_start(&dial, &here, 5000);
	assert_int_equal(calls, 0);
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got_error, 0);
	assert_int_equal(send(got_fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(dial.fd, -1);
}

TEST(a_port_that_nobody_listens_on_refuses)
{
	close(listener);
	listener = -1;
	dial_start(&dial, &here, 5000);
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got_error, ECONNREFUSED);
	assert_int_equal(got_fd, -1);
}

/* connect() itself fails; who dialled hears of it later all the same. */
TEST(a_failure_at_once_is_told_later)
{
	Address nowhere;

	address_of_literal(&nowhere, "/nonexistent/socket", 0);
	dial_start(&dial, &nowhere, 5000);
	assert_int_equal(calls, 0);
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got_error, ENOENT);
}

TEST(one_dial_may_follow_another)
{
	Address nowhere;

	address_of_literal(&nowhere, "/nonexistent/socket", 0);
	dial_start(&dial, &nowhere, 5000);
	loop_run(loop);
	dial_start(&dial, &here, 5000);
	loop_run(loop);
	assert_int_equal(calls, 2);
	assert_int_equal(got_error, 0);
	assert_true(got_fd != -1);
}

TEST(who_gives_up_hears_nothing)
{
	dial_start(&dial, &here, 5000);
	dial_stop(&dial);
	dial_stop(&dial);
	timer_init(&guard, loop, on_guard, NULL);
	timer_arm(&guard, 10);
	loop_run(loop);
	assert_int_equal(calls, 0);
	assert_int_equal(dial.fd, -1);
}

/* A queue that is full: the kernel leaves the next SYN unanswered. */
TEST(who_does_not_answer_is_given_up)
{
	int64_t before = clock_ms();
	int full[3];

	for (size_t i = 0; i < N_OF(full); i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(full[i], &here.at.any, here.size);
	}
	dial_start(&dial, &here, 50);
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got_error, ETIMEDOUT);
	assert_true(clock_ms() - before >= 49);
	assert_int_equal(got_fd, -1);
	for (size_t i = 0; i < N_OF(full); i++)
		close(full[i]);
}

#define DIAL_TEST(name) cmocka_unit_test_setup_teardown(name, make_listener, drop_listener)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIAL_TEST(who_is_there_is_connected_to),
		DIAL_TEST(a_port_that_nobody_listens_on_refuses),
		DIAL_TEST(a_failure_at_once_is_told_later),
		DIAL_TEST(one_dial_may_follow_another),
		DIAL_TEST(who_gives_up_hears_nothing),
		DIAL_TEST(who_does_not_answer_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
