#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "show.h"
#include "top.h"
#include "watch.h"
#include "why.h"

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

/* What takes the place of {} or {KEY}. */
static const char *value_of_gap(const Call *call, const char *key, size_t n)
{
	for (int i = 0; n > 0 && i < N_OPTIONS; i++) {
		const Option *o = &ctl_options[i];

		if (o->place == PATH && strlen(o->key) == n && strncmp(o->key, key, n) == 0)
			return call->values[i];
	}
	return call->argument;
}

static void add_path(Buf *url, const Call *call)
{
	const char *path = call->command->path, *gap;

	while ((gap = strchr(path, '{')) != NULL) {
		size_t n = strcspn(gap + 1, "}");
		char *escaped = http_escape(value_of_gap(call, gap + 1, n));

		buf_append(url, (Span){(const uint8_t *)path, (size_t)(gap - path)});
		buf_append(url, span_of_text(escaped));
		free(escaped);
		path = gap + n + 2;
	}
	buf_append(url, span_of_text(path));
}

/* The request's address; page is a cursor or NULL. free() it. */
static char *url_of(const Call *call, const Setup *setup, const char *page)
{
	Buf url = {0};
	char *text;

	buf_append(&url, span_of_text(setup->url));
	add_path(&url, call);
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

/* JSON, or else a text as it stands; nothing at all takes the setting away. */
static json_t *value_of_setting(const char *text)
{
	json_t *value = *text ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();

	return value ? value : json_string(text);
}

static bool is_whole(double number)
{
	return number > -1e15 && number < 1e15 && number == (double)(json_int_t)number;
}

static json_t *number_of(const char *text)
{
	double number = strtod(text, NULL);

	return is_whole(number) ? json_integer((json_int_t)number) : json_real(number);
}

/* Made when it is first needed; the body keeps it. */
static json_t *config_of(json_t *body)
{
	if (!json_object_get(body, "config"))
		json_object_set_new(body, "config", json_object());
	return json_object_get(body, "config");
}

static void add_to_body(json_t *body, const Option *option, const char *value)
{
	switch (option->place) {
	case BODY:
		json_object_set_new(body, option->key, json_string(value));
		return;
	case BODY_NUMBER:
		json_object_set_new(body, option->key, number_of(value));
		return;
	case CONFIG_NUMBER:
		json_object_set_new(config_of(body), option->key, number_of(value));
		return;
	case CONFIG_ANY: /* said more than once: see add_settings() */
	case QUERY:
	case PATH:
		return;
	}
}

static void add_settings(json_t *body, const Call *call)
{
	for (int i = 0; i < call->n_settings; i++) {
		const char *text = call->settings[i], *eq = strchr(text, '=');

		json_object_setn_new(config_of(body), text, (size_t)(eq - text),
				     value_of_setting(eq + 1));
	}
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
		if (call->values[i])
			add_to_body(body, &ctl_options[i], call->values[i]);
	}
	add_settings(body, call);
	if (sends)
		text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

/* Who uses this never sees the header that the API speaks of then. */
static void refuse_token(Fault *why)
{
	fault_set(why, FAULT_BAD_REQUEST, "the control plane does not know this token");
	fault_hint(why, "-t names a file with another, -c a configuration that says where it is");
}

static void refuse_as_said(const HttpAnswer *answer, json_t *problem, Fault *why)
{
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	if (!detail)
		detail = json_string_value(json_object_get(problem, "title"));
	if (detail)
		fault_set(why, FAULT_BAD_REQUEST, "%s", detail);
	else
		fault_set(why, FAULT_CONTROL_PLANE,
			  "the control plane answered with status %d and no reason",
			  answer->status);
	if (json_is_string(json_object_get(problem, "hint")))
		fault_hint(why, "%s", json_string_value(json_object_get(problem, "hint")));
}

bool request_refuse(const HttpAnswer *answer, Fault *why)
{
	json_t *problem = json_loadb(answer->body, answer->n, 0, NULL);

	if (answer->status == 401)
		refuse_token(why);
	else
		refuse_as_said(answer, problem, why);
	json_decref(problem);
	return false;
}

/* Whoever asks for CSV gets a text, which is shown as it is. */
static bool is_text(const Call *call)
{
	for (int i = 0; call && i < N_OPTIONS; i++) {
		if (call->values[i] && strcmp(ctl_options[i].name, "csv") == 0)
			return true;
	}
	return false;
}

static bool read_answer(const Call *call, const HttpAnswer *answer, json_t **json, Fault *why)
{
	*json = json_loadb(answer->body, answer->n, 0, NULL);
	if (answer->status >= 300)
		return request_refuse(answer, why);
	if (is_text(call))
		*json = json_stringn(answer->body, answer->n);
	return *json || answer->n == 0 ||
	       fault_set(why, FAULT_CONTROL_PLANE,
			 "the control plane answered with something that is not JSON");
}

/* What is made of several answers is made of what is read. */
static const char *method_of(const Command *c)
{
	bool reads = strcmp(c->method, "TOP") == 0 || strcmp(c->method, "WHY") == 0;

	return reads ? "GET" : c->method;
}

/* One request; *json is what was answered, or NULL for an empty answer. */
static bool ask(const Call *call, const Setup *setup, const char *page, json_t **json, Fault *why)
{
	char *url = url_of(call, setup, page), *body = body_of(call), progress[100];
	HttpRequest request = {.method = method_of(call->command),
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
	ok = http_ask(&request, &answer, why) && read_answer(call, &answer, json, why);
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
bool request_answer(const Call *call, const Setup *setup, json_t **all, Fault *why)
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

bool request_get(const Setup *setup, const char *path, json_t **answer, Fault *why)
{
	char url[CONF_VALUE_MAX + 512];
	HttpRequest request = {
		.method = "GET", .url = url, .ca_file = setup->ca_file, .token = setup->token};
	HttpAnswer got;
	bool ok;

	snprintf(url, sizeof(url), "%s%s", setup->url, path);
	*answer = NULL;
	ok = http_ask(&request, &got, why) && read_answer(NULL, &got, answer, why);
	free(got.body);
	return ok;
}

static void show(const Call *call, json_t *answer)
{
	const Command *c = call->command;

	if (json_is_string(answer)) {
		fputs(json_string_value(answer), stdout);
	} else if (call->json && answer) {
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
	if (strcmp(call->command->method, "TOP") == 0)
		return top_run(call, setup, why);
	if (strcmp(call->command->method, "WHY") == 0)
		return why_run(call, setup, why);
	ok = request_answer(call, setup, &answer, why);
	if (ok)
		show(call, answer);
	json_decref(answer);
	return ok;
}
