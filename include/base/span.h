/* A Span borrows bytes: whoever made it still owns them. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Span {
	const uint8_t *at;
	size_t n;
} Span;

static inline Span span_skip(Span s, size_t n)
{
	return (Span){n ? s.at + n : s.at, s.n - n};
}

static inline Span span_of_text(const char *text)
{
	return (Span){(const uint8_t *)text, strlen(text)};
}

#endif
