/*
 * The suspend scheduler: finds out when a compute is to be frozen, stopped, or woken
 * by the clock, and says so to the reconciler.
 *
 * Each compute has one timer, armed for the moment at which something may be due;
 * what suspend_decide() and hours.h say of that moment is pure.  Before a server is
 * frozen or stopped it is asked itself, and before it is frozen it has its buffers
 * written, so that little is lost if the power goes.
 */
#ifndef CONTROL_IDLE_H
#define CONTROL_IDLE_H

#include "fleet.h"
#include "suspend.h"

void idle_init(Unit *u);

/* Looks at it soon: its state, its settings or its use have changed. */
void idle_look_soon(Unit *u);
void idle_look_at_all(Controller *c);

/* Freezes it as soon as that is safe; if it is not now, u->reason says why. */
void idle_chill(Unit *u);

/* What speaks against suspending it now; false if nothing does. */
bool idle_is_kept(const Unit *u, char reason[SUSPEND_REASON_SIZE]);

/* Stops looking, and asking its server. */
void idle_stop(Unit *u);

#endif
