/*
 * The life of a compute: which changes of state there may be, what has to be
 * done in each state, and which changes begin and end metered time.
 *
 * Pure.  The reconciler does what is decided here; the store refuses what is
 * not allowed here.
 */
#ifndef CONTROL_LIFECYCLE_H
#define CONTROL_LIFECYCLE_H

#include "record.h"

typedef enum Step {
	STEP_NONE,
	/* Changes of state that somebody asked for. */
	STEP_RESUME,
	STEP_SUSPEND,
	STEP_CHILL, /* from active to frozen */
	STEP_WARM,  /* and back */
	STEP_SCALE, /* to another size, which is metered from that moment */
	STEP_DOOM,
	/* What a state says has to be done. */
	STEP_CREATE,  /* make its folder */
	STEP_OBSERVE, /* find the server that was running when we last knew */
	STEP_START,
	STEP_FREEZE,
	STEP_THAW,
	STEP_RESIZE, /* tell its server what size it has */
	STEP_DRAIN,  /* let nobody new in, and what is under way end */
	STEP_STOP,
	STEP_DESTROY,
} Step;

/* What the control process knows beside the state. */
typedef struct LifeFacts {
	bool wanted;   /* somebody waits for it to be active */
	bool unwanted; /* somebody asked for it to be suspended */
	bool unneeded; /* the scheduler found that it may be frozen */
	bool doomed;   /* somebody asked for it to be deleted */
	bool resized;  /* it is to have another size */
	bool observed; /* this process saw its server alive */
	bool runs;     /* and knows that it is not frozen */
	bool untold;   /* its server has not been told what size it has */
	bool drained;  /* nothing is open on it any more, or nobody waits for that */
} LifeFacts;

Step lifecycle_next(ComputeState state, const LifeFacts *facts);

bool lifecycle_allows(ComputeState from, ComputeState to);

/*
 * What is metered while a compute is in that state: from the moment it is ready to the
 * decision to suspend.
 */
IntervalKind lifecycle_interval(ComputeState state);

#endif
