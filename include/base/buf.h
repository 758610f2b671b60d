/*
 * A Buf owns bytes that are on their way: appended at the end, taken at the front.
 *
 * It holds memory only while it holds bytes, so that ten thousand idle sessions
 * own no buffers at all.  It does not bound itself: whoever appends what a
 * stranger sent checks the size first.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>

#include "base/span.h"

typedef struct Buf {
	uint8_t *bytes;
	uint32_t start, end, cap; /* start <= end <= cap */
} Buf;

static inline size_t buf_size(const Buf *b)
{
	return b->end - b->start;
}

static inline Span buf_span(const Buf *b)
{
	return (Span){b->bytes ? b->bytes + b->start : b->bytes, buf_size(b)};
}

void buf_append(Buf *b, Span bytes);
void buf_append_u8(Buf *b, uint8_t v);
void buf_append_u32(Buf *b, uint32_t v);        /* big-endian, as PostgreSQL writes it */
void buf_append_text(Buf *b, const char *text); /* with its terminating zero */

/* Room for n more bytes, to be written in place and counted with buf_added(). */
uint8_t *buf_room(Buf *b, size_t n);

static inline void buf_added(Buf *b, size_t n)
{
	b->end += (uint32_t)n;
}

/* Overwrites four bytes at an offset from the start: a length known only later. */
void buf_put_u32(Buf *b, size_t at, uint32_t v);

/* Drops n bytes from the front; the memory goes when the last byte does. */
void buf_take(Buf *b, size_t n);

/* Drops everything. */
void buf_free(Buf *b);

#endif
