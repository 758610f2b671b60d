/* One connected socket on the loop: partial sends, the end, and a peer that is gone. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/stream.h"

#define LARGE (4 << 20)

static Loop *loop;
static Stream ours;
static int theirs;
static char story[100]; /* events, a letter each: r, d, b */
static size_t taken;    /* bytes that the peer has read */
static Timer pull;
static uint8_t large[LARGE], scrap[65536];

static void on_event(void *arg, StreamEvent what)
{
	size_t n = strlen(story);

	(void)arg;
	assert_true(n < sizeof(story) - 1);
	story[n] = "rdb"[what];
	loop_stop(loop);
}

static int make_stream(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		return -1;
	loop = loop_new();
	theirs = fds[1];
	taken = 0;
	memset(story, 0, sizeof(story));
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (uint8_t)(i * 2654435761u >> 24);
	stream_open(&ours, loop, fds[0], on_event, NULL);
	return 0;
}

static int drop_stream(void **state)
{
	(void)state;
	stream_close(&ours);
	stream_close(&ours);
	loop_free(loop);
	if (theirs != -1)
		close(theirs);
	return 0;
}

TEST(what_fits_is_sent_at_once)
{
	char got[10];

	assert_true(stream_send(&ours, BYTES("hello")));
	assert_int_equal(buf_size(&ours.out), 0);
	assert_false(ours.writing);
	assert_int_equal(read(theirs, got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
	assert_true(stream_send(&ours, (Span){large, 0}));
}

/* The peer reads a little whenever the loop has time, and compares. */
static void on_pull(void *arg)
{
	ssize_t n = read(theirs, scrap, sizeof(scrap));

	(void)arg;
	if (n > 0) {
		assert_memory_equal(scrap, large + taken, (size_t)n);
		taken += (size_t)n;
	}
	timer_arm(&pull, 0);
}

TEST(what_does_not_fit_is_kept_and_sent_later)
{
	assert_true(stream_send(&ours, (Span){large, LARGE / 2}));
	assert_true(buf_size(&ours.out) > 0);
	assert_true(stream_send(&ours, (Span){large + LARGE / 2, LARGE / 2}));
	timer_init(&pull, loop, on_pull, NULL);
	timer_arm(&pull, 0);
	loop_run(loop);
	assert_string_equal(story, "d");
	assert_int_equal(buf_size(&ours.out), 0);
	assert_null(ours.out.bytes);
	assert_false(ours.writing);
	while (taken < LARGE)
		on_pull(NULL);
	timer_stop(&pull);
	assert_int_equal(taken, LARGE);
}

TEST(nothing_is_read_until_asked_for)
{
	char got[10];

	assert_int_equal(write(theirs, "x", 1), 1);
	assert_int_equal(stream_recv(&ours, got, sizeof(got)), 1);
	assert_int_equal(stream_recv(&ours, got, sizeof(got)), STREAM_AGAIN);
	stream_read_on(&ours);
	stream_read_on(&ours);
	assert_int_equal(write(theirs, "yz", 2), 2);
	loop_run(loop);
	assert_string_equal(story, "r");
	loop_run(loop);
	assert_string_equal(story, "rr");
	assert_int_equal(stream_recv(&ours, got, 1), 1);
	loop_run(loop);
	assert_string_equal(story, "rrr");
	stream_read_off(&ours);
}

TEST(the_end_can_be_read)
{
	char got[10];

	stream_read_on(&ours);
	close(theirs);
	theirs = -1;
	loop_run(loop);
	assert_string_equal(story, "r");
	assert_int_equal(stream_recv(&ours, got, sizeof(got)), 0);
}

TEST(a_half_close_leaves_the_other_half)
{
	char got[10];

	assert_true(stream_send(&ours, BYTES("bye")));
	stream_end(&ours);
	assert_int_equal(read(theirs, got, sizeof(got)), 3);
	assert_int_equal(read(theirs, got, sizeof(got)), 0);
	assert_int_equal(write(theirs, "late", 4), 4);
	assert_int_equal(stream_recv(&ours, got, sizeof(got)), 4);
}

TEST(sending_to_who_is_gone_is_no_signal_and_fails)
{
	close(theirs);
	theirs = -1;
	assert_false(stream_send(&ours, BYTES("x")));
}

TEST(what_was_kept_for_who_left_is_broken)
{
	assert_true(stream_send(&ours, (Span){large, LARGE}));
	assert_true(buf_size(&ours.out) > 0);
	close(theirs);
	theirs = -1;
	loop_run(loop);
	assert_string_equal(story, "b");
	assert_false(ours.writing);
}

TEST(a_broken_connection_says_so_when_read)
{
	struct linger hard = {.l_onoff = 1};
	struct sockaddr_storage at = {.ss_family = AF_INET};
	socklen_t size = sizeof(struct sockaddr_in);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), peer;
	KeepAlive keep = {.on = true, .count = 3, .idle_s = 5, .interval_s = 6};
	Stream s;

	assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, size), 0);
	peer = accept(listener, NULL, NULL);
	stream_open(&s, loop, fd, on_event, NULL);
	stream_tune(&s, &keep);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(peer);
	stream_read_on(&s);
	loop_run(loop);
	assert_int_equal(stream_recv(&s, scrap, 1), STREAM_ERROR);
	assert_int_equal(errno, ECONNRESET);
	stream_close(&s);
	assert_false(stream_is_open(&s));
	close(listener);
}

TEST(a_closed_stream_drops_what_was_kept)
{
	stream_read_on(&ours);
	assert_true(stream_send(&ours, (Span){large, LARGE}));
	assert_true(stream_is_open(&ours));
	stream_close(&ours);
	assert_false(stream_is_open(&ours));
	assert_null(ours.out.bytes);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, make_stream, drop_stream)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(what_fits_is_sent_at_once),
		STREAM_TEST(what_does_not_fit_is_kept_and_sent_later),
		STREAM_TEST(nothing_is_read_until_asked_for),
		STREAM_TEST(the_end_can_be_read),
		STREAM_TEST(a_half_close_leaves_the_other_half),
		STREAM_TEST(sending_to_who_is_gone_is_no_signal_and_fails),
		STREAM_TEST(what_was_kept_for_who_left_is_broken),
		STREAM_TEST(a_broken_connection_says_so_when_read),
		STREAM_TEST(a_closed_stream_drops_what_was_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
