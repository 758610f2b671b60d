/* HTTP calls without blocking, against a small server on the same loop. */
#include "unit.h"

#include <netinet/in.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/fetch.h"
#include "sys/stream.h"

static Loop *loop;
static Fetcher *fetcher;
static Timer guard;

/* The server takes one connection at a time, and answers what is said here. */
static int listener;
static ReadWatch arrivals;
static Stream visitor;
static char request[8192];
static const char *answer; /* NULL: none */
static char url[100];

static FetchAnswer got;
static char body[FETCH_BODY_MAX + 1], error[300];
static int calls;

static void on_answer(void *arg, const FetchAnswer *a)
{
	(void)arg;
	calls++;
	got = *a;
	snprintf(error, sizeof(error), "%s", a->error ? a->error : "");
	if (a->body.n > 0)
		memcpy(body, a->body.at, a->body.n + 1);
	loop_stop(loop);
}

static void on_guard(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* A request is answered when its head, and for a POST its body, are there. */
static void on_visitor(void *arg, StreamEvent what)
{
	size_t have = strlen(request);
	ssize_t n;

	(void)arg;
	if (what != STREAM_READABLE)
		return;
	n = stream_recv(&visitor, request + have, sizeof(request) - 1 - have);
	if (n <= 0) {
		stream_close(&visitor);
		return;
	}
	request[have + (size_t)n] = 0;
	if (answer && strstr(request, "\r\n\r\n") &&
	    (strncmp(request, "POST", 4) != 0 || strstr(request, "}")))
		stream_send(&visitor, span_of_text(answer));
}

static void on_arrival(void *arg)
{
	(void)arg;
	stream_close(&visitor);
	*request = 0;
	stream_open(&visitor, loop, accept4(listener, NULL, NULL, SOCK_NONBLOCK), on_visitor, NULL);
	stream_read_on(&visitor);
}

static int make_server(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);

	(void)state;
	loop = loop_new();
	fetcher = fetcher_new(loop);
	visitor.fd = -1;
	calls = 0;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&at, &size))
		return -1;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/api?x=1", ntohs(at.sin_port));
	read_watch_init(&arrivals, loop, listener, on_arrival, NULL);
	read_watch_start(&arrivals);
	return 0;
}

static int drop_server(void **state)
{
	(void)state;
	fetcher_free(fetcher);
	stream_close(&visitor);
	read_watch_stop(&arrivals);
	loop_free(loop);
	close(listener);
	return 0;
}

static Fetch *start(const char *post, const char *token, int64_t total_ms)
{
	FetchCall call = {.url = url,
			  .token = token,
			  .post = post,
			  .connect_ms = 1000,
			  .total_ms = total_ms,
			  .on_answer = on_answer};

	return fetch(fetcher, &call);
}

static void ask(const char *with_answer)
{
	answer = with_answer;
	start(NULL, "", 5000);
	assert_int_equal(calls, 0);
	loop_run(loop);
	assert_int_equal(calls, 1);
	calls = 0;
}

TEST(an_answer_has_a_status_and_a_body)
{
	ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(got.status, 200);
	assert_int_equal(got.body.n, 5);
	assert_string_equal(body, "hello");
	assert_int_equal(got.retry_after_ms, -1);
	assert_contains(request, "GET /api?x=1 HTTP/1.1\r\n");
	assert_contains(request, "Accept: application/json\r\n");
	assert_null(strstr(request, "Authorization"));
}

TEST(a_token_is_shown_and_a_post_carries_its_body)
{
	answer = "HTTP/1.1 204 No Content\r\n\r\n";
	start("{\"a\": 1}", "secret", 5000);
	loop_run(loop);
	assert_int_equal(got.status, 204);
	assert_int_equal(got.body.n, 0);
	assert_contains(request, "POST /api?x=1 HTTP/1.1\r\n");
	assert_contains(request, "Authorization: Bearer secret\r\n");
	assert_contains(request, "Content-Type: application/json\r\n");
	assert_null(strstr(request, "Expect:"));
	assert_contains(request, "\r\n\r\n{\"a\": 1}");
}

TEST(a_refusal_may_say_how_long_to_wait)
{
	ask("HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(got.status, 429);
	assert_int_equal(got.retry_after_ms, 7000);
	ask("HTTP/1.1 503 Later\r\nRetry-After: 99999999\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(got.retry_after_ms, 86400000);
	ask("HTTP/1.1 503 Later\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(got.retry_after_ms, -1);
}

TEST(a_redirection_is_not_followed)
{
	ask("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(got.status, 302);
}

TEST(what_is_no_http_is_no_answer)
{
	ask("SSH-2.0-OpenSSH_9.2\r\n");
	assert_int_equal(got.status, 0);
	assert_true(*error);
}

TEST(a_body_that_is_too_large_is_not_kept)
{
	static char large[FETCH_BODY_MAX + 200];

	snprintf(large, sizeof(large), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
		 FETCH_BODY_MAX + 1);
	memset(large + strlen(large), 'x', FETCH_BODY_MAX + 1);
	ask(large);
	assert_int_equal(got.status, 0);
	assert_true(got.too_large);
	assert_contains(error, "64 KiB");
}

TEST(the_largest_body_is_kept_whole)
{
	static char large[FETCH_BODY_MAX + 200];

	memset(large, 0, sizeof(large));
	snprintf(large, sizeof(large), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
		 FETCH_BODY_MAX);
	memset(large + strlen(large), 'x', FETCH_BODY_MAX);
	ask(large);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.body.n, FETCH_BODY_MAX);
	assert_int_equal(strlen(body), FETCH_BODY_MAX);
	assert_false(got.too_large);
}

TEST(who_never_answers_is_given_up)
{
	int64_t before = clock_ms();

	answer = NULL;
	start(NULL, "", 60);
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got.status, 0);
	assert_true(*error);
	assert_true(clock_ms() - before >= 59);
}

TEST(who_is_not_there_is_no_answer)
{
	read_watch_stop(&arrivals);
	close(listener);
	listener = -1;
	start(NULL, "", 5000);
	loop_run(loop);
	assert_int_equal(got.status, 0);
	assert_true(*error);
}

TEST(files_are_no_answer)
{
	snprintf(url, sizeof(url), "file:///etc/passwd");
	ask(NULL);
	assert_int_equal(got.status, 0);
	assert_true(*error);
}

TEST(a_call_that_is_given_up_is_heard_of_no_more)
{
	Fetch *f;

	answer = NULL;
	f = start(NULL, "", 5000);
	timer_init(&guard, loop, on_guard, NULL);
	timer_arm(&guard, 20);
	loop_run(loop);
	assert_int_equal(calls, 0);
	fetch_cancel(f);
	timer_arm(&guard, 20);
	loop_run(loop);
	assert_int_equal(calls, 0);
}

static char heard[200];
static size_t heard_most; /* after which nothing more is wanted */

static bool on_data(void *arg, Span piece)
{
	(void)arg;
	strncat(heard, (const char *)piece.at, piece.n);
	loop_stop(loop);
	return strlen(heard) < heard_most;
}

static Fetch *listen_for(size_t most)
{
	FetchCall call = {.url = url,
			  .token = "",
			  .connect_ms = 1000,
			  .on_data = on_data,
			  .on_answer = on_answer};

	*heard = 0;
	heard_most = most;
	return fetch(fetcher, &call);
}

TEST(an_answer_without_an_end_is_heard_as_it_comes)
{
	answer = "HTTP/1.1 200 OK\r\n\r\n: beat\n";
	listen_for(100);
	loop_run(loop);
	assert_string_equal(heard, ": beat\n");
	assert_contains(request, "Accept: text/event-stream\r\n");
	stream_send(&visitor, span_of_text("data: 1\n"));
	loop_run(loop);
	assert_string_equal(heard, ": beat\ndata: 1\n");
	assert_int_equal(calls, 0);
	stream_close(&visitor);
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.body.n, 0);
}

TEST(who_has_heard_enough_says_so)
{
	answer = "HTTP/1.1 200 OK\r\n\r\nenough";
	listen_for(1);
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got.status, 0);
	assert_true(*error);
}

TEST(what_is_no_good_answer_is_not_listened_to)
{
	answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone";
	listen_for(100);
	loop_run(loop);
	assert_string_equal(heard, "");
	assert_int_equal(got.status, 404);
	assert_string_equal(body, "gone");
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, make_server, drop_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(an_answer_has_a_status_and_a_body),
		SERVER_TEST(a_token_is_shown_and_a_post_carries_its_body),
		SERVER_TEST(a_refusal_may_say_how_long_to_wait),
		SERVER_TEST(a_redirection_is_not_followed),
		SERVER_TEST(what_is_no_http_is_no_answer),
		SERVER_TEST(a_body_that_is_too_large_is_not_kept),
		SERVER_TEST(the_largest_body_is_kept_whole),
		SERVER_TEST(who_never_answers_is_given_up),
		SERVER_TEST(who_is_not_there_is_no_answer),
		SERVER_TEST(files_are_no_answer),
		SERVER_TEST(a_call_that_is_given_up_is_heard_of_no_more),
		SERVER_TEST(an_answer_without_an_end_is_heard_as_it_comes),
		SERVER_TEST(who_has_heard_enough_says_so),
		SERVER_TEST(what_is_no_good_answer_is_not_listened_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
