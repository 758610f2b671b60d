/*
 * Other processes: servers that outlive us, and jobs that do not.
 *
 * Death is an event of a pidfd, which also works for a process that is not our
 * child (a server that an earlier life of this program started), and a signal
 * sent through it can never reach a stranger that got the same process id.
 */
#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "sys/loop.h"

typedef struct Process Process;

/* status as waitpid(2) tells it, or -1 if the process was not our child. */
typedef void (*ProcessEnd)(void *arg, int status);

typedef struct SpawnPlan {
	const char *const *argv;   /* argv[0] is the path of the program */
	const char *const *env;    /* the whole environment */
	const char *folder;        /* to work in */
	const char *log_file;      /* standard output and error are appended to it */
	const char *input;         /* what it reads from standard input, or NULL for nothing */
	uid_t user;                /* to become, with the group of that number; 0: none */
	int64_t data_limit;        /* bytes that each of its processes may have; 0: any */
	const char *const *groups; /* cgroup.procs of the control groups it is in, or NULL */
} SpawnPlan;

/*
 * Starts a program in a session of its own, with no descriptor but the three
 * standard ones, and with all signals as usual.  It goes on when we end.
 */
Process *process_spawn(Loop *loop, const SpawnPlan *plan, ProcessEnd on_end, void *arg, Fault *why);

/*
 * Runs a function in a copy of this process and ends it with the function's
 * result: blocking work that the loop must not wait for.  The copy is killed
 * when we end; what it prints goes to log_file.
 */
Process *process_job(Loop *loop, int (*job)(void *arg), const char *log_file, ProcessEnd on_end,
		     void *arg, Fault *why);

/* Watches a process that is there already; NULL if it is not the one that started then. */
Process *process_adopt(Loop *loop, pid_t pid, uint64_t start, ProcessEnd on_end, void *arg);

void process_signal(const Process *p, int number);
pid_t process_pid(const Process *p);

/* False from the moment of its end, also while on_end() was not called yet. */
bool process_lives(const Process *p);
uint64_t process_start(const Process *p); /* see machine_process_start() */

/* Watches it no longer; the process itself goes on. */
void process_free(Process *p);

/* For jobs, whose log it shares unless it has its own: runs a program to its end and returns its
 * exit status, 127 if it could not be run. */
int spawn_and_wait(const SpawnPlan *plan);

/* For the start of the program: as process_job(), and waits for its end. */
int spawn_copy_and_wait(int (*job)(void *arg), void *arg);

/* For the start of the program: the first line that a program prints; false if it failed. */
bool spawn_first_line(const char *const *argv, char *out, size_t size);

#endif
