#include "sys/serve.h"

#include <errno.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/log.h"
#include "visit.h"

#define AGAIN_MS 1000

static void open_doors(HttpServer *s, bool open)
{
	s->full = !open;
	for (int i = 0; i < s->n_listeners; i++) {
		if (open)
			evconnlistener_enable(s->listeners[i]);
		else
			evconnlistener_disable(s->listeners[i]);
	}
}

static bool is_tcp(const HttpServer *s, const struct evconnlistener *listener)
{
	for (int i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i] == listener)
			return s->is_tcp[i];
	}
	return false;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		      int size, void *arg)
{
	HttpServer *s = arg;
	bool tcp = is_tcp(s, listener);
	Address peer = {.size = 0};

	if (tcp && (size_t)size <= sizeof(peer.at)) {
		memcpy(&peer.at, from, (size_t)size);
		peer.size = (socklen_t)size;
	}
	if (++s->connections >= s->setup.limits.max_connections)
		open_doors(s, false);
	visit_begin(s, fd, &peer, tcp && s->setup.tls);
}

static void accept_again(void *arg)
{
	HttpServer *s = arg;

	if (s->full && s->connections < s->setup.limits.max_connections)
		open_doors(s, true);
}

void serve_visit_ended(HttpServer *s)
{
	s->connections--;
	if (!timer_is_armed(&s->again))
		accept_again(s);
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	HttpServer *s = arg;

	(void)listener;
	log_warning("could not accept a connection, trying again soon: error=\"%s\"",
		    strerror(errno));
	open_doors(s, false);
	timer_arm(&s->again, AGAIN_MS);
}

static bool is_internet(int fd)
{
	Address own;

	address_of_own_end(&own, fd);
	return own.at.any.sa_family != AF_UNIX;
}

static void open_listener(HttpServer *s, int fd)
{
	struct evconnlistener *listener;

	evutil_make_socket_nonblocking(fd);
	listener =
		evconnlistener_new(loop_base(s->loop), on_accept, s, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	evconnlistener_set_error_cb(listener, on_accept_error);
	s->is_tcp[s->n_listeners] = is_internet(fd);
	s->listeners[s->n_listeners++] = listener;
}

HttpServer *serve_open(Loop *loop, const ServeSetup *setup)
{
	HttpServer *s = NEW(HttpServer);

	s->loop = loop;
	s->setup = *setup;
	s->setup.tls = setup->tls ? tls_context_hold(setup->tls) : NULL;
	LIST_INIT(&s->visits);
	TAILQ_INIT(&s->strangers);
	timer_init(&s->again, loop, accept_again, s);
	for (int i = 0; i < setup->listeners->n; i++)
		open_listener(s, setup->listeners->fd[i]);
	return s;
}

void serve_set_tls(HttpServer *s, TlsContext *tls)
{
	tls_context_release(s->setup.tls);
	s->setup.tls = tls ? tls_context_hold(tls) : NULL;
}

int serve_connections(const HttpServer *s)
{
	return s->connections;
}

void serve_close(HttpServer *s)
{
	Visit *v;

	for (int i = 0; i < s->n_listeners; i++)
		evconnlistener_free(s->listeners[i]);
	s->n_listeners = 0;
	while ((v = LIST_FIRST(&s->visits)) != NULL)
		visit_end(v, false);
	timer_stop(&s->again);
	tls_context_release(s->setup.tls);
	loop_bury(s->loop, s, free);
}
