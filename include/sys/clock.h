/* The two clocks: one that only goes forward, and one that people read, in any zone. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds or microseconds since some moment; the same in every process of the machine. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* Microseconds since 1970, UTC. May jump; for what is stored or shown. */
int64_t wall_us(void);

#define ZONE_SIZE 48 /* of a zone's name, as Europe/Berlin, and a zero */

/* How the clocks of a zone stand, and when, within ten days, they will be set anew. */
typedef struct ZoneClock {
	int offset;        /* seconds to add to UTC */
	int64_t change_at; /* seconds since 1970; INT64_MAX if they are not set anew */
	int offset_after;
} ZoneClock;

/*
 * At a moment in seconds since 1970. False if this machine does not know the zone, and
 * *out is UTC then. Not for processes with several threads: it turns TZ for a moment.
 */
bool clock_zone(const char *zone, int64_t at, ZoneClock *out);
bool clock_zone_exists(const char *zone);

#endif
