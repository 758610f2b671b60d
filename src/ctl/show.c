#include "show.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define COLUMNS_MAX 16

typedef struct Column {
	char heading[40], path[80];
	size_t width; /* in characters, not bytes */
} Column;

typedef struct Columns {
	Column at[COLUMNS_MAX];
	size_t n;
} Columns;

/* Characters of UTF-8: all bytes but those that continue one. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

static bool is_plain(const json_t *value)
{
	return !json_is_object(value) && !json_is_array(value);
}

/* Nothing that an answer holds may steer the reader's terminal. */
static void hide_controls(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7F)
			*text = '?';
	}
}

char *show_text(const json_t *value)
{
	char *text, *dumped;

	if (!value || json_is_null(value))
		return mem_text("-");
	if (json_is_string(value)) {
		text = mem_text(*json_string_value(value) ? json_string_value(value) : "-");
	} else {
		dumped =
			json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
		text = mem_text(dumped ? dumped : "-");
		free(dumped);
	}
	hide_controls(text);
	return text;
}

static const json_t *value_at(json_t *object, const char *path)
{
	char name[80];
	const char *dot = strchr(path, '.');

	if (!dot)
		return json_object_get(object, path);
	text_copy_n(name, sizeof(name), path, (size_t)(dot - path));
	return value_at(json_object_get(object, name), dot + 1);
}

static void add_column(Columns *columns, const char *heading, size_t n, const char *path, size_t k)
{
	Column *c = &columns->at[columns->n];

	if (columns->n == COLUMNS_MAX)
		return;
	text_copy_n(c->heading, sizeof(c->heading), heading, n);
	text_copy_n(c->path, sizeof(c->path), path, k);
	c->width = width_of(c->heading);
	columns->n++;
}

static void columns_of_text(Columns *columns, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " "), heading = strcspn(text, "=");

		add_column(columns, text, heading, text + heading + 1, n - heading - 1);
		text += n + strspn(text + n, " ");
	}
}

static void columns_of_object(Columns *columns, json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		char heading[40];

		if (!is_plain(value))
			continue;
		text_copy(heading, sizeof(heading), name);
		for (char *c = heading; *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
		add_column(columns, heading, strlen(heading), name, strlen(name));
	}
}

static void measure(Columns *columns, json_t *list)
{
	for (size_t row = 0; row < json_array_size(list); row++) {
		for (size_t i = 0; i < columns->n; i++) {
			Column *c = &columns->at[i];
			char *text = show_text(value_at(json_array_get(list, row), c->path));
			size_t width = width_of(text);

			c->width = width > c->width ? width : c->width;
			free(text);
		}
	}
}

/* The last cell of a row gets no blanks behind it. */
static void print_cell(FILE *out, const Columns *columns, size_t i, const char *text)
{
	size_t pad = columns->at[i].width - width_of(text) + 2;

	if (i + 1 == columns->n)
		fprintf(out, "%s\n", text);
	else
		fprintf(out, "%s%*s", text, (int)pad, "");
}

void show_table(FILE *out, json_t *list, const char *spec)
{
	Columns columns = {.n = 0};

	if (spec)
		columns_of_text(&columns, spec);
	else
		columns_of_object(&columns, json_array_get(list, 0));
	measure(&columns, list);
	for (size_t i = 0; i < columns.n; i++)
		print_cell(out, &columns, i, columns.at[i].heading);
	for (size_t row = 0; row < json_array_size(list); row++) {
		for (size_t i = 0; i < columns.n; i++) {
			char *text =
				show_text(value_at(json_array_get(list, row), columns.at[i].path));

			print_cell(out, &columns, i, text);
			free(text);
		}
	}
}

/* A list at the top is a table of its own, one further down is a setting. */
static bool is_line(const json_t *value, const char *prefix)
{
	return is_plain(value) || (json_is_array(value) && *prefix);
}

/* Prints each such member with its whole path; without out, only measures the paths. */
static void walk(json_t *object, const char *prefix, size_t *width, FILE *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		char path[160];
		char *text;

		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", name);
		if (json_is_object(value))
			walk(value, path, width, out);
		if (!is_line(value, prefix))
			continue;
		if (!out) {
			*width = width_of(path) > *width ? width_of(path) : *width;
			continue;
		}
		text = show_text(value);
		fprintf(out, "%-*s  %s\n", (int)*width, path, text);
		free(text);
	}
}

void show_object(FILE *out, json_t *object)
{
	size_t width = 0;
	const char *name;
	json_t *value;

	walk(object, "", &width, NULL);
	walk(object, "", &width, out);
	json_object_foreach(object, name, value)
	{
		if (!json_is_object(json_array_get(value, 0)))
			continue;
		fprintf(out, "\n%s:\n", name);
		show_table(out, value, NULL);
	}
}
