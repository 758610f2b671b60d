/* Server-sent events, whole and cut. */
#include "unit.h"

#include "proto/sse.h"

/* Reads a text in pieces of that size; what was told stands in a text: name|data; */
static char told[20000];
static Fault why;

static bool feed_in_pieces(const char *text, size_t piece)
{
	SseReader *r = calloc(1, sizeof(*r));
	Span all = span_of_text(text);
	SseVerdict verdict = SSE_MORE;

	*told = 0;
	while (all.n > 0 && verdict != SSE_FAULT) {
		Span part = {all.at, piece < all.n ? piece : all.n};

		all = span_skip(all, part.n);
		while ((verdict = sse_next(r, &part, &why)) == SSE_EVENT)
			snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s|%.*s;",
				 r->name, (int)sse_data(r).n, (const char *)sse_data(r).at);
	}
	free(r);
	return verdict != SSE_FAULT;
}

/* However the network cuts it. */
static void assert_tells(const char *text, const char *expected)
{
	for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
		assert_true(feed_in_pieces(text, piece));
		assert_string_equal(told, expected);
	}
}

TEST(an_event_has_a_name_and_data)
{
	assert_tells("event: compute\ndata: {\"a\": 1}\n\n", "compute|{\"a\": 1};");
}

TEST(events_follow_each_other)
{
	assert_tells("data: 1\n\nevent: x\ndata: 2\n\ndata: 3\n\n", "|1;x|2;|3;");
}

TEST(lines_may_end_in_every_way_there_is)
{
	assert_tells("data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", "|1;|2;|3;");
}

TEST(lines_of_data_are_joined)
{
	assert_tells("data: a\ndata\ndata:b\n\n", "|a\n\nb;");
}

TEST(comments_and_other_fields_tell_nothing)
{
	assert_tells(": beat\n\nid: 7\nretry: 10\nevent: lost\n\ndata:x\n\n", "|x;");
}

TEST(one_space_behind_the_colon_is_no_part_of_the_value)
{
	assert_tells("data:  x\n\n", "| x;");
}

TEST(an_event_that_has_not_ended_is_not_told)
{
	assert_tells("data: x\n", "");
}

static const char *line_of(const char *head, size_t n)
{
	static char text[SSE_DATA_MAX + 100];

	memset(text, 'x', sizeof(text));
	memcpy(text, head, strlen(head));
	memcpy(text + n, "\n\n", 3);
	return text;
}

TEST(what_does_not_fit_ends_the_stream)
{
	assert_true(feed_in_pieces(line_of("data:", SSE_DATA_MAX), 100));
	assert_false(feed_in_pieces(line_of("data:", SSE_DATA_MAX + 1), 100));
	assert_contains(why.detail, "a line of an event is longer than 8192 bytes");
	assert_true(feed_in_pieces(line_of("event:", 6 + SSE_NAME_SIZE - 1), 3));
	assert_false(feed_in_pieces(line_of("event:", 6 + SSE_NAME_SIZE), 3));
	assert_contains(why.detail, "longer than 31 bytes");
}

TEST(data_of_many_lines_is_bounded_as_a_whole)
{
	char text[6 * SSE_DATA_MAX] = "";
	char *at = text;

	for (int i = 0; i <= SSE_DATA_MAX / 2; i++)
		at = stpcpy(at, "data:x\n");
	assert_false(feed_in_pieces(text, 4096));
	assert_contains(why.detail, "an event is larger than 8192 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_has_a_name_and_data),
		cmocka_unit_test(events_follow_each_other),
		cmocka_unit_test(lines_may_end_in_every_way_there_is),
		cmocka_unit_test(lines_of_data_are_joined),
		cmocka_unit_test(comments_and_other_fields_tell_nothing),
		cmocka_unit_test(one_space_behind_the_colon_is_no_part_of_the_value),
		cmocka_unit_test(an_event_that_has_not_ended_is_not_told),
		cmocka_unit_test(what_does_not_fit_ends_the_stream),
		cmocka_unit_test(data_of_many_lines_is_bounded_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
