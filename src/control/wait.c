#include "wait.h"

#include <stdlib.h>

#include "base/mem.h"
#include "controller.h"
#include "reconcile.h"

/* Either it stands still, or nobody tries to make it any more. */
static bool is_chilled(const Unit *u, bool going, WaitEnd *end)
{
	bool trying = u->chill_asked || u->unneeded || u->compute.state == COMPUTE_FROZEN;

	if (going)
		*end = WAIT_NO_COMPUTE;
	else if (!trying)
		*end = WAIT_FAILED;
	return going || !trying || (u->compute.state == COMPUTE_FROZEN && !u->runs);
}

/* What the state now reached means to one who waits; false: he goes on waiting. */
static bool is_over(const Unit *u, WaitFor what, WaitEnd *end)
{
	ComputeState state = u->compute.state;
	bool going = state == COMPUTE_DESTROYING || state == COMPUTE_GONE;

	*end = WAIT_REACHED;
	switch (what) {
	case WAIT_ACTIVE:
		if (state == COMPUTE_FAILED || going)
			*end = going ? WAIT_NO_COMPUTE : WAIT_FAILED;
		else if (u->refused)
			*end = WAIT_REFUSED;
		return unit_is_serving(u) || state == COMPUTE_FAILED || going || u->refused;
	case WAIT_RESTING:
		if (going)
			*end = WAIT_NO_COMPUTE;
		return state == COMPUTE_SUSPENDED || state == COMPUTE_FAILED || going;
	case WAIT_FROZEN:
		return is_chilled(u, going, end);
	case WAIT_SIZED:
		if (going)
			*end = WAIT_NO_COMPUTE;
		return going || unit_is_sized(u);
	case WAIT_GONE:
		return state == COMPUTE_GONE;
	}
	return false;
}

static void drop(Waiter *w)
{
	LIST_REMOVE(w, link);
	if (w->request)
		request_on_gone(w->request, NULL, NULL);
	timer_stop(&w->deadline);
	loop_bury(w->unit->controller->loop, w, free);
}

static void end_wait(Waiter *w, WaitEnd end)
{
	drop(w);
	w->on_over(w->arg, w->unit, end);
}

static void on_deadline(void *arg)
{
	end_wait(arg, WAIT_TIMEOUT);
}

static void on_hangup(void *arg)
{
	Waiter *w = arg;

	drop(w);
	w->on_gone(w->arg);
}

void wait_begin(Unit *u, WaitFor what, int64_t timeout_ms, Request *r, WaitOver on_over,
		void (*on_gone)(void *arg), void *arg)
{
	Waiter *w = NEW(Waiter);

	*w = (Waiter){.unit = u,
		      .request = r,
		      .what = what,
		      .on_over = on_over,
		      .on_gone = on_gone,
		      .arg = arg};
	timer_init(&w->deadline, u->controller->loop, on_deadline, w);
	timer_arm(&w->deadline, timeout_ms);
	LIST_INSERT_HEAD(&u->waiters, w, link);
	if (r)
		request_on_gone(r, on_hangup, w);
	reconcile(u);
}

bool wait_is_wanted(const Unit *u)
{
	const Waiter *w;

	LIST_FOREACH(w, &u->waiters, link)
	{
		if (w->what == WAIT_ACTIVE)
			return true;
	}
	return false;
}

static void check(Unit *u, bool (*is_over_for)(const Unit *u, WaitFor what, WaitEnd *end))
{
	Waiter *w = LIST_FIRST(&u->waiters);
	WaitEnd end;

	while (w) {
		Waiter *next = LIST_NEXT(w, link);

		if (is_over_for(u, w->what, &end))
			end_wait(w, end);
		w = next;
	}
}

void wait_check(Unit *u)
{
	check(u, is_over);
}

/* Whoever waits for it to be made, resized or gone has been promised that. */
static bool is_over_or_vain(const Unit *u, WaitFor what, WaitEnd *end)
{
	if (is_over(u, what, end))
		return true;
	*end = WAIT_UNWRITTEN;
	return what == WAIT_ACTIVE || what == WAIT_FROZEN ||
	       (what == WAIT_RESTING && u->compute.state != COMPUTE_CREATING);
}

void wait_give_up(Unit *u)
{
	check(u, is_over_or_vain);
}
