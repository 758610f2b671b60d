#include "sys/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

typedef struct Grave {
	void *object;
	void (*free_object)(void *object);
	struct Grave *next;
} Grave;

struct Loop {
	struct event_base *base;
	struct event undertaker; /* runs once whenever somebody was buried */
	Grave *graves;
};

/*
 * Stands in the queue behind every callback of this turn, because it was put
 * there by one of them.  Freeing may bury more.
 */
static void bury_all(evutil_socket_t fd, short what, void *arg)
{
	Loop *loop = arg;

	(void)fd, (void)what;
	while (loop->graves) {
		Grave *g = loop->graves;

		loop->graves = g->next;
		g->free_object(g->object);
		free(g);
	}
}

Loop *loop_new(void)
{
	struct event_config *config = event_config_new();
	Loop *loop = NEW(Loop);

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!loop->base) {
		perror("could not make an event loop");
		exit(1);
	}
	event_assign(&loop->undertaker, loop->base, -1, 0, bury_all, loop);
	return loop;
}

void loop_free(Loop *loop)
{
	bury_all(-1, 0, loop);
	event_base_free(loop->base);
	free(loop);
}

void loop_run(Loop *loop)
{
	sigset_t none;

	/* A process may be born with signals blocked, so that none is lost before it listens. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(Loop *loop)
{
	event_base_loopbreak(loop->base);
}

struct event_base *loop_base(Loop *loop)
{
	return loop->base;
}

void loop_bury(Loop *loop, void *object, void (*free_object)(void *object))
{
	Grave *g = NEW(Grave);

	*g = (Grave){object, free_object, loop->graves};
	loop->graves = g;
	event_active(&loop->undertaker, 0, 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	Timer *t = arg;

	(void)fd, (void)what;
	t->on_time(t->arg);
}

void timer_init(Timer *t, Loop *loop, void (*on_time)(void *arg), void *arg)
{
	t->on_time = on_time;
	t->arg = arg;
	event_assign(&t->event, loop->base, -1, 0, on_timer, t);
}

void timer_arm(Timer *t, int64_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(&t->event, &tv);
}

void timer_stop(Timer *t)
{
	event_del(&t->event);
}

bool timer_is_armed(const Timer *t)
{
	return event_pending(&t->event, EV_TIMEOUT, NULL);
}

static void on_read_watch(evutil_socket_t fd, short what, void *arg)
{
	ReadWatch *w = arg;

	(void)fd, (void)what;
	w->on_readable(w->arg);
}

void read_watch_init(ReadWatch *w, Loop *loop, int fd, void (*on_readable)(void *arg), void *arg)
{
	w->on_readable = on_readable;
	w->arg = arg;
	w->on = false;
	event_assign(&w->event, loop->base, fd, EV_READ | EV_PERSIST, on_read_watch, w);
}

void read_watch_start(ReadWatch *w)
{
	if (!w->on)
		event_add(&w->event, NULL);
	w->on = true;
}

void read_watch_stop(ReadWatch *w)
{
	if (w->on)
		event_del(&w->event);
	w->on = false;
}

static void on_signal_watch(evutil_socket_t number, short what, void *arg)
{
	SignalWatch *w = arg;

	(void)what;
	w->on_signal(w->arg, (int)number);
}

void signal_watch_start(SignalWatch *w, Loop *loop, int number,
			void (*on_signal)(void *arg, int number), void *arg)
{
	w->on_signal = on_signal;
	w->arg = arg;
	event_assign(&w->event, loop->base, number, EV_SIGNAL | EV_PERSIST, on_signal_watch, w);
	event_add(&w->event, NULL);
}

void signal_watch_stop(SignalWatch *w)
{
	event_del(&w->event);
}
