#include "sys/dial.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

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
	socklen_t size = sizeof(d->error);

	(void)what;
	if (!d->tried && getsockopt(fd, SOL_SOCKET, SO_ERROR, &d->error, &size) == -1)
		d->error = errno;
	finish(d, d->error);
}

/* Either the time is over, or connect() failed at once and this is the news of it. */
static void on_time(void *arg)
{
	Dial *d = arg;

	finish(d, d->tried ? d->error : ETIMEDOUT);
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
	d->tried = false;
	d->error = 0;
	d->fd = socket(to->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd == -1 || (connect(d->fd, &to->at.any, to->size) == -1 && errno != EINPROGRESS)) {
		d->tried = true;
		d->error = errno;
		timer_arm(&d->timer, 0);
		return;
	}
	event_assign(&d->event, base, d->fd, EV_WRITE, on_connected, d);
	event_add(&d->event, NULL);
	timer_arm(&d->timer, timeout_ms);
}

void dial_stop(Dial *d)
{
	event_del(&d->event);
	timer_stop(&d->timer);
	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
}
