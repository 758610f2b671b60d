#include "crowd.h"

#define PATIENCE_MS 30000

/* From being let in to the first statement: a client's round trip, and some thinking. */
#define MOMENT_MS 1000

void crowd_add(Crowd *c, Guest guest, int64_t age_ms)
{
	if (guest == GUEST_WORKING)
		c->working++;
	else if (guest == GUEST_ARRIVING || (guest == GUEST_IDLE && age_ms < MOMENT_MS))
		c->arriving++;
	else if (guest == GUEST_IDLE)
		c->idle++;
}

bool crowd_may_be_ended(const Crowd *c, int64_t waited_ms, int64_t farewell_ms)
{
	if (waited_ms >= PATIENCE_MS)
		return true;
	if (c->idle > 0 && waited_ms < farewell_ms)
		return false;
	return c->known && c->arriving == 0 && c->working == 0;
}
