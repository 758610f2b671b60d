#include "recall.h"

#include <string.h>

#include "autoscale.h"
#include "sys/log.h"

#define SOON_MS 2000

/* Whether the store has answered; if not, it is asked again. */
static bool has_answered(Controller *c, const Fault *why)
{
	if (!why)
		return true;
	log_warning("could not read what the store holds, trying again: error=\"%s\"", why->detail);
	recall_soon(c);
	return false;
}

static void on_databases(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;

	if (!has_answered(c, why))
		return;
	for (int i = 0; i < rows->n; i++) {
		const OwnedDatabase *d = &rows->databases[i];
		Unit *u = fleet_compute(&c->fleet, d->compute_id);

		if (u && !roster_database(&u->roster, d->name))
			roster_put_database(&u->roster, d);
	}
	autoscale_look_at_all(c); /* which has each compute go on where it is */
}

static bool is_news(const Role *known, const Role *role)
{
	return !known || strcmp(known->verifier, role->verifier) != 0 ||
	       strcmp(known->pending, role->pending) != 0;
}

static void on_roles(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;

	if (!has_answered(c, why))
		return;
	for (int i = 0; i < rows->n; i++) {
		const Role *role = &rows->roles[i];
		Unit *u = fleet_compute(&c->fleet, role->compute_id);

		if (!u || !is_news(roster_role(&u->roster, role->name), role))
			continue;
		roster_put_role(&u->roster, role);
		events_tell_access(c, u);
	}
	store_database_list(c->store, "", (StoreCall){on_databases, c});
}

static void take_in(Controller *c, const Compute *compute)
{
	Unit *u = fleet_add(c, compute);

	roster_begin(&u->roster, &u->compute);
	log_info("found a compute in the store: compute=%s project=%s", compute->id,
		 compute->project_id);
	events_tell(c, u, "found in the store");
}

static void on_computes(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;

	if (!has_answered(c, why))
		return;
	for (int i = 0; i < rows->n; i++) {
		if (!fleet_compute(&c->fleet, rows->computes[i].id))
			take_in(c, &rows->computes[i]);
	}
	store_role_list(c->store, "", (StoreCall){on_roles, c});
}

static void on_projects(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;
	Page all = {0};

	if (!has_answered(c, why))
		return;
	for (int i = 0; i < rows->n; i++)
		fleet_set_project(&c->fleet, &rows->projects[i]);
	store_compute_list(c->store, &all, (StoreCall){on_computes, c});
}

static void recall(void *arg)
{
	Controller *c = arg;
	Page all = {0};

	store_project_list(c->store, &all, (StoreCall){on_projects, c});
}

void recall_init(Controller *c)
{
	timer_init(&c->recall, c->loop, recall, c);
}

void recall_soon(Controller *c)
{
	timer_arm(&c->recall, SOON_MS);
}
