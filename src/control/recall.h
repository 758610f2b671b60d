/*
 * What the store did without our hearing of it.
 *
 * A connection that ends after COMMIT was sent leaves open whether it was done, and whoever
 * asked is told that the store did not answer.  So what the store holds is read once more,
 * and what is new to us taken in: else it would be there, and in nobody's care, until the
 * next start.  Changes of state need none of this: their compare-and-swap finds out.
 */
#ifndef CONTROL_RECALL_H
#define CONTROL_RECALL_H

#include "controller.h"

void recall_init(Controller *c);

/* In a moment: until then the store may still be at it. */
void recall_soon(Controller *c);

#endif
