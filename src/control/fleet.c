#include "fleet.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "controller.h"
#include "reconcile.h"
#include "sys/clock.h"

/* What the store remembers, seen from a clock that never jumps. */
static int64_t last_use_ms(const Compute *c)
{
	int64_t ago_ms = (wall_us() - c->last_activity) / 1000;

	return clock_ms() - (ago_ms > 0 ? ago_ms : 0);
}

Unit *fleet_add(Controller *c, const Compute *compute)
{
	Unit *u = NEW(Unit);

	u->controller = c;
	u->compute = *compute;
	u->activity.last_ms = last_use_ms(compute);
	u->since_ms = clock_ms();
	u->bytes = -1;
	u->weighed_ms = clock_ms();
	LIST_INIT(&u->waiters);
	reconcile_attach(u);
	HASH_ADD(hh, c->fleet.units, compute.id, strlen(u->compute.id), u);
	return u;
}

static void free_unit(void *unit)
{
	Unit *u = unit;

	roster_free(&u->roster);
	free(u);
}

void fleet_remove(Unit *u)
{
	HASH_DEL(u->controller->fleet.units, u);
	reconcile_detach(u);
	loop_bury(u->controller->loop, u, free_unit);
}

Unit *fleet_compute(const Fleet *f, const char *id)
{
	Unit *u;

	HASH_FIND_STR(f->units, id, u);
	return u;
}

static Unit *oldest_of_project(const Fleet *f, const char *project_id)
{
	Unit *oldest = NULL;

	for (Unit *u = f->units; u; u = u->hh.next) {
		if (strcmp(u->compute.project_id, project_id) != 0)
			continue;
		if (!oldest || u->compute.created_at < oldest->compute.created_at)
			oldest = u;
	}
	return oldest;
}

Unit *fleet_find(const Fleet *f, const char *id)
{
	Unit *u = fleet_compute(f, id);

	return u ? u : oldest_of_project(f, id);
}

/* ---- projects ---------------------------------------------------------- */

ProjectEntry *fleet_entry(const Fleet *f, const char *id)
{
	ProjectEntry *e;

	HASH_FIND_STR(f->projects, id, e);
	return e;
}

void fleet_set_project(Fleet *f, const Project *p)
{
	ProjectEntry *e = fleet_entry(f, p->id);

	if (!e) {
		e = NEW(ProjectEntry);
		text_copy(e->project.id, sizeof(e->project.id), p->id);
		HASH_ADD_STR(f->projects, project.id, e);
	}
	e->project = *p;
	e->settings = settings_of_project(p->config);
}

static void remember_webhook(Fleet *f, const ProjectEntry *e)
{
	Departed *d = NEW(Departed);

	text_copy(d->project_id, sizeof(d->project_id), e->project.id);
	text_copy(d->webhook_url, sizeof(d->webhook_url), e->settings.webhook_url);
	d->at_ms = clock_ms();
	LIST_INSERT_HEAD(&f->departed, d, link);
}

void fleet_forget_project(Fleet *f, const char *id)
{
	ProjectEntry *e = fleet_entry(f, id);

	if (!e)
		return;
	if (*e->settings.webhook_url)
		remember_webhook(f, e);
	HASH_DEL(f->projects, e);
	free(e);
}

const char *fleet_webhook(const Fleet *f, const char *project_id)
{
	const ProjectEntry *e = fleet_entry(f, project_id);
	const Departed *d;

	if (e)
		return e->settings.webhook_url;
	LIST_FOREACH(d, &f->departed, link)
	{
		if (strcmp(d->project_id, project_id) == 0)
			return d->webhook_url;
	}
	return "";
}

void fleet_sweep_departed(Fleet *f, int64_t before_ms)
{
	Departed *d = LIST_FIRST(&f->departed);

	while (d) {
		Departed *next = LIST_NEXT(d, link);

		if (d->at_ms < before_ms) {
			LIST_REMOVE(d, link);
			free(d);
		}
		d = next;
	}
}

const Project *fleet_project(const Fleet *f, const char *id)
{
	const ProjectEntry *e = fleet_entry(f, id);

	return e ? &e->project : NULL;
}

ProjectSettings fleet_settings(const Fleet *f, const char *project_id)
{
	const ProjectEntry *e = fleet_entry(f, project_id);

	return e ? e->settings : settings_of_project("{}");
}

/* ---- units ------------------------------------------------------------- */

int64_t unit_last_activity(Unit *u)
{
	if (u->said_ms != u->activity.last_ms) {
		u->said_ms = u->activity.last_ms;
		u->said_us = wall_us() - (clock_ms() - u->activity.last_ms) * 1000;
	}
	return u->said_us;
}

bool unit_is_serving(const Unit *u)
{
	return u->compute.state == COMPUTE_ACTIVE && u->observed && u->runs;
}

bool unit_is_up(const Unit *u)
{
	return u->observed &&
	       (u->compute.state == COMPUTE_ACTIVE || u->compute.state == COMPUTE_FROZEN);
}

bool fleet_is_exempt(const Unit *u, const Cause *who)
{
	const ProjectEntry *e = fleet_entry(&u->controller->fleet, u->compute.project_id);

	return e && exempt_has(&e->settings.exempt, &(Who){.role = who->role,
							   .application = who->application,
							   .network = who->network});
}

void unit_note_wake(Unit *u)
{
	int64_t now_ms = clock_ms();

	if (!u->woken_as_favour) {
		activity_note(&u->activity, now_ms);
		return;
	}
	u->favour_ms = now_ms;
	if (u->compute.state == COMPUTE_RESUMING)
		u->favour_start_ms = now_ms;
}

bool unit_is_sized(const Unit *u)
{
	return !sizing_is_due(&u->sizing, &u->compute) &&
	       (!unit_is_serving(u) || sizing_is_told(&u->sizing, &u->compute));
}

bool fleet_proxies_hear(const Unit *u)
{
	const Report *r;

	for (int i = 0; (r = activity_next(&u->activity, &i, clock_ms())) != NULL;) {
		if (r->sessions > 0 && !events_is_heard_by(&u->controller->events, r->proxy_id))
			return false;
	}
	return true;
}
