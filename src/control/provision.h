/*
 * Tells a compute's server which roles and databases it is to have: what is pending in its
 * roster, as the control role, over SQL that may be said twice.
 *
 * Told when something changes while the server runs, and else before the compute is called
 * active, so that whoever is let in finds everything as it was promised.  What the server
 * refuses stays pending, with the server's sentence, and keeps nobody waiting for long.
 */
#ifndef CONTROL_PROVISION_H
#define CONTROL_PROVISION_H

#include "fleet.h"

void provision_init(Unit *u);

bool provision_is_due(const Unit *u);

/* Begins; on_over() is called once, in a later turn, whatever came of it. */
void provision_before_active(Unit *u, const char *address, void (*on_over)(void *arg), void *arg);

/* Begins if the server runs, something is pending, and nothing is under way. */
void provision_look(Unit *u);

/* Something has changed: it is tried at once. on_over() may be called from within. */
void provision_now(Unit *u, void (*on_over)(void *arg), void *arg);

/* The server is going: whoever waits is told, and what is pending stays so. */
void provision_stop(Unit *u);

#endif
