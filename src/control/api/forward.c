#include "forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "sys/log.h"

#define CONNECT_MS  2000
#define PASSED_ON   "X-Reveille-Passed-On"
#define TARGET_SIZE 16384
#define ANSWER_MAX  (8 << 20)

/* What a request says that its answer may depend on. */
static const char *const passed[] = {"Authorization", "Content-Type", "Accept", "Idempotency-Key",
				     "X-Request-ID"};

/* And what of an answer its reader may need. */
static const char *const returned[] = {"Retry-After", "WWW-Authenticate", "Allow",
				       "Idempotency-Replayed"};

#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

typedef struct Errand {
	Controller *c;
	Request *request;
	Fetch *fetch;
	bool streams;
	int status;
	char type[128];
	Buf body;
} Errand;

static void free_errand(void *arg)
{
	Errand *e = arg;

	buf_free(&e->body);
	free(e);
}

/* ---- the way back ------------------------------------------------------ */

static void come_again(Controller *c, Request *r)
{
	Call *call = NEW(Call);

	call->c = c;
	call->request = r;
	call_problem(
		call, 503, "no control plane is in charge",
		"none is in charge just now; one will be in a moment, and it is safe to try again",
		"RUNNING_OPERATIONS");
}

static void return_headers(Errand *e)
{
	for (size_t i = 0; i < N_OF(returned); i++) {
		const char *value = fetch_header(e->fetch, returned[i]);

		if (value)
			request_add_header(e->request, returned[i], value);
	}
}

static void on_head(void *arg, int status, const char *content_type)
{
	Errand *e = arg;

	e->status = status;
	if (status == 503) /* perhaps because he is not in charge any more */
		e->c->leader_url[0] = 0;
	text_copy(e->type, sizeof(e->type), content_type);
	return_headers(e);
	e->streams = text_starts(e->type, "text/event-stream");
	if (e->streams)
		request_stream_begin(e->request, status, e->type, (Span){NULL, 0});
}

static bool on_data(void *arg, Span piece)
{
	Errand *e = arg;

	if (e->streams)
		return request_stream_send(e->request, piece);
	if (buf_size(&e->body) + piece.n > ANSWER_MAX)
		return false;
	buf_append(&e->body, piece);
	return true;
}

/* Who cannot be reached may not be in charge any more, so he is looked up anew. */
static void on_answer(void *arg, const FetchAnswer *answer)
{
	Errand *e = arg;

	e->fetch = NULL;
	request_on_gone(e->request, NULL, NULL);
	if (e->streams) {
		request_stream_end(e->request);
	} else if (answer->status == 0) {
		e->c->leader_url[0] = 0;
		log_warning("could not pass a request on to the one in charge: error=\"%s\"",
			    answer->error);
		come_again(e->c, e->request);
	} else {
		request_answer(e->request, e->status, e->type, buf_span(&e->body));
	}
	free_errand(e);
}

static void on_gone(void *arg)
{
	Errand *e = arg;

	fetch_cancel(e->fetch);
	free_errand(e);
}

/* ---- the way there ----------------------------------------------------- */

static void set_headers(FetchCall *call, const Request *r)
{
	int n = 0;

	for (size_t i = 0; i < N_OF(passed); i++) {
		const char *value = request_header(r, passed[i]);

		if (value)
			call->headers[n++] = (FetchHeader){passed[i], value};
	}
	call->headers[n] = (FetchHeader){PASSED_ON, "1"};
}

static void send_errand(Controller *c, Request *r)
{
	Errand *e = NEW(Errand);
	char url[URL_SIZE + TARGET_SIZE];
	const char *query = request_raw_query(r);
	Span body = request_body(r);
	char *text = body.n > 0 ? mem_new(body.n + 1, 1) : NULL;
	FetchCall call = {.url = url,
			  .token = "",
			  .post = text,
			  .method = request_method(r),
			  .ca_file = c->conf->wake.ca_file.s,
			  .connect_ms = CONNECT_MS,
			  .on_head = on_head,
			  .on_data = on_data,
			  .on_answer = on_answer,
			  .arg = e};

	if (text)
		memcpy(text, body.at, body.n);
	snprintf(url, sizeof(url), "%s%s%s%s", c->leader_url, request_path(r), *query ? "?" : "",
		 query);
	set_headers(&call, r);
	*e = (Errand){.c = c, .request = r};
	e->fetch = fetch(c->fetcher, &call);
	request_on_gone(r, on_gone, e);
	free(text);
}

/* ---- finding the one in charge ----------------------------------------- */

/* A request that waits for the answer, unless its client leaves. */
typedef struct Search {
	Controller *c;
	Request *request;
} Search;

static void on_searcher_gone(void *arg)
{
	((Search *)arg)->request = NULL;
}

static void on_leader(void *arg, const StoreRows *rows, const Fault *why)
{
	Search *s = arg;
	Controller *c = s->c;
	Request *r = s->request;

	if (!why && rows->n > 0)
		text_copy(c->leader_url, sizeof(c->leader_url), rows->leadership[0].url);
	free(s);
	if (!r)
		return;
	request_on_gone(r, NULL, NULL);
	if (*c->leader_url)
		send_errand(c, r);
	else
		come_again(c, r);
}

void api_forward(Controller *c, Request *r)
{
	Search *s;

	if (c->standing != STANDING_HELPS || request_header(r, PASSED_ON)) {
		come_again(c, r);
	} else if (*c->leader_url) {
		send_errand(c, r);
	} else {
		s = NEW(Search);
		*s = (Search){.c = c, .request = r};
		request_on_gone(r, on_searcher_gone, s);
		store_leader(c->store, (StoreCall){on_leader, s});
	}
}
