#include "sys/resolve.h"

#include <ares.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/log.h"

#define SOCKETS_MAX 16

/* One socket that c-ares has open. */
typedef struct Socket {
	ares_socket_t fd;
	struct event event;
	bool used;
	Resolver *resolver;
} Socket;

struct Resolver {
	Loop *loop;
	ares_channel channel;
	Socket sockets[SOCKETS_MAX];
	Timer timer;
};

struct Lookup {
	Loop *loop;
	OnResolved *on_resolved;
	void *arg;
	bool cancelled;
	int n, status;
	Address addresses[RESOLVE_MAX];
	Timer deliver;
};

static void arm_timer(Resolver *r)
{
	struct timeval tv, *next = ares_timeout(r->channel, NULL, &tv);

	if (next)
		timer_arm(&r->timer, next->tv_sec * 1000 + next->tv_usec / 1000 + 1);
	else
		timer_stop(&r->timer);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	Socket *s = arg;
	Resolver *r = s->resolver;

	ares_process_fd(r->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	arm_timer(r);
}

static void on_timer(void *arg)
{
	Resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm_timer(r);
}

static Socket *find_socket(Resolver *r, ares_socket_t fd)
{
	Socket *unused = NULL;

	for (int i = 0; i < SOCKETS_MAX; i++) {
		if (r->sockets[i].used && r->sockets[i].fd == fd)
			return &r->sockets[i];
		if (!r->sockets[i].used)
			unused = &r->sockets[i];
	}
	return unused;
}

/* c-ares says which of its sockets it wants to hear of. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	Resolver *r = arg;
	Socket *s = find_socket(r, fd);
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0) | EV_PERSIST);

	if (!s)
		return;
	if (s->used)
		event_del(&s->event);
	s->used = readable || writable;
	s->fd = fd;
	s->resolver = r;
	if (!s->used)
		return;
	event_assign(&s->event, loop_base(r->loop), fd, what, on_socket, s);
	event_add(&s->event, NULL);
}

Resolver *resolver_new(Loop *loop)
{
	Resolver *r = NEW(Resolver);
	struct ares_options options = {.sock_state_cb = on_socket_state, .sock_state_cb_data = r};

	r->loop = loop;
	timer_init(&r->timer, loop, on_timer, r);
	if (ares_init_options(&r->channel, &options, ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
		die("could not set up name resolution");
	return r;
}

void resolver_free(Resolver *r)
{
	ares_destroy(r->channel);
	timer_stop(&r->timer);
	free(r);
}

static void free_lookup(void *lookup)
{
	free(lookup);
}

static void deliver(void *arg)
{
	Lookup *l = arg;

	if (!l->cancelled)
		l->on_resolved(l->arg, l->addresses, l->n, ares_strerror(l->status));
	loop_bury(l->loop, l, free_lookup);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *answer)
{
	Lookup *l = arg;

	(void)timeouts;
	for (struct ares_addrinfo_node *n = answer ? answer->nodes : NULL; n && l->n < RESOLVE_MAX;
	     n = n->ai_next) {
		memcpy(&l->addresses[l->n].at, n->ai_addr, n->ai_addrlen);
		l->addresses[l->n++].size = n->ai_addrlen;
	}
	if (answer)
		ares_freeaddrinfo(answer);
	l->status = status;
	timer_arm(&l->deliver, 0); /* c-ares may answer within the call that asked */
}

Lookup *resolve(Resolver *r, const char *name, int port, OnResolved *on_resolved, void *arg)
{
	Lookup *l = NEW(Lookup);
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
					    .ai_socktype = SOCK_STREAM,
					    .ai_flags = ARES_AI_NUMERICSERV};
	char service[16];

	*l = (Lookup){.loop = r->loop, .on_resolved = on_resolved, .arg = arg};
	timer_init(&l->deliver, r->loop, deliver, l);
	snprintf(service, sizeof(service), "%d", port);
	ares_getaddrinfo(r->channel, name, service, &hints, on_answer, l);
	arm_timer(r);
	return l;
}

void resolve_cancel(Lookup *l)
{
	l->cancelled = true;
}
