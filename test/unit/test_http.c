/* HTTP/1.1 as a server reads it: what is taken, what is refused, however it is cut. */
#include "unit.h"

#include "proto/http.h"

#define SIMPLE(fields) "GET /a?b HTTP/1.1\r\nHost: h\r\n" fields "\r\n"

static HttpHead head;
static HttpProblem problem;

/* The verdict on these bytes, which does not depend on how they come. */
static HttpVerdict read_head(Span in)
{
	HttpVerdict verdict = http_head_read(&head, in, &problem), at_cut = HTTP_MORE;
	HttpProblem cut_problem = {0};
	HttpHead cut = {0};

	for (size_t n = 0; n <= in.n && at_cut == HTTP_MORE; n++)
		at_cut = http_head_read(&cut, (Span){in.at, n}, &cut_problem);
	assert_int_equal(at_cut, verdict);
	if (verdict == HTTP_BAD)
		assert_string_equal(cut_problem.detail, problem.detail);
	if (verdict == HTTP_DONE)
		assert_int_equal(cut.size, head.size);
	http_head_free(&cut);
	return verdict;
}

static void assert_refused(Span in, int status, const char *says)
{
	assert_int_equal(read_head(in), HTTP_BAD);
	assert_int_equal(problem.status, status);
	assert_contains(problem.detail, says);
}

TEST(a_head_is_taken_apart)
{
	assert_int_equal(read_head(BYTES("\r\nPOST /a/b?x=%20y&z HTTP/1.1\r\nHost: h\r\n"
					 "X-Test:  two words\t\r\nEmpty:\r\ncontent-LENGTH: 12\r\n"
					 "\r\nGET")),
			 HTTP_DONE);
	assert_string_equal(head.method, "POST");
	assert_string_equal(head.path, "/a/b");
	assert_string_equal(head.query, "x=%20y&z");
	assert_string_equal(http_head_field(&head, "x-test"), "two words");
	assert_string_equal(http_head_field(&head, "Empty"), "");
	assert_null(http_head_field(&head, "X"));
	assert_int_equal(head.length, 12);
	assert_true(head.keep);
	assert_int_equal(head.size, sizeof("\r\nPOST /a/b?x=%20y&z HTTP/1.1\r\nHost: h\r\n"
					   "X-Test:  two words\t\r\nEmpty:\r\n"
					   "content-LENGTH: 12\r\n\r\n") -
					    1);
	http_head_free(&head);
	assert_int_equal(read_head(BYTES("GET http://h:1/p HTTP/1.1\r\nHost: h\r\n\r\n")),
			 HTTP_DONE);
	assert_string_equal(head.path, "/p");
	http_head_free(&head);
	assert_int_equal(read_head(BYTES("GET / HTTP/1.1\r\nHost: h\r\n")), HTTP_MORE);
	assert_int_equal(read_head(BYTES("")), HTTP_MORE);
}

TEST(whether_the_connection_goes_on_is_the_clients_choice)
{
	static const struct {
		const char *head;
		bool keep;
	} table[] = {
		{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, Close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n", true},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		assert_int_equal(read_head(span_of_text(table[i].head)), HTTP_DONE);
		assert_int_equal(head.keep, table[i].keep);
		http_head_free(&head);
	}
}

/* RFC 9112 sections 2.2, 5.1, 5.2, 6.1, 6.3 and 11.2. */
TEST(what_two_readers_could_read_differently_is_refused)
{
	static const char *const bad[] = {
		SIMPLE("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
		SIMPLE("Content-Length: 3\r\nContent-Length: 3\r\n"),
		SIMPLE("Content-Length: 3, 3\r\n"),
		SIMPLE("Content-Length: +3\r\n"),
		SIMPLE("Content-Length: -3\r\n"),
		SIMPLE("Content-Length: 0x3\r\n"),
		SIMPLE("Content-Length: 3 4\r\n"),
		SIMPLE("Content-Length:\r\n"),
		SIMPLE("Content-Length : 3\r\n"),
		SIMPLE("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
		SIMPLE("Host: other\r\n"),
		SIMPLE(" folded: x\r\n"),
		SIMPLE("A: b\r\n c\r\n"),
		SIMPLE("\tfolded: x\r\n"),
		SIMPLE("no colon\r\n"),
		SIMPLE(": no name\r\n"),
		SIMPLE("a(b): x\r\n"),
		SIMPLE("A: b\nB: c\r\n"),
		SIMPLE("A: b\rB: c\r\n"),
		SIMPLE("A: b\1\r\n"),
		SIMPLE("A: b\177\r\n"),
		SIMPLE("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
		"GET / HTTP/1.1\n\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
		" GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /\r\nHost: h\r\n\r\n",
		"GET\r\n\r\n",
		"G@T / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /#x HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET a HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / http/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"\26\3\1\2",
	};

	for (size_t i = 0; i < N_OF(bad); i++)
		assert_refused(span_of_text(bad[i]), 400, "");
	assert_refused(BYTES("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"), 400, "control character");
}

TEST(what_is_not_spoken_here_is_told)
{
	assert_refused(BYTES("GET / HTTP/2.0\r\n\r\n"), 505, "HTTP/1.1");
	assert_refused(BYTES(SIMPLE("Transfer-Encoding: gzip, chunked\r\n")), 501, "chunked");
	assert_refused(BYTES(SIMPLE("Expect: miracles\r\n")), 417, "100-continue");
	assert_refused(BYTES(SIMPLE("Content-Length: 1000000000000000000\r\n")), 413, "too large");
	assert_refused(BYTES("ABCDEFGHIJKLMNOP / HTTP/1.1\r\nHost: h\r\n\r\n"), 501, "method");
}

static void fill(Buf *out, const char *text, int times)
{
	for (int i = 0; i < times; i++)
		buf_append(out, span_of_text(text));
}

TEST(a_head_is_bounded_in_all_its_parts)
{
	Buf in = {0};

	fill(&in, "GET /", 1);
	fill(&in, "x", HTTP_LINE_MAX);
	assert_refused(buf_span(&in), 414, "8 KiB");
	buf_free(&in);
	fill(&in, "GET / HTTP/1.1\r\nHost: h\r\nA: ", 1);
	fill(&in, "x", HTTP_HEAD_MAX);
	assert_refused(buf_span(&in), 431, "16 KiB");
	buf_free(&in);
	fill(&in, "\r\n", HTTP_HEAD_MAX);
	assert_refused(buf_span(&in), 431, "16 KiB");
	buf_free(&in);
	fill(&in, "GET / HTTP/1.1\r\nHost: h\r\n", 1);
	fill(&in, "A: b\r\n", HTTP_FIELDS_MAX);
	fill(&in, "\r\n", 1);
	assert_refused(buf_span(&in), 431, "64 fields");
	buf_free(&in);
}

/* ---- bodies ------------------------------------------------------------ */

static Buf body;

/* Feeds `in` in steps; returns the verdict, and how many bytes were read in *used. */
static HttpVerdict feed(const HttpHead *h, Span in, size_t step, size_t max, size_t *used)
{
	HttpVerdict verdict = HTTP_MORE;
	HttpBody b;

	http_body_begin(&b, h);
	buf_free(&body);
	*used = 0;
	for (bool more = true; verdict == HTTP_MORE && more;) {
		size_t n = in.n - *used < step ? in.n - *used : step, took;

		more = n > 0;
		verdict = http_body_read(&b, (Span){in.at + *used, n}, &took, max, &body, &problem);
		*used += took;
	}
	return verdict;
}

static void assert_body(const HttpHead *h, Span in, HttpVerdict verdict, const char *bytes,
			size_t rest)
{
	size_t used;

	for (size_t step = 1; step <= in.n + 1; step++) {
		assert_int_equal(feed(h, in, step, 20, &used), verdict);
		if (verdict == HTTP_BAD)
			continue;
		assert_span(buf_span(&body), span_of_text(bytes));
		assert_int_equal(in.n - used, rest);
	}
	buf_free(&body);
}

TEST(a_body_ends_where_it_was_said_to)
{
	const HttpHead none = {.length = 0}, three = {.length = 3}, chunks = {.chunked = true};

	assert_body(&none, BYTES("GET"), HTTP_DONE, "", 3);
	assert_body(&three, BYTES("abcGET"), HTTP_DONE, "abc", 3);
	assert_body(&three, BYTES("ab"), HTTP_MORE, "ab", 0);
	assert_body(&chunks, BYTES("3\r\nabc\r\n0\r\n\r\nGET"), HTTP_DONE, "abc", 3);
	assert_body(&chunks,
		    BYTES("a;x=\"y\"\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\nT: x\r\n"
			  "U: y\r\n\r\n"),
		    HTTP_DONE, "01234567890123456789", 0);
	assert_body(&chunks, BYTES("3\r\nabc\r\n0\r\n"), HTTP_MORE, "abc", 0);
}

TEST(chunks_that_are_none_are_refused)
{
	static const char *const bad[] = {
		"\r\n",
		"x\r\n",
		"-1\r\n",
		" 3\r\nabc\r\n",
		"3 \r\nabc\r\n",
		"0x3\r\nabc\r\n",
		"000000003\r\nabc\r\n",
		"3\nabc\r\n",
		"3\rabc",
		"3;x\nabc",
		"3\r\nabcd\r\n",
		"3\r\nabc\n0\r\n\r\n",
		"0\r\n\n",
		"0\r\nT: x\n\r\n",
		"0\r\n\rx",
		"15\r\n",
		"ffffffff\r\n",
	};
	const HttpHead chunks = {.chunked = true}, much = {.length = 21};

	for (size_t i = 0; i < N_OF(bad); i++)
		assert_body(&chunks, span_of_text(bad[i]), HTTP_BAD, "", 0);
	assert_body(&much, BYTES("x"), HTTP_BAD, "", 0);
	assert_int_equal(problem.status, 413);
}

TEST(what_stands_between_chunks_is_bounded)
{
	const HttpHead chunks = {.chunked = true};
	Buf in = {0};
	size_t used;

	fill(&in, "0\r\n", 1);
	fill(&in, "T: x\r\n", 1000);
	assert_int_equal(feed(&chunks, buf_span(&in), 100, 20, &used), HTTP_BAD);
	buf_free(&in);
	fill(&in, "1;", 1);
	fill(&in, "x", 5000);
	assert_int_equal(feed(&chunks, buf_span(&in), 100, 20, &used), HTTP_BAD);
	buf_free(&in);
	buf_free(&body);
}

/* ---- words ------------------------------------------------------------- */

TEST(a_query_is_decoded_as_far_as_it_is_encoded)
{
	static const struct {
		const char *encoded, *decoded;
	} table[] = {
		{"a%20b+c", "a b c"},
		{"%C3%a4", "\xc3\xa4"},
		{"%zz%4", "%zz%4"},
		{"%", "%"},
		{"", ""},
	};
	Buf out = {0};

	for (size_t i = 0; i < N_OF(table); i++) {
		http_decode(span_of_text(table[i].encoded), &out);
		assert_span(buf_span(&out), span_of_text(table[i].decoded));
		buf_free(&out);
	}
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(299), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_taken_apart),
		cmocka_unit_test(whether_the_connection_goes_on_is_the_clients_choice),
		cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
		cmocka_unit_test(what_is_not_spoken_here_is_told),
		cmocka_unit_test(a_head_is_bounded_in_all_its_parts),
		cmocka_unit_test(a_body_ends_where_it_was_said_to),
		cmocka_unit_test(chunks_that_are_none_are_refused),
		cmocka_unit_test(what_stands_between_chunks_is_bounded),
		cmocka_unit_test(a_query_is_decoded_as_far_as_it_is_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
