#include "proto/sse.h"

#include <string.h>

static void begin_event(SseReader *r)
{
	*r->name = 0;
	r->data_n = 0;
	r->has_data = r->told = false;
}

static bool is_field(Span name, const char *text)
{
	return name.n == strlen(text) && memcmp(name.at, text, name.n) == 0;
}

static bool take_name(SseReader *r, Span value, Fault *why)
{
	if (value.n >= sizeof(r->name))
		return fault_set(why, FAULT_BAD_MESSAGE, "an event's name is longer than %d bytes",
				 SSE_NAME_SIZE - 1);
	memcpy(r->name, value.at, value.n);
	r->name[value.n] = 0;
	return true;
}

/* Each line of data is a line of the whole. */
static bool take_data(SseReader *r, Span value, Fault *why)
{
	size_t needed = r->data_n + value.n + (r->has_data ? 1 : 0);

	if (needed > sizeof(r->data))
		return fault_set(why, FAULT_BAD_MESSAGE, "an event is larger than %d bytes",
				 SSE_DATA_MAX);
	if (r->has_data)
		r->data[r->data_n++] = '\n';
	memcpy(r->data + r->data_n, value.at, value.n);
	r->data_n = (uint32_t)needed;
	r->has_data = true;
	return true;
}

/* A line without a colon is a field without a value; one that begins with it is a comment. */
static bool take_field(SseReader *r, Span line, Fault *why)
{
	const uint8_t *colon = memchr(line.at, ':', line.n);
	Span name = {line.at, colon ? (size_t)(colon - line.at) : line.n};
	Span value = span_skip(line, colon ? name.n + 1 : line.n);

	if (value.n > 0 && *value.at == ' ')
		value = span_skip(value, 1);
	if (is_field(name, "event"))
		return take_name(r, value, why);
	return !is_field(name, "data") || take_data(r, value, why);
}

static SseVerdict end_line(SseReader *r, Fault *why)
{
	Span line = {r->line, r->line_n};

	r->line_n = 0;
	if (line.n > 0)
		return take_field(r, line, why) ? SSE_MORE : SSE_FAULT;
	if (!r->has_data) {
		begin_event(r);
		return SSE_MORE;
	}
	r->told = true;
	return SSE_EVENT;
}

static SseVerdict take_byte(SseReader *r, uint8_t byte, Fault *why)
{
	bool second_half = byte == '\n' && r->after_return; /* of a line's end */

	r->after_return = byte == '\r';
	if (second_half)
		return SSE_MORE;
	if (byte == '\n' || byte == '\r')
		return end_line(r, why);
	if (r->line_n == sizeof(r->line)) {
		fault_set(why, FAULT_BAD_MESSAGE, "a line of an event is longer than %d bytes",
			  SSE_DATA_MAX);
		return SSE_FAULT;
	}
	r->line[r->line_n++] = byte;
	return SSE_MORE;
}

SseVerdict sse_next(SseReader *r, Span *bytes, Fault *why)
{
	SseVerdict verdict = SSE_MORE;

	if (r->told)
		begin_event(r);
	while (bytes->n > 0 && verdict == SSE_MORE) {
		verdict = take_byte(r, *bytes->at, why);
		*bytes = span_skip(*bytes, 1);
	}
	return verdict;
}
