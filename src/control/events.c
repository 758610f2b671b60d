#include "events.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "controller.h"
#include "sys/clock.h"

typedef struct EventsListener {
	Events *events;
	Request *request;
	EventsFilter filter;
	LIST_ENTRY(EventsListener) link;
} EventsListener;

/* ---- what is told ------------------------------------------------------ */

static bool wants(const EventsFilter *f, const Compute *c)
{
	return (!*f->project_id || strcmp(f->project_id, c->project_id) == 0) &&
	       (!*f->compute_id || strcmp(f->compute_id, c->id) == 0);
}

/* Not all of a reason need be UTF-8: it may come from a server's log. */
static json_t *text_or_null(const char *text)
{
	json_t *json = *text ? json_string(text) : NULL;

	return json ? json : json_null();
}

/* One event; its data is one line, since JSON has no line ends in its texts. */
static void add_event(Events *e, Buf *out, const char *name, json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT), head[80];

	snprintf(head, sizeof(head), "id: %lld\nevent: %s\ndata: ", (long long)++e->last_id, name);
	buf_append(out, span_of_text(head));
	buf_append(out, span_of_text(text));
	buf_append(out, span_of_text("\n\n"));
	free(text);
	json_decref(data);
}

static void add_compute(Events *e, Buf *out, const Compute *c, const char *reason)
{
	add_event(e, out, "compute",
		  json_pack("{s:s, s:s, s:s, s:I, s:o, s:o}", "compute_id", c->id, "project_id",
			    c->project_id, "state", compute_state_word(c->state), "generation",
			    (json_int_t)c->generation, "address", text_or_null(c->address),
			    "reason", text_or_null(reason)));
}

static void add_snapshot(Events *e, Buf *out, const EventsFilter *filter)
{
	int n = 0;

	for (const Unit *u = e->controller->fleet.units; u; u = u->hh.next) {
		if (!wants(filter, &u->compute))
			continue;
		add_compute(e, out, &u->compute, u->reason);
		n++;
	}
	add_event(e, out, "snapshot", json_pack("{s:i}", "computes", n));
}

/* To whom it concerns; the bytes are freed. */
static void tell(Events *e, const Unit *u, Buf *out)
{
	EventsListener *l;

	LIST_FOREACH(l, &e->listeners, link)
	{
		if (wants(&l->filter, &u->compute))
			request_stream_send(l->request, buf_span(out));
	}
	buf_free(out);
}

void events_tell(Controller *c, const Unit *u, const char *reason)
{
	Buf out = {0};

	if (LIST_EMPTY(&c->events.listeners))
		return;
	add_compute(&c->events, &out, &u->compute, reason);
	tell(&c->events, u, &out);
}

void events_tell_access(Controller *c, const Unit *u)
{
	Buf out = {0};

	if (LIST_EMPTY(&c->events.listeners))
		return;
	add_event(&c->events, &out, "access",
		  json_pack("{s:s, s:s}", "compute_id", u->compute.id, "project_id",
			    u->compute.project_id));
	tell(&c->events, u, &out);
}

/* ---- who listens ------------------------------------------------------- */

static void on_beat(void *arg)
{
	Events *e = arg;
	EventsListener *l;

	LIST_FOREACH(l, &e->listeners, link)
	request_stream_send(l->request, span_of_text(": beat\n\n"));
	if (e->n > 0)
		timer_arm(&e->beat, EVENTS_BEAT_MS);
}

void events_init(Events *e, Controller *c)
{
	*e = (Events){.controller = c, .last_id = wall_us()};
	LIST_INIT(&e->listeners);
	timer_init(&e->beat, c->loop, on_beat, e);
}

static void on_gone(void *arg)
{
	EventsListener *l = arg;

	LIST_REMOVE(l, link);
	l->events->n--;
	loop_bury(l->events->controller->loop, l, free);
}

static bool has_room(const Events *e, const EventsFilter *filter, Fault *why)
{
	const EventsListener *l;
	int own = 0, tenants = 0;

	if (e->n == EVENTS_LISTENERS)
		return fault_set(why, FAULT_LIMIT, "there are %d listeners already",
				 EVENTS_LISTENERS);
	LIST_FOREACH(l, &e->listeners, link)
	{
		tenants += l->filter.tenant;
		own += l->filter.tenant && strcmp(l->filter.project_id, filter->project_id) == 0;
	}
	if (!filter->tenant || (own < EVENTS_OF_PROJECT && tenants < EVENTS_OF_PROJECTS))
		return true;
	return fault_set(why, FAULT_LIMIT, "a project has at most %d listeners, all together %d",
			 EVENTS_OF_PROJECT, EVENTS_OF_PROJECTS);
}

bool events_listen(Events *e, Request *r, const EventsFilter *filter, Fault *why)
{
	EventsListener *l;
	Buf out = {0};

	if (!has_room(e, filter, why))
		return false;
	l = NEW(EventsListener);
	*l = (EventsListener){.events = e, .request = r, .filter = *filter};
	LIST_INSERT_HEAD(&e->listeners, l, link);
	if (e->n++ == 0)
		timer_arm(&e->beat, EVENTS_BEAT_MS);
	request_on_gone(r, on_gone, l);
	request_add_header(r, "Cache-Control", "no-store");
	add_snapshot(e, &out, filter);
	request_stream_begin(r, 200, "text/event-stream", buf_span(&out));
	buf_free(&out);
	return true;
}

bool events_is_heard_by(const Events *e, const char *proxy_id)
{
	const EventsListener *l;

	LIST_FOREACH(l, &e->listeners, link)
	{
		if (strcmp(l->filter.proxy_id, proxy_id) == 0)
			return true;
	}
	return false;
}
