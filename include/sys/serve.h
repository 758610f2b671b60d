/*
 * An HTTP server on the loop (libevent's evhttp), for the control plane's API and the monitor.
 *
 * Every request is answered exactly once, now or much later; a long poll may
 * ask to be told when its client hangs up.  How many connections there are, how
 * large a request may be and how long it may take to arrive are all bounded.
 * Plain HTTP: for loopback and Unix sockets.
 */
#ifndef SYS_SERVE_H
#define SYS_SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "sys/loop.h"

typedef struct HttpServer HttpServer;
typedef struct Request Request;

typedef struct ServeLimits {
	int max_connections; /* more wait in the kernel's queue */
	size_t max_body;     /* bytes; more is answered 413 */
	int64_t request_ms;  /* from connecting, or the last answer, to a whole request */
} ServeLimits;

/* Serves a listening socket, which stays the caller's. The process ignores SIGPIPE from here on. */
HttpServer *serve_open(Loop *loop, int listen_fd, const ServeLimits *limits,
		       void (*on_request)(void *arg, Request *r), void *arg);

/* Closes every connection; nobody hears of requests that were not answered. */
void serve_close(HttpServer *s);

/* How many connections are open. */
int serve_connections(const HttpServer *s);

/* What was asked; header and body are no longer known once the client has left. */
const char *request_method(const Request *r); /* "GET" */
const char *request_path(const Request *r);   /* without query, not decoded */
const char *request_header(const Request *r, const char *name);
Span request_body(const Request *r);

/* A decoded value of the query string, any bytes but zero; of several the first; or NULL. */
const char *request_query(const Request *r, const char *name);

/*
 * Asks to be told when the client hangs up.  When told, forget the request: it
 * is gone and must not be answered.
 */
void request_on_gone(Request *r, void (*on_gone)(void *arg), void *arg);

/* A header of the answer to come. */
void request_add_header(Request *r, const char *name, const char *value);

/* Answers and ends the request. A client that has left meanwhile is no error. */
void request_answer(Request *r, int status, const char *content_type, Span body);

#endif
