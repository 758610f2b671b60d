#include "sys/stream.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	Stream *s = arg;

	(void)fd, (void)what;
	s->on_event(s->arg, STREAM_READABLE);
}

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

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	Stream *s = arg;
	ssize_t n = try_send(s, buf_span(&s->out));

	(void)fd, (void)what;
	if (n == -1) {
		write_off(s);
		s->on_event(s->arg, STREAM_BROKEN);
		return;
	}
	buf_take(&s->out, (size_t)n);
	if (buf_size(&s->out) > 0)
		return;
	write_off(s);
	s->on_event(s->arg, STREAM_DRAINED);
}

void stream_open(Stream *s, Loop *loop, int fd, void (*on_event)(void *arg, StreamEvent what),
		 void *arg)
{
	*s = (Stream){.fd = fd, .on_event = on_event, .arg = arg};
	event_assign(&s->read, loop_base(loop), fd, EV_READ | EV_PERSIST, on_read, s);
	event_assign(&s->write, loop_base(loop), fd, EV_WRITE | EV_PERSIST, on_write, s);
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
	buf_free(&s->out);
	close(s->fd);
	s->fd = -1;
}

void stream_read_on(Stream *s)
{
	if (!s->reading)
		event_add(&s->read, NULL);
	s->reading = true;
}

void stream_read_off(Stream *s)
{
	if (s->reading)
		event_del(&s->read);
	s->reading = false;
}

ssize_t stream_recv(Stream *s, void *to, size_t n)
{
	ssize_t got;

	do
		got = recv(s->fd, to, n, 0);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_ERROR;
	return got;
}

bool stream_send(Stream *s, Span bytes)
{
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
	assert(buf_size(&s->out) == 0);
	shutdown(s->fd, SHUT_WR);
}
