#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"

#define SMALLEST 64

static void make_room(Buf *b, size_t n)
{
	size_t have = buf_size(b), want = SMALLEST;

	if (b->cap - b->end >= n)
		return;
	if (b->start > 0) {
		memmove(b->bytes, b->bytes + b->start, have);
		b->start = 0;
		b->end = (uint32_t)have;
	}
	if (b->cap - b->end >= n)
		return;
	assert(have + n <= INT32_MAX);
	while (want < have + n)
		want *= 2;
	b->bytes = mem_grow(b->bytes, want);
	b->cap = (uint32_t)want;
}

uint8_t *buf_room(Buf *b, size_t n)
{
	make_room(b, n);
	return b->bytes + b->end;
}

void buf_append(Buf *b, Span bytes)
{
	if (bytes.n == 0)
		return;
	memcpy(buf_room(b, bytes.n), bytes.at, bytes.n);
	buf_added(b, bytes.n);
}

void buf_append_u8(Buf *b, uint8_t v)
{
	buf_append(b, (Span){&v, 1});
}

void buf_append_u32(Buf *b, uint32_t v)
{
	uint8_t be[4];

	put_u32(be, v);
	buf_append(b, (Span){be, 4});
}

void buf_append_text(Buf *b, const char *text)
{
	buf_append(b, (Span){(const uint8_t *)text, strlen(text) + 1});
}

void buf_put_u32(Buf *b, size_t at, uint32_t v)
{
	assert(at + 4 <= buf_size(b));
	put_u32(b->bytes + b->start + at, v);
}

void buf_take(Buf *b, size_t n)
{
	assert(n <= buf_size(b));
	b->start += (uint32_t)n;
	if (b->start == b->end)
		buf_free(b);
}

void buf_free(Buf *b)
{
	free(b->bytes);
	*b = (Buf){0};
}
