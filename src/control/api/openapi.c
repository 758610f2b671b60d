/*
 * What the API can be asked, as an OpenAPI document: made from the rows of api.def,
 * schemas.def and settings.def, so that it says what is true.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/text.h"
#include "neon.h"
#include "past.h"
#include "route.h"
#include "schema.h"

#define TYPE_SIZE 64

/* The first word of a list, which ends at one of `ends`; *list moves behind it. False at the end.
 */
static bool next_word(const char **list, const char *ends, char word[TYPE_SIZE])
{
	size_t n;

	*list += strspn(*list, " ,");
	n = strcspn(*list, ends);
	text_copy_n(word, TYPE_SIZE, *list, n);
	*list += n;
	return n > 0;
}

/* ---- what is sent ------------------------------------------------------ */

static json_t *parameter_of_path(const char *name, const char *type)
{
	return json_pack("{s:s, s:s, s:b, s:o}", "name", name, "in", "path", "required", 1,
			 "schema", schema_of_type(type));
}

static json_t *parameter_of_key(void)
{
	return json_pack(
		"{s:s, s:s, s:b, s:s, s:o}", "name", "Idempotency-Key", "in", "header", "required",
		0, "description",
		"Of 1 to 255 printable characters: sent again within a day, the request is "
		"done once and answered the same",
		"schema", schema_of_type("text"));
}

static json_t *parameters_of(const Route *route)
{
	json_t *list = json_array();
	const char *names = route->query;
	char word[TYPE_SIZE];

	if (strstr(route->path, ":id"))
		json_array_append_new(list, parameter_of_path("id", "id"));
	if (strstr(route->path, ":name"))
		json_array_append_new(list, parameter_of_path("name", "text"));
	if (past_takes_key(route))
		json_array_append_new(list, parameter_of_key());
	while (next_word(&names, " ", word)) {
		size_t n = strlen(word);
		bool required = word[n - 1] == '!';

		word[required ? n - 1 : n] = 0;
		json_array_append_new(list, schema_of_parameter(word, required));
	}
	return list;
}

static json_t *content_of(const char *type, json_t *schema)
{
	return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *body_of(const Route *route)
{
	return json_pack("{s:b, s:o}", "required", 1, "content",
			 content_of("application/json", schema_of_type(route->body)));
}

/* ---- what comes back --------------------------------------------------- */

/* A media type has a slash, a schema has none. Events are told of by the schemas *Event. */
static json_t *answer_of(const char *what)
{
	json_t *answer = json_pack("{s:s}", "description", *what ? "Done" : "Done, nothing to say");

	if (strchr(what, '/'))
		json_object_set_new(answer, "content", content_of(what, schema_of_type("text")));
	else if (*what)
		json_object_set_new(answer, "content",
				    content_of("application/json", schema_of_type(what)));
	return answer;
}

static void add_refusal(json_t *answers, const Route *route, const char *status)
{
	json_object_set_new(answers, status,
			    json_pack("{s:s}", "$ref",
				      neon_knows(route) ? "#/components/responses/NeonProblem"
							: "#/components/responses/Problem"));
}

static void add_refusals(json_t *answers, const Route *route)
{
	if (route->scope != SCOPE_NONE) {
		add_refusal(answers, route, "401");
		add_refusal(answers, route, "403");
	}
	if (strchr(route->path, ':') || strstr(route->query, "endpointish"))
		add_refusal(answers, route, "404");
	if (*route->body) {
		add_refusal(answers, route, "400");
		add_refusal(answers, route, "413");
	}
	if (*route->body || *route->query || past_takes_key(route))
		add_refusal(answers, route, "422");
	if (past_takes_key(route))
		add_refusal(answers, route, "423");
	add_refusal(answers, route, "429");
	add_refusal(answers, route, "default");
}

/* "204, 202 Compute" */
static json_t *answers_of(const Route *route)
{
	json_t *answers = json_object();
	const char *rest = route->answers;
	char one[TYPE_SIZE];

	while (next_word(&rest, ",", one)) {
		char *what = strchr(one, ' ');

		if (what)
			*what++ = 0;
		json_object_set_new(answers, one, answer_of(what ? what : ""));
	}
	add_refusals(answers, route);
	return answers;
}

/* ---- routes ------------------------------------------------------------ */

/* "get_api_v1_projects_id_usage": the same handler may have several routes. */
static json_t *name_of(const Route *route)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s", route->method, route->path);
	text_lower(name);
	for (char *c = name, *to = name;; c++) {
		if (*c != ':' && *c != '.')
			*to++ = (char)(*c == '/' ? '_' : *c);
		if (!*c)
			return json_string(name);
	}
}

static json_t *json_of_route(const Route *route)
{
	json_t *security =
		route->scope == SCOPE_NONE ? json_array() : json_pack("[{s:[]}]", "bearer");
	json_t *json = json_pack("{s:s, s:o, s:o, s:o, s:o}", "summary", route->doc, "operationId",
				 name_of(route), "parameters", parameters_of(route), "security",
				 security, "responses", answers_of(route));

	if (*route->body)
		json_object_set_new(json, "requestBody", body_of(route));
	return json;
}

/* "/projects/:id/usage" → "/projects/{id}/usage" */
static void openapi_path(const char *path, char *out, size_t size)
{
	size_t n = 0;

	for (; *path && n + 3 < size; path++) {
		size_t word = *path == ':' ? strcspn(path + 1, "/") : 0;

		if (word > 0)
			n += (size_t)snprintf(out + n, size - n, "{%.*s}", (int)word, path + 1);
		else
			out[n++] = *path;
		path += word;
	}
	out[n] = 0;
}

static void add_route(json_t *paths, const Route *route)
{
	char path[128], method[16];
	json_t *entry;

	openapi_path(route->path, path, sizeof(path));
	text_copy(method, sizeof(method), route->method);
	text_lower(method);
	entry = json_object_get(paths, path);
	if (!entry) {
		entry = json_object();
		json_object_set_new(paths, path, entry);
	}
	json_object_set_new(entry, method, json_of_route(route));
}

/* ---- the document ------------------------------------------------------ */

/* What is sent has no members that are not known; what comes back may one day have more. */
static bool is_sent(const char *schema)
{
	for (int i = 0; i < n_routes; i++) {
		if (strcmp(routes[i].body, schema) == 0)
			return true;
	}
	return false;
}

static json_t *refusal(const char *schema)
{
	return json_pack("{s:s, s:o}", "description", "It was not done, and why", "content",
			 content_of("application/problem+json", schema_of_type(schema)));
}

static json_t *components(void)
{
	return json_pack("{s:o, s:{s:o, s:o}, s:{s:{s:s, s:s}}}", "schemas", schemas_make(is_sent),
			 "responses", "Problem", refusal("Problem"), "NeonProblem",
			 refusal("NeonProblem"), "securitySchemes", "bearer", "type", "http",
			 "scheme", "bearer");
}

/* What we POST to a project's webhook_url. */
static json_t *webhook_of(const char *letter, const char *summary)
{
	json_t *body = json_pack("{s:b, s:o}", "required", true, "content",
				 content_of("application/json", schema_of_type(letter)));

	return json_pack("{s:{s:s, s:o, s:{s:{s:s}, s:{s:s}}}}", "post", "summary", summary,
			 "requestBody", body, "responses", "2XX", "description", "It has arrived",
			 "default", "description", "It is sent again, with the same key");
}

static json_t *webhooks(void)
{
	return json_pack("{s:o, s:o}", "usage",
			 webhook_of("UsageLetter", "What was used in an hour"), "quota",
			 webhook_of("QuotaLetter", "A quota is nearly, or wholly, used up"));
}

void api_openapi(Call *call)
{
	json_t *paths = json_object();

	for (int i = 0; i < n_routes; i++)
		add_route(paths, &routes[i]);
	call_answer(call, 200,
		    json_pack("{s:s, s:{s:s, s:s}, s:o, s:o, s:o}", "openapi", "3.1.0", "info",
			      "title", "Reveille control plane", "version", REVEILLE_VERSION,
			      "paths", paths, "webhooks", webhooks(), "components", components()));
}
