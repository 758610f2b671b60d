/* A request: what was asked, and how it is answered. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "visit.h"

/* One name=value of a query. */
typedef struct Parameter {
	char *name, *value;
	STAILQ_ENTRY(Parameter) link;
} Parameter;

struct Request {
	Visit *visit; /* NULL once the client has left */
	STAILQ_HEAD(, Parameter) query;
	char method[HTTP_METHOD_MAX + 1];
	char *path;
	Buf fields; /* of the answer */
	bool old;   /* the client speaks HTTP/1.0 */
	bool streaming;
	size_t first; /* bytes that its stream began with */
	void (*on_gone)(void *arg);
	void *arg;
};

/* ---- the query --------------------------------------------------------- */

/* A zero hides nothing that follows it: such a text is none. Or free() it. */
static char *decoded(const char *text, size_t n)
{
	Buf out = {0};
	char *copy = NULL;

	http_decode((Span){(const uint8_t *)text, n}, &out);
	if (!memchr(buf_span(&out).at ? (const char *)buf_span(&out).at : "x", 0, buf_size(&out))) {
		buf_append_u8(&out, 0);
		copy = mem_text((const char *)buf_span(&out).at);
	}
	buf_free(&out);
	return copy;
}

static void add_parameter(Request *r, const char *pair, size_t n)
{
	const char *equals = memchr(pair, '=', n);
	size_t name = equals ? (size_t)(equals - pair) : n, value = equals ? n - name - 1 : 0;
	Parameter *p = NEW(Parameter);

	p->name = decoded(pair, name);
	p->value = decoded(equals ? equals + 1 : "", value);
	if (p->name && p->value) {
		STAILQ_INSERT_TAIL(&r->query, p, link);
		return;
	}
	free(p->name);
	free(p->value);
	free(p);
}

static void parse_query(Request *r, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "&");

		add_parameter(r, text, n);
		text += n + strspn(text + n, "&");
	}
}

static void free_query(Request *r)
{
	Parameter *p;

	while ((p = STAILQ_FIRST(&r->query)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->query, link);
		free(p->name);
		free(p->value);
		free(p);
	}
}

/* ---- coming and going -------------------------------------------------- */

/* Of a head that could not be read nothing is known. */
Request *request_new(Visit *v)
{
	Request *r = NEW(Request);

	r->visit = v;
	r->old = v->head.old;
	STAILQ_INIT(&r->query);
	r->path = mem_text(v->head.path ? v->head.path : "");
	snprintf(r->method, sizeof(r->method), "%s", v->head.method ? v->head.method : "");
	parse_query(r, v->head.query ? v->head.query : "");
	return r;
}

void request_free(Request *r)
{
	free_query(r);
	buf_free(&r->fields);
	free(r->path);
	free(r);
}

bool request_minds(const Request *r)
{
	return r->on_gone != NULL;
}

void request_leave(Request *r, bool tell)
{
	r->visit = NULL;
	if (!r->on_gone)
		return;
	if (tell)
		r->on_gone(r->arg);
	request_free(r);
}

/* Who has said all he had to say may be gone already. */
void request_on_gone(Request *r, void (*on_gone)(void *arg), void *arg)
{
	r->on_gone = on_gone;
	r->arg = arg;
	if (on_gone && r->visit && r->visit->ended)
		visit_break(r->visit);
}

/* ---- what was asked ---------------------------------------------------- */

const char *request_method(const Request *r)
{
	return r->method;
}

const char *request_path(const Request *r)
{
	return r->path;
}

const char *request_raw_query(const Request *r)
{
	return r->visit && r->visit->head.query ? r->visit->head.query : "";
}

const char *request_header(const Request *r, const char *name)
{
	return r->visit ? http_head_field(&r->visit->head, name) : NULL;
}

Span request_body(const Request *r)
{
	return r->visit ? buf_span(&r->visit->body_bytes) : (Span){NULL, 0};
}

bool request_has_body(const Request *r)
{
	return r->visit && (r->visit->head.chunked || r->visit->head.length > 0);
}

void request_trust(Request *r)
{
	if (r->visit)
		visit_trust(r->visit);
}

Address request_peer(const Request *r)
{
	return r->visit ? r->visit->peer : (Address){.size = 0};
}

const char *request_query(const Request *r, const char *name)
{
	const Parameter *p;

	STAILQ_FOREACH(p, &r->query, link)
	{
		if (strcmp(p->name, name) == 0)
			return p->value;
	}
	return NULL;
}

/* ---- answering --------------------------------------------------------- */

static void add(Buf *out, const char *text)
{
	buf_append(out, span_of_text(text));
}

void request_add_header(Request *r, const char *name, const char *value)
{
	assert(!strpbrk(value, "\r\n"));
	add(&r->fields, name);
	add(&r->fields, ": ");
	add(&r->fields, value);
	add(&r->fields, "\r\n");
}

static void add_date(Request *r)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[40];

	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	request_add_header(r, "Date", text);
}

static void add_length(Request *r, size_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", n);
	request_add_header(r, "Content-Length", text);
}

static bool is_head(const Request *r)
{
	return strcmp(r->method, "HEAD") == 0;
}

/* The head of the answer, and what follows it at once. */
static void send_head(Request *r, int status, Span body)
{
	Buf out = {0};
	char line[80];

	add_date(r);
	if (!r->visit->keep)
		request_add_header(r, "Connection", "close");
	else if (r->old)
		request_add_header(r, "Connection", "keep-alive");
	snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", status, http_reason(status));
	add(&out, line);
	buf_append(&out, buf_span(&r->fields));
	add(&out, "\r\n");
	if (body.n > 0 && !is_head(r))
		buf_append(&out, body);
	visit_send(r->visit, buf_span(&out));
	buf_free(&out);
}

static void end_request(Request *r)
{
	Visit *v = r->visit;

	request_free(r);
	if (v)
		visit_answered(v);
}

void request_answer(Request *r, int status, const char *content_type, Span body)
{
	if (r->visit) {
		if (status != 204) {
			request_add_header(r, "Content-Type", content_type);
			add_length(r, body.n);
		}
		send_head(r, status, body);
	}
	end_request(r);
}

/* HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer. */
static void add_chunk(const Request *r, Buf *out, Span bytes)
{
	char size[24];

	if (bytes.n == 0)
		return;
	if (!r->old) {
		snprintf(size, sizeof(size), "%zx\r\n", bytes.n);
		add(out, size);
	}
	buf_append(out, bytes);
	if (!r->old)
		add(out, "\r\n");
}

void request_stream_begin(Request *r, int status, const char *content_type, Span first)
{
	Buf out = {0};

	assert(r->on_gone);
	r->streaming = true;
	if (!r->visit)
		return;
	request_add_header(r, "Content-Type", content_type);
	if (r->old)
		r->visit->keep = false;
	else
		request_add_header(r, "Transfer-Encoding", "chunked");
	r->first = first.n;
	add_chunk(r, &out, first);
	send_head(r, status, buf_span(&out));
	buf_free(&out);
}

bool request_stream_send(Request *r, Span bytes)
{
	Visit *v = r->visit;
	Buf out = {0};

	assert(r->streaming);
	if (!v || v->broken || bytes.n == 0 || is_head(r))
		return v && !v->broken;
	if (buf_size(&v->stream.out) > v->server->setup.limits.max_backlog + r->first) {
		visit_break(v);
		return false;
	}
	add_chunk(r, &out, bytes);
	visit_send(v, buf_span(&out));
	buf_free(&out);
	return !v->broken;
}

void request_stream_end(Request *r)
{
	assert(r->streaming);
	if (r->visit && !r->old && !is_head(r))
		visit_send(r->visit, span_of_text("0\r\n\r\n"));
	end_request(r);
}
