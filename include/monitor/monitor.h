/*
 * The monitor: what can be known without asking a worker.
 *
 * It answers from shared memory and nothing else, also when everything else is
 * stuck.  For the whole process tree it talks with the control plane: it tells now
 * and then which computes have sessions at work, and hears what becomes of them.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "conf/conf.h"
#include "model/shared.h"
#include "sys/listen.h"

typedef struct MonitorSetup {
	Shared *shared;
	const Config *conf;
	const Listeners *listeners;         /* for HTTP; may be none */
	const int *nudges;                  /* an eventfd for each worker */
	const Config *(*reread)(void *arg); /* the configuration as published; NULL if it is bad */
	void *arg;
} MonitorSetup;

void monitor_main(const MonitorSetup *setup) __attribute__((noreturn));

#endif
