/*
 * One request over HTTP, and its whole answer.
 *
 * reveillectl asks one thing and waits, so this blocks; it is the one place
 * outside src/sys that includes libcurl (doc/floors.txt says why).
 */
#ifndef CTL_HTTP_H
#define CTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/span.h"

typedef struct HttpRequest {
	const char *method, *url, *ca_file, *token;
	const char *body;     /* JSON, or NULL */
	const char *progress; /* shown on the terminal while it takes long, or NULL */
} HttpRequest;

typedef struct HttpAnswer {
	int status;
	char *body; /* zero-terminated; free() it */
	size_t n;
} HttpAnswer;

/* False and *why if no answer came; any status is an answer. The body is there either way. */
bool http_ask(const HttpRequest *request, HttpAnswer *answer, Fault *why);

/*
 * Asks for an answer that does not end, and hands over what comes of it until it does, or
 * on_bytes() is false.  *why says how it ended; *answer has the status (0: none came), and
 * the body if it was a refusal.
 */
void http_follow(const HttpRequest *request, bool (*on_bytes)(void *arg, Span bytes), void *arg,
		 HttpAnswer *answer, Fault *why);

/* The text as it may stand in a URL; free() it. */
char *http_escape(const char *text);

#endif
