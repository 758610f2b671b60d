/*
 * What was used in a period: pure folds over intervals and samples.
 *
 * Only the part of an interval that lies within the period counts, and an open
 * one counts up to when it was last seen; so the sums of adjoining periods add
 * up exactly, whenever they are computed and in whatever order the intervals come.
 * A sum that does not fit stays at the largest number rather than becoming a
 * small one: a month of the largest compute fits, and so does an hour of 2 PiB.
 */
#ifndef CONTROL_METER_H
#define CONTROL_METER_H

#include "record.h"

typedef struct Usage {
	int64_t active_us;  /* time */
	int64_t frozen_us;  /* time that costs nothing */
	int64_t compute_us; /* active time × thousandths of a compute unit */
	int64_t cpu_us;     /* time of CPUs; that of an interval counts as if it had come evenly */
} Usage;

/* Adds what these intervals used within [from, to). compute_id "" counts all computes. */
void meter_fold(Usage *sum, const Interval *intervals, int n, const char *compute_id, int64_t from,
		int64_t to);

/*
 * Bytes × seconds within [from, to), of samples in order of time.  Exact in whole seconds:
 * what is sampled within a second counts from its beginning.  The last sample holds until `to`.
 */
int64_t meter_storage(const StorageSample *samples, int n, const char *compute_id, int64_t from,
		      int64_t to);

/*
 * Bytes within [from, to), of hours; those of an hour count as if they had come evenly,
 * the last one until now.  So sums of adjoining periods add up to the byte.
 */
int64_t meter_traffic(const Traffic *hours, int n, const char *compute_id, int64_t from, int64_t to,
		      int64_t now);

#define METER_HOUR INT64_C(3600000000)

/* What is published of one compute for the hour that begins then; proxied bytes and revision are 0.
 */
UsageHour meter_hour(const Compute *compute, int64_t hour, const Interval *intervals, int n,
		     const StorageSample *samples, int n_samples);

/* Whether what was published must be published again, as the next revision. */
bool meter_is_revised(const UsageHour *published, const UsageHour *now);

/* "shop|compute_us|2026-11-21T17:00:00Z|2": the same whoever computes it, so that a receiver can
 * drop doubles. */
#define EXPORT_KEY_SIZE 160
void meter_export_key(char out[EXPORT_KEY_SIZE], const char *compute_id, const char *metric,
		      int64_t hour, int64_t revision);

typedef enum Granularity { METER_WHOLE, METER_HOURLY, METER_DAILY, METER_MONTHLY } Granularity;

/* Where the period of that granularity (UTC) that holds `at` ends; INT64_MAX for the whole. */
int64_t meter_period_end(Granularity g, int64_t at);

#endif
