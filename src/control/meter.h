/*
 * What was used in a period: a pure fold over intervals.
 *
 * Only the part of an interval that lies within the period counts, and an open
 * one counts up to when it was last seen; so the sums of adjoining periods add
 * up exactly, whenever they are computed.
 */
#ifndef CONTROL_METER_H
#define CONTROL_METER_H

#include "record.h"

typedef struct Usage {
	int64_t active_us;  /* time */
	int64_t compute_us; /* time × thousandths of a compute unit */
} Usage;

/* Adds what these intervals used within [from, to). compute_id "" counts all computes. */
void meter_fold(Usage *sum, const Interval *intervals, int n, const char *compute_id, int64_t from,
		int64_t to);

typedef enum Granularity { METER_WHOLE, METER_HOURLY, METER_DAILY, METER_MONTHLY } Granularity;

/* Where the period of that granularity (UTC) that holds `at` ends; INT64_MAX for the whole. */
int64_t meter_period_end(Granularity g, int64_t at);

#endif
