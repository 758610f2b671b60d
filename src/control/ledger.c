#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "allowance.h"
#include "base/mem.h"
#include "controller.h"
#include "heartbeat.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/machine.h"

#define MOST_ROWS 100000 /* that wait for a store which does not answer */

/* ---- rows -------------------------------------------------------------- */

static void append(AwakeRows *rows, const AwakeCause *more, int n)
{
	if (rows->n + n > MOST_ROWS) {
		log_warning("who kept computes awake is forgotten, since the store takes nothing: "
			    "rows=%d",
			    n);
		return;
	}
	rows->at = mem_grow(rows->at, (size_t)(rows->n + n) * sizeof(AwakeCause));
	memcpy(rows->at + rows->n, more, (size_t)n * sizeof(AwakeCause));
	rows->n += n;
}

/* What was given out in the page's hour, to be written with the next heartbeat. */
static void take_page(Unit *u)
{
	AwakeCause rows[AWAKE_MOST + 1];
	int n = awake_rows(&u->tab.hour, &u->compute, u->tab.hour_at, rows);

	if (n > 0)
		append(&u->controller->awake, rows, n);
	awake_taken(&u->tab.hour);
}

static void pass(Unit *u, int64_t now)
{
	while (!tab_pass(&u->tab, now)) {
		take_page(u);
		tab_turn_page(&u->tab, now);
	}
}

/* ---- CPUs -------------------------------------------------------------- */

/* What a server has used since it started; false if it cannot be found out. */
static bool cpu_of(const Unit *u, int64_t *us)
{
	ServerStat stat;

	if (!u->controller->driver->ops->stat(u->instance, &stat))
		return false;
	*us = stat.cpu_us;
	return true;
}

/* A server that has just started has used nothing before. */
static void set_cpu_start(Unit *u, bool is_new)
{
	u->tab.cpu_start = 0;
	if (!is_new && !cpu_of(u, &u->tab.cpu_start))
		u->tab.cpu_start = -1;
}

int64_t ledger_cpu_us(Unit *u)
{
	int64_t us;

	if (u->tab.started_at == 0 || !cpu_of(u, &us))
		return 0;
	if (u->tab.cpu_start < 0)
		u->tab.cpu_start = us;
	return us > u->tab.cpu_start ? us - u->tab.cpu_start : 0;
}

/* ---- states ------------------------------------------------------------ */

/* The clock since boot as it was when the record was written. */
static int64_t boot_of_record(const Compute *c)
{
	int64_t ago = wall_us() - c->since;

	return machine_boot_us() - (ago > 0 ? ago : 0);
}

static void end(Unit *u, int64_t boot_us)
{
	int64_t at = tab_now(&u->tab, boot_us);

	if (u->tab.started_at == 0)
		return;
	allowance_spent(u, u->tab.started_at, at, u->tab.size);
	pass(u, at);
	tab_end(&u->tab, at);
	take_page(u);
}

/* Another size ends one interval and begins the next at the same moment. */
static void resize(Unit *u, int size)
{
	int64_t boot_us = machine_boot_us();
	int64_t at = tab_now(&u->tab, boot_us);
	AwakeClock clock;

	allowance_spent(u, u->tab.started_at, at, u->tab.size);
	pass(u, at);
	clock = u->tab.clock;
	tab_begin(&u->tab, at, boot_us, size);
	u->tab.clock = clock;
	set_cpu_start(u, false);
}

static void begin(Unit *u, bool is_new)
{
	tab_begin(&u->tab, u->compute.since, boot_of_record(&u->compute), u->compute.size);
	set_cpu_start(u, is_new);
}

void ledger_changed(Unit *u, const Compute *before)
{
	bool was = before->state == COMPUTE_ACTIVE, is = u->compute.state == COMPUTE_ACTIVE;

	if (was && !is)
		end(u, boot_of_record(&u->compute));
	else if (is && !was)
		begin(u, before->state == COMPUTE_RESUMING);
	else if (is && u->tab.started_at > 0 && u->tab.size != u->compute.size)
		resize(u, u->compute.size);
	if (is != was || before->size != u->compute.size)
		allowance_look_soon(u->controller);
}

void ledger_resume(Controller *c, const Interval *open, int n)
{
	for (int i = 0; i < n; i++) {
		Unit *u = fleet_compute(&c->fleet, open[i].compute_id);

		if (u && open[i].kind == INTERVAL_ACTIVE && u->tab.started_at == 0)
			tab_resume(&u->tab, &open[i]);
	}
}

void ledger_watch(Unit *u)
{
	static const Cause unknown = {.kind = CAUSE_OTHER};

	if (u->compute.state != COMPUTE_ACTIVE || u->tab.watched)
		return;
	u->tab.next_cause = unknown;
	tab_watch(&u->tab, machine_boot_us());
	allowance_look_soon(u->controller);
}

/* ---- causes ------------------------------------------------------------ */

void ledger_blame(Unit *u, const Cause *cause, int64_t ago_us)
{
	int64_t now;

	if (u->tab.clock.since == 0) {
		u->tab.next_cause = *cause;
		return;
	}
	now = tab_now(&u->tab, machine_boot_us());
	if (!tab_is_anonymous(&u->tab))
		pass(u, now);
	tab_blame(&u->tab, cause, now - ago_us);
}

void ledger_blame_kind(Unit *u, CauseKind kind)
{
	const Cause cause = {.kind = kind};

	ledger_blame(u, &cause, 0);
}

/* ---- writing ----------------------------------------------------------- */

/* What is being written is kept until it is. */
static void on_written(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;
	AwakeRows sent = c->awake_sent;

	(void)rows;
	c->awake_sent = (AwakeRows){0};
	if (why) {
		log_warning("could not write who kept computes awake, trying again: error=\"%s\"",
			    why->detail);
		append(&c->awake, sent.at, sent.n);
	}
	free(sent.at);
}

/* Who woke it is still to be told by a report, which comes within one heartbeat. */
static bool waits_for_a_name(const Tab *t, int64_t now)
{
	return tab_is_anonymous(t) && now - t->clock.since < HEARTBEAT_MS * 1000;
}

void ledger_write(Controller *c)
{
	int64_t boot_us = machine_boot_us();

	for (Unit *u = c->fleet.units; u; u = u->hh.next) {
		int64_t now = tab_now(&u->tab, boot_us);

		if (u->tab.clock.since > 0 && !waits_for_a_name(&u->tab, now))
			pass(u, now);
		take_page(u);
	}
	if (c->awake.n == 0 || c->awake_sent.at)
		return;
	c->awake_sent = c->awake;
	c->awake = (AwakeRows){0};
	store_cause_add(c->store, c->awake_sent.at, c->awake_sent.n, (StoreCall){on_written, c});
}

int64_t ledger_open_use(const Controller *c, const char *project_id, int64_t from, int64_t to)
{
	int64_t boot_us = machine_boot_us(), sum = 0;

	for (const Unit *u = c->fleet.units; u; u = u->hh.next) {
		if (strcmp(u->compute.project_id, project_id) == 0)
			sum += tab_used(&u->tab, boot_us, from, to);
	}
	return sum;
}
