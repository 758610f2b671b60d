/*
 * What every unit test needs: cmocka with the headers that it forgets to
 * include, and bytes that are written as literals.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

/* A test's name is a sentence; cmocka's state is nobody's business here. */
#define TEST(name) static void name(void **state_ __attribute__((unused)))

unsigned int alarm(unsigned int seconds); /* <unistd.h>, without all its other names */

/* A test that waits for what does not come fails, in a while. */
__attribute__((constructor)) static void end_in_time(void)
{
	alarm(300);
}

/* The bytes of a literal, without the zero that C adds. */
#define BYTES(literal) ((Span){(const uint8_t *)(literal), sizeof(literal) - 1})

#define assert_bytes(span, literal) assert_span(span, BYTES(literal))

#define assert_span(span, expected)                                         \
	do {                                                                \
		Span got_ = (span), expected_ = (expected);                 \
                                                                            \
		assert_int_equal(got_.n, expected_.n);                      \
		if (got_.n > 0)                                             \
			assert_memory_equal(got_.at, expected_.at, got_.n); \
	} while (0)

#define assert_contains(text, part)                                                 \
	do {                                                                        \
		if (!strstr((text), (part)))                                        \
			fail_msg("\"%s\" does not contain \"%s\"", (text), (part)); \
	} while (0)

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
