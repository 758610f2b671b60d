/*
 * The size of a compute: which it may have, which it is to have, and which its running
 * server has been told.
 *
 * Pure.  What is wished is carried out by the reconciler: first the record, with which
 * metering changes, then the server.  A server that was told by another life of this
 * process counts as not told, so it is told again.
 */
#ifndef CONTROL_SIZING_H
#define CONTROL_SIZING_H

#include "record.h"
#include "scale.h"
#include "settings.h"
#include "sys/loop.h"

typedef struct Sizing {
	int wish; /* thousandths of a compute unit; 0 if nobody wished */
	char reason[REASON_SIZE];
	int told; /* 0 if it was not */
	int64_t told_memory;
	char failure[REASON_SIZE]; /* what of that could not be done, or "" */

	/* The autoscaler's own (autoscale.c). */
	bool excused; /* its operations say why its size stays */
	ScaleHistory history;
	int64_t decided_ms;
	Timer sample;
} Sizing;

/* Sizes between which a compute may be: all the same where its own config says which. */
typedef struct SizeBounds {
	int least, most;
	bool own;
} SizeBounds;

SizeBounds sizing_bounds(const ProjectSettings *project, const ComputeSettings *own);

/* FAULT_BAD_VALUE if its own config asks for more than a project that has a max_size gives. */
bool sizing_allows(const ProjectSettings *project, const ComputeSettings *own,
		   int64_t memory_per_unit, Fault *why);

/* The size nearest to this one that is allowed; if it is another one, says why. */
int sizing_fit(int size, const SizeBounds *b, char reason[REASON_SIZE]);

/* FAULT_BAD_VALUE with a sentence if it may not have that size. */
bool sizing_check(int size, const SizeBounds *b, Fault *why);

void sizing_wish(Sizing *s, int size, const char *reason);
bool sizing_is_due(const Sizing *s, const Compute *c);

/* What its server is told now, and whether that is what the record says. */
void sizing_tell(Sizing *s, int size, int64_t memory);
bool sizing_is_told(const Sizing *s, const Compute *c);
void sizing_forget(Sizing *s); /* there is no server any more */

#endif
