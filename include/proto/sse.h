/*
 * Server-sent events, as a client reads them (WHATWG HTML, "Server-sent events").
 *
 * Text comes in lines; a line is a field of the event that is being told, or a
 * comment, and an empty line ends the event.  Pure and bounded: whatever does not
 * fit ends the stream with a fault, because news that is skipped is news that is
 * missed.  Ids and retry times are read past; who listens here asks for the whole
 * state again when it comes back.
 */
#ifndef PROTO_SSE_H
#define PROTO_SSE_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/span.h"

#define SSE_NAME_SIZE 32
#define SSE_DATA_MAX  8192

/* Zeroed to begin with. */
typedef struct SseReader {
	char name[SSE_NAME_SIZE]; /* of the event, or "" */
	uint8_t data[SSE_DATA_MAX];
	uint8_t line[SSE_DATA_MAX];
	uint32_t data_n, line_n;
	bool has_data, after_return, told;
} SseReader;

typedef enum SseVerdict { SSE_MORE, SSE_EVENT, SSE_FAULT } SseVerdict;

/*
 * Reads up to the end of the next event, taking what it used.  On SSE_EVENT name
 * and sse_data() say what it is, until the next call.  After SSE_FAULT the reader
 * is of no more use.
 */
SseVerdict sse_next(SseReader *r, Span *bytes, Fault *why);

static inline Span sse_data(const SseReader *r)
{
	return (Span){r->data, r->data_n};
}

#endif
