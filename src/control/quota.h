/*
 * How much of what it may use a project has used, and what it is told when that was all.
 *
 * Pure.  What there is to be bounded stands in quotas.def.  A period is a calendar
 * month (UTC), or so many days counted from when the project was made.
 */
#ifndef CONTROL_QUOTA_H
#define CONTROL_QUOTA_H

#include <stdint.h>

typedef enum QuotaKind {
#define QUOTA(name, unit, kind, reason, setting) QUOTA_##name,
#include "quotas.def"
#undef QUOTA
	QUOTA_KINDS
} QuotaKind;

typedef struct QuotaPolicy {
	int64_t limits[QUOTA_KINDS]; /* 0: none */
	int soft;                    /* percent from which a warning is due, 0 for none */
	int period_days;             /* 0: calendar months */
} QuotaPolicy;

typedef struct QuotaPeriod {
	int64_t start, end; /* microseconds since 1970; the end belongs to the next */
} QuotaPeriod;

typedef enum QuotaVerdict { QUOTA_OK, QUOTA_SOFT, QUOTA_HARD } QuotaVerdict;

/* The period that holds now, for a project made at created_at. */
QuotaPeriod quota_period(const QuotaPolicy *p, int64_t created_at, int64_t now);

/*
 * `used` is in the unit of the kind: compute-seconds and bytes are rounded down.  For what is
 * counted, ask with the one that is to be added: at the limit it still may.
 */
QuotaVerdict quota_judge(const QuotaPolicy *p, QuotaKind kind, int64_t used);

/*
 * Milliseconds until so much is used up, if it goes on at this rate: what is left in
 * compute-microseconds × thousandths of a unit, and the sum of the sizes that run now.
 * INT64_MAX if nothing runs or there is no limit.
 */
int64_t quota_lasts_ms(const QuotaPolicy *p, int64_t used, int64_t rate);

/* The same, until that is so or a warning is due, whichever comes first. */
int64_t quota_news_ms(const QuotaPolicy *p, int64_t used, int64_t rate);

/* The member of "config" that sets it. */
const char *quota_setting(QuotaKind kind);

#define QUOTA_TEXT_SIZE 160

typedef struct QuotaWords {
	const char *reason;           /* COMPUTE_TIME_QUOTA_EXCEEDED */
	char detail[QUOTA_TEXT_SIZE]; /* "used 3600 of 3600 compute-seconds" */
	char hint[QUOTA_TEXT_SIZE];   /* when it is reset, or what would help */
} QuotaWords;

QuotaWords quota_words(const QuotaPolicy *p, QuotaKind kind, int64_t used,
		       const QuotaPeriod *period);

#endif
