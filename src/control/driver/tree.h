/*
 * A process and all that descend from it, as /proc tells: for what has to be done to, or
 * summed over, a server that has no control group of its own.
 */
#ifndef CONTROL_TREE_H
#define CONTROL_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_MOST 8192

/* Parents before their children; how many were found, at most TREE_MOST. */
int tree_list(pid_t root, pid_t out[TREE_MOST]);

/*
 * Tells all of them to stop, the root first, so that it has no more children; true when all
 * stand still, else it has to be called again.  Going on is the reverse, so the root stands
 * still as long as anybody may.
 */
bool tree_stop(pid_t root);
void tree_continue(pid_t root);
bool tree_is_stopped(pid_t root); /* as its root is */

/* CPU time, that of ended children included, and memory, where what is shared counts once. */
int64_t tree_cpu_us(const pid_t *pids, int n);
int64_t tree_memory(const pid_t *pids, int n);

#endif
