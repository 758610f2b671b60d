/*
 * Brings computes to where their state says they are going: the only caller of
 * the driver, and the only one who asks for changes of its state (change.h).
 *
 * Level-triggered: whoever changes a wish calls reconcile(), and so does every
 * answer of store and driver; each time the next step is decided anew from the
 * state as it is.
 */
#ifndef CONTROL_RECONCILE_H
#define CONTROL_RECONCILE_H

#include "fleet.h"

void reconcile_attach(Unit *u);
void reconcile_detach(Unit *u);

/* Does the next step, if none is under way. */
void reconcile(Unit *u);

/* Wishes: what is wanted, and the sentence that its operation will say. */
void reconcile_resume(Unit *u, const char *reason);
void reconcile_suspend(Unit *u, bool drain, const char *reason);
void reconcile_freeze(Unit *u, const char *reason);
void reconcile_resize(Unit *u, int size, const char *reason);
void reconcile_doom(Unit *u, const char *reason);

/* Nothing changes, but its operations say why. */
void reconcile_note(Unit *u, const char *reason);

#endif
