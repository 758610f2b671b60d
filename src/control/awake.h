/*
 * Who kept a compute awake: its active time, shared out among those who used it last.
 *
 * Pure.  Time belongs to whoever was the cause of activity when it began, until
 * somebody else is; so the causes' times add up to the active time exactly.  Only
 * so many are told apart; the time of all others is one sum.
 */
#ifndef CONTROL_AWAKE_H
#define CONTROL_AWAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

typedef enum CauseKind {
#define CAUSE(name, word) CAUSE_##name,
#include "awake.def"
#undef CAUSE
	CAUSE_KINDS
} CauseKind;

/* What does not apply is empty. */
typedef struct Cause {
	CauseKind kind;
	char role[ID_SIZE], application[ID_SIZE];
	char network[ID_SIZE]; /* "192.0.2.0/24", "2001:db8::/56", "local", "other" */
} Cause;

#define AWAKE_MOST 32

typedef struct AwakeTime {
	Cause cause;
	int64_t us;
} AwakeTime;

/* All zero at first: an hour in which nothing was active yet. */
typedef struct AwakeHour {
	int n;
	AwakeTime at[AWAKE_MOST];
	int64_t other_us; /* of those for whom there was no room */
} AwakeHour;

const char *awake_word(CauseKind kind);         /* "client" */
CauseKind awake_kind_of_word(const char *word); /* CAUSE_KINDS if there is none */

bool awake_same(const Cause *a, const Cause *b);

/* This much active time is due to that cause. */
void awake_add(AwakeHour *c, const Cause *cause, int64_t us);

/* Of all, with those for whom there was no room. */
int64_t awake_sum(const AwakeHour *c);

/* As rows for the store, of those who have time; returns how many. */
int awake_rows(const AwakeHour *c, const Compute *compute, int64_t hour,
	       AwakeCause out[AWAKE_MOST + 1]);

/* The rows were taken: no time is left, but who is told apart stays so for the hour. */
void awake_taken(AwakeHour *c);

/*
 * Whose time runs, and since when.  One for each compute while it is active; what passes is
 * written to the AwakeHour of the hour.
 */
typedef struct AwakeClock {
	Cause cause;
	int64_t since; /* microseconds since 1970; 0: it is not active */
} AwakeClock;

/* It has become active because of that. */
void awake_begin(AwakeClock *clock, const Cause *cause, int64_t now);

/*
 * Time until now goes to the cause so far: at each heartbeat, and when an hour ends, with that
 * end as now.  With the times that intervals have, the sums are those of the intervals.
 */
void awake_pass(AwakeClock *clock, AwakeHour *hour, int64_t now);

/* The same, and from now on it is due to another; or it is not active any more. */
void awake_turn(AwakeClock *clock, AwakeHour *hour, const Cause *cause, int64_t now);
void awake_end(AwakeClock *clock, AwakeHour *hour, int64_t now);

/* One row of what proxies report. */
typedef struct AwakeReport {
	Cause cause;
	int at_work;
	int64_t idle_ms; /* since it last did something, -1 if it never did */
} AwakeReport;

/*
 * Who used it last: whoever is at work now (of several the one that came first in the list), else
 * whoever was last; NULL if none did anything. Whoever is exempt is not to be in the list.
 */
const Cause *awake_last(const AwakeReport *reports, int n);

#endif
