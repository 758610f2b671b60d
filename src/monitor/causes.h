/*
 * Who uses a compute: its sessions, summed up by role, application and network.
 *
 * So that it can be said who kept a compute awake.  There may be as many causes as
 * sessions; of each compute the most active are told one by one, and the rest as one.
 */
#ifndef MONITOR_CAUSES_H
#define MONITOR_CAUSES_H

#include <jansson.h>

#include "model/party.h"

#define CAUSES_TOLD  16
#define CAUSES_OTHER "other" /* in place of a network, for the rest */

/* What a session does, or all of a cause. */
typedef struct Doing {
	uint32_t sessions, at_work, listening;
	int64_t active_ms; /* when it last did something */
} Doing;

typedef struct Causes Causes;
typedef struct Cause Cause;

/* Of so many computes, numbered from 0. */
Causes *causes_new(int n_computes);
void causes_free(Causes *c);

/* The cause that such a session of that compute is, good until causes_prune() finds it unused. */
Cause *causes_find(Causes *c, int compute, const Party *who);

/* A look begins: nobody does anything. */
void causes_clear(Causes *c);

/* A session is one more of that cause; or was one until a moment ago, then sessions is 0. */
void cause_add(Cause *cause, const Doing *what);

/* The look is over: causes that nobody was one of are gone. */
void causes_prune(Causes *c);

/* The list to be reported, most active first; to be freed. */
json_t *causes_list(const Causes *c, int compute, int64_t now_ms);

#endif
