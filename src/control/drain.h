/*
 * Before a server is stopped because somebody said so: the transactions that are
 * open may end, for a while.
 */
#ifndef CONTROL_DRAIN_H
#define CONTROL_DRAIN_H

#include "fleet.h"

void drain_init(Unit *u);

/* Sets unit->drained and reconciles when nothing is open, or time is up. */
void drain_start(Unit *u);
void drain_stop(Unit *u);

#endif
