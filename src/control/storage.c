#include "storage.h"

#include "base/text.h"
#include "controller.h"
#include "sys/clock.h"
#include "sys/log.h"

#define USUAL_MS   INT64_C(3600000)
#define LIMITED_MS INT64_C(300000) /* where a quota is to be kept */
#define AT_ONCE    4               /* begun with one heartbeat: each reads a folder through */

static void on_added(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg, (void)rows;
	if (why)
		log_warning("could not write how much a compute has on disk: error=\"%s\"",
			    why->detail);
}

static void on_measured(void *arg, int64_t bytes)
{
	Unit *u = arg;
	StorageSample sample = {.at = wall_us(), .bytes = bytes};

	u->weighing = false;
	if (bytes < 0) {
		log_warning("could not find out how much a compute has on disk: compute=%s",
			    u->compute.id);
		return;
	}
	u->bytes = bytes;
	text_copy(sample.project_id, sizeof(sample.project_id), u->compute.project_id);
	text_copy(sample.compute_id, sizeof(sample.compute_id), u->compute.id);
	store_sample_add(u->controller->store, &sample, (StoreCall){on_added, NULL});
	allowance_look_soon(u->controller);
}

static void measure(Unit *u)
{
	u->weighing = true;
	u->to_be_weighed = false;
	u->weighed_ms = clock_ms();
	u->controller->driver->ops->measure(u->instance, on_measured);
}

void storage_changed(Unit *u, ComputeState before)
{
	if (u->compute.state == COMPUTE_SUSPENDED && before != COMPUTE_SUSPENDED)
		u->to_be_weighed = true;
}

static bool is_due(const Unit *u, int64_t now_ms)
{
	const ProjectEntry *e = fleet_entry(&u->controller->fleet, u->compute.project_id);
	bool limited = e && e->settings.quota.limits[QUOTA_STORAGE] > 0;

	if (u->weighing || u->compute.state == COMPUTE_DESTROYING)
		return false;
	return u->to_be_weighed ||
	       (unit_is_serving(u) && now_ms - u->weighed_ms >= (limited ? LIMITED_MS : USUAL_MS));
}

void storage_look(Controller *c)
{
	int64_t now_ms = clock_ms();
	int begun = 0;

	for (Unit *u = c->fleet.units; u && begun < AT_ONCE; u = u->hh.next) {
		if (!is_due(u, now_ms))
			continue;
		measure(u);
		begun++;
	}
}
