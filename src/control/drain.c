#include "drain.h"

#include "controller.h"
#include "reconcile.h"
#include "sys/clock.h"

/* A server tells nobody when a transaction ends, so this one thing is asked again and again. */
#define LOOK_AGAIN_MS 100

/* It needs a moment to close its door, and an empty one has ended by then. */
#define FIRST_LOOK_MS 10

/* For proxies that hear of it, to end their idle sessions with a word of explanation. */
#define FAREWELL_MS 1000

static void finish(Unit *u)
{
	drain_stop(u);
	u->drained = true;
	reconcile(u);
}

static void on_time(void *arg)
{
	Unit *u = arg;
	Crowd crowd = u->controller->driver->ops->look(u->instance);
	int64_t now_ms = clock_ms(), farewell_ms = fleet_proxies_hear(u) ? FAREWELL_MS : 0;

	if (crowd_may_be_ended(&crowd, now_ms - u->drain_since_ms, farewell_ms))
		finish(u);
	else
		timer_arm(&u->drain, LOOK_AGAIN_MS);
}

void drain_init(Unit *u)
{
	timer_init(&u->drain, u->controller->loop, on_time, u);
}

void drain_start(Unit *u)
{
	if (timer_is_armed(&u->drain))
		return;
	u->drain_since_ms = clock_ms();
	u->controller->driver->ops->close_door(u->instance);
	timer_arm(&u->drain, FIRST_LOOK_MS);
}

void drain_stop(Unit *u)
{
	timer_stop(&u->drain);
}
