/*
 * The monitor: what can be known without asking a worker.
 *
 * It reads shared memory and nothing else, so that it answers when everything
 * else is stuck, and tells the control plane now and then which computes have
 * sessions at work.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "conf/conf.h"
#include "model/shared.h"
#include "sys/listen.h"

typedef struct MonitorSetup {
	const Shared *shared;
	const Config *conf;
	const Listeners *listeners;         /* for HTTP; may be none */
	const Config *(*reread)(void *arg); /* the configuration as published; NULL if it is bad */
	void *arg;
} MonitorSetup;

void monitor_main(const MonitorSetup *setup) __attribute__((noreturn));

#endif
