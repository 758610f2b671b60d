#include "pairs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "conf/network.h"

#define LIMIT_MAX 1000000

bool pair_bad(Fault *why, const char *key, const char *value, const char *right)
{
	return fault_set(why, FAULT_BAD_SETTING, "%s takes %s, not \"%s\"", key, right, value);
}

bool pair_text(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	return text_copy(field, size, value) ||
	       fault_set(why, FAULT_BAD_SETTING, "the value of %s is longer than %zu bytes", key,
			 size - 1);
}

bool pair_query(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	char **query = field;

	(void)size, (void)key, (void)why;
	free(*query);
	*query = *value ? mem_text(value) : NULL;
	return true;
}

static bool take_number(int *out, const char *value, int least, int most)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (end == value || *end || n < least || n > most)
		return false;
	*out = (int)n;
	return true;
}

bool pair_port(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	(void)size;
	return take_number(field, value, 1, 65535) ||
	       pair_bad(why, key, value, "a port from 1 to 65535");
}

bool pair_limit(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	(void)size;
	return take_number(field, value, 0, LIMIT_MAX) ||
	       pair_bad(why, key, value, "a number from 0, which is no limit, to 1000000");
}

bool pair_networks(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	Fault inner;

	(void)size;
	network_list_free(field);
	return network_list_parse(field, value, &inner) ||
	       fault_set(why, FAULT_BAD_SETTING, "%s: %s", key, inner.detail);
}

bool pair_needs_pool(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	(void)field, (void)size, (void)value;
	return fault_set(why, FAULT_BAD_SETTING,
			 "%s needs a pool of our own, which this version does not have; remove it",
			 key);
}

bool pair_needs_guard(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	(void)field, (void)size, (void)value;
	return fault_set(why, FAULT_BAD_SETTING,
			 "%s needs a reader of queries, which this version does not have; remove "
			 "it",
			 key);
}

static bool take(const PairTable *table, void *record, const char *name, const char *value,
		 Fault *why)
{
	for (size_t i = 0; i < table->n; i++) {
		const PairKey *key = &table->keys[i];

		if (strcmp(key->name, name) == 0)
			return key->take((char *)record + key->offset, key->size, name, value, why);
	}
	return fault_set(why, FAULT_BAD_SETTING, "\"%s\" is not known %s", name, table->unknown);
}

/* Reads one value: bare up to white space, or in quotes that are doubled inside. */
static bool read_value(const char **at, char *out, size_t size, Fault *why)
{
	const char *p = *at;
	bool quoted = *p == '\'', closed = !quoted;
	size_t n = 0;

	if (quoted)
		p++;
	for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
		if (quoted && *p == '\'' && *++p != '\'') {
			closed = true;
			break;
		}
		if (n + 1 == size)
			return fault_set(why, FAULT_BAD_SETTING, "a value is longer than %zu bytes",
					 size - 1);
		out[n++] = *p;
	}
	if (!closed)
		return fault_set(why, FAULT_BAD_SETTING, "a quote is not closed");
	out[n] = 0;
	*at = p;
	return true;
}

bool pairs_parse(const PairTable *table, void *record, const char *text, Fault *why)
{
	char name[64], value[PAIR_VALUE_MAX];
	const char *p = text;

	for (;;) {
		size_t n;

		p += strspn(p, " \t");
		if (!*p)
			return true;
		n = strcspn(p, "= \t");
		if (!text_copy_n(name, sizeof(name), p, n))
			return fault_set(why, FAULT_BAD_SETTING, "a key is too long");
		p += n;
		p += strspn(p, " \t");
		if (*p != '=')
			return fault_set(why, FAULT_BAD_SETTING,
					 "expected key=value pairs, but \"%s\" has no value", name);
		p++;
		p += strspn(p, " \t");
		if (!read_value(&p, value, sizeof(value), why) ||
		    !take(table, record, name, value, why))
			return false;
	}
}

/* Takes the quotes off; false if they do not stand as they should. */
static bool unquote(char *name)
{
	char *out = name, *p = name + 1;

	for (; *p && (*p != '"' || p[1] == '"'); p++) {
		p += *p == '"';
		*out++ = *p;
	}
	if (strcmp(p, "\"") != 0)
		return false;
	*out = 0;
	return true;
}

bool pair_name(char *out, size_t size, const char *name, Fault *why)
{
	char *copy = mem_text(name);
	bool quotes_fit = *copy != '"' || unquote(copy), fits = text_copy(out, size, copy);

	free(copy);
	if (!quotes_fit)
		return fault_set(why, FAULT_BAD_SETTING,
				 "the name %.80s begins with a quote that does not close at its "
				 "end",
				 name);
	return fits || fault_set(why, FAULT_BAD_SETTING,
				 "the name \"%.80s…\" is longer than %zu bytes", name, size - 1);
}
