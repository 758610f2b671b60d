#include "monitor/monitor.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "activity.h"
#include "hearing.h"
#include "metrics.h"
#include "sys/log.h"
#include "sys/serve.h"

#define SIGNALS 5

typedef struct Monitor {
	const MonitorSetup *setup;
	Shared *shared;
	const Config *conf;
	Loop *loop;
	Activity *activity;
	Hearing *hearing;
	HttpServer *server;
	SignalWatch signals[SIGNALS];
} Monitor;

static void answer_metrics(Monitor *m, Request *r)
{
	Buf out = {0};

	metrics_print(m->shared, &out);
	request_answer(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_span(&out));
	buf_free(&out);
}

/* Alive: somebody answers, that is all. */
static void answer_health(Monitor *m, Request *r)
{
	(void)m;
	request_answer(r, 200, "text/plain", span_of_text("ok\n"));
}

/* Ready: a worker accepts connections. */
static void answer_ready(Monitor *m, Request *r)
{
	for (int i = 0; i < m->shared->n_workers; i++) {
		if (atomic_load(&m->shared->workers[i].ready)) {
			request_answer(r, 200, "text/plain", span_of_text("ready\n"));
			return;
		}
	}
	request_answer(r, 503, "text/plain", span_of_text("no worker accepts connections\n"));
}

static const struct Page {
	const char *path;
	void (*answer)(Monitor *m, Request *r);
} pages[] = {
	{"/metrics", answer_metrics},
	{"/healthz", answer_health},
	{"/readyz", answer_ready},
};

static void on_request(void *arg, Request *r)
{
	bool reads =
		strcmp(request_method(r), "GET") == 0 || strcmp(request_method(r), "HEAD") == 0;

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(request_path(r), pages[i].path) != 0)
			continue;
		if (reads)
			pages[i].answer(arg, r);
		else
			request_answer(r, 405, "text/plain", span_of_text("only GET\n"));
		return;
	}
	request_answer(r, 404, "text/plain",
		       span_of_text("there are /metrics, /healthz and /readyz\n"));
}

/* There is something to talk about only with a control plane that wakes our computes. */
static bool asks_control_plane(const Config *conf)
{
	for (int i = 0; i < conf->n_databases; i++) {
		if (conf->databases[i].wake)
			return true;
	}
	return false;
}

static void talk_to_control_plane(Monitor *m)
{
	if (m->activity) {
		activity_reconfigure(m->activity, m->conf);
		hearing_reconfigure(m->hearing, m->conf);
	} else if (asks_control_plane(m->conf)) {
		m->activity = activity_new(m->loop, m->shared, m->conf);
		m->hearing = hearing_new(m->loop, m->shared, m->setup->nudges, m->conf);
	}
}

static void reload(Monitor *m)
{
	const Config *next = m->setup->reread(m->setup->arg);

	if (!next)
		return;
	conf_release(m->conf);
	m->conf = next;
	log_set(conf_is(&next->reveille.log_format, "json"), next->reveille.verbose);
	talk_to_control_plane(m);
}

static void on_signal(void *arg, int number)
{
	Monitor *m = arg;

	if (number == SIGHUP)
		reload(m);
	else if (number == SIGUSR1)
		log_reopen();
	else if (number == SIGQUIT)
		_exit(0);
	else
		loop_stop(m->loop);
}

static void begin(Monitor *m)
{
	static const int numbers[SIGNALS] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT};
	ServeSetup serve = {.listeners = m->setup->listeners,
			    .limits = {.max_connections = 64,
				       .max_body = 4096,
				       .request_ms = 10000,
				       .idle_ms = 10000,
				       .answer_ms = 10000},
			    .on_request = on_request,
			    .arg = m};

	for (int i = 0; i < SIGNALS; i++)
		signal_watch_start(&m->signals[i], m->loop, numbers[i], on_signal, m);
	m->server = serve_open(m->loop, &serve);
	talk_to_control_plane(m);
}

static void end(Monitor *m)
{
	serve_close(m->server);
	for (int i = 0; i < SIGNALS; i++)
		signal_watch_stop(&m->signals[i]);
	if (m->activity) {
		activity_free(m->activity);
		hearing_free(m->hearing);
	}
	loop_free(m->loop);
	conf_release(m->conf);
}

void monitor_main(const MonitorSetup *setup)
{
	Monitor m = {.setup = setup,
		     .shared = setup->shared,
		     .conf = conf_hold(setup->conf),
		     .loop = loop_new()};

	begin(&m);
	loop_run(m.loop);
	end(&m);
	exit(0);
}
