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

static const char placeholder[] = ":id";

/* Whether a path has the pattern's shape; an id that is not one matches nothing. */
static bool matches(const char *pattern, const char *path, char id[ID_SIZE])
{
	const char *hole = strstr(pattern, placeholder);
	size_t before = hole ? (size_t)(hole - pattern) : 0, n;

	id[0] = 0;
	if (!hole)
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, before) != 0)
		return false;
	n = strcspn(path + before, "/");
	if (n >= ID_SIZE || strcmp(path + before + n, hole + sizeof(placeholder) - 1) != 0)
		return false;
	text_copy_n(id, ID_SIZE, path + before, n);
	text_lower(id);
	return text_is_label(id);
}

static void add_method(char allow[ALLOW_SIZE], const char *method)
{
	size_t n = strlen(allow);

	snprintf(allow + n, ALLOW_SIZE - n, "%s%s", n > 0 ? ", " : "", method);
}

const Route *route_find(const char *method, const char *path, char id[ID_SIZE],
			char allow[ALLOW_SIZE])
{
	allow[0] = 0;
	if (strcmp(method, "HEAD") == 0)
		method = "GET"; /* the server leaves the body out */
	for (int i = 0; i < n_routes; i++) {
		if (!matches(routes[i].path, path, id))
			continue;
		if (strcmp(routes[i].method, method) == 0)
			return &routes[i];
		add_method(allow, routes[i].method);
	}
	return NULL;
}
