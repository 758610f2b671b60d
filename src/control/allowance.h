/*
 * What projects may still use: warns, suspends, and lets nothing be woken past a quota.
 *
 * What a project has used is known without asking the store: what had ended when its
 * period began to be watched, plus what this process has seen end, plus what runs (its
 * tabs).  So a quota is enforced when it is used up and not at some next look, and one
 * that was raised frees at once.
 */
#ifndef CONTROL_ALLOWANCE_H
#define CONTROL_ALLOWANCE_H

#include <stdbool.h>

#include "quota.h"

typedef struct Controller Controller;
typedef struct Unit Unit;
typedef struct ProjectEntry ProjectEntry;

typedef struct Allowance {
	bool known;       /* what was used in the period until this process watched it */
	bool asking;      /* the store is being asked for that */
	bool asked_bytes; /* it was asked, once, for what computes have on disk */
	QuotaPeriod period;
	int64_t spent; /* by intervals that have ended: compute-microseconds × thousandths */
	QuotaVerdict told[QUOTA_KINDS]; /* in this period */
	int making;                     /* computes that are just being recorded */
} Allowance;

typedef enum AllowanceAnswer {
	ALLOWANCE_YES,
	ALLOWANCE_LATER, /* it is not known yet; its computes are reconciled when it is */
	ALLOWANCE_NO,
} AllowanceAnswer;

/* Whether a compute may be awake; *words says why not. */
AllowanceAnswer allowance_to_run(Unit *u, QuotaWords *words);

/* Whether one more session may wake it, or come to it. */
AllowanceAnswer allowance_to_connect(Unit *u, QuotaWords *words);

/* Whether a project may have one more compute. */
AllowanceAnswer allowance_to_make(Controller *c, const char *project_id, QuotaWords *words);

/* Its compute ran with that size in [from, to), and does not any more. */
void allowance_spent(Unit *u, int64_t from, int64_t to, int size);

/* Looks at all projects in this turn, and from then on as often as it takes. */
void allowance_look_soon(Controller *c);
void allowance_init(Controller *c);

#endif
