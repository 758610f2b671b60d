/*
 * What this machine says of itself and of its processes.
 *
 * A process id is reused; together with the moment the process started and the
 * boot it started in, it names one process for ever.
 */
#ifndef SYS_MACHINE_H
#define SYS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BOOT_ID_SIZE 37

/* Microseconds since the machine started, sleep included; never jumps. */
int64_t machine_boot_us(void);

/* The kernel's name for this boot, as it stands in /proc/sys/kernel/random/boot_id. */
void machine_boot_id(char out[BOOT_ID_SIZE]);

/* When a process started, in clock ticks since boot; 0 if it is not there or only a zombie. */
uint64_t machine_process_start(pid_t pid);

/* CPUs that this process may run on. */
int machine_cpus(void);

#endif
