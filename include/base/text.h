/* Small helpers for text that ends in a zero. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies as much as fits, always with a zero; false if it did not fit. */
bool text_copy(char *to, size_t size, const char *from);

/* As text_copy, of n bytes that need not end in a zero. */
bool text_copy_n(char *to, size_t size, const char *from, size_t n);

/* Removes white space at both ends, in place; returns where the text now starts. */
char *text_trim(char *text);

/*
 * Whether the text is a DNS label as a compute id must be: 1 to 63 of a-z, 0-9
 * and '-', neither first nor last a '-' (RFC 1123).  Nothing else reaches a URL.
 */
bool text_is_label(const char *text);

/* Lower-cases ASCII in place. */
void text_lower(char *text);

bool text_starts(const char *text, const char *with);

/* Replaces what cannot be printed with '?', so that a stranger cannot forge log lines. */
void text_printable(char *text);

/*
 * The text in double quotes, with quotes and backslashes in it escaped: how a
 * stranger's words stand in a log line.  Cut to fit; returns out.
 */
const char *text_quote(char *out, size_t size, const char *text);

/* For a URL: letters, digits and -._~ as they are, all else as %XX (RFC 3986 §2.3). Cut to fit. */
void text_percent_encode(char *out, size_t size, const char *text);

/* Compares n bytes in a time that depends on n alone. */
bool bytes_equal_in_constant_time(const void *a, const void *b, size_t n);

#endif
