/*
 * A stream of events of any bytes: the same events, and the same end, however it
 * is cut.
 *
 * Input: how to cut, then the stream.
 */
#include "fuzz.h"

#include "proto/sse.h"

/* Everything that is told, one behind the other; false if the stream ended badly. */
static bool read_all(Span in, size_t piece, Buf *told)
{
	SseReader *r = calloc(1, sizeof(*r));
	SseVerdict verdict = SSE_MORE;
	Fault why = {0};

	while (in.n > 0 && verdict != SSE_FAULT) {
		Span part = take_bytes(&in, piece);

		while ((verdict = sse_next(r, &part, &why)) == SSE_EVENT) {
			CHECK(strlen(r->name) < SSE_NAME_SIZE);
			CHECK(sse_data(r).n <= SSE_DATA_MAX);
			buf_append_text(told, r->name);
			buf_append_u32(told, (uint32_t)sse_data(r).n);
			buf_append(told, sse_data(r));
		}
	}
	CHECK((verdict == SSE_FAULT) == (why.code != FAULT_NONE));
	free(r);
	return verdict != SSE_FAULT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	size_t piece = 1 + take_byte(&in) % 7u;
	Buf whole = {0}, cut = {0};

	CHECK(read_all(in, in.n + 1, &whole) == read_all(in, piece, &cut));
	CHECK(same_bytes(&whole, &cut));
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
