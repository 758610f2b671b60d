/*
 * All that usage is made of, and what follows from it: sums of any period, and what is
 * to be published of an hour.
 *
 * Pure.  Whoever reads the facts (gather.h) frees them.
 */
#ifndef CONTROL_USAGE_FACTS_H
#define CONTROL_USAGE_FACTS_H

#include "meter.h"

typedef struct UsageFacts {
	Interval *intervals;
	StorageSample *samples; /* by compute, each in order of time */
	Traffic *traffic;
	UsageHour *published;
	AwakeCause *causes; /* most first */
	int n_intervals, n_samples, n_traffic, n_published, n_causes;
} UsageFacts;

void usage_facts_free(UsageFacts *f);

typedef struct UsageSum {
	Usage time;
	int64_t storage_byte_seconds, proxied_bytes;
} UsageSum;

/* Within [from, to); compute_id "" counts all. */
UsageSum usage_sum(const UsageFacts *f, const char *compute_id, int64_t from, int64_t to,
		   int64_t now);
bool usage_is_nothing(const UsageSum *s);

/* A compute that the facts know, and whose it is. */
typedef struct UsageOf {
	char project_id[ID_SIZE], compute_id[ID_SIZE];
} UsageOf;

/* Each once, by project and compute; returns how many, *out is to be freed. */
int usage_computes(const UsageFacts *f, UsageOf **out);

/* What is to be published of an hour: what is new, or not as it was published. */
typedef struct UsageNews {
	UsageHour now;
	UsageHour before; /* revision 0: it was not published */
} UsageNews;

/*
 * By project and compute; returns how many, *out is to be freed.  Those of one project have
 * the same revision, which none of that hour had before.
 */
int usage_news(const UsageFacts *f, int64_t hour, UsageNews **out);

#endif
