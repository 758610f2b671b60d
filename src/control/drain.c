#include "drain.h"

#include "controller.h"
#include "reconcile.h"
#include "sys/clock.h"

#define DRAIN_MS 30000

/* PostgreSQL tells nobody when a transaction ends, so this one thing is asked again and again. */
#define ASK_AGAIN_MS 100

static void on_time(void *arg)
{
	Unit *u = arg;

	probe_ask(u->drain_probe);
}

static void finish(Unit *u)
{
	drain_stop(u);
	u->drained = true;
	reconcile(u);
}

/* A server that cannot be asked is not spared. */
static void on_answer(void *arg, const ServerFacts *facts, const char *error)
{
	Unit *u = arg;
	bool open = facts->working > 0 || facts->in_transaction > 0;

	if (error || !open || clock_ms() >= u->drain_until_ms)
		finish(u);
	else
		timer_arm(&u->drain, ASK_AGAIN_MS);
}

void drain_init(Unit *u)
{
	timer_init(&u->drain, u->controller->loop, on_time, u);
}

void drain_start(Unit *u)
{
	if (u->drain_probe)
		return;
	u->drain_until_ms = clock_ms() + DRAIN_MS;
	u->drain_probe = probe_new(u->controller->loop, &u->compute, on_answer, u);
	probe_ask(u->drain_probe);
}

void drain_stop(Unit *u)
{
	timer_stop(&u->drain);
	if (u->drain_probe)
		probe_free(u->drain_probe);
	u->drain_probe = NULL;
}
