/*
 * The server's side of HTTP/1.1 (RFC 9112), in pure functions: the head of a request
 * and its body as they arrive, and the first lines of an answer.
 *
 * Strict: where two readers of the same bytes could disagree on where a request ends
 * (RFC 9112 section 11.2, request smuggling), it is refused and the connection with it.
 */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define HTTP_HEAD_MAX   16384 /* bytes of request line and fields */
#define HTTP_LINE_MAX   8192  /* bytes of the request line alone */
#define HTTP_FIELDS_MAX 64
#define HTTP_METHOD_MAX 15

typedef enum HttpVerdict {
	HTTP_MORE,
	HTTP_DONE,
	HTTP_BAD, /* the problem says why; nothing behind it can be read */
} HttpVerdict;

typedef struct HttpProblem {
	int status;         /* that the answer is to have */
	const char *detail; /* a sentence */
} HttpProblem;

typedef struct HttpField {
	const char *name, *value;
} HttpField;

typedef struct HttpHead {
	char *text; /* what all others point into */
	size_t text_size;
	const char *method, *path, *query;
	HttpField fields[HTTP_FIELDS_MAX];
	int n_fields;
	size_t size;    /* bytes that it took, with the empty lines before it */
	bool old;       /* HTTP/1.0 */
	bool keep;      /* the connection may go on after the answer */
	bool expects;   /* the client waits for 100 Continue before it sends the body */
	bool chunked;   /* then the length is not known */
	int64_t length; /* of the body */
} HttpHead;

/*
 * Reads a head from the beginning of what a connection has said and not been
 * answered for.  After HTTP_DONE it is to be freed.
 */
HttpVerdict http_head_read(HttpHead *out, Span in, HttpProblem *why);
void http_head_free(HttpHead *h); /* may be called again */

/* The value of the first field of that name, in whatever case, or NULL. */
const char *http_head_field(const HttpHead *h, const char *name);

/* A body on its way. */
typedef struct HttpBody {
	int64_t left;   /* bytes of the body, or of this chunk */
	size_t skipped; /* bytes of chunk extensions and trailers */
	enum {
		HTTP_BODY_PLAIN,
		HTTP_CHUNK_SIZE,
		HTTP_CHUNK_EXTENSION,
		HTTP_CHUNK_SIZE_END,
		HTTP_CHUNK_DATA,
		HTTP_CHUNK_DATA_END,
		HTTP_CHUNK_DATA_LF,
		HTTP_TRAILER_BEGIN,
		HTTP_TRAILER,
		HTTP_TRAILER_LF,
		HTTP_LAST_LF,
	} state;
	int digits; /* of the chunk's size, so far */
} HttpBody;

void http_body_begin(HttpBody *b, const HttpHead *h);

/* Appends what `in` holds of the body to *out, which may have `max` bytes; *used of `in` are read.
 */
HttpVerdict http_body_read(HttpBody *b, Span in, size_t *used, size_t max, Buf *out,
			   HttpProblem *why);

/* "Not Found"; "" for a status that has no name here. */
const char *http_reason(int status);

/* Appends text with its %XX decoded, and + as a blank; what is no such thing stays as it is. */
void http_decode(Span encoded, Buf *out);

#endif
