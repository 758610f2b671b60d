/* Whether the control plane is alive and able, and what it can be asked. */
#include <ctype.h>
#include <string.h>

#include "api.h"
#include "route.h"

void api_health(Call *call)
{
	call_answer(call, 200, json_pack("{s:s}", "status", "ok"));
}

/* Requests are let in only when store and driver are open and all computes are known. */
void api_ready(Call *call)
{
	call_answer(call, 200,
		    json_pack("{s:s, s:i}", "status", "ready", "computes",
			      (int)HASH_COUNT(call->c->fleet.units)));
}

/* ---- OpenAPI ----------------------------------------------------------- */

static json_t *parameters_of(const Route *route)
{
	if (!strstr(route->path, ":id"))
		return json_array();
	return json_pack("[{s:s, s:s, s:b, s:{s:s}}]", "name", "id", "in", "path", "required", 1,
			 "schema", "type", "string");
}

static json_t *json_of_route(const Route *route)
{
	json_t *security =
		route->scope == SCOPE_NONE ? json_array() : json_pack("[{s:[]}]", "bearer");

	return json_pack("{s:s, s:o, s:o, s:{s:{s:s}, s:{s:s}}}", "summary", route->doc,
			 "parameters", parameters_of(route), "security", security, "responses",
			 "2XX", "description", "Done", "default", "description",
			 "A problem, as application/problem+json");
}

/* "/projects/:id/usage" → "/projects/{id}/usage" */
static void openapi_path(const char *path, char *out, size_t size)
{
	size_t n = 0;

	for (; *path && n + 4 < size; path++) {
		if (*path != ':') {
			out[n++] = *path;
			continue;
		}
		memcpy(out + n, "{id}", 4);
		n += 4;
		path += 2;
	}
	out[n] = 0;
}

static void add_route(json_t *paths, const Route *route)
{
	char path[128], method[16];
	json_t *entry;
	size_t n = 0;

	openapi_path(route->path, path, sizeof(path));
	for (; route->method[n]; n++)
		method[n] = (char)tolower((unsigned char)route->method[n]);
	method[n] = 0;
	entry = json_object_get(paths, path);
	if (!entry) {
		json_object_set_new(paths, path, json_object());
		entry = json_object_get(paths, path);
	}
	json_object_set_new(entry, method, json_of_route(route));
}

void api_openapi(Call *call)
{
	json_t *paths = json_object();

	for (int i = 0; i < n_routes; i++)
		add_route(paths, &routes[i]);
	call_answer(call, 200,
		    json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:{s:{s:s, s:s}}}}", "openapi", "3.0.3",
			      "info", "title", "Reveille control plane", "version",
			      REVEILLE_VERSION, "paths", paths, "components", "securitySchemes",
			      "bearer", "type", "http", "scheme", "bearer"));
}
