#include "route.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

const Route routes[] = {
#define ROUTE(method, path, scope, query, body, answers, handler, doc) \
	{#method, path, SCOPE_##scope, query, body, answers, api_##handler, doc},
#include "api.def"
#undef ROUTE
};

const int n_routes = sizeof(routes) / sizeof(routes[0]);

/* One part of a path, up to the next slash; it borrows. */
typedef struct Part {
	const char *at;
	size_t n;
} Part;

static bool part_is(Part part, const char *text)
{
	return part.n == strlen(text) && strncmp(part.at, text, part.n) == 0;
}

/* An id that is not one matches nothing. */
static bool take_id(Part part, char id[ID_SIZE])
{
	if (!text_copy_n(id, ID_SIZE, part.at, part.n))
		return false;
	text_lower(id);
	return text_is_label(id);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The byte that stands at the part's beginning, which moves on; 0 if it is none. */
static int take_byte(Part *part)
{
	int high, low, used = 1, byte = (unsigned char)*part->at;

	if (byte == '%') {
		high = part->n > 2 ? hex_digit(part->at[1]) : -1;
		low = part->n > 2 ? hex_digit(part->at[2]) : -1;
		used = 3;
		byte = high < 0 || low < 0 ? 0 : 16 * high + low;
	}
	*part = (Part){part->at + used, part->n - (size_t)(byte ? used : 0)};
	return byte;
}

/* What %XX stand for is part of the name, a slash too. */
static bool take_name(Part part, char name[ID_SIZE])
{
	size_t n = 0;

	while (part.n > 0) {
		int byte = take_byte(&part);

		if (byte == 0 || n == ID_SIZE - 1)
			return false;
		name[n++] = (char)byte;
	}
	name[n] = 0;
	return n > 0;
}

static bool part_matches(Part pattern, Part part, char id[ID_SIZE], char name[ID_SIZE])
{
	if (part_is(pattern, ":id"))
		return take_id(part, id);
	if (part_is(pattern, ":name"))
		return take_name(part, name);
	return pattern.n == part.n && strncmp(pattern.at, part.at, part.n) == 0;
}

/* Whether a path has the pattern's shape. */
static bool matches(const char *pattern, const char *path, char id[ID_SIZE], char name[ID_SIZE])
{
	id[0] = name[0] = 0;
	for (;;) {
		Part wanted = {pattern, strcspn(pattern, "/")}, part = {path, strcspn(path, "/")};

		if (!part_matches(wanted, part, id, name))
			return false;
		pattern += wanted.n;
		path += part.n;
		if (!*pattern || !*path)
			return *pattern == *path;
		pattern++;
		path++;
	}
}

static void add_method(char allow[ALLOW_SIZE], const char *method)
{
	size_t n = strlen(allow);

	snprintf(allow + n, ALLOW_SIZE - n, "%s%s", n > 0 ? ", " : "", method);
}

const Route *route_find(const char *method, const char *path, char id[ID_SIZE], char name[ID_SIZE],
			char allow[ALLOW_SIZE])
{
	allow[0] = 0;
	if (strcmp(method, "HEAD") == 0)
		method = "GET"; /* the server leaves the body out */
	for (int i = 0; i < n_routes; i++) {
		if (!matches(routes[i].path, path, id, name))
			continue;
		if (strcmp(routes[i].method, method) == 0)
			return &routes[i];
		add_method(allow, routes[i].method);
	}
	return NULL;
}
