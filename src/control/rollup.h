/*
 * Publishes what was used in each hour, once it is over, and tells projects' webhooks.
 *
 * An hour is computed from intervals, samples and bytes alone, so it can be computed
 * again: by whoever goes on after a crash, and while something may still be learnt of
 * it.  What differs from what was published is published as the next revision, with
 * what was said before; the same twice is one letter, by its key.
 */
#ifndef CONTROL_ROLLUP_H
#define CONTROL_ROLLUP_H

typedef struct Controller Controller;
typedef struct Rollup Rollup;

/* Begins with the hours that nobody has published yet. */
Rollup *rollup_new(Controller *c);

#endif
