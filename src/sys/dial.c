#include "sys/dial.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/random.h"

#define FULL_PAUSE_MS 5 /* at least, and twice that at most */

static void finish(Dial *d, int error)
{
	int fd = d->fd;

	event_del(&d->event);
	timer_stop(&d->timer);
	d->fd = -1;
	if (error && fd != -1)
		close(fd);
	d->on_dialled(d->arg, error ? -1 : fd, error);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	Dial *d = arg;
	int error = 0;
	socklen_t size = sizeof(error);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
		error = errno;
	finish(d, error);
}

static void try_connect(Dial *d)
{
	Address *to = &d->to;

	d->full = false;
	d->error = 0;
	if (connect(d->fd, &to->at.any, to->size) == 0 || errno == EINPROGRESS) {
		event_add(&d->event, NULL);
		timer_arm(&d->timer, d->until_ms - clock_ms());
		return;
	}
	d->error = errno;
	/* A Unix socket's queue is full: its server lives, and has much to do. */
	d->full = errno == EAGAIN && clock_ms() < d->until_ms;
	timer_arm(&d->timer, d->full ? FULL_PAUSE_MS + random_below(FULL_PAUSE_MS) : 0);
}

/* The queue may have room again, connect() failed at once, or the time is over. */
static void on_time(void *arg)
{
	Dial *d = arg;

	if (d->full)
		try_connect(d);
	else
		finish(d, d->error ? d->error : ETIMEDOUT);
}

void dial_init(Dial *d, Loop *loop, void (*on_dialled)(void *arg, int fd, int error), void *arg)
{
	*d = (Dial){.fd = -1, .on_dialled = on_dialled, .arg = arg};
	timer_init(&d->timer, loop, on_time, d);
	event_assign(&d->event, loop_base(loop), -1, 0, on_connected, d);
}

void dial_start(Dial *d, const Address *to, int64_t timeout_ms)
{
	struct event_base *base = event_get_base(&d->event);

	assert(d->fd == -1);
	d->to = *to;
	d->until_ms = clock_ms() + timeout_ms;
	d->error = 0;
	d->full = false;
	d->fd = socket(to->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd == -1) {
		d->error = errno;
		timer_arm(&d->timer, 0);
		return;
	}
	event_assign(&d->event, base, d->fd, EV_WRITE, on_connected, d);
	try_connect(d);
}

void dial_stop(Dial *d)
{
	event_del(&d->event);
	timer_stop(&d->timer);
	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
}
