#include "idle.h"

#include <stdio.h>

#include "base/text.h"
#include "controller.h"
#include "ledger.h"
#include "reconcile.h"
#include "schedule.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "wait.h"

/* The wall's clock may be set; whoever waits for one of its times looks this often. */
#define CLOCK_LOOK_MS INT64_C(60000)

static void look(void *unit);

/* ---- facts and policy -------------------------------------------------- */

static ProjectSettings settings_of(const Unit *u)
{
	return fleet_settings(&u->controller->fleet, u->compute.project_id);
}

static SuspendPolicy policy_of(const Unit *u, const ProjectSettings *p)
{
	const Config *conf = u->controller->conf;

	if (u->chill_asked)
		return (SuspendPolicy){.freeze_after_ms = 1, .check_ms = 1000};
	return (SuspendPolicy){
		.freeze_after_ms = p->freeze_after_ms >= 0 ? p->freeze_after_ms
							   : conf_ms(conf->process.freeze_after),
		.idle_timeout_ms = p->idle_timeout_ms >= 0 ? p->idle_timeout_ms
							   : conf_ms(conf->control.idle_timeout),
		.check_ms = conf_ms(conf->control.check_interval),
		.idle_clients_keep_awake = p->idle_clients_keep_awake,
		.listeners_keep_awake = p->listeners_keep_awake,
		.replication_keeps_awake = p->replication_keeps_awake,
	};
}

/* Whoever woke it without hearing of events would find it deaf. */
static bool can_freeze(const Unit *u)
{
	return u->controller->driver->can.freeze && !u->cannot_freeze && !u->woken_by_deaf;
}

static SuspendFacts facts_of(const Unit *u, const ProjectSettings *p)
{
	int64_t now_ms = clock_ms();
	Schedule clock = schedule_at(p, wall_us());
	ActivitySum sum = activity_sum(&u->activity, now_ms);

	return (SuspendFacts){
		.now_ms = now_ms,
		.used_ms = u->chill_asked ? 0 : u->activity.last_ms,
		.since_ms = u->chill_asked || u->woken_as_favour ? 0 : u->since_ms,
		.favour_ms = u->chill_asked ? 0 : u->favour_ms,
		.favour_start_ms = u->favour_start_ms,
		.frozen = u->compute.state == COMPUTE_FROZEN,
		.can_freeze = can_freeze(u),
		.asked = u->chill_asked,
		.proxies_hear = fleet_proxies_hear(u),
		.sessions = sum.sessions,
		.at_work = sum.at_work,
		.listening = sum.listening,
		.warm = clock.warm,
		.warm_change_ms = clock.change_in_ms,
		.wake_in_ms = clock.wake_in_ms,
		.server.idle_ms = -1,
	};
}

bool idle_is_kept(const Unit *u, char reason[SUSPEND_REASON_SIZE])
{
	ProjectSettings p = settings_of(u);
	SuspendPolicy policy = policy_of(u, &p);
	SuspendFacts facts = facts_of(u, &p);
	SuspendDecision d;

	facts.server = u->server_said;
	facts.server.idle_ms = -1;
	d = suspend_decide(&facts, &policy);
	text_copy(reason, SUSPEND_REASON_SIZE, d.reason);
	return d.verdict == SUSPEND_KEEP;
}

/* ---- carrying out ------------------------------------------------------ */

/* Of what would have been done, in a project that only wants to know. */
static void note_dry_run(Unit *u, const SuspendDecision *d)
{
	char reason[REASON_SIZE];

	if (u->would_since_ms > 0)
		return;
	u->would_since_ms = clock_ms();
	snprintf(reason, sizeof(reason), "dry run: it would have been %s now, since %s",
		 d->verdict == SUSPEND_FREEZE ? "frozen" : "suspended", d->reason);
	reconcile_note(u, reason);
}

static void act(Unit *u, const ProjectSettings *p, const SuspendDecision *d)
{
	if (u->chill_asked)
		reconcile_freeze(u, "asked for");
	else if (p->dry_run)
		note_dry_run(u, d);
	else if (d->verdict == SUSPEND_FREEZE)
		reconcile_freeze(u, d->reason);
	else
		reconcile_suspend(u, true, d->reason);
}

static void look_in(Unit *u, int64_t ms)
{
	timer_arm(&u->look, ms > 0 ? ms : 1);
}

static void stop_asking(Unit *u)
{
	if (u->idle_probe)
		probe_free(u->idle_probe);
	u->idle_probe = NULL;
}

/* Somebody asked for it to be frozen, and something speaks against it. */
static void refuse_to_chill(Unit *u, const char *reason)
{
	if (!u->chill_asked)
		return;
	u->chill_asked = false;
	text_copy(u->reason, sizeof(u->reason), reason);
	look_in(u, 0);
	wait_check(u);
}

/* ---- asking the server ------------------------------------------------- */

static int64_t check_ms(const Unit *u)
{
	return conf_ms(u->controller->conf->control.check_interval);
}

static void ask(Unit *u)
{
	ProjectSettings p = settings_of(u);

	probe_ask(u->idle_probe, &p.exempt);
}

/* Also if it could not be done: then there is only more to recover from, should the power go. */
static void on_checkpointed(void *arg)
{
	Unit *u = arg;

	u->checkpointed_ms = clock_ms();
	ask(u);
}

/* It has been written to since the last one. */
static bool wants_checkpoint(const Unit *u, const ProjectSettings *p)
{
	if (u->chill_asked)
		return u->checkpointed_ms < u->chill_asked_ms;
	return !p->dry_run && u->checkpointed_ms < u->activity.last_ms;
}

/* What keeps it awake, though no proxy knows of it. */
static void blame_server(Unit *u, const SuspendFacts *f, const SuspendPolicy *p)
{
	const ServerFacts *s = &f->server;

	if (f->at_work > 0)
		return;
	if (s->backups > 0 || s->maintaining > 0)
		ledger_blame_kind(u, CAUSE_MAINTENANCE);
	else if (s->replicating > 0 && p->replication_keeps_awake)
		ledger_blame_kind(u, CAUSE_REPLICATION);
}

static void on_answer(void *arg, const ServerFacts *server, const char *error)
{
	Unit *u = arg;
	ProjectSettings p = settings_of(u);
	SuspendPolicy policy = policy_of(u, &p);
	SuspendFacts facts = facts_of(u, &p);
	SuspendDecision d;

	if (error) {
		log_warning("could not ask a server, so it stays awake: compute=%s error=\"%s\"",
			    u->compute.id, error);
		stop_asking(u);
		refuse_to_chill(u, error);
		look_in(u, check_ms(u));
		return;
	}
	u->server_said = facts.server = *server;
	if (u->chill_asked)
		facts.server.idle_ms = -1;
	else if (server->idle_ms >= 0)
		activity_note(&u->activity, facts.now_ms - server->idle_ms);
	d = suspend_decide(&facts, &policy);
	if (d.verdict == SUSPEND_FREEZE && wants_checkpoint(u, &p)) {
		probe_checkpoint(u->idle_probe, on_checkpointed);
		return;
	}
	stop_asking(u);
	if (d.verdict == SUSPEND_KEEP) {
		blame_server(u, &facts, &policy);
		refuse_to_chill(u, d.reason);
	}
	log_debug("a compute was looked at: compute=%s reason=\"%s\"", u->compute.id, d.reason);
	look_in(u, d.verdict == SUSPEND_KEEP && d.again_ms > 0 ? d.again_ms : check_ms(u));
	if (d.verdict != SUSPEND_KEEP)
		act(u, &p, &d);
}

/* ---- looking ----------------------------------------------------------- */

static void end_dry_run(Unit *u, const char *what)
{
	char reason[REASON_SIZE];
	long long saved_s = (long long)(clock_ms() - u->would_since_ms) / 1000;

	if (u->would_since_ms == 0)
		return;
	u->would_since_ms = 0;
	snprintf(reason, sizeof(reason),
		 "dry run: %s; that would have saved %lld s, %lld compute-seconds", what, saved_s,
		 saved_s * u->compute.size / 1000);
	reconcile_note(u, reason);
}

static void look_at_running(Unit *u)
{
	ProjectSettings p = settings_of(u);
	SuspendPolicy policy = policy_of(u, &p);
	SuspendFacts facts = facts_of(u, &p);
	SuspendDecision d = suspend_decide(&facts, &policy);

	if (!p.dry_run)
		end_dry_run(u, "it is over");
	if (d.verdict == SUSPEND_KEEP) {
		refuse_to_chill(u, d.reason);
		if (facts.used_ms > u->would_since_ms)
			end_dry_run(u, "it would have been woken now");
		if (d.again_ms > 0)
			look_in(u, d.again_ms);
	} else if (d.verdict == SUSPEND_ASK) {
		u->idle_probe = probe_new(u->controller->loop, &u->compute, on_answer, u);
		ask(u);
	} else {
		look_in(u, check_ms(u));
		act(u, &p, &d);
	}
}

/* A time to wake has come, or running hours have begun, since the last look. */
static bool clock_wakes(Unit *u, const Schedule *now, char reason[REASON_SIZE])
{
	bool hours_began = now->warm && u->was_cold;
	bool time_came = u->wake_due_ms > 0 && clock_ms() >= u->wake_due_ms;

	u->was_cold = !now->warm;
	u->wake_due_ms = now->wake_in_ms >= 0 ? clock_ms() + now->wake_in_ms : 0;
	snprintf(reason, REASON_SIZE, "%s",
		 hours_began ? "its running hours have begun" : "it was to be awake at this time");
	return hours_began || time_came;
}

static void look_at_clock(Unit *u)
{
	ProjectSettings p = settings_of(u);
	Schedule now = schedule_at(&p, wall_us());
	char reason[REASON_SIZE];
	int64_t next = CLOCK_LOOK_MS;

	if (p.n_keep_warm == 0 && p.n_wake_at == 0)
		return;
	if (clock_wakes(u, &now, reason) && !unit_is_serving(u)) {
		ledger_blame_kind(u, CAUSE_SCHEDULE);
		reconcile_resume(u, reason);
	}
	if (now.wake_in_ms >= 0 && now.wake_in_ms < next)
		next = now.wake_in_ms;
	if (now.change_in_ms > 0 && now.change_in_ms < next)
		next = now.change_in_ms;
	if (!unit_is_serving(u) && !timer_is_armed(&u->look))
		look_in(u, next);
}

static void look(void *unit)
{
	Unit *u = unit;

	if (u->idle_probe || u->unwanted || u->unneeded || u->doomed)
		return;
	if (unit_is_up(u))
		look_at_running(u);
	look_at_clock(u);
}

void idle_init(Unit *u)
{
	timer_init(&u->look, u->controller->loop, look, u);
}

void idle_look_soon(Unit *u)
{
	if (!u->idle_probe)
		look_in(u, 0);
}

void idle_look_at_all(Controller *c)
{
	for (Unit *u = c->fleet.units; u; u = u->hh.next)
		idle_look_soon(u);
}

void idle_chill(Unit *u)
{
	u->chill_asked = true;
	u->chill_asked_ms = clock_ms();
	idle_look_soon(u);
}

void idle_stop(Unit *u)
{
	u->server_said = (ServerFacts){0};
	u->would_since_ms = 0;
	stop_asking(u);
	timer_stop(&u->look);
}
