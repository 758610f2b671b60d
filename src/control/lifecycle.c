#include "lifecycle.h"

#define TO(name) (1u << COMPUTE_##name)

/* Whatever it is doing, a compute can be told to go. */
static const unsigned allowed[COMPUTE_STATES] = {
	[COMPUTE_CREATING] = TO(SUSPENDED) | TO(DESTROYING),
	[COMPUTE_SUSPENDED] = TO(RESUMING) | TO(DESTROYING),
	[COMPUTE_RESUMING] = TO(ACTIVE) | TO(FAILED) | TO(DESTROYING),
	[COMPUTE_ACTIVE] = TO(FROZEN) | TO(SUSPENDING) | TO(SUSPENDED) | TO(DESTROYING),
	[COMPUTE_FROZEN] = TO(ACTIVE) | TO(SUSPENDING) | TO(SUSPENDED) | TO(DESTROYING),
	[COMPUTE_SUSPENDING] = TO(SUSPENDED) | TO(DESTROYING),
	[COMPUTE_FAILED] = TO(RESUMING) | TO(DESTROYING),
	[COMPUTE_DESTROYING] = TO(GONE),
};

bool lifecycle_allows(ComputeState from, ComputeState to)
{
	return allowed[from] & 1u << to;
}

IntervalKind lifecycle_interval(ComputeState state)
{
	if (state == COMPUTE_ACTIVE)
		return INTERVAL_ACTIVE;
	return state == COMPUTE_FROZEN ? INTERVAL_FROZEN : INTERVAL_NONE;
}

static Step while_active(const LifeFacts *facts)
{
	if (!facts->observed)
		return STEP_OBSERVE;
	if (!facts->runs)
		return STEP_THAW;
	if (facts->unwanted)
		return STEP_SUSPEND;
	if (facts->resized)
		return STEP_SCALE;
	if (facts->untold)
		return STEP_RESIZE;
	return facts->unneeded && !facts->wanted ? STEP_CHILL : STEP_NONE;
}

/*
 * It is thawed before it is called active, and called frozen before it is. A size that
 * it is given meanwhile costs nothing; its server hears of it when it is thawed.
 */
static Step while_frozen(const LifeFacts *facts)
{
	if (!facts->observed)
		return STEP_OBSERVE;
	if (facts->wanted)
		return facts->runs ? STEP_WARM : STEP_THAW;
	if (facts->unwanted)
		return STEP_SUSPEND;
	if (facts->runs)
		return STEP_FREEZE;
	return facts->resized ? STEP_SCALE : STEP_NONE;
}

static Step while_at_rest(const LifeFacts *facts)
{
	if (facts->resized)
		return STEP_SCALE;
	return facts->wanted ? STEP_RESUME : STEP_NONE;
}

static Step while_suspending(const LifeFacts *facts)
{
	if (facts->drained)
		return STEP_STOP;
	return facts->runs ? STEP_DRAIN : STEP_THAW;
}

Step lifecycle_next(ComputeState state, const LifeFacts *facts)
{
	if (facts->doomed && lifecycle_allows(state, COMPUTE_DESTROYING))
		return STEP_DOOM;
	switch (state) {
	case COMPUTE_CREATING:
		return STEP_CREATE;
	case COMPUTE_SUSPENDED:
	case COMPUTE_FAILED:
		return while_at_rest(facts);
	case COMPUTE_RESUMING:
		return STEP_START;
	case COMPUTE_ACTIVE:
		return while_active(facts);
	case COMPUTE_FROZEN:
		return while_frozen(facts);
	case COMPUTE_SUSPENDING:
		return while_suspending(facts);
	case COMPUTE_DESTROYING:
		return STEP_DESTROY;
	default:
		return STEP_NONE;
	}
}
