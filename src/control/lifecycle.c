#include "lifecycle.h"

#define TO(name) (1u << COMPUTE_##name)

/* Whatever it is doing, a compute can be told to go. */
static const unsigned allowed[COMPUTE_STATES] = {
	[COMPUTE_CREATING] = TO(SUSPENDED) | TO(DESTROYING),
	[COMPUTE_SUSPENDED] = TO(RESUMING) | TO(DESTROYING),
	[COMPUTE_RESUMING] = TO(ACTIVE) | TO(FAILED) | TO(DESTROYING),
	[COMPUTE_ACTIVE] = TO(SUSPENDING) | TO(SUSPENDED) | TO(DESTROYING),
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
	return INTERVAL_NONE;
}

static Step while_active(const LifeFacts *facts)
{
	if (!facts->observed)
		return STEP_OBSERVE;
	return facts->unwanted ? STEP_SUSPEND : STEP_NONE;
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
		return facts->wanted ? STEP_RESUME : STEP_NONE;
	case COMPUTE_RESUMING:
		return STEP_START;
	case COMPUTE_ACTIVE:
		return while_active(facts);
	case COMPUTE_SUSPENDING:
		return facts->drained ? STEP_STOP : STEP_DRAIN;
	case COMPUTE_DESTROYING:
		return STEP_DESTROY;
	default:
		return STEP_NONE;
	}
}
