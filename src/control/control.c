/* The control process, from its first moment to its last. */
#include "control/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/past.h"
#include "base/mem.h"
#include "base/text.h"
#include "charge.h"
#include "controller.h"
#include "heartbeat.h"
#include "idle.h"
#include "recall.h"
#include "secure.h"
#include "sys/log.h"
#include "sys/machine.h"

#define STARTS_PER_CPU 4

static int start_limit(const Config *conf)
{
	int limit = conf->control.start_limit;

	return limit > 0 ? limit : STARTS_PER_CPU * machine_cpus();
}

/* ---- signals ----------------------------------------------------------- */

/* The supervisor has tried the files; if they changed since, the old certificate holds. */
static void renew_tls(Controller *c, const Config *next)
{
	TlsContext *tls;
	Fault why;

	if (!secure_load(next, &tls, &why)) {
		log_error("%s; the certificate that was good before is still shown", why.detail);
		return;
	}
	tls_context_release(c->tls);
	c->tls = tls;
	if (c->http)
		serve_set_tls(c->http, tls);
}

static void reload(Controller *c)
{
	const Config *next = c->setup.reread(c->setup.arg);

	if (!next)
		return;
	renew_tls(c, next);
	conf_release(c->conf);
	c->conf = next;
	log_set(conf_is(&next->reveille.log_format, "json"), next->reveille.verbose);
	c->starts.limit = start_limit(next);
	idle_look_at_all(c);
	log_info("reloaded the configuration");
}

static void on_signal(void *arg, int number)
{
	Controller *c = arg;

	if (number == SIGHUP)
		reload(c);
	else if (number == SIGUSR1)
		log_reopen();
	else
		loop_stop(c->loop);
}

static void watch_signals(Controller *c)
{
	static const int numbers[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT};
	static SignalWatch watches[sizeof(numbers) / sizeof(numbers[0])];

	signal(SIGCHLD, SIG_DFL);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal_watch_start(&watches[i], c->loop, numbers[i], on_signal, c);
}

/* ---- opening ----------------------------------------------------------- */

static bool open_all(Controller *c, Fault *why)
{
	char file[600];

	if (!secure_load(c->conf, &c->tls, why))
		return false;
	c->store = store_open(c->loop, c->conf->control.store.s, why);
	if (!c->store)
		return false;
	conf_admin_token_file(c->conf, file, sizeof(file));
	if (!token_read_file(file, c->admin_token, why))
		return false;
	c->driver = driver_process_open(c->loop, c->conf, why);
	return c->driver != NULL;
}

void control_main(const ControlSetup *setup)
{
	Controller *c = NEW(Controller);
	Fault why;

	c->setup = *setup;
	c->conf = conf_hold(setup->conf);
	c->loop = loop_new();
	c->fetcher = fetcher_new(c->loop);
	gate_init(&c->starts, start_limit(c->conf));
	events_init(&c->events, c);
	timer_init(&c->heartbeat, c->loop, heartbeat, c);
	allowance_init(c);
	recall_init(c);
	timer_init(&c->sweep, c->loop, past_sweep, c);
	watch_signals(c);
	if (!open_all(c, &why))
		die("the control plane cannot start: error=\"%s\"", why.detail);
	charge_begin(c);
	loop_run(c->loop);
	log_info("the control plane ends, computes go on running");
	exit(0);
}
