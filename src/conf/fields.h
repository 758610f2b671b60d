/*
 * The lines of pg_hba.conf and pg_ident.conf, split as PostgreSQL does it: fields
 * stand between blanks, the words of a list between commas, double quotes hold
 * what would end a word, # begins a comment, and a \ at the end joins lines.
 */
#ifndef CONF_FIELDS_H
#define CONF_FIELDS_H

#include <stdbool.h>

#include "base/fault.h"

typedef struct Word {
	const char *text;
	bool quoted; /* begins with a quote, so it is no keyword */
	bool more;   /* the next word is of the same list */
} Word;

typedef struct Fields {
	const Word *words;
	int n;
} Fields;

/* Calls each() for every line that is not empty; what is wrong gets "FILE:LINE: " in front. */
bool fields_parse(const char *file, const char *text,
		  bool (*each)(void *arg, Fields *line, Fault *why), void *arg, Fault *why);

/* Takes the next field off the line, which is a list of one word or more; none is left if n is 0.
 */
Fields fields_take(Fields *line);

/* Takes a field of one word; false and *why, which calls it by name, if there is none. */
bool fields_take_word(Fields *line, const char *name, const Word **out, Fault *why);

/* Whether the word is that keyword. */
bool word_is(const Word *w, const char *keyword);

#endif
