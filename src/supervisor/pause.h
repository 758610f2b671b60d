/*
 * How soon after its end a child is started again.
 *
 * Who has served for a while is missed, and replaced at once.  Who ends as soon as it
 * begins says the same each time, so it waits longer each time, until an admin has changed
 * something or it stays.  Who was killed or has crashed waits no longer than the first time:
 * what one client did to it is not to keep out all others.
 */
#ifndef SUPERVISOR_PAUSE_H
#define SUPERVISOR_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

/* `before` is the pause that it had before this life, 0 if none. */
int64_t pause_after(int64_t before_ms, int64_t lived_ms, bool by_signal);

#endif
