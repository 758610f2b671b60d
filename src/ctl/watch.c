#include "watch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "request.h"
#include "show.h"

#define LINE_MAX_BYTES 65536 /* an event is a few hundred */
#define AGAIN_S        1

typedef struct Watch {
	bool json;
	bool heard;      /* the control plane has told of something */
	Buf line;        /* so far */
	char event[32];  /* the one that is being told */
	json_t *data;    /* likewise, or NULL */
	json_t *printed; /* generation of each compute, by its id: a new connection begins anew */
} Watch;

/* ---- printing ---------------------------------------------------------- */

static void print_json(const char *event, json_t *data)
{
	json_object_set_new(data, "event", json_string(event));
	json_dumpf(data, stdout, JSON_COMPACT);
	putchar('\n');
}

static bool is_news(Watch *w, const json_t *data)
{
	const char *id = json_string_value(json_object_get(data, "compute_id"));
	json_t *generation = json_object_get(data, "generation");

	if (!id || json_equal(json_object_get(w->printed, id), generation))
		return false;
	json_object_set(w->printed, id, generation);
	return true;
}

/* "12:30:05  orders  active  a client wants it" */
static void print_line(json_t *data)
{
	static const char *const members[] = {"compute_id", "state", "reason"};
	time_t now = time(NULL);
	struct tm tm;
	char at[16];

	strftime(at, sizeof(at), "%H:%M:%S", localtime_r(&now, &tm));
	fputs(at, stdout);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char *text = show_text(json_object_get(data, members[i]));

		printf(i < 2 ? "  %-12s" : "  %s", text);
		free(text);
	}
	putchar('\n');
}

static void end_event(Watch *w)
{
	if (w->data && w->json)
		print_json(w->event, w->data);
	else if (w->data && strcmp(w->event, "compute") == 0 && is_news(w, w->data))
		print_line(w->data);
	json_decref(w->data);
	w->data = NULL;
	*w->event = 0;
	fflush(stdout);
}

/* ---- reading ----------------------------------------------------------- */

static void hear_line(Watch *w, const char *line)
{
	if (!*line) {
		end_event(w);
	} else if (text_starts(line, "event: ")) {
		text_copy(w->event, sizeof(w->event), line + strlen("event: "));
	} else if (text_starts(line, "data: ")) {
		json_decref(w->data);
		w->data = json_loads(line + strlen("data: "), 0, NULL);
	}
}

static bool on_bytes(void *arg, Span bytes)
{
	Watch *w = arg;

	w->heard = true;
	for (size_t i = 0; i < bytes.n; i++) {
		bool ends = bytes.at[i] == '\n';

		if (buf_size(&w->line) == LINE_MAX_BYTES)
			return false;
		buf_append_u8(&w->line, ends ? 0 : bytes.at[i]);
		if (!ends)
			continue;
		hear_line(w, (const char *)buf_span(&w->line).at);
		buf_free(&w->line);
	}
	return true;
}

/* What was half told is told again. */
static void forget_half(Watch *w)
{
	buf_free(&w->line);
	json_decref(w->data);
	w->data = NULL;
	*w->event = 0;
}

/* Until the connection ends; false if asking again is of no use. */
static bool follow(Watch *w, const HttpRequest *request, Fault *why)
{
	HttpAnswer answer;
	bool refused;

	http_follow(request, on_bytes, w, &answer, why);
	refused = answer.status >= 300;
	if (refused)
		request_refuse(&answer, why);
	free(answer.body);
	forget_half(w);
	return w->heard && !refused;
}

bool watch_run(const HttpRequest *request, bool json, Fault *why)
{
	Watch w = {.json = json, .printed = json_object()};

	while (follow(&w, request, why)) {
		fprintf(stderr, "reveillectl: %s; asking again\n", why->detail);
		sleep(AGAIN_S);
	}
	json_decref(w.printed);
	return false;
}
