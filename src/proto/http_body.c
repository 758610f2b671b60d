/*
 * The body of a request: as long as was said, or in chunks (RFC 9112 section 7.1).
 *
 * What comes with chunks and is not the body (extensions, trailers) is read over,
 * but only so much of it.
 */
#include <string.h>

#include "proto/http.h"

#define SIZE_DIGITS 8
#define SKIPPED_MAX 4096

static HttpVerdict bad(HttpProblem *why, int status, const char *detail)
{
	*why = (HttpProblem){status, detail};
	return HTTP_BAD;
}

void http_body_begin(HttpBody *b, const HttpHead *h)
{
	*b = (HttpBody){.left = h->length, .state = h->chunked ? HTTP_CHUNK_SIZE : HTTP_BODY_PLAIN};
}

static int digit_of(uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static HttpVerdict read_size(HttpBody *b, uint8_t c, HttpProblem *why)
{
	int digit = digit_of(c);

	if (digit != -1 && b->digits < SIZE_DIGITS) {
		b->left = b->left << 4 | digit;
		b->digits++;
		return HTTP_MORE;
	}
	if (b->digits == 0 || (c != ';' && c != '\r'))
		return bad(why, 400, "the size of a chunk is not a number");
	b->state = c == ';' ? HTTP_CHUNK_EXTENSION : HTTP_CHUNK_SIZE_END;
	return HTTP_MORE;
}

/* One byte that is not the body's own. */
static HttpVerdict read_byte(HttpBody *b, uint8_t c, HttpProblem *why)
{
	bool lf = c == '\n', cr = c == '\r';

	switch (b->state) {
	case HTTP_CHUNK_SIZE:
		return read_size(b, c, why);
	case HTTP_CHUNK_EXTENSION:
		b->state = cr ? HTTP_CHUNK_SIZE_END : b->state;
		return lf ? bad(why, 400, "a chunk's line does not end in CR LF") : HTTP_MORE;
	case HTTP_CHUNK_SIZE_END:
		b->state = b->left > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILER_BEGIN;
		return lf ? HTTP_MORE : bad(why, 400, "a chunk's line does not end in CR LF");
	case HTTP_CHUNK_DATA_END:
		b->state = HTTP_CHUNK_DATA_LF;
		return cr ? HTTP_MORE : bad(why, 400, "a chunk is longer than was said");
	case HTTP_CHUNK_DATA_LF:
		b->state = HTTP_CHUNK_SIZE;
		b->digits = 0;
		return lf ? HTTP_MORE : bad(why, 400, "a chunk is longer than was said");
	case HTTP_TRAILER_BEGIN:
		b->state = cr ? HTTP_LAST_LF : HTTP_TRAILER;
		return lf ? bad(why, 400, "a line does not end in CR LF") : HTTP_MORE;
	case HTTP_TRAILER:
		b->state = cr ? HTTP_TRAILER_LF : HTTP_TRAILER;
		return lf ? bad(why, 400, "a line does not end in CR LF") : HTTP_MORE;
	case HTTP_TRAILER_LF:
		b->state = HTTP_TRAILER_BEGIN;
		return lf ? HTTP_MORE : bad(why, 400, "a line does not end in CR LF");
	case HTTP_LAST_LF:
		return lf ? HTTP_DONE : bad(why, 400, "a line does not end in CR LF");
	case HTTP_BODY_PLAIN:
	case HTTP_CHUNK_DATA:
		break;
	}
	return HTTP_MORE;
}

static bool is_data(const HttpBody *b)
{
	return b->state == HTTP_BODY_PLAIN || b->state == HTTP_CHUNK_DATA;
}

/* How much may still be said between chunks; size lines are worth the data behind them. */
static bool is_too_much(HttpBody *b)
{
	bool counts = b->state == HTTP_CHUNK_EXTENSION || b->state >= HTTP_TRAILER_BEGIN;

	b->skipped += counts ? 1 : 0;
	return b->skipped > SKIPPED_MAX;
}

static size_t take_data(HttpBody *b, Span in, Buf *out)
{
	size_t n = (int64_t)in.n < b->left ? in.n : (size_t)b->left;

	if (n > 0)
		buf_append(out, (Span){in.at, n});
	b->left -= (int64_t)n;
	if (b->left == 0 && b->state == HTTP_CHUNK_DATA)
		b->state = HTTP_CHUNK_DATA_END;
	return n;
}

HttpVerdict http_body_read(HttpBody *b, Span in, size_t *used, size_t max, Buf *out,
			   HttpProblem *why)
{
	HttpVerdict verdict = HTTP_MORE;

	*used = 0;
	while (verdict == HTTP_MORE) {
		if (is_data(b) && b->left > (int64_t)(max - buf_size(out)))
			return bad(why, 413, "the body is too large");
		if (b->state == HTTP_BODY_PLAIN && b->left == 0)
			return HTTP_DONE;
		if (*used == in.n)
			return HTTP_MORE;
		if (is_data(b)) {
			*used += take_data(b, span_skip(in, *used), out);
			continue;
		}
		if (is_too_much(b))
			return bad(why, 413, "there is too much between the chunks");
		verdict = read_byte(b, in.at[(*used)++], why);
	}
	return verdict;
}
