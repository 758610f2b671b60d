/*
 * The proxy's half of Reveille, as the supervisor starts it.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "conf/conf.h"
#include "model/shared.h"
#include "sys/listen.h"

/*
 * What the files say that a configuration names: certificates, users, rules.  The
 * supervisor loads them too, so that a worker that is born while they are no good
 * begins with what was good before.
 */
typedef struct Access Access;

/* NULL and *why ("FILE:LINE: …" where a line is wrong). Without shared memory only to try. */
Access *access_load(const Config *conf, const Shared *shared, Fault *why);
void access_release(Access *a); /* NULL is harmless */

typedef struct WorkerSetup {
	int number;
	Claimer claimer;
	Shared *shared;
	const Config *conf;
	Access *access; /* that goes with it */
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
