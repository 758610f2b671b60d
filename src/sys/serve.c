#include "sys/serve.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/log.h"

#define HEADERS_MAX 16384
#define SWEEP_MS    1000

/*
 * evhttp neither bounds its connections nor the time a request may take to
 * trickle in, so each connection is followed from its first moment by a Visit.
 */
typedef struct Visit {
	HttpServer *server;
	struct bufferevent *stream; /* until the connection is known */
	struct evhttp_connection *connection;
	Request *request; /* the one that waits for its answer */
	int64_t until_ms; /* by when the next request must be there */
	LIST_ENTRY(Visit) link;
} Visit;

struct HttpServer {
	Loop *loop;
	struct evhttp *http;
	struct evconnlistener *listener;
	ServeLimits limits;
	LIST_HEAD(, Visit) visits;
	int connections;
	bool full;
	Timer greet, sweep;
	void (*on_request)(void *arg, Request *r);
	void *arg;
};

/* One name=value of a query. */
typedef struct Parameter {
	char *name, *value;
	STAILQ_ENTRY(Parameter) link;
} Parameter;

struct Request {
	Visit *visit;                  /* NULL once the client has left */
	struct evhttp_request *evhttp; /* likewise */
	STAILQ_HEAD(, Parameter) query;
	enum evhttp_cmd_type method;
	char *path;
	struct event *hangup;
	void (*on_gone)(void *arg);
	void *arg;
};

/* ---- connections ------------------------------------------------------- */

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

static void free_request(Request *r)
{
	if (r->hangup)
		event_free(r->hangup);
	free_query(r);
	free(r->path);
	free(r);
}

/* Whoever waits for its handler's answer stays, as a request without a client. */
static void client_left(Request *r)
{
	r->visit = NULL;
	r->evhttp = NULL;
	if (r->hangup)
		event_free(r->hangup);
	r->hangup = NULL;
	if (!r->on_gone)
		return;
	r->on_gone(r->arg);
	free_request(r);
}

static void on_connection_closed(struct evhttp_connection *connection, void *arg)
{
	Visit *v = arg;
	HttpServer *s = v->server;

	(void)connection;
	LIST_REMOVE(v, link);
	s->connections--;
	if (s->full)
		timer_arm(&s->sweep, 0);
	if (v->request)
		client_left(v->request);
	free(v);
}

/*
 * evhttp asks us for a stream before it makes the connection, and makes the
 * connection the argument of the stream's callbacks; there is no other way to
 * learn of a connection before its first request.
 */
static struct bufferevent *on_new_connection(struct event_base *base, void *arg)
{
	HttpServer *s = arg;
	Visit *v = NEW(Visit);

	v->server = s;
	v->stream = bufferevent_socket_new(base, -1, 0);
	v->until_ms = clock_ms() + s->limits.request_ms;
	LIST_INSERT_HEAD(&s->visits, v, link);
	timer_arm(&s->greet, 0);
	if (!timer_is_armed(&s->sweep))
		timer_arm(&s->sweep, SWEEP_MS);
	if (++s->connections >= s->limits.max_connections) {
		s->full = true;
		evconnlistener_disable(s->listener);
	}
	return v->stream;
}

static void greet(Visit *v)
{
	void *connection = NULL;

	if (v->connection)
		return;
	bufferevent_getcb(v->stream, NULL, NULL, NULL, &connection);
	v->connection = connection;
	evhttp_connection_set_closecb(v->connection, on_connection_closed, v);
}

static void greet_newcomers(void *arg)
{
	HttpServer *s = arg;
	Visit *v;

	LIST_FOREACH(v, &s->visits, link)
	greet(v);
}

/* Shut, a slow client's connection ends the way every connection ends. */
static void sweep(void *arg)
{
	HttpServer *s = arg;
	int64_t now = clock_ms();
	Visit *v;

	LIST_FOREACH(v, &s->visits, link)
	{
		if (!v->request && now > v->until_ms)
			shutdown(bufferevent_getfd(v->stream), SHUT_RDWR);
	}
	if (s->full && s->connections < s->limits.max_connections) {
		s->full = false;
		evconnlistener_enable(s->listener);
	}
	if (!LIST_EMPTY(&s->visits))
		timer_arm(&s->sweep, SWEEP_MS);
}

static Visit *visit_of(HttpServer *s, struct evhttp_connection *connection)
{
	Visit *v;

	LIST_FOREACH(v, &s->visits, link)
	{
		greet(v);
		if (v->connection == connection)
			return v;
	}
	return NULL;
}

/* ---- requests ---------------------------------------------------------- */

/* No zero hides what follows it: such a value is none. */
static void add_parameter(Request *r, const char *name, const char *encoded)
{
	size_t n = 0;
	char *value = evhttp_uridecode(encoded, 1, &n);
	Parameter *p;

	if (!value || strlen(value) != n) {
		free(value);
		return;
	}
	p = NEW(Parameter);
	p->name = mem_text(name);
	p->value = value;
	STAILQ_INSERT_TAIL(&r->query, p, link);
}

/*
 * evhttp's own parser refuses a whole query for one name without a value, and its
 * lists take no value with a line's end in it.
 */
static void parse_query(Request *r, const char *text)
{
	char *copy = mem_text(text), *save = NULL;

	for (char *pair = strtok_r(copy, "&", &save); pair; pair = strtok_r(NULL, "&", &save)) {
		char *equals = strchr(pair, '=');

		if (equals)
			*equals = 0;
		add_parameter(r, pair, equals ? equals + 1 : "");
	}
	free(copy);
}

static void on_evhttp_request(struct evhttp_request *evhttp, void *arg)
{
	HttpServer *s = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(evhttp);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	Request *r = NEW(Request);

	r->visit = visit_of(s, evhttp_request_get_connection(evhttp));
	assert(r->visit && !r->visit->request);
	r->visit->request = r;
	r->evhttp = evhttp;
	r->method = evhttp_request_get_command(evhttp);
	r->path = mem_text(path ? path : "");
	STAILQ_INIT(&r->query);
	parse_query(r, query ? query : "");
	s->on_request(s->arg, r);
}

const char *request_method(const Request *r)
{
	switch (r->method) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	default:
		return "OTHER";
	}
}

const char *request_path(const Request *r)
{
	return r->path;
}

const char *request_header(const Request *r, const char *name)
{
	if (!r->evhttp)
		return NULL;
	return evhttp_find_header(evhttp_request_get_input_headers(r->evhttp), name);
}

Span request_body(const Request *r)
{
	struct evbuffer *in;

	if (!r->evhttp)
		return (Span){NULL, 0};
	in = evhttp_request_get_input_buffer(r->evhttp);
	return (Span){evbuffer_pullup(in, -1), evbuffer_get_length(in)};
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

static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	Request *r = arg;

	(void)fd, (void)what;
	evhttp_connection_free(r->visit->connection);
}

void request_on_gone(Request *r, void (*on_gone)(void *arg), void *arg)
{
	r->on_gone = on_gone;
	r->arg = arg;
	if (r->hangup || !r->visit)
		return;
	/* While a request waits evhttp does not read, so it would not notice by itself. */
	r->hangup = event_new(loop_base(r->visit->server->loop),
			      bufferevent_getfd(r->visit->stream), EV_CLOSED, on_hangup, r);
	event_add(r->hangup, NULL);
}

void request_add_header(Request *r, const char *name, const char *value)
{
	if (r->evhttp)
		evhttp_add_header(evhttp_request_get_output_headers(r->evhttp), name, value);
}

void request_answer(Request *r, int status, const char *content_type, Span body)
{
	struct evhttp_request *evhttp = r->evhttp;
	Visit *v = r->visit;

	if (v) {
		struct evbuffer *out = evbuffer_new();

		v->request = NULL;
		v->until_ms = clock_ms() + v->server->limits.request_ms;
		evbuffer_add(out, body.at, body.n);
		request_add_header(r, "Content-Type", content_type);
		free_request(r);
		evhttp_send_reply(evhttp, status, NULL, out);
		evbuffer_free(out);
		return;
	}
	free_request(r);
}

/* ---- the server -------------------------------------------------------- */

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	HttpServer *s = arg;

	log_warning("could not accept a connection, trying again soon: error=\"%s\"",
		    strerror(errno));
	s->full = true;
	evconnlistener_disable(listener);
	timer_arm(&s->sweep, SWEEP_MS);
}

HttpServer *serve_open(Loop *loop, int listen_fd, const ServeLimits *limits,
		       void (*on_request)(void *arg, Request *r), void *arg)
{
	HttpServer *s = NEW(HttpServer);

	*s = (HttpServer){.loop = loop, .limits = *limits, .on_request = on_request, .arg = arg};
	LIST_INIT(&s->visits);
	timer_init(&s->greet, loop, greet_newcomers, s);
	timer_init(&s->sweep, loop, sweep, s);
	s->http = evhttp_new(loop_base(loop));
	evhttp_set_max_headers_size(s->http, HEADERS_MAX);
	evhttp_set_max_body_size(s->http, (ev_ssize_t)limits->max_body);
	evhttp_set_allowed_methods(s->http, (ev_uint16_t)(EVHTTP_REQ_PATCH * 2 - 1));
	evhttp_set_bevcb(s->http, on_new_connection, s);
	evhttp_set_gencb(s->http, on_evhttp_request, s);
	signal(SIGPIPE, SIG_IGN); /* evhttp writes to clients that may have left */
	evutil_make_socket_nonblocking(listen_fd);
	s->listener = evconnlistener_new(loop_base(loop), NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0,
					 listen_fd);
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	evhttp_bind_listener(s->http, s->listener);
	return s;
}

int serve_connections(const HttpServer *s)
{
	return s->connections;
}

void serve_close(HttpServer *s)
{
	greet_newcomers(s);
	evhttp_free(s->http);
	timer_stop(&s->greet);
	timer_stop(&s->sweep);
	loop_bury(s->loop, s, free);
}
