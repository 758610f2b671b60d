/* The two clocks: one that only goes forward, and one that people read. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

/* Milliseconds or microseconds since some moment; the same in every process of the machine. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* Microseconds since 1970, UTC. May jump; for what is stored or shown. */
int64_t wall_us(void);

#endif
