/*
 * Doubts: since when what was learnt of who may connect to a compute is not believed any
 * more, because the control plane said that it has changed, or could not have said so.
 *
 * The monitor writes, workers read.  A compute has a place by the keyed hash of its name
 * and shares it with others; then those are asked for once more than need be, and no
 * doubt is ever lost.
 */
#ifndef MODEL_DOUBT_H
#define MODEL_DOUBT_H

#include <stdatomic.h>
#include <stdint.h>

#define DOUBT_PLACES 8192

typedef struct Shared Shared;

typedef struct Doubts {
	_Atomic int64_t of_all_ms;
	_Atomic int64_t since_ms[DOUBT_PLACES];
} Doubts;

/* What was asked until now, on the machine's monotonic clock, is not believed. */
void doubt_compute(Shared *sh, const char *compute, int64_t now_ms);
void doubt_all(Shared *sh, int64_t now_ms);

/* What was asked at that moment, or before, is not believed. */
int64_t doubt_since(const Shared *sh, const char *compute);

#endif
