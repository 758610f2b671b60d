/*
 * Which of several control processes on one store is in charge, and what becomes of
 * this one.
 *
 * Who is in charge knows all computes and is the only one that touches them.  The
 * others help: they pass on what they are asked (api/forward.c), and wait for the
 * lock.  Who loses the lock ends at once, as what he would do next another one does
 * already; the supervisor starts him anew, and he helps.
 */
#ifndef CONTROL_CHARGE_H
#define CONTROL_CHARGE_H

#include "record.h"

typedef struct Controller Controller;

typedef enum Standing {
	STANDING_NONE, /* nothing is known yet, or not all */
	STANDING_HELPS,
	STANDING_IN_CHARGE,
} Standing;

/* Asks to be in charge. Until that is answered the API says that nobody is. */
void charge_begin(Controller *c);

#endif
