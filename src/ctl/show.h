/*
 * An answer of the API as a person reads it: a list becomes a table with
 * aligned columns, one thing becomes lines of name and value.
 */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>
#include <stdio.h>

/* The value as text without quotes; free() it. What is not there is a dash. */
char *show_text(const json_t *value);

/*
 * A list of objects.  columns is "HEADING=member.member …", or NULL for every
 * plain member of the first object.
 */
void show_table(FILE *out, json_t *list, const char *columns);

/* One object, nested members as "config.idle_timeout"; lists of objects follow as tables. */
void show_object(FILE *out, json_t *object);

#endif
