/*
 * A tab: what a compute is running up, as this process knows it.
 *
 * Pure.  The store has the interval that is open; this is its shadow in memory, so
 * that what was used can be said at any moment without asking, and that its time is
 * shared out among those who caused it.  It measures as the store does: a begin on
 * the wall, and from then on the clock that never jumps.
 */
#ifndef CONTROL_TAB_H
#define CONTROL_TAB_H

#include "awake.h"
#include "meter.h"

typedef struct Tab {
	int64_t started_at; /* of the active interval, microseconds since 1970; 0: none is open */
	int64_t started_boot;
	int64_t seen_at; /* how far it is known, while nobody watches the server */
	bool watched;
	int size;          /* thousandths of a compute unit */
	int64_t ended_at;  /* of the interval before it */
	int64_t cpu_start; /* what its server had used of CPUs before; -1: not known */

	AwakeClock clock;
	int64_t cause_used_at; /* when its cause last did something */
	Cause next_cause;      /* of whom it will have been woken */
	AwakeHour hour;
	int64_t hour_at; /* when that hour began */
} Tab;

/* The moment, on the tab's own clock. */
int64_t tab_now(const Tab *t, int64_t boot_us);

/* It became active at that moment, with that size; boot_us is that moment, too. */
void tab_begin(Tab *t, int64_t at, int64_t boot_us, int size);

/*
 * An interval that was open when this process began: known until it was last seen, and
 * watched from when its server is found to be the same.
 */
void tab_resume(Tab *t, const Interval *open);
void tab_watch(Tab *t, int64_t boot_us);

/* It is not active any more since that moment. */
void tab_end(Tab *t, int64_t at);

/*
 * Gives time until now to its cause.  False if that reached the end of the hour only:
 * then the hour is to be written down, and tab_turn_page() begins the next.
 */
bool tab_pass(Tab *t, int64_t now);
void tab_turn_page(Tab *t, int64_t now);

/*
 * Somebody used it at `used_at`: what has not been passed yet is his, if nobody else used it
 * later.  Pass first, unless its cause is anonymous: then it becomes him.
 */
void tab_blame(Tab *t, const Cause *cause, int64_t used_at);

/* Whether its cause may still be told by name: a client whom no report has named. */
bool tab_is_anonymous(const Tab *t);

/* Compute-microseconds × thousandths of what is open, within [from, to). */
int64_t tab_used(const Tab *t, int64_t boot_us, int64_t from, int64_t to);

#endif
