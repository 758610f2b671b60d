/*
 * How much computes have on disk: measured when one has been made or stopped, and now
 * and then while it runs; each time a sample for the store.  A few with each heartbeat,
 * so that whoever wakes a compute does not wait for it.
 */
#ifndef CONTROL_STORAGE_H
#define CONTROL_STORAGE_H

#include "fleet.h"

/* It has reached its state from that one. */
void storage_changed(Unit *u, ComputeState before);

/* With each heartbeat: measures what is due. */
void storage_look(Controller *c);

#endif
