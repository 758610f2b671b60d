#include "heartbeat.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "controller.h"
#include "storage.h"
#include "sys/log.h"

static void on_written(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg, (void)rows;
	if (why)
		log_warning("could not write the heartbeat: error=\"%s\"", why->detail);
}

void heartbeat(void *controller)
{
	Controller *c = controller;
	Heartbeat *beats = mem_new(HASH_COUNT(c->fleet.units), sizeof(*beats));
	int n = 0;

	for (Unit *u = c->fleet.units; u; u = u->hh.next) {
		if (!unit_is_up(u) || !u->controller->driver->ops->lives(u->instance))
			continue;
		beats[n].cpu_us = ledger_cpu_us(u);
		beats[n].cpu_start = u->tab.cpu_start;
		text_copy(beats[n].compute_id, ID_SIZE, u->compute.id);
		beats[n++].last_activity = unit_last_activity(u);
	}
	if (n > 0)
		store_heartbeat(c->store, beats, n, (StoreCall){on_written, c});
	free(beats);
	ledger_write(c);
	storage_look(c);
	timer_arm(&c->heartbeat, HEARTBEAT_MS);
}
