/*
 * Keeps the tabs of computes: when each became active and ceased to be, who was the
 * cause of it, and how much its project has run up.
 *
 * Told of every change of state and every use; writes who kept computes awake with
 * the heartbeat, in one transaction for all of them.
 */
#ifndef CONTROL_LEDGER_H
#define CONTROL_LEDGER_H

#include "fleet.h"

typedef struct AwakeRows {
	AwakeCause *at;
	int n;
} AwakeRows;

/* Intervals that were open when this process began. */
void ledger_resume(Controller *c, const Interval *open, int n);

/* Its record changed from that; u->compute is what it is now. */
void ledger_changed(Unit *u, const Compute *before);

/* Its server is the one that was running before this process began. */
void ledger_watch(Unit *u);

/* It is, or is about to be, awake because of that: microseconds ago is when it did something. */
void ledger_blame(Unit *u, const Cause *cause, int64_t ago_us);
void ledger_blame_kind(Unit *u, CauseKind kind);

/* What its server has used of CPUs in the interval that is open; 0 if that is not known. */
int64_t ledger_cpu_us(Unit *u);

/* Writes down who kept computes awake until now. */
void ledger_write(Controller *c);

/* What a project used in [from, to) by what is open now, in compute-microseconds × thousandths. */
int64_t ledger_open_use(const Controller *c, const char *project_id, int64_t from, int64_t to);

#endif
