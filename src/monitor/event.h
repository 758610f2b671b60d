/*
 * What an event of the control plane says.  Pure, and bounded by what it reads into.
 */
#ifndef MONITOR_EVENT_H
#define MONITOR_EVENT_H

#include "base/span.h"
#include "model/news.h"

typedef struct ComputeEvent {
	char compute[ROUTE_NAME_SIZE];
	char state[16];
	char address[ROUTE_ADDRESS_SIZE]; /* "" if it has none */
	NewsKind kind;                    /* NEWS_NONE: a state of which we know nothing */
	uint64_t generation;
} ComputeEvent;

/* Reads the data of an event "compute"; false and *why if that is not what it is. */
bool event_read(Span data, ComputeEvent *out, Fault *why);

/* Reads the data of an event "access", which is about that compute. */
bool event_read_access(Span data, char compute[ROUTE_NAME_SIZE], Fault *why);

#endif
