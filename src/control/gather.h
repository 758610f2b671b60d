/* Reads all that a period's usage is made of from the store, one kind after the other. */
#ifndef CONTROL_GATHER_H
#define CONTROL_GATHER_H

#include "store/store.h"
#include "usage_facts.h"

#define GATHER_CAUSES 100 /* of those who kept computes awake, the first */

/* facts are the callee's to free; why is NULL unless the store failed. */
typedef void (*Gathered)(void *arg, UsageFacts *facts, const Fault *why);

/* Of a project, or of all for "". Bytes, causes and published hours are those of whole hours. */
void gather(Store *s, const char *project_id, int64_t from, int64_t to, Gathered on_gathered,
	    void *arg);

#endif
