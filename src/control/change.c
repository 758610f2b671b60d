#include "change.h"

#include "autoscale.h"
#include "base/text.h"
#include "controller.h"
#include "drain.h"
#include "idle.h"
#include "ledger.h"
#include "provision.h"
#include "reconcile.h"
#include "storage.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "wait.h"

#define TRIES    3
#define PAUSE_MS 10000 /* before the scheduler has another wish */

void change_reason(Unit *u, const char *reason)
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
	if (to == COMPUTE_SUSPENDED || to == COMPUTE_FAILED) {
		sizing_forget(&u->sizing);
		u->woken_by_deaf = false;
	}
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

void change_adopt(Unit *u, const Compute *now)
{
	Compute last = u->compute;
	ComputeState before = last.state;
	int size = last.size;

	u->compute = *now;
	u->unwritten = 0;
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

/*
 * A server that runs is there for its clients, though it was to sleep; and whoever waits is told.
 * What is on the way, or was promised, is tried again.
 */
static void give_up(Unit *u)
{
	u->unwritten = 0;
	if (unit_is_up(u)) {
		u->unwanted = u->unneeded = u->chill_asked = false;
		timer_arm(&u->look, PAUSE_MS);
	}
	wait_give_up(u);
}

static void try_again(Unit *u)
{
	timer_arm(&u->retry, CHANGE_RETRY_MS);
	if (++u->unwritten == TRIES)
		give_up(u);
}

static void on_reloaded(void *arg, const StoreRows *rows, const Fault *why)
{
	Unit *u = arg;
	Compute gone = u->compute;

	u->busy = false;
	if (!why) {
		change_adopt(u, &rows->computes[0]);
	} else if (why->code == FAULT_NOT_FOUND) {
		gone.state = COMPUTE_GONE;
		change_adopt(u, &gone);
	} else {
		try_again(u);
	}
}

static void on_moved(void *arg, const StoreRows *rows, const Fault *why)
{
	Unit *u = arg;
	Store *store = u->controller->store;

	u->busy = false;
	if (!why) {
		change_adopt(u, &rows->computes[0]);
	} else if (why->code == FAULT_BUSY) {
		u->busy = true;
		store_compute_get(store, u->compute.id, (StoreCall){on_reloaded, u});
	} else {
		log_error(
			"could not change a compute's state, trying again: compute=%s error=\"%s\"",
			u->compute.id, why->detail);
		try_again(u);
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
	change_reason(u, m->reason);
	store_compute_move(store, m, (StoreCall){on_moved, u});
}

void change_to(Unit *u, ComputeState to, const char *reason)
{
	Move m = move_of(u, to, reason);

	move(u, &m);
}

void change_to_active(Unit *u, const Sight *sight)
{
	Move m = move_of(u, COMPUTE_ACTIVE, "its server is ready");

	text_copy(m.incarnation, sizeof(m.incarnation), sight->incarnation);
	text_copy(m.address, sizeof(m.address), sight->address);
	u->observed = u->runs = true;
	u->cannot_freeze = false;
	unit_note_wake(u);
	move(u, &m);
}

/*
 * If the server has just ended, and we are about to hear of it, nobody knows when: we may have
 * stood still ourselves.
 */
void change_with_server(Unit *u, ComputeState to, bool unseen, const char *reason)
{
	Move m = move_of(u, to, reason);

	text_copy(m.incarnation, sizeof(m.incarnation), u->compute.incarnation);
	text_copy(m.address, sizeof(m.address), u->compute.address);
	m.unseen = unseen || !u->controller->driver->ops->lives(u->instance);
	m.cpu_us = ledger_cpu_us(u);
	m.cpu_start = u->tab.cpu_start;
	move(u, &m);
}

void change_to_ended(Unit *u, const char *reason)
{
	Move m = move_of(u, COMPUTE_SUSPENDED, reason);

	m.unseen = true;
	move(u, &m);
}

void change_size(Unit *u)
{
	Resize r = {.state = u->compute.state,
		    .generation = u->compute.generation,
		    .size = u->sizing.wish};

	text_copy(r.compute_id, sizeof(r.compute_id), u->compute.id);
	text_copy(r.reason, sizeof(r.reason), u->sizing.reason);
	u->busy = true;
	store_compute_resize(u->controller->store, &r, (StoreCall){on_moved, u});
}
