/*
 * Who uses a compute: its sessions, summed up by role, application and network.
 *
 * So that it can be said who kept a compute awake.  There may be as many causes as
 * sessions; of each compute the most active are told one by one, and the rest as one.
 */
#ifndef MONITOR_CAUSES_H
#define MONITOR_CAUSES_H

#include <jansson.h>

#include "model/slot.h"

#define CAUSES_TOLD  16
#define CAUSES_OTHER "other" /* in place of a network, for the rest */

/* What a session does, or all of a cause. */
typedef struct Doing {
	uint32_t sessions, at_work, listening;
	int64_t active_ms; /* when it last did something */
} Doing;

typedef struct Causes Causes;

/* Of so many computes, numbered from 0. */
Causes *causes_new(int n_computes);
void causes_free(Causes *c);

/* Forgets all that was added. */
void causes_clear(Causes *c);

/* A session of that compute is one more reason. */
void causes_add(Causes *c, int compute, const SlotInfo *who, const Doing *what);

/* The list to be reported, most active first; to be freed. */
json_t *causes_list(const Causes *c, int compute, int64_t now_ms);

#endif
