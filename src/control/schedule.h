/*
 * What the clock on the wall says of a project: whether it is within its running
 * hours, and when it is to be awake next.  Asks the machine for time zones, and
 * hands the rest to hours.c; a zone that this machine has lost since counts as UTC.
 */
#ifndef CONTROL_SCHEDULE_H
#define CONTROL_SCHEDULE_H

#include "settings.h"

typedef struct Schedule {
	bool warm;
	int64_t change_in_ms; /* until that may change, 0 if it does not */
	int64_t wake_in_ms;   /* until it is next to be awake, -1 if it is not to be */
} Schedule;

/*
 * At a moment in microseconds since 1970.  A time that has come is not next any more, so
 * whoever is woken by it may ask at once for the one after.
 */
Schedule schedule_at(const ProjectSettings *s, int64_t now_us);

#endif
