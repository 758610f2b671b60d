/*
 * Repeats: what was said to the log a moment ago, so that a flood of the same is
 * one line and a number, over all workers.
 */
#ifndef MODEL_REPEAT_H
#define MODEL_REPEAT_H

#include <stddef.h>
#include <stdint.h>

typedef struct Shared Shared;

#define REPEAT_SILENT (-1)

/*
 * REPEAT_SILENT if the same was said less than interval_ms ago; else how often it
 * was not said since it was last said.  now_ms is the machine's monotonic clock.
 */
int repeat_say(Shared *sh, const void *key, size_t size, int64_t now_ms, int64_t interval_ms);

#endif
