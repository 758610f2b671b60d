/*
 * Who kept a compute awake: its active time, shared out among those who used it last.
 *
 * Pure.  Time belongs to whoever was the cause of activity when it began, until
 * somebody else is; so the causes' times add up to the active time exactly.  Only
 * so many are told apart; the time of all others is one sum.
 */
#ifndef CONTROL_CAUSES_H
#define CONTROL_CAUSES_H

#include <stdbool.h>
#include <stdint.h>

typedef enum CauseKind {
#define CAUSE(name, word) CAUSE_##name,
#include "causes.def"
#undef CAUSE
	CAUSE_KINDS
} CauseKind;

#define CAUSE_NAME_SIZE    64
#define CAUSE_NETWORK_SIZE 48 /* "2001:db8:1234:ff00::/56" */

/* What does not apply is empty. */
typedef struct Cause {
	CauseKind kind;
	char role[CAUSE_NAME_SIZE], application[CAUSE_NAME_SIZE];
	char network[CAUSE_NETWORK_SIZE];
} Cause;

#define CAUSES_MOST 32

typedef struct CauseTime {
	Cause cause;
	int64_t us;
} CauseTime;

/* All zero at first: an hour in which nothing was active yet. */
typedef struct Causes {
	int n;
	CauseTime at[CAUSES_MOST];
	int64_t other_us; /* of those for whom there was no room */
} Causes;

const char *cause_word(CauseKind kind);    /* "client" */
CauseKind cause_of_word(const char *word); /* CAUSE_KINDS if there is none */

bool cause_is(const Cause *a, const Cause *b);

/* This much active time is due to that cause. */
void causes_add(Causes *c, const Cause *cause, int64_t us);

/* Of all, with those for whom there was no room. */
int64_t causes_sum(const Causes *c);

/*
 * Whose time runs, and since when.  One for each compute while it is active; what passes is
 * written to the Causes of the hour.
 */
typedef struct CauseClock {
	Cause cause;
	int64_t since; /* microseconds since 1970; 0: it is not active */
} CauseClock;

/* It has become active because of that. */
void cause_begin(CauseClock *clock, const Cause *cause, int64_t now);

/*
 * Time until now goes to the cause so far: at each heartbeat, and when an hour ends, with that
 * end as now.  With the times that intervals have, the sums are those of the intervals.
 */
void cause_pass(CauseClock *clock, Causes *hour, int64_t now);

/* The same, and from now on it is due to another; or it is not active any more. */
void cause_turn(CauseClock *clock, Causes *hour, const Cause *cause, int64_t now);
void cause_end(CauseClock *clock, Causes *hour, int64_t now);

/* One row of what proxies report. */
typedef struct CauseReport {
	Cause cause;
	int at_work;
	int64_t idle_ms; /* since it last did something, -1 if it never did */
} CauseReport;

/*
 * Who used it last: whoever is at work now (of several the one that came first in the list), else
 * whoever was last; NULL if none did anything. Whoever is exempt is not to be in the list.
 */
const Cause *cause_last(const CauseReport *reports, int n);

#endif
