/*
 * An HTTP/1.1 server on the loop, for the control plane's API and the monitor.
 *
 * Every request is answered exactly once, now or much later, whole or as a stream; a
 * long poll may ask to be told when its client hangs up.  How many connections there
 * are, how large a request may be, how long it may take to arrive, and how slowly an
 * answer may be read are all bounded.  What cannot be read is answered with
 * application/problem+json and ends the connection (proto/http.h says what that is).
 * On TCP it speaks TLS if it was given a certificate, and else is for loopback only.
 */
#ifndef SYS_SERVE_H
#define SYS_SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "sys/address.h"
#include "sys/listen.h"
#include "sys/loop.h"
#include "sys/tls.h"

typedef struct HttpServer HttpServer;
typedef struct Request Request;

typedef struct ServeLimits {
	int max_connections; /* more wait in the kernel's queue */
	int max_strangers;  /* connections that are not trusted; one more ends the oldest. 0: any */
	size_t max_body;    /* bytes; more is answered 413 */
	size_t max_backlog; /* bytes of a stream that its reader may leave lying */
	int64_t request_ms; /* for TLS, and from a request's first byte to its last */
	int64_t idle_ms;    /* from connecting, or the last answer, to the first byte */
	int64_t answer_ms;  /* in which some of an answer must be read */
} ServeLimits;

typedef struct ServeSetup {
	const Listeners *listeners; /* stay the caller's */
	TlsContext *tls;            /* spoken on TCP, or NULL */
	ServeLimits limits;

	/*
	 * Called with a request's head, before its body is read; may answer, and then
	 * returns false.  NULL: all are let in.
	 */
	bool (*on_head)(void *arg, Request *r);
	void (*on_request)(void *arg, Request *r);
	void *arg;
} ServeSetup;

HttpServer *serve_open(Loop *loop, const ServeSetup *setup);

/* Newcomers are shown another certificate. */
void serve_set_tls(HttpServer *s, TlsContext *tls);

/* Closes every connection; nobody hears of requests that were not answered. */
void serve_close(HttpServer *s);

/* How many connections are open. */
int serve_connections(const HttpServer *s);

/* What was asked; header and body are no longer known once the client has left. */
const char *request_method(const Request *r);    /* "GET" */
const char *request_path(const Request *r);      /* without query, not decoded */
const char *request_raw_query(const Request *r); /* not decoded, "" if there is none */
const char *request_header(const Request *r, const char *name);
Span request_body(const Request *r);
bool request_has_body(const Request *r); /* also while it is not read yet */

/* Its connection is no stranger's, and is not ended for others to come. */
void request_trust(Request *r);

/* Where it came from; of size 0 if the client has left. */
Address request_peer(const Request *r);

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

/*
 * The same little by little; request_on_gone() has to be asked before.  What is sent with
 * the beginning may have any size.  Who leaves more than max_backlog of the rest unread,
 * or anything for answer_ms, is cut off: he is gone, in a later turn, and sending is false.
 */
void request_stream_begin(Request *r, int status, const char *content_type, Span first);
bool request_stream_send(Request *r, Span bytes);
void request_stream_end(Request *r);

#endif
