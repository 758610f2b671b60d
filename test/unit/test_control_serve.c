/* The HTTP server's promises, from a client's side of a real socket. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/serve.h"

#define MAX_CONNECTIONS 3
#define MAX_BODY        1000
#define MAX_BACKLOG     100000
#define REQUEST_MS      200

static Loop *loop;
static HttpServer *server;
static struct sockaddr_un at;
static int listener;
static Listeners listeners;

/* What the handler saw and kept. */
static Request *held;
static int gone;
static char said[200];
static uint8_t large[4 << 20];

static void on_gone(void *arg)
{
	(void)arg;
	gone++;
	held = NULL;
	loop_stop(loop);
}

static void on_request(void *arg, Request *r)
{
	const char *name = request_query(r, "name");

	(void)arg;
	snprintf(said, sizeof(said), "%s %s name=%s body=%zu x=%s", request_method(r),
		 request_path(r), name ? name : "-", request_body(r).n,
		 request_header(r, "X-Test") ? request_header(r, "X-Test") : "-");
	if (strcmp(request_path(r), "/hold") == 0) {
		held = r;
		request_on_gone(r, on_gone, NULL);
	} else if (strcmp(request_path(r), "/keep") == 0) {
		held = r;
	} else if (strcmp(request_path(r), "/stream") == 0) {
		held = r;
		request_on_gone(r, on_gone, NULL);
		request_stream_begin(r, 200, "text/plain",
				     span_of_text(request_query(r, "first") ? "first" : ""));
	} else if (strcmp(request_path(r), "/large") == 0) {
		request_answer(r, 200, "text/plain", (Span){large, sizeof(large)});
	} else {
		request_add_header(r, "X-Answer", "yes");
		request_answer(r, 200, "text/plain", span_of_text("hello"));
	}
	loop_stop(loop);
}

static bool on_head(void *arg, Request *r)
{
	(void)arg;
	if (strcmp(request_path(r), "/friend") == 0)
		request_trust(r);
	if (strcmp(request_path(r), "/no") != 0)
		return true;
	request_answer(r, 403, "text/plain", span_of_text("no"));
	return false;
}

/* ---- the client -------------------------------------------------------- */

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Lets the server work for a while, or until a handler stops the loop. */
static void turn(int64_t ms)
{
	Timer timer;

	timer_init(&timer, loop, stop, loop);
	timer_arm(&timer, ms);
	loop_run(loop);
	timer_stop(&timer);
}

static const char *hear(int fd)
{
	static char text[4000];
	ssize_t n = 0;

	for (int i = 0; i < 50 && n <= 0; i++) {
		turn(10);
		n = recv(fd, text, sizeof(text) - 1, 0);
		if (n == 0)
			return "closed";
	}
	text[n > 0 ? n : 0] = 0;
	return text;
}

static const ServeSetup serve = {
	.listeners = &listeners,
	.limits = {.max_connections = MAX_CONNECTIONS,
		   .max_body = MAX_BODY,
		   .max_backlog = MAX_BACKLOG,
		   .request_ms = REQUEST_MS,
		   .idle_ms = REQUEST_MS,
		   .answer_ms = REQUEST_MS},
	.on_head = on_head,
	.on_request = on_request,
};

static int setup(void **state)
{
	(void)state;
	at = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/reveille-serve-%d", (int)getpid());
	unlink(at.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 10), 0);
	loop = loop_new();
	listeners = (Listeners){.fd = {listener}, .n = 1};
	server = serve_open(loop, &serve);
	held = NULL;
	gone = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	serve_close(server);
	loop_free(loop);
	close(listener);
	return unlink(at.sun_path);
}

/* ---- tests ------------------------------------------------------------- */

TEST(a_request_is_understood_and_answered)
{
	int fd = dial();
	const char *answer;

	say(fd, "POST /a/b?name=x%20y&z HTTP/1.1\r\nHost: h\r\nX-Test: 1\r\nContent-Length: "
		"3\r\n\r\nabc");
	answer = hear(fd);
	assert_string_equal(said, "POST /a/b name=x y body=3 x=1");
	assert_contains(answer, "HTTP/1.1 200 OK");
	assert_contains(answer, "X-Answer: yes");
	assert_contains(answer, "Content-Type: text/plain");
	assert_contains(answer, "\r\n\r\nhello");
	say(fd, "PATCH /c HTTP/1.1\r\nHost: h\r\n\r\n"); /* on the same connection */
	assert_contains(hear(fd), "hello");
	assert_string_equal(said, "PATCH /c name=- body=0 x=-");
	close(fd);
}

TEST(a_value_of_the_query_may_hold_any_byte_but_zero)
{
	static const struct {
		const char *query, *name;
	} table[] = {
		{"name=a%0d%0ab", "name=a\r\nb"},
		{"name=%ff%26%3D%2b+", "name=\xff&=+ "},
		{"name=a%00b", "name=-"},
		{"name=%zz%4", "name=%zz%4"},
		{"name", "name="},
		{"x=1&name=a&name=b", "name=a"},
		{"Name=a", "name=-"},
	};
	char request[100];
	int fd = dial();

	for (size_t i = 0; i < N_OF(table); i++) {
		snprintf(request, sizeof(request), "GET /?%s HTTP/1.1\r\nHost: h\r\n\r\n",
			 table[i].query);
		say(fd, request);
		assert_contains(hear(fd), "hello");
		assert_contains(said, table[i].name);
	}
	close(fd);
}

TEST(an_answer_may_come_much_later)
{
	int fd = dial();

	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	assert_non_null(held);
	turn(REQUEST_MS * 2 + 1000); /* the limit is for requests, not for answers */
	assert_int_equal(gone, 0);
	request_answer(held, 504, "text/plain", span_of_text("late"));
	assert_contains(hear(fd), "late");
	close(fd);
}

TEST(a_client_that_hangs_up_is_noticed_while_it_waits)
{
	int fd = dial();

	say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	assert_non_null(held);
	close(fd);
	turn(1000);
	assert_int_equal(gone, 1);
	assert_int_equal(serve_connections(server), 0);
}

TEST(answering_a_client_that_has_left_is_no_error)
{
	int fd = dial();

	say(fd, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	close(fd);
	turn(20);
	assert_string_equal(request_path(held), "/keep");
	request_answer(held, 200, "text/plain", span_of_text("nobody hears"));
	for (int i = 0; i < 50 && serve_connections(server) > 0; i++)
		turn(10);
	assert_int_equal(serve_connections(server), 0);
}

TEST(a_body_that_is_too_large_is_refused)
{
	int fd = dial();

	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
	assert_contains(hear(fd), " 413 ");
	close(fd);
}

TEST(a_request_that_trickles_in_is_cut_off)
{
	int fd = dial();
	ssize_t n = -1;
	char byte;

	say(fd, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 40 && n != 0; i++) {
		turn(100);
		n = recv(fd, &byte, 1, 0);
		if (n == -1 && send(fd, "X", 1, MSG_NOSIGNAL) == -1)
			n = 0;
	}
	assert_int_equal(n, 0);
	turn(10);
	assert_int_equal(serve_connections(server), 0);
	close(fd);
}

TEST(more_connections_than_allowed_wait_outside)
{
	int fds[MAX_CONNECTIONS + 1];

	for (int i = 0; i <= MAX_CONNECTIONS; i++)
		fds[i] = dial();
	turn(20);
	assert_int_equal(serve_connections(server), MAX_CONNECTIONS);
	say(fds[MAX_CONNECTIONS], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(20);
	close(fds[0]);
	assert_contains(hear(fds[MAX_CONNECTIONS]), "hello");
	for (int i = 1; i <= MAX_CONNECTIONS; i++)
		close(fds[i]);
	for (int i = 0; i < 50 && serve_connections(server) > 0; i++)
		turn(10);
	assert_int_equal(serve_connections(server), 0);
}

TEST(what_cannot_be_read_is_a_problem_and_the_end)
{
	static const struct {
		const char *request, *status, *says;
	} table[] = {
		{"nonsense\r\n\r\n", " 400 Bad Request", "not METHOD TARGET VERSION"},
		{"GET / HTTP/2.0\r\n\r\n", " 505 ", "HTTP/1.1"},
		{"GET / HTTP/1.1\r\n\r\n", " 400 ", "Host"},
		{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n",
		 " 400 ", "exclude each other"},
		{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", " 400 ",
		 "chunk"},
		{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", " 413 ",
		 "too large"},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		int fd = dial();
		const char *answer;

		said[0] = 0;
		say(fd, table[i].request);
		say(fd, "GET /behind HTTP/1.1\r\nHost: h\r\n\r\n");
		answer = hear(fd);
		assert_contains(answer, table[i].status);
		assert_contains(answer, table[i].says);
		assert_contains(answer, "Content-Type: application/problem+json\r\n");
		assert_contains(answer, "Connection: close\r\n");
		assert_string_equal(hear(fd), "closed");
		assert_string_equal(said, "");
		close(fd);
	}
}

TEST(requests_that_come_at_once_are_answered_in_their_order)
{
	int fd = dial();
	const char *answer;

	say(fd, "POST /keep HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
		"GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	turn(20);
	assert_contains(said, "/keep"); /* the next is not looked at before */
	request_answer(held, 200, "text/plain", span_of_text("first"));
	turn(1000);
	answer = hear(fd);
	assert_contains(answer, "first");
	answer = strstr(answer, "hello");
	assert_non_null(answer);
	assert_non_null(strstr(answer + 1, "hello"));
	assert_contains(said, "/c");
	close(fd);
}

TEST(a_request_may_be_refused_before_its_body_is_there)
{
	int fd = dial();

	said[0] = 0;
	say(fd, "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab");
	assert_contains(hear(fd), "HTTP/1.1 403 ");
	assert_string_equal(hear(fd), "closed");
	assert_string_equal(said, "");
	close(fd);
	fd = dial();
	say(fd, "GET /no HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_contains(hear(fd), "HTTP/1.1 403 ");
	say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); /* there was no body, so it goes on */
	assert_contains(hear(fd), "hello");
	close(fd);
}

TEST(a_body_in_chunks_is_put_together)
{
	int fd = dial();

	say(fd, "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n");
	assert_contains(hear(fd), "hello");
	assert_contains(said, "body=13");
	close(fd);
}

TEST(who_asks_whether_to_send_a_body_is_told_to)
{
	int fd = dial();

	say(fd, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
		"Expect: 100-continue\r\n\r\n");
	assert_string_equal(hear(fd), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "abc");
	assert_contains(hear(fd), "hello");
	assert_contains(said, "body=3");
	close(fd);
}

TEST(a_head_is_an_answer_without_its_body)
{
	int fd = dial();
	const char *answer;

	say(fd, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	answer = hear(fd);
	assert_contains(answer, "Content-Length: 5\r\n");
	assert_null(strstr(answer, "hello"));
	close(fd);
}

TEST(the_old_protocol_is_spoken_with_those_who_speak_it)
{
	int fd = dial();

	say(fd, "GET / HTTP/1.0\r\n\r\n");
	assert_contains(hear(fd), "Connection: close\r\n");
	assert_string_equal(hear(fd), "closed");
	close(fd);
	fd = dial();
	say(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_contains(hear(fd), "Connection: keep-alive\r\n");
	say(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	turn(1000);
	assert_contains(hear(fd), "Connection: close\r\n");
	request_stream_send(held, span_of_text("plain"));
	assert_string_equal(hear(fd), "plain");
	request_stream_end(held);
	assert_string_equal(hear(fd), "closed");
	close(fd);
}

TEST(an_answer_may_come_little_by_little)
{
	int fd = dial();

	say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	assert_contains(hear(fd), "Transfer-Encoding: chunked\r\n");
	assert_true(request_stream_send(held, span_of_text("some")));
	assert_string_equal(hear(fd), "4\r\nsome\r\n");
	assert_true(request_stream_send(held, span_of_text("more of it")));
	request_stream_end(held);
	assert_string_equal(hear(fd), "a\r\nmore of it\r\n0\r\n\r\n");
	say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_contains(hear(fd), "hello");
	assert_int_equal(gone, 0);
	close(fd);
}

TEST(a_stream_may_begin_with_something)
{
	int fd = dial();

	say(fd, "GET /stream?first HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	assert_contains(hear(fd), "\r\n\r\n5\r\nfirst\r\n");
	request_stream_end(held);
	assert_string_equal(hear(fd), "0\r\n\r\n");
	close(fd);
}

TEST(a_stream_whose_reader_has_stopped_is_cut_off_in_time)
{
	int fd = dial();

	say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	turn(REQUEST_MS * 2);
	assert_int_equal(gone, 0); /* there is nothing that he has not read */
	request_stream_send(held, (Span){large, sizeof(large)});
	turn(REQUEST_MS * 3);
	assert_int_equal(gone, 1);
	close(fd);
}

TEST(a_stream_that_is_not_read_is_cut_off)
{
	int fd = dial(), sent = 0;

	say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	while (sent < 1000 && request_stream_send(held, (Span){large, 10000}))
		sent++;
	assert_in_range(sent, 10, 999); /* the kernel's buffers, and ours */
	assert_int_equal(gone, 0);
	turn(1000);
	assert_int_equal(gone, 1);
	assert_int_equal(serve_connections(server), 0);
	close(fd);
}

TEST(an_answer_that_is_not_read_is_given_up)
{
	int fd = dial();

	say(fd, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	assert_int_equal(serve_connections(server), 1);
	turn(REQUEST_MS * 2);
	assert_int_equal(serve_connections(server), 0);
	close(fd);
}

TEST(a_large_answer_goes_to_who_reads_it_and_then_the_next)
{
	static char bytes[100000];
	int fd = dial();
	size_t got = 0;
	ssize_t n = 1;

	say(fd, "GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(1000);
	assert_contains(said, "/large");
	while (got < sizeof(large) && n != 0) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		got += n > 0 ? (size_t)n : 0;
		if (n == -1)
			turn(1);
	}
	assert_contains(said, "/next");
	close(fd);
}

TEST(a_connection_that_says_nothing_is_ended)
{
	int fd = dial();

	turn(20);
	assert_int_equal(serve_connections(server), 1);
	turn(REQUEST_MS * 2);
	assert_int_equal(serve_connections(server), 0);
	close(fd);
}

TEST(who_has_said_all_he_had_to_say_is_answered)
{
	int fd = dial();

	say(fd, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
	shutdown(fd, SHUT_WR);
	turn(1000);
	turn(20);
	request_answer(held, 200, "text/plain", span_of_text("late"));
	assert_contains(hear(fd), "late");
	assert_string_equal(hear(fd), "closed");
	close(fd);
}

/* Whether the other end has closed it. */
static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

TEST(strangers_are_ended_for_strangers_but_friends_are_not)
{
	ServeSetup wary = serve;
	int friend, strangers[3];

	wary.limits.max_connections = 10;
	wary.limits.max_strangers = 2;
	wary.limits.idle_ms = 60000;
	serve_close(server);
	server = serve_open(loop, &wary);
	friend = dial();
	say(friend, "GET /friend HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_contains(hear(friend), "hello");
	for (int i = 0; i < 3; i++) {
		strangers[i] = dial();
		turn(20);
	}
	assert_true(is_closed(strangers[0]));
	assert_false(is_closed(strangers[1]));
	assert_false(is_closed(strangers[2]));
	assert_int_equal(serve_connections(server), 3);
	say(friend, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_contains(hear(friend), "hello");
	close(friend);
	for (int i = 0; i < 3; i++)
		close(strangers[i]);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_request_is_understood_and_answered),
		WITH_SERVER(a_value_of_the_query_may_hold_any_byte_but_zero),
		WITH_SERVER(an_answer_may_come_much_later),
		WITH_SERVER(a_client_that_hangs_up_is_noticed_while_it_waits),
		WITH_SERVER(answering_a_client_that_has_left_is_no_error),
		WITH_SERVER(a_body_that_is_too_large_is_refused),
		WITH_SERVER(a_request_that_trickles_in_is_cut_off),
		WITH_SERVER(what_cannot_be_read_is_a_problem_and_the_end),
		WITH_SERVER(requests_that_come_at_once_are_answered_in_their_order),
		WITH_SERVER(a_request_may_be_refused_before_its_body_is_there),
		WITH_SERVER(a_body_in_chunks_is_put_together),
		WITH_SERVER(who_asks_whether_to_send_a_body_is_told_to),
		WITH_SERVER(a_head_is_an_answer_without_its_body),
		WITH_SERVER(the_old_protocol_is_spoken_with_those_who_speak_it),
		WITH_SERVER(an_answer_may_come_little_by_little),
		WITH_SERVER(a_stream_may_begin_with_something),
		WITH_SERVER(a_stream_whose_reader_has_stopped_is_cut_off_in_time),
		WITH_SERVER(a_stream_that_is_not_read_is_cut_off),
		WITH_SERVER(an_answer_that_is_not_read_is_given_up),
		WITH_SERVER(a_large_answer_goes_to_who_reads_it_and_then_the_next),
		WITH_SERVER(a_connection_that_says_nothing_is_ended),
		WITH_SERVER(who_has_said_all_he_had_to_say_is_answered),
		WITH_SERVER(strangers_are_ended_for_strangers_but_friends_are_not),
		WITH_SERVER(more_connections_than_allowed_wait_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
