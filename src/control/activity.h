/*
 * When a compute was last used, and how many sessions are at work on it.
 *
 * Pure: now comes in.  Proxies report; a report is believed for a while and then
 * forgotten, so that a proxy that died keeps nothing awake.
 */
#ifndef CONTROL_ACTIVITY_H
#define CONTROL_ACTIVITY_H

#include <stdint.h>

#define ACTIVITY_PROXIES   16
#define ACTIVITY_BELIEF_MS 30000 /* three reports of the slowest interval that is usual */
#define PROXY_ID_SIZE      64

/* sessions are of all; the rest is without those who are exempt. */
typedef struct Report {
	char proxy_id[PROXY_ID_SIZE];
	int sessions, at_work, listening;
	int64_t idle_ms; /* since the last activity it saw; -1 if it saw none */
} Report;

typedef struct Activity {
	int64_t last_ms; /* on the clock that never jumps */
	struct {
		Report report;
		int64_t at_ms; /* 0 if the place is free */
	} reports[ACTIVITY_PROXIES];
} Activity;

/* It was used now. */
void activity_note(Activity *a, int64_t now_ms);

/* Takes the place of what the same proxy reported before, or of the oldest report. */
void activity_report(Activity *a, const Report *report, int64_t now_ms);

typedef struct ActivitySum {
	int sessions, at_work, listening;
} ActivitySum;

/* Of what is still believed. */
ActivitySum activity_sum(const Activity *a, int64_t now_ms);

/* Goes through what is still believed: *i is 0 at first; NULL at the end. */
const Report *activity_next(const Activity *a, int *i, int64_t now_ms);

#endif
