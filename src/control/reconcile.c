#include "reconcile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "autoscale.h"
#include "base/text.h"
#include "change.h"
#include "controller.h"
#include "drain.h"
#include "idle.h"
#include "ledger.h"
#include "provision.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "wait.h"

static void on_retry(void *arg)
{
	reconcile(arg);
}

/* ---- what drivers answer ----------------------------------------------- */

static void on_created(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	(void)sight;
	u->busy = false;
	if (failure)
		change_to(u, COMPUTE_DESTROYING, failure);
	else
		change_to(u, COMPUTE_SUSPENDED, "it was made");
}

/* It may have ended meanwhile, by itself. */
static void on_told_before_active(void *arg)
{
	Unit *u = arg;

	u->busy = false;
	if (u->observed)
		change_to_active(u, &u->sight);
	else
		change_to(u, COMPUTE_FAILED, "its server ended as soon as it was ready");
}

static void on_started(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	u->busy = false;
	gate_leave(&u->controller->starts, &u->ticket);
	if (failure) {
		change_to(u, COMPUTE_FAILED, failure);
	} else if (provision_is_due(u)) {
		u->busy = u->observed = true;
		u->sight = *sight;
		provision_before_active(u, sight->address, on_told_before_active, u);
	} else {
		change_to_active(u, sight);
	}
}

/* After a restart: the same server as ever, another one, or none. */
static void on_observed(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	(void)failure;
	u->busy = false;
	if (!sight->there) {
		change_to_ended(u, "its server ended while nobody watched");
		return;
	}
	if (!sight->running || strcmp(sight->incarnation, u->compute.incarnation) != 0) {
		change_with_server(u, COMPUTE_SUSPENDING, true,
				   "its server is not the one that was started, or not ready");
		return;
	}
	u->observed = true;
	u->runs = !sight->frozen;
	ledger_watch(u);
	idle_look_soon(u);
	autoscale_look(u);
	wait_check(u);
	reconcile(u);
}

/* Whoever cannot be frozen goes on, and costs what it costs. */
static void on_frozen(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;
	char reason[REASON_SIZE];

	u->busy = false;
	u->runs = !sight->frozen;
	if (!failure || !sight->there) {
		reconcile(u);
		return;
	}
	snprintf(reason, sizeof(reason), "it could not be frozen: %.900s", failure);
	u->cannot_freeze = true;
	change_with_server(u, COMPUTE_ACTIVE, false, reason);
}

/* It ended while nobody watched: nobody is left in it, and whoever takes it to run looks again. */
static void forget_server(Unit *u)
{
	u->observed = false;
	if (u->compute.state == COMPUTE_SUSPENDING)
		u->drained = true;
}

static void on_thawed(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	u->busy = false;
	u->runs = !failure && !sight->frozen;
	if (!sight->there)
		forget_server(u);
	if (!failure || !sight->there) {
		reconcile(u);
		return;
	}
	log_error("could not thaw a server, trying again: compute=%s error=\"%s\"", u->compute.id,
		  failure);
	timer_arm(&u->retry, CHANGE_RETRY_MS);
}

static void on_resized(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	(void)sight;
	u->busy = false;
	autoscale_told(u, failure);
	reconcile(u);
}

static void on_stopped(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	(void)sight;
	u->busy = false;
	if (failure) {
		log_error("could not stop a server, trying again: compute=%s error=\"%s\"",
			  u->compute.id, failure);
		timer_arm(&u->retry, CHANGE_RETRY_MS);
		return;
	}
	change_to(u, COMPUTE_SUSPENDED, "its server has ended");
}

static void on_destroyed(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	(void)sight;
	u->busy = false;
	if (failure) {
		log_error("could not remove a compute, trying again: compute=%s error=\"%s\"",
			  u->compute.id, failure);
		timer_arm(&u->retry, CHANGE_RETRY_MS);
		return;
	}
	change_to(u, COMPUTE_GONE, "its server and its data are gone");
}

/* Between two answers: a move that is under way will find out by itself. */
static void on_ended(void *arg, const char *last_words)
{
	Unit *u = arg;

	if (u->compute.state == COMPUTE_SUSPENDING) {
		u->drained = true; /* the last one has left it */
		reconcile(u);
		return;
	}
	log_warning("a server ended by itself: compute=%s words=\"%s\"", u->compute.id, last_words);
	if (!u->busy && unit_is_up(u))
		change_to_ended(u, last_words);
	u->observed = u->runs = false;
}

/* ---- the steps --------------------------------------------------------- */

static ServerOrder order_of(const Unit *u)
{
	const Controller *c = u->controller;
	ProjectSettings project = fleet_settings(&c->fleet, u->compute.project_id);
	ComputeSettings own = settings_of_compute(u->compute.config);
	ServerOrder order = {.generation = u->compute.generation,
			     .size = u->compute.size,
			     .max_connections = project.max_connections,
			     .memory = own.memory,
			     .start_timeout_ms = conf_ms(c->conf->control.start_timeout)};

	text_copy(order.verifier, sizeof(order.verifier), u->compute.verifier);
	text_copy(order.control_password, sizeof(order.control_password),
		  u->compute.control_password);
	return order;
}

static const DriverOps *ops_of(const Unit *u)
{
	return u->controller->driver->ops;
}

static const char *why_wanted(const Unit *u)
{
	return u->wanted ? u->reason : "a client wants it";
}

static void create(Unit *u)
{
	ServerOrder order = order_of(u);

	u->busy = true;
	ops_of(u)->create(u->instance, &order, on_created);
}

static void on_turn(void *arg)
{
	reconcile(arg);
}

static void start(Unit *u)
{
	ServerOrder order = order_of(u);

	if (!gate_enter(&u->controller->starts, &u->ticket, u->compute.project_id, on_turn, u))
		return;
	u->busy = true;
	sizing_tell(&u->sizing, order.size, order.memory);
	ops_of(u)->start(u->instance, &order, on_started);
}

static void resize(Unit *u)
{
	ServerOrder order = order_of(u);

	u->busy = true;
	sizing_tell(&u->sizing, order.size, order.memory);
	ops_of(u)->resize(u->instance, &order, on_resized);
}

static void move_to_warm(Unit *u)
{
	unit_note_wake(u);
	change_with_server(u, COMPUTE_ACTIVE, false, why_wanted(u));
}

static void on_told_before_warm(void *arg)
{
	Unit *u = arg;

	u->busy = false;
	if (u->observed)
		move_to_warm(u);
	else
		reconcile(u);
}

static void warm(Unit *u)
{
	if (!provision_is_due(u)) {
		move_to_warm(u);
		return;
	}
	u->busy = true;
	provision_before_active(u, u->compute.address, on_told_before_warm, u);
}

static void rest(Unit *u)
{
	provision_look(u);
	wait_check(u);
}

static void resume(Unit *u)
{
	change_to(u, COMPUTE_RESUMING, why_wanted(u));
}

static void suspend(Unit *u)
{
	change_with_server(u, COMPUTE_SUSPENDING, false, u->reason);
}

static void chill(Unit *u)
{
	change_with_server(u, COMPUTE_FROZEN, false, u->reason);
}

static void doom(Unit *u)
{
	change_to(u, COMPUTE_DESTROYING, u->reason);
}

static void observe(Unit *u)
{
	u->busy = true;
	ops_of(u)->observe(u->instance, on_observed);
}

static void freeze(Unit *u)
{
	u->busy = true;
	ops_of(u)->freeze(u->instance, u->compute.generation, on_frozen);
}

static void thaw(Unit *u)
{
	u->busy = true;
	ops_of(u)->thaw(u->instance, u->compute.generation, on_thawed);
}

static void stop(Unit *u)
{
	drain_stop(u);
	u->busy = true;
	ops_of(u)->stop(u->instance, STOP_FAST, u->compute.generation, on_stopped);
}

static void destroy(Unit *u)
{
	u->busy = true;
	ops_of(u)->destroy(u->instance, u->compute.generation, on_destroyed);
}

static void (*const steps[])(Unit *u) = {
	[STEP_NONE] = rest,       [STEP_RESUME] = resume,     [STEP_SUSPEND] = suspend,
	[STEP_CHILL] = chill,     [STEP_WARM] = warm,         [STEP_SCALE] = change_size,
	[STEP_DOOM] = doom,       [STEP_CREATE] = create,     [STEP_OBSERVE] = observe,
	[STEP_START] = start,     [STEP_FREEZE] = freeze,     [STEP_THAW] = thaw,
	[STEP_RESIZE] = resize,   [STEP_DRAIN] = drain_start, [STEP_STOP] = stop,
	[STEP_DESTROY] = destroy,
};

/* ---- quotas ------------------------------------------------------------ */

static void refuse(Unit *u, const QuotaWords *words)
{
	char reason[REASON_SIZE];

	u->refused = true;
	if (u->wanted) {
		snprintf(reason, sizeof(reason), "not woken, though %.300s: %s: %s; %s", u->reason,
			 words->reason, words->detail, words->hint);
		reconcile_note(u, reason);
	}
	u->wanted = false;
}

/* Whether it may be awake, if it is not yet; while that is not known it is not. */
static bool may_wake(Unit *u)
{
	QuotaWords words;
	AllowanceAnswer answer;

	u->refused = false;
	if (u->compute.state == COMPUTE_ACTIVE)
		return true;
	answer = allowance_to_run(u, &words);
	if (answer == ALLOWANCE_NO)
		refuse(u, &words);
	return answer == ALLOWANCE_YES;
}

static bool is_wanted(Unit *u)
{
	return (u->wanted || wait_is_wanted(u)) && may_wake(u);
}

void reconcile(Unit *u)
{
	LifeFacts facts = {
		.wanted = !u->busy && is_wanted(u),
		.unwanted = u->unwanted,
		.unneeded = u->unneeded,
		.doomed = u->doomed,
		.resized = sizing_is_due(&u->sizing, &u->compute),
		.untold = !sizing_is_told(&u->sizing, &u->compute),
		.observed = u->observed,
		.runs = u->runs,
		.drained = u->drained,
	};

	if (u->busy || timer_is_armed(&u->retry))
		return;
	if (u->refused)
		wait_check(u);
	if (facts.wanted)
		u->unneeded = false;
	steps[lifecycle_next(u->compute.state, &facts)](u);
}

/* ---- wishes ------------------------------------------------------------ */

void reconcile_resume(Unit *u, const char *reason)
{
	u->wanted = true;
	u->woken_as_favour = false;
	change_reason(u, reason);
	reconcile(u);
}

void reconcile_suspend(Unit *u, bool drain, const char *reason)
{
	u->unwanted = true;
	u->drained = !drain;
	change_reason(u, reason);
	reconcile(u);
}

void reconcile_freeze(Unit *u, const char *reason)
{
	u->unneeded = true;
	change_reason(u, reason);
	reconcile(u);
}

void reconcile_resize(Unit *u, int size, const char *reason)
{
	sizing_wish(&u->sizing, size, reason);
	reconcile(u);
}

void reconcile_doom(Unit *u, const char *reason)
{
	u->doomed = true;
	change_reason(u, reason);
	reconcile(u);
}

static void on_noted(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg, (void)rows;
	if (why)
		log_warning("could not write an operation: error=\"%s\"", why->detail);
}

void reconcile_note(Unit *u, const char *reason)
{
	log_info("%s: compute=%s", reason, u->compute.id);
	store_compute_note(u->controller->store, u->compute.id, u->compute.state, reason,
			   (StoreCall){on_noted, NULL});
}

/* ---- being there ------------------------------------------------------- */

void reconcile_attach(Unit *u)
{
	Controller *c = u->controller;

	u->instance =
		c->driver->ops->attach(c->driver, u->compute.id, u->compute.engine, on_ended, u);
	timer_init(&u->retry, c->loop, on_retry, u);
	drain_init(u);
	idle_init(u);
	provision_init(u);
	autoscale_init(u);
}

void reconcile_detach(Unit *u)
{
	assert(!u->busy && LIST_EMPTY(&u->waiters));
	timer_stop(&u->retry);
	provision_stop(u);
	drain_stop(u);
	idle_stop(u);
	autoscale_stop(u);
	gate_leave(&u->controller->starts, &u->ticket);
	u->controller->driver->ops->detach(u->instance);
}
