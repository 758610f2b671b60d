#include "type.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"

static bool parse_number(const char *text, int base, int *out)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, base);
	if (end == text || *end || errno || v < INT32_MIN || v > INT32_MAX)
		return false;
	*out = (int)v;
	return true;
}

static bool parse_int(void *field, const char *text)
{
	return parse_number(text, 10, field);
}

static void print_int(const void *field, char *out, size_t n)
{
	snprintf(out, n, "%d", *(const conf_int *)field);
}

static int64_t rank_int(const void *field)
{
	return *(const conf_int *)field;
}

static bool parse_mode(void *field, const char *text)
{
	return parse_number(text, 8, field);
}

static void print_mode(const void *field, char *out, size_t n)
{
	snprintf(out, n, "%04o", (unsigned)*(const conf_mode *)field);
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcasecmp(text, *words) == 0)
			return true;
	}
	return false;
}

static bool parse_bool(void *field, const char *text)
{
	static const char *const yes[] = {"1", "yes", "on", "true", NULL};
	static const char *const no[] = {"0", "no", "off", "false", NULL};

	*(conf_bool *)field = is_one_of(text, yes);
	return *(conf_bool *)field || is_one_of(text, no);
}

static void print_bool(const void *field, char *out, size_t n)
{
	snprintf(out, n, "%s", *(const conf_bool *)field ? "yes" : "no");
}

typedef struct Unit {
	const char *name;
	int64_t n;
} Unit;

/* Largest first, so that printing picks the largest unit that divides; the first of one n is
 * printed. */
static const Unit times[] = {
	{"d", 86400000000}, {"h", 3600000000}, {"min", 60000000}, {"s", 1000000},
	{"ms", 1000},       {"us", 1},         {NULL, 0},
};

static const Unit sizes[] = {
	{"TB", INT64_C(1) << 40}, {"GB", 1 << 30}, {"MB", 1 << 20},
	{"kB", 1 << 10},          {"B", 1},        {NULL, 0},
};

static bool parse_amount(int64_t *out, const char *text, const Unit *units, const char *bare)
{
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text + digits + strspn(text + digits, " \t");
	char *end;
	double v = strtod(text, &end);

	if (digits == 0 || end != text + digits)
		return false;
	if (!*unit)
		unit = bare;
	for (; units->name; units++) {
		if (strcmp(unit, units->name) == 0 && v * (double)units->n < 1e17) {
			*out = (int64_t)(v * (double)units->n + 0.5);
			return true;
		}
	}
	return false;
}

static void print_amount(int64_t v, const Unit *units, char *out, size_t n)
{
	while (v % units->n)
		units++;
	if (v == 0)
		snprintf(out, n, "0");
	else
		snprintf(out, n, "%lld%s", (long long)(v / units->n), units->name);
}

/* A bare number is seconds, and may have a fraction, as in PgBouncer. */
static bool parse_time(void *field, const char *text)
{
	return parse_amount(field, text, times, "s");
}

static void print_time(const void *field, char *out, size_t n)
{
	print_amount(*(const conf_time *)field, times, out, n);
}

static int64_t rank_time(const void *field)
{
	return *(const conf_time *)field;
}

static bool parse_size(void *field, const char *text)
{
	return parse_amount(field, text, sizes, "B");
}

static void print_size(const void *field, char *out, size_t n)
{
	print_amount(*(const conf_size *)field, sizes, out, n);
}

static int64_t rank_size(const void *field)
{
	return *(const conf_size *)field;
}

static bool parse_text(void *field, const char *text)
{
	conf_text *t = field;

	memset(t, 0, sizeof(*t));
	return text_copy(t->s, sizeof(t->s), text);
}

static void print_text(const void *field, char *out, size_t n)
{
	snprintf(out, n, "%s", ((const conf_text *)field)->s);
}

static bool parse_choice(void *field, const char *text)
{
	conf_choice *c = field;

	memset(c, 0, sizeof(*c));
	return text_copy(c->s, sizeof(c->s), text);
}

static void print_choice(const void *field, char *out, size_t n)
{
	snprintf(out, n, "%s", ((const conf_choice *)field)->s);
}

const Type type_INT = {"a whole number", sizeof(conf_int), parse_int, print_int, rank_int};
const Type type_BOOL = {"yes or no", sizeof(conf_bool), parse_bool, print_bool, NULL};
const Type type_MODE = {"octal permissions", sizeof(conf_mode), parse_mode, print_mode, rank_int};
const Type type_TEXT = {"text of at most 1023 bytes", sizeof(conf_text), parse_text, print_text,
			NULL};
const Type type_CHOICE = {"a word", sizeof(conf_choice), parse_choice, print_choice, NULL};
const Type type_TIME = {"a time (seconds, or 500ms, 5min, 1h)", sizeof(conf_time), parse_time,
			print_time, rank_time};
const Type type_SIZE = {"a size (256MB, 1GB)", sizeof(conf_size), parse_size, print_size,
			rank_size};
