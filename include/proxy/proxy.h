/*
 * The proxy's half of Reveille, as the supervisor starts it.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "conf/conf.h"
#include "model/shared.h"
#include "sys/listen.h"

typedef struct WorkerSetup {
	int number;
	Claimer claimer;
	Shared *shared;
	const Config *conf;
	const Listeners *listeners;
	const int *nudges;                  /* an eventfd for each worker, the own one among them */
	const Config *(*reread)(void *arg); /* the configuration as published; NULL if it is bad */
	void *arg;
} WorkerSetup;

/*
 * Serves clients until it is told to end: HUP takes over a new configuration,
 * TERM lets sessions come to rest, INT ends them, QUIT leaves at once.
 */
void worker_main(const WorkerSetup *setup) __attribute__((noreturn));

/* A picture of the phases of a session, for Graphviz. */
void phases_print_dot(void);

#endif
