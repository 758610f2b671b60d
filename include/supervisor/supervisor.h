/*
 * The supervisor: owns what must outlive a child, forks the children, watches,
 * reloads and ends them.
 *
 * It never reads a client and never blocks.  Its whole loop is one call that
 * waits for a signal, and a list of things to do about it.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "conf/conf.h"

typedef struct SupervisorSetup {
	const char *file; /* the configuration, "" if there is none */
	const char *text; /* what stood in it at the start */
	const Config *conf;
	const ConfOverride *overrides;
	int n_overrides;
	bool quiet;   /* nothing goes to standard error */
	int ready_fd; /* written to when everything runs, for who waits in the foreground; or -1 */
} SupervisorSetup;

/* Runs until it is told to end; the exit status of the program. */
int supervisor_main(const SupervisorSetup *setup);

#endif
