/*
 * Changes of a compute's state or size: written to the store as a compare-and-swap,
 * and once that is done, followed by all that goes with them.
 *
 * The reconciler asks for them; whoever else changed a record in the store hands the
 * new one to change_adopt().
 */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include "fleet.h"

#define CHANGE_RETRY_MS 1000

/* What the next change will say; also u->reason. */
void change_reason(Unit *u, const char *reason);

void change_to(Unit *u, ComputeState to, const char *reason);

/* Its server is ready. */
void change_to_active(Unit *u, const Sight *sight);

/*
 * The server goes on, so it must still be found where it was.  unseen: what is metered
 * ends with what was last seen.
 */
void change_with_server(Unit *u, ComputeState to, bool unseen, const char *reason);

/*
 * To suspended, since its server is gone.  When it ended nobody knows: we may have stood
 * still ourselves, and hear of it late; so what is metered ends with what was last seen.
 */
void change_to_ended(Unit *u, const char *reason);

/* To the size that is wished for. */
void change_size(Unit *u);

/* The record as the store now has it. */
void change_adopt(Unit *u, const Compute *now);

#endif
