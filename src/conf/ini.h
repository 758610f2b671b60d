/*
 * The lines of an INI file, one call each.
 *
 * Pure and without a limit on the length of a line; why not inih stands in doc/adr/003.
 * A line is empty, a comment (; or #), a [section], or name = value.  A ; or #
 * after white space begins a comment behind a value, unless in single quotes.
 */
#ifndef CONF_INI_H
#define CONF_INI_H

#include <stdbool.h>

#include "base/fault.h"

typedef struct IniLine {
	int number;          /* from 1 */
	const char *section; /* "" before the first */
	const char *name;    /* NULL where a section begins */
	const char *value;
} IniLine;

/* Calls each() for every section and setting, until one returns false. */
bool ini_parse(const char *text, bool (*each)(void *arg, const IniLine *line, Fault *why),
	       void *arg, int *at_line, Fault *why);

#endif
