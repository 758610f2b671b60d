#include "request.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "show.h"
#include "watch.h"

/* A place of the query: the first is introduced by "?", all others by "&". */
static void add_query(Buf *url, const char *key, const char *value)
{
	bool first = !memchr(url->bytes + url->start, '?', buf_size(url));

	buf_append(url, span_of_text(first ? "?" : "&"));
	buf_append(url, span_of_text(key));
	if (*value) {
		char *escaped = http_escape(value);

		buf_append(url, span_of_text("="));
		buf_append(url, span_of_text(escaped));
		free(escaped);
	}
}

/* The request's address; page is a cursor or NULL. free() it. */
static char *url_of(const Call *call, const Setup *setup, const char *page)
{
	const char *path = call->command->path, *gap = strstr(path, "{}");
	Buf url = {0};
	char *text;

	buf_append(&url, span_of_text(setup->url));
	if (gap) {
		char *escaped = http_escape(call->argument);

		buf_append(&url, (Span){(const uint8_t *)path, (size_t)(gap - path)});
		buf_append(&url, span_of_text(escaped));
		free(escaped);
		path = gap + 2;
	}
	buf_append(&url, span_of_text(path));
	for (int i = 0; i < N_OPTIONS; i++) {
		if (ctl_options[i].place == QUERY && call->values[i])
			add_query(&url, ctl_options[i].key, call->values[i]);
	}
	if (page)
		add_query(&url, "cursor", page);
	buf_append_u8(&url, 0);
	text = mem_text((const char *)buf_span(&url).at);
	buf_free(&url);
	return text;
}

static bool is_whole(double number)
{
	return number > -1e15 && number < 1e15 && number == (double)(json_int_t)number;
}

static void add_to_body(json_t *body, const Option *option, const char *value)
{
	json_t *config = json_object_get(body, "config");
	double number;

	if (option->place == BODY) {
		json_object_set_new(body, option->key, json_string(value));
		return;
	}
	if (!config) {
		config = json_object();
		json_object_set_new(body, "config", config);
	}
	number = strtod(value, NULL);
	json_object_set_new(config, option->key,
			    is_whole(number) ? json_integer((json_int_t)number)
					     : json_real(number));
}

/* What is sent along, or NULL where the method sends nothing; free() it. */
static char *body_of(const Call *call)
{
	const char *method = call->command->method;
	bool sends = strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0;
	json_t *body = json_object();
	char *text = NULL;

	if (call->argument && !strstr(call->command->path, "{}"))
		json_object_set_new(body, "name", json_string(call->argument));
	for (int i = 0; i < N_OPTIONS; i++) {
		if (ctl_options[i].place != QUERY && call->values[i])
			add_to_body(body, &ctl_options[i], call->values[i]);
	}
	if (sends)
		text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

bool request_refuse(const HttpAnswer *answer, Fault *why)
{
	json_t *problem = json_loadb(answer->body, answer->n, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	if (!detail)
		detail = json_string_value(json_object_get(problem, "title"));
	if (detail)
		fault_set(why, FAULT_BAD_REQUEST, "%s", detail);
	else
		fault_set(why, FAULT_CONTROL_PLANE,
			  "the control plane answered with status %d and no reason",
			  answer->status);
	json_decref(problem);
	return false;
}

static bool read_answer(const HttpAnswer *answer, json_t **json, Fault *why)
{
	*json = json_loadb(answer->body, answer->n, 0, NULL);
	if (answer->status >= 300)
		return request_refuse(answer, why);
	return *json || answer->n == 0 ||
	       fault_set(why, FAULT_CONTROL_PLANE,
			 "the control plane answered with something that is not JSON");
}

/* One request; *json is what was answered, or NULL for an empty answer. */
static bool ask(const Call *call, const Setup *setup, const char *page, json_t **json, Fault *why)
{
	char *url = url_of(call, setup, page), *body = body_of(call), progress[100];
	HttpRequest request = {.method = call->command->method,
			       .url = url,
			       .ca_file = setup->ca_file,
			       .token = setup->token,
			       .body = body,
			       .progress = progress};
	HttpAnswer answer;
	bool ok;

	snprintf(progress, sizeof(progress), "%s %.60s", call->command->words,
		 call->argument ? call->argument : "");
	*json = NULL;
	ok = http_ask(&request, &answer, why) && read_answer(&answer, json, why);
	free(answer.body);
	free(body);
	free(url);
	return ok;
}

static bool watch(const Call *call, const Setup *setup, Fault *why)
{
	char *url = url_of(call, setup, NULL);
	HttpRequest request = {
		.method = "GET", .url = url, .ca_file = setup->ca_file, .token = setup->token};

	watch_run(&request, call->json, why);
	free(url);
	return false;
}

/* All pages of a list, put together into the first answer. */
static bool ask_all_pages(const Call *call, const Setup *setup, json_t **all, Fault *why)
{
	const char *list = call->command->list, *cursor;
	json_t *page;

	if (!ask(call, setup, NULL, all, why))
		return false;
	while (list && (cursor = json_string_value(json_object_get(*all, "next_cursor")))) {
		if (!ask(call, setup, cursor, &page, why)) {
			json_decref(page);
			return false;
		}
		json_array_extend(json_object_get(*all, list), json_object_get(page, list));
		if (json_object_get(page, "next_cursor"))
			json_object_set(*all, "next_cursor", json_object_get(page, "next_cursor"));
		else
			json_object_del(*all, "next_cursor");
		json_decref(page);
	}
	return true;
}

static void show(const Call *call, json_t *answer)
{
	const Command *c = call->command;

	if (call->json && answer) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (c->list) {
		show_table(stdout, json_object_get(answer, c->list), c->columns);
	} else if (json_object_size(answer) > 0) {
		show_object(stdout, answer);
	} else if (!call->json) {
		printf("%s %s\n", c->done ? c->done : "done", call->argument);
	}
}

bool request_run(const Call *call, const Setup *setup, Fault *why)
{
	json_t *answer;
	bool ok;

	if (strcmp(call->command->method, "EVENTS") == 0)
		return watch(call, setup, why);
	ok = ask_all_pages(call, setup, &answer, why);
	if (ok)
		show(call, answer);
	json_decref(answer);
	return ok;
}
