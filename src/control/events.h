/*
 * Who is told of changes of computes as they happen: server-sent events (WHATWG HTML,
 * section 9.2), over answers that do not end.
 *
 * A listener is first told of every compute there is, then of each change; so whoever
 * lost his connection only has to come again.  Who does not read is cut off, and who
 * hears nothing for three beats knows that the connection is dead.
 */
#ifndef CONTROL_EVENTS_H
#define CONTROL_EVENTS_H

#include "fleet.h"
#include "sys/serve.h"

/* Of them those of one project, and of all projects: the others are kept for proxies. */
#define EVENTS_LISTENERS   256
#define EVENTS_OF_PROJECT  16
#define EVENTS_OF_PROJECTS 128
#define EVENTS_BEAT_MS     5000
#define EVENTS_NAME_SIZE   64

/* What somebody wants to hear of; "" is everything. */
typedef struct EventsFilter {
	char proxy_id[EVENTS_NAME_SIZE]; /* who listens */
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	bool tenant; /* has the token of that project, and no other */
} EventsFilter;

typedef struct Events {
	Controller *controller;
	LIST_HEAD(, EventsListener) listeners;
	int n;
	int64_t last_id; /* of an event: grows, over restarts too */
	Timer beat;
} Events;

void events_init(Events *e, Controller *c);

/* Answers the request as a stream; FAULT_LIMIT if there are too many listeners. */
bool events_listen(Events *e, Request *r, const EventsFilter *filter, Fault *why);

/* A compute has changed, or is new. */
void events_tell(Controller *c, const Unit *u, const char *reason);

/* What is known of who may connect to it is no longer true. */
void events_tell_access(Controller *c, const Unit *u);

/* Whether that proxy is listening right now. */
bool events_is_heard_by(const Events *e, const char *proxy_id);

#endif
