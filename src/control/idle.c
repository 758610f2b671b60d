#include "idle.h"

#include "controller.h"
#include "reconcile.h"
#include "suspend.h"
#include "sys/clock.h"
#include "sys/log.h"

static int64_t timeout_of(const Unit *u)
{
	const Controller *c = u->controller;
	ProjectSettings project = fleet_settings(&c->fleet, u->compute.project_id);

	if (project.idle_timeout_ms >= 0)
		return project.idle_timeout_ms;
	return conf_ms(c->conf->control.idle_timeout);
}

static SuspendPolicy policy_of(const Unit *u)
{
	return (SuspendPolicy){
		.idle_timeout_ms = timeout_of(u),
		.check_ms = conf_ms(u->controller->conf->control.check_interval),
		.replication_keeps_awake = true,
	};
}

static SuspendFacts facts_of(const Unit *u)
{
	int64_t now_ms = clock_ms();

	return (SuspendFacts){
		.now_ms = now_ms,
		.used_ms = u->activity.last_ms,
		.since_ms = u->activity.last_ms,
		.at_work = activity_at_work(&u->activity, now_ms),
		.wake_in_ms = -1,
		.server.idle_ms = -1,
	};
}

/* What proxies and clients did while the server was asked counts, too. */
static void on_answer(void *arg, const ServerFacts *server, const char *error)
{
	Unit *u = arg;
	SuspendFacts facts = facts_of(u);
	SuspendPolicy policy = policy_of(u);
	SuspendDecision d;

	idle_stop(u);
	if (error) {
		log_warning("could not ask a server, so it stays awake: compute=%s error=\"%s\"",
			    u->compute.id, error);
		return;
	}
	facts.server = *server;
	if (server->idle_ms >= 0)
		activity_note(&u->activity, facts.now_ms - server->idle_ms);
	d = suspend_decide(&facts, &policy);
	if (d.verdict == SUSPEND_STOP)
		reconcile_suspend(u, true, d.reason);
	else
		log_debug("a compute stays awake: compute=%s reason=\"%s\"", u->compute.id,
			  d.reason);
}

static void check(Unit *u)
{
	SuspendFacts facts = facts_of(u);
	SuspendPolicy policy = policy_of(u);
	ProjectSettings project = fleet_settings(&u->controller->fleet, u->compute.project_id);

	if (!unit_is_serving(u) || u->idle_probe || u->unwanted)
		return;
	if (suspend_decide(&facts, &policy).verdict != SUSPEND_ASK)
		return;
	u->idle_probe = probe_new(u->controller->loop, &u->compute, on_answer, u);
	probe_ask(u->idle_probe, &project.exempt);
}

void idle_check_all(void *controller)
{
	Controller *c = controller;

	for (Unit *u = c->fleet.units; u; u = u->hh.next)
		check(u);
	timer_arm(&c->check, conf_ms(c->conf->control.check_interval));
}

void idle_stop(Unit *u)
{
	if (u->idle_probe)
		probe_free(u->idle_probe);
	u->idle_probe = NULL;
}
