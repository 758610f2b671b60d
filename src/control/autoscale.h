/*
 * The autoscaler: watches what active computes use, and makes them larger or smaller
 * between their project's min_size and max_size.
 *
 * What a server uses is looked at every few seconds, by one timer for each compute that
 * is active and may have more than one size.  What to do about it is decided more rarely
 * (control.scale_check_interval) by scale.h, which is pure; the reconciler carries it out.
 * Where CPU cannot be limited a larger size would only cost more, so sizes stay, and the
 * compute's operations say so.
 */
#ifndef CONTROL_AUTOSCALE_H
#define CONTROL_AUTOSCALE_H

#include "fleet.h"

void autoscale_init(Unit *u);
void autoscale_stop(Unit *u);

/* Its state has changed, or what it may be: watches it, or not, and brings it into bounds. */
void autoscale_look(Unit *u);
void autoscale_look_at_all(Controller *c); /* and reconciles them */

/* Its server has been told its size; failure, or NULL, says what of that could not be done. */
void autoscale_told(Unit *u, const char *failure);

/* Why its size does not do what it should, or NULL. */
const char *autoscale_note(const Unit *u);

#endif
