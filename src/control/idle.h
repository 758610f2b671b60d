/*
 * The suspend scheduler: looks at every active compute from time to time and
 * asks for those that nobody uses to be suspended.
 */
#ifndef CONTROL_IDLE_H
#define CONTROL_IDLE_H

#include "fleet.h"

/* Looks now, and again each check_interval. */
void idle_check_all(void *controller);

/* Stops asking the unit's server. */
void idle_stop(Unit *u);

#endif
