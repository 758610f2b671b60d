/*
 * HTTP calls, without blocking (libcurl on the loop).
 *
 * One Fetcher per process keeps connections alive between calls.  What comes
 * back is bounded in size and time before it is looked at.
 *
 * An answer may also be heard as it comes, without an end (on_data).  Then there
 * is no bound but on each piece, and the caller minds the time.
 */
#ifndef SYS_FETCH_H
#define SYS_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "sys/loop.h"

#define FETCH_BODY_MAX 65536

typedef struct Fetcher Fetcher;
typedef struct Fetch Fetch;

typedef struct FetchAnswer {
	int status;             /* HTTP status, or 0 if there was no answer */
	const char *error;      /* if there was none: why */
	bool too_large;         /* there was one, larger than FETCH_BODY_MAX: status is 0 */
	Span body;              /* borrowed for the call; ends in a zero that is not counted */
	int64_t retry_after_ms; /* what Retry-After asks for, or -1 */
} FetchAnswer;

#define FETCH_HEADERS 8

/* A header that is sent beside those that every call has. */
typedef struct FetchHeader {
	const char *name, *value;
} FetchHeader;

typedef struct FetchCall {
	const char *url; /* "http://…", "https://…", or "unix:/path/of/a/socket:/what/is/asked" */
	const char *token;                  /* bearer token, or "" */
	const char *post;                   /* JSON to be POSTed, or NULL for a GET */
	const char *method;                 /* instead of those two, or NULL */
	FetchHeader headers[FETCH_HEADERS]; /* up to the first without a name */
	const char *ca_file; /* of the server's certificate; NULL or "": the system's authorities */
	int64_t connect_ms, total_ms; /* 0: as long as it likes */
	/*
	 * NULL, or hears the pieces of a good answer (status 200), which is not kept;
	 * false ends it.  Must not cancel the call.
	 */
	bool (*on_data)(void *arg, Span piece);

	/* NULL, or is told before any piece; then on_data hears an answer of any status. */
	void (*on_head)(void *arg, int status, const char *content_type);
	void (*on_answer)(void *arg, const FetchAnswer *answer);
	void *arg;
} FetchCall;

Fetcher *fetcher_new(Loop *loop);
void fetcher_free(Fetcher *f);

/* The texts are copied. Never calls back before it returns. */
Fetch *fetch(Fetcher *f, const FetchCall *call);

/* A header of the answer, while on_head() or on_answer() runs; NULL if it has none. Borrowed. */
const char *fetch_header(const Fetch *f, const char *name);

/* Gives up; there will be no call back. */
void fetch_cancel(Fetch *f);

#endif
