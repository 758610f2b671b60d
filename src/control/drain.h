/*
 * Before a server is stopped: nobody new is let in, and those who were let in may
 * end what they began, for a while.
 */
#ifndef CONTROL_DRAIN_H
#define CONTROL_DRAIN_H

#include "fleet.h"

void drain_init(Unit *u);

/*
 * Sets unit->drained and reconciles when nothing is open, or time is up.  A server
 * on which nobody is ends meanwhile by itself, which the driver tells.
 */
void drain_start(Unit *u);
void drain_stop(Unit *u);

#endif
