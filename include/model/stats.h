/*
 * What a worker counts, from metrics.def: counters that only grow, gauges, and
 * histograms.  Each worker writes its own block; the monitor adds them up.
 */
#ifndef MODEL_STATS_H
#define MODEL_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/fault.h"

#define HISTOGRAM_BUCKETS 16

typedef struct Histogram {
	_Atomic uint64_t
		bucket[HISTOGRAM_BUCKETS]; /* not cumulative; the last is everything above */
	_Atomic uint64_t sum_us;
} Histogram;

typedef struct Stats {
#define COUNTER(field, name, labels, doc) _Atomic uint64_t field;
#define GAUGE(field, name, labels, doc)   _Atomic uint64_t field;
#define HISTOGRAM(field, name, doc)       Histogram field;
#include "model/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	_Atomic uint64_t errors[FAULT_COUNT];
} Stats;

/* Upper bounds of the buckets, in microseconds; the last bucket has none. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1];

void histogram_add(Histogram *h, uint64_t us);

/* Only the owner writes, so a plain load and store do. */
static inline void stat_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void stat_sub(_Atomic uint64_t *gauge, uint64_t n)
{
	stat_add(gauge, -n);
}

static inline uint64_t stat_get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
