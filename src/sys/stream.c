#include "sys/stream.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t try_send(Stream *s, Span bytes)
{
	ssize_t n;

	do
		n = send(s->fd, bytes.at, bytes.n, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	return n;
}

static void write_off(Stream *s)
{
	if (s->writing)
		event_del(&s->write);
	s->writing = false;
}

/* Sends what is kept as far as it can be sent; false if the stream is broken. */
static bool flush(Stream *s)
{
	ssize_t n = try_send(s, buf_span(&s->out));

	if (n == -1)
		return false;
	buf_take(&s->out, (size_t)n);
	if (buf_size(&s->out) > 0 && !s->writing)
		event_add(&s->write, NULL);
	s->writing |= buf_size(&s->out) > 0;
	return true;
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	Stream *s = arg;

	(void)fd, (void)what;
	if (!flush(s)) {
		write_off(s);
		s->on_event(s->arg, STREAM_BROKEN);
		return;
	}
	if (buf_size(&s->out) > 0)
		return;
	write_off(s);
	if (!s->shaking_hands)
		s->on_event(s->arg, STREAM_DRAINED);
}

/*
 * What follows the last message of a handshake (a ticket) waits for our next
 * words.  What came with it is announced, since the socket will not do it again.
 */
static void shake_hands(Stream *s)
{
	TlsStep step = tls_handshake(s->tls);

	if ((step != TLS_DONE || tls_is_awaited(s->tls)) && buf_size(&s->out) > 0 && !flush(s))
		step = TLS_FAILED;
	if (step == TLS_MORE)
		return;
	s->shaking_hands = false;
	if (step == TLS_FAILED) {
		stream_read_off(s);
		s->on_event(s->arg, STREAM_BROKEN);
		return;
	}
	if (tls_has_more(s->tls))
		event_active(&s->read, EV_READ, 0);
	s->on_event(s->arg, STREAM_SECURED);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	Stream *s = arg;

	(void)fd, (void)what;
	if (s->shaking_hands)
		shake_hands(s);
	else
		s->on_event(s->arg, STREAM_READABLE);
}

void stream_open(Stream *s, Loop *loop, int fd, void (*on_event)(void *arg, StreamEvent what),
		 void *arg)
{
	*s = (Stream){.fd = fd, .on_event = on_event, .arg = arg};
	event_assign(&s->read, loop_base(loop), fd, EV_READ | EV_PERSIST, on_read, s);
	event_assign(&s->write, loop_base(loop), fd, EV_WRITE | EV_PERSIST, on_write, s);
}

void stream_hear(Stream *s, void (*on_event)(void *arg, StreamEvent what), void *arg)
{
	s->on_event = on_event;
	s->arg = arg;
}

void stream_secure(Stream *s, Tls *tls, Span early)
{
	assert(!s->tls);
	s->tls = tls;
	s->shaking_hands = true;
	tls_attach(tls, s->fd, &s->out);
	tls_feed(tls, early);
	stream_read_on(s);
	event_active(&s->read, EV_READ, 0);
}

static void set_option(int fd, int level, int name, int value)
{
	if (value > 0)
		setsockopt(fd, level, name, &value, sizeof(value));
}

void stream_tune(Stream *s, const KeepAlive *keep)
{
	int yes = 1;

	/* Fails on a Unix socket, which needs none of it. */
	if (setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == -1)
		return;
	if (keep->on) {
		set_option(s->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_option(s->fd, IPPROTO_TCP, TCP_KEEPCNT, keep->count);
		set_option(s->fd, IPPROTO_TCP, TCP_KEEPIDLE, keep->idle_s);
		set_option(s->fd, IPPROTO_TCP, TCP_KEEPINTVL, keep->interval_s);
	}
	set_option(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, keep->user_timeout_ms);
}

void stream_close(Stream *s)
{
	if (s->fd == -1)
		return;
	stream_read_off(s);
	write_off(s);
	tls_free(s->tls);
	s->tls = NULL;
	buf_free(&s->out);
	close(s->fd);
	s->fd = -1;
}

void stream_read_on(Stream *s)
{
	if (s->reading)
		return;
	event_add(&s->read, NULL);
	s->reading = true;
	if (s->tls && tls_has_more(s->tls))
		event_active(&s->read, EV_READ, 0);
}

void stream_read_off(Stream *s)
{
	if (s->reading)
		event_del(&s->read);
	s->reading = false;
}

/* What OpenSSL holds already no socket will announce. */
static ssize_t recv_tls(Stream *s, void *to, size_t n)
{
	bool more;
	ssize_t got = tls_recv(s->tls, to, n, &more);

	if (more && s->reading)
		event_active(&s->read, EV_READ, 0);
	if (buf_size(&s->out) > 0 && !s->writing && !flush(s))
		return STREAM_ERROR;
	return got;
}

ssize_t stream_recv(Stream *s, void *to, size_t n)
{
	ssize_t got;

	if (s->tls)
		return recv_tls(s, to, n);
	do
		got = recv(s->fd, to, n, 0);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_ERROR;
	return got;
}

static bool send_tls(Stream *s, Span bytes)
{
	if (!tls_send(s->tls, bytes))
		return false;
	return s->writing || flush(s);
}

bool stream_send(Stream *s, Span bytes)
{
	if (s->tls)
		return send_tls(s, bytes);
	if (buf_size(&s->out) == 0) {
		ssize_t n = try_send(s, bytes);

		if (n == -1)
			return false;
		bytes = span_skip(bytes, (size_t)n);
	}
	if (bytes.n == 0)
		return true;
	buf_append(&s->out, bytes);
	if (!s->writing)
		event_add(&s->write, NULL);
	s->writing = true;
	return true;
}

void stream_end(Stream *s)
{
	assert(!stream_is_blocked(s));
	if (s->tls)
		tls_end(s->tls);
	if (buf_size(&s->out) > 0)
		try_send(s, buf_span(&s->out));
	buf_free(&s->out);
	shutdown(s->fd, SHUT_WR);
}
