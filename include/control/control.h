/*
 * The control plane: projects and computes over HTTP, and what wakes, watches
 * and suspends them.
 *
 * One process, one loop.  It may be killed between any two lines: computes go
 * on running, and the next one finds them again and goes on where it was.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "conf/conf.h"
#include "sys/listen.h"

typedef struct ControlSetup {
	const Config *conf; /* borrowed */
	const Listeners *listeners;
	const char
		*proxy_token; /* what the proxy of this process tree shows; "" if there is none */
	const Config *(*reread)(
		void *arg); /* on SIGHUP: the new configuration, to be released; or NULL */
	void *arg;
} ControlSetup;

/* Whether the files that [control] names can be used. */
bool control_check(const Config *conf, Fault *why);

/*
 * Runs until SIGTERM, SIGINT or SIGQUIT, and leaves the computes running.
 * Expects a process of its own, privileges dropped and the log opened.
 */
void control_main(const ControlSetup *setup) __attribute__((noreturn));

#endif
