#include "reconcile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "autoscale.h"
#include "base/text.h"
#include "controller.h"
#include "drain.h"
#include "idle.h"
#include "ledger.h"
#include "provision.h"
#include "storage.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "wait.h"

#define RETRY_MS 1000

static void on_retry(void *arg)
{
	reconcile(arg);
}

/* ---- changing state ---------------------------------------------------- */

static void set_reason(Unit *u, const char *reason)
{
	text_copy(u->reason, sizeof(u->reason), reason);
}

static void forget_wishes(Unit *u, ComputeState to)
{
	if (to == COMPUTE_RESUMING || to == COMPUTE_ACTIVE)
		u->wanted = false;
	if (to == COMPUTE_SUSPENDING || to == COMPUTE_SUSPENDED)
		u->unwanted = false;
	if (to == COMPUTE_SUSPENDED || to == COMPUTE_DESTROYING)
		u->drained = false;
	if (to != COMPUTE_ACTIVE && to != COMPUTE_FROZEN && to != COMPUTE_SUSPENDING)
		u->observed = u->runs = false;
	if (to == COMPUTE_SUSPENDED || to == COMPUTE_FAILED)
		sizing_forget(&u->sizing);
	u->unneeded = false;
	u->chill_asked = u->chill_asked && to == COMPUTE_ACTIVE;
	if (to != COMPUTE_RESUMING)
		gate_leave(&u->controller->starts, &u->ticket);
	if (to != COMPUTE_SUSPENDING)
		drain_stop(u);
	idle_stop(u);
	if (to != COMPUTE_ACTIVE)
		provision_stop(u);
	idle_look_soon(u);
	autoscale_look(u);
	u->since_ms = clock_ms();
}

static void say_size(Unit *u, int before)
{
	log_info("compute's size is now %g: compute=%s was=%g generation=%lld reason=\"%s\"",
		 u->compute.size / 1000.0, u->compute.id, before / 1000.0,
		 (long long)u->compute.generation, u->sizing.reason);
	scale_changed(&u->sizing.history, clock_ms());
	events_tell(u->controller, u, u->sizing.reason);
}

void reconcile_changed(Unit *u, const Compute *now)
{
	Compute last = u->compute;
	ComputeState before = last.state;
	int size = last.size;

	u->compute = *now;
	ledger_changed(u, &last);
	storage_changed(u, before);
	if (now->state != before) {
		log_info("compute is now %s: compute=%s project=%s was=%s generation=%lld "
			 "reason=\"%s\"",
			 compute_state_word(now->state), now->id, now->project_id,
			 compute_state_word(before), (long long)now->generation, u->reason);
		events_tell(u->controller, u, u->reason);
		forget_wishes(u, now->state);
		wait_check(u);
	} else if (now->size != size) {
		say_size(u, size);
	}
	if (now->state == COMPUTE_GONE)
		fleet_remove(u);
	else
		reconcile(u);
}

static void on_reloaded(void *arg, const StoreRows *rows, const Fault *why)
{
	Unit *u = arg;
	Compute gone = u->compute;

	u->busy = false;
	if (!why) {
		reconcile_changed(u, &rows->computes[0]);
	} else if (why->code == FAULT_NOT_FOUND) {
		gone.state = COMPUTE_GONE;
		reconcile_changed(u, &gone);
	} else {
		timer_arm(&u->retry, RETRY_MS);
	}
}

static void on_moved(void *arg, const StoreRows *rows, const Fault *why)
{
	Unit *u = arg;
	Store *store = u->controller->store;

	u->busy = false;
	if (!why) {
		reconcile_changed(u, &rows->computes[0]);
	} else if (why->code == FAULT_BUSY) {
		u->busy = true;
		store_compute_get(store, u->compute.id, (StoreCall){on_reloaded, u});
	} else {
		log_error(
			"could not change a compute's state, trying again: compute=%s error=\"%s\"",
			u->compute.id, why->detail);
		timer_arm(&u->retry, RETRY_MS);
	}
}

/* Fills in what is the same for every change. */
static Move move_of(const Unit *u, ComputeState to, const char *reason)
{
	Move m = {.from = u->compute.state, .to = to, .generation = u->compute.generation};

	text_copy(m.compute_id, sizeof(m.compute_id), u->compute.id);
	text_copy(m.reason, sizeof(m.reason), reason);
	return m;
}

static void move(Unit *u, const Move *m)
{
	Store *store = u->controller->store;

	u->busy = true;
	set_reason(u, m->reason);
	store_compute_move(store, m, (StoreCall){on_moved, u});
}

static void move_to(Unit *u, ComputeState to, const char *reason)
{
	Move m = move_of(u, to, reason);

	move(u, &m);
}

static void move_to_active(Unit *u, const Sight *sight)
{
	Move m = move_of(u, COMPUTE_ACTIVE, "its server is ready");

	text_copy(m.incarnation, sizeof(m.incarnation), sight->incarnation);
	text_copy(m.address, sizeof(m.address), sight->address);
	u->observed = u->runs = true;
	u->cannot_freeze = false;
	activity_note(&u->activity, clock_ms());
	move(u, &m);
}

/* The server goes on, so it must still be found where it was. */
static void move_with_server(Unit *u, ComputeState to, bool unseen, const char *reason)
{
	Move m = move_of(u, to, reason);

	text_copy(m.incarnation, sizeof(m.incarnation), u->compute.incarnation);
	text_copy(m.address, sizeof(m.address), u->compute.address);
	m.unseen = unseen;
	m.cpu_us = ledger_cpu_us(u);
	m.cpu_start = u->tab.cpu_start;
	move(u, &m);
}

/* ---- what drivers answer ----------------------------------------------- */

static void on_created(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	(void)sight;
	u->busy = false;
	if (failure)
		move_to(u, COMPUTE_DESTROYING, failure);
	else
		move_to(u, COMPUTE_SUSPENDED, "it was made");
}

/* It may have ended meanwhile, by itself. */
static void on_told_before_active(void *arg)
{
	Unit *u = arg;

	u->busy = false;
	if (u->observed)
		move_to_active(u, &u->sight);
	else
		move_to(u, COMPUTE_FAILED, "its server ended as soon as it was ready");
}

static void on_started(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	u->busy = false;
	gate_leave(&u->controller->starts, &u->ticket);
	if (failure) {
		move_to(u, COMPUTE_FAILED, failure);
	} else if (provision_is_due(u)) {
		u->busy = u->observed = true;
		u->sight = *sight;
		provision_before_active(u, sight->address, on_told_before_active, u);
	} else {
		move_to_active(u, sight);
	}
}

/* After a restart: the same server as ever, another one, or none. */
static void on_observed(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;
	Move m = move_of(u, COMPUTE_SUSPENDED, "its server ended while nobody watched");

	(void)failure;
	u->busy = false;
	if (!sight->there) {
		m.unseen = true;
		move(u, &m);
		return;
	}
	if (!sight->running || strcmp(sight->incarnation, u->compute.incarnation) != 0) {
		move_with_server(u, COMPUTE_SUSPENDING, true,
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
	move_with_server(u, COMPUTE_ACTIVE, false, reason);
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
	timer_arm(&u->retry, RETRY_MS);
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
		timer_arm(&u->retry, RETRY_MS);
		return;
	}
	move_to(u, COMPUTE_SUSPENDED, "its server has ended");
}

static void on_destroyed(void *arg, const Sight *sight, const char *failure)
{
	Unit *u = arg;

	(void)sight;
	u->busy = false;
	if (failure) {
		log_error("could not remove a compute, trying again: compute=%s error=\"%s\"",
			  u->compute.id, failure);
		timer_arm(&u->retry, RETRY_MS);
		return;
	}
	move_to(u, COMPUTE_GONE, "its server and its data are gone");
}

/*
 * When it ended nobody knows: we may have stood still ourselves, and hear of it late.  So what
 * is metered ends with what was last seen.
 */
static void move_to_where_it_ended(Unit *u, const char *last_words)
{
	Move m = move_of(u, COMPUTE_SUSPENDED, last_words);

	m.unseen = true;
	move(u, &m);
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
		move_to_where_it_ended(u, last_words);
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

static void create(Unit *u)
{
	ServerOrder order = order_of(u);

	u->busy = true;
	u->controller->driver->ops->create(u->instance, &order, on_created);
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
	u->controller->driver->ops->start(u->instance, &order, on_started);
}

static void resize(Unit *u)
{
	ServerOrder order = order_of(u);

	u->busy = true;
	sizing_tell(&u->sizing, order.size, order.memory);
	u->controller->driver->ops->resize(u->instance, &order, on_resized);
}

static void scale(Unit *u)
{
	Resize r = {.state = u->compute.state,
		    .generation = u->compute.generation,
		    .size = u->sizing.wish};

	text_copy(r.compute_id, sizeof(r.compute_id), u->compute.id);
	text_copy(r.reason, sizeof(r.reason), u->sizing.reason);
	u->busy = true;
	store_compute_resize(u->controller->store, &r, (StoreCall){on_moved, u});
}

static void move_to_warm(Unit *u)
{
	activity_note(&u->activity, clock_ms());
	move_with_server(u, COMPUTE_ACTIVE, false, "a client wants it");
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

static void do_step(Unit *u, Step step)
{
	const DriverOps *driver = u->controller->driver->ops;

	switch (step) {
	case STEP_NONE:
		provision_look(u);
		wait_check(u);
		return;
	case STEP_RESUME:
		move_to(u, COMPUTE_RESUMING, u->wanted ? u->reason : "a client wants it");
		return;
	case STEP_SUSPEND:
		move_with_server(u, COMPUTE_SUSPENDING, false, u->reason);
		return;
	case STEP_CHILL:
		move_with_server(u, COMPUTE_FROZEN, false, u->reason);
		return;
	case STEP_WARM:
		warm(u);
		return;
	case STEP_SCALE:
		scale(u);
		return;
	case STEP_DOOM:
		move_to(u, COMPUTE_DESTROYING, u->reason);
		return;
	case STEP_CREATE:
		create(u);
		return;
	case STEP_START:
		start(u);
		return;
	case STEP_FREEZE:
		u->busy = true;
		driver->freeze(u->instance, u->compute.generation, on_frozen);
		return;
	case STEP_THAW:
		u->busy = true;
		driver->thaw(u->instance, u->compute.generation, on_thawed);
		return;
	case STEP_RESIZE:
		resize(u);
		return;
	case STEP_DRAIN:
		drain_start(u);
		return;
	case STEP_OBSERVE:
		u->busy = true;
		driver->observe(u->instance, on_observed);
		return;
	case STEP_STOP:
		drain_stop(u);
		u->busy = true;
		driver->stop(u->instance, STOP_FAST, u->compute.generation, on_stopped);
		return;
	case STEP_DESTROY:
		u->busy = true;
		driver->destroy(u->instance, u->compute.generation, on_destroyed);
		return;
	}
}

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
	do_step(u, lifecycle_next(u->compute.state, &facts));
}

/* ---- wishes ------------------------------------------------------------ */

void reconcile_resume(Unit *u, const char *reason)
{
	u->wanted = true;
	set_reason(u, reason);
	reconcile(u);
}

void reconcile_suspend(Unit *u, bool drain, const char *reason)
{
	u->unwanted = true;
	u->drained = !drain;
	set_reason(u, reason);
	reconcile(u);
}

void reconcile_freeze(Unit *u, const char *reason)
{
	u->unneeded = true;
	set_reason(u, reason);
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
	set_reason(u, reason);
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
