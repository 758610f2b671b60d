/*
 * What every fuzz target needs.  A target takes any bytes at all; whatever it
 * finds wrong ends the process, so that libFuzzer keeps the input.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                \
	do {                                                                       \
		if (!(what)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                   \
		}                                                                  \
	} while (0)

/* Takes a byte off the front of the input; 0 when there is none. */
static inline uint8_t take_byte(Span *in)
{
	uint8_t b = in->n > 0 ? *in->at : 0;

	*in = span_skip(*in, in->n > 0);
	return b;
}

/* Takes at most n bytes off the front. */
static inline Span take_bytes(Span *in, size_t n)
{
	Span taken = {in->at, n < in->n ? n : in->n};

	*in = span_skip(*in, taken.n);
	return taken;
}

/* The input as a text, which ends at its first zero; free it. */
static inline char *text_of_input(Span in)
{
	char *text = malloc(in.n + 1);

	if (in.n > 0)
		memcpy(text, in.at, in.n);
	text[in.n] = 0;
	return text;
}

static inline bool same_bytes(const Buf *a, const Buf *b)
{
	Span x = buf_span(a), y = buf_span(b);

	return x.n == y.n && (x.n == 0 || memcmp(x.at, y.at, x.n) == 0);
}

#endif
