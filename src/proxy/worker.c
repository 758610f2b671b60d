#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "accept.h"
#include "base/mem.h"
#include "cancel.h"
#include "handshake.h"
#include "phases.h"
#include "poke.h"
#include "relay.h"
#include "sys/log.h"
#include "sys/token.h"
#include "wake.h"

#define INT_SECONDS 4 /* that SIGINT leaves us; more than a client's last words take */

void worker_nudge(Worker *w, int other)
{
	/* Fails only when the counter is full, and then a nudge is already waiting. */
	if (eventfd_write(w->setup->nudges[other], 1) == -1 && errno != EAGAIN)
		log_warning("could not nudge a worker: worker=%d error=\"%s\"", other + 1,
			    strerror(errno));
}

void worker_nudge_all(Worker *w)
{
	for (int i = 0; i < w->shared->n_workers; i++)
		worker_nudge(w, i);
}

static void end_if_drained(Worker *w)
{
	if (w->draining && w->n_sessions == 0)
		loop_stop(w->loop);
}

void worker_load(Worker *w, int by)
{
	w->n_sessions = (uint32_t)((int)w->n_sessions + by);
	atomic_store(&w->cell->sessions, w->n_sessions);
	if (w->shared->n_workers > 1)
		door_load_changed(w);
	if (by < 0)
		door_look(w);
	end_if_drained(w);
}

static void on_nudge(void *arg)
{
	Worker *w = arg;
	Session *s, *next;
	eventfd_t count;

	eventfd_read(w->setup->nudges[w->number], &count);
	atomic_fetch_add(&w->cell->turns, 1);
	door_look(w);
	for (s = TAILQ_FIRST(&w->waiters); s; s = next) {
		next = TAILQ_NEXT(s, waiters);
		session_event(s, EVENT_NUDGE);
	}
	poke_on_nudge(w);
}

static void make_keys(void *arg, const char *user, const char *secret)
{
	Worker *w = arg;
	ScramSecret mock;
	StretchOrder order = {.tenant = "", .password = secret, .keep = true};

	if (!userlist_is_plain(secret))
		return;
	scram_secret_mock(&mock, w->access->mock_key, user);
	order.salt = mock.salt;
	order.salt_size = mock.salt_size;
	order.iterations = mock.iterations;
	stretch_ahead(w->stretcher, &order);
}

/* Made before anybody asks, so that the first answer to a user takes no longer than to nobody. */
static void make_all_keys(Worker *w)
{
	if (w->access->users)
		userlist_each(w->access->users, make_keys, w);
}

static void reload(Worker *w)
{
	const Config *next = w->setup->reread(w->setup->arg);
	Access *access;
	Fault why;

	if (!next)
		return;
	access = access_load(next, w->shared, &why);
	if (!access) {
		log_error("could not reload: %s; nothing has changed in this worker", why.detail);
		conf_release(next);
		return;
	}
	access_release(w->access);
	w->access = access;
	make_all_keys(w);
	conf_release(w->conf);
	w->conf = next;
	log_set(conf_is(&next->reveille.log_format, "json"), next->reveille.verbose);
	token_read(w->conf, w->shared->proxy_token, w->token);
}

static void each_session(Worker *w, void (*act)(Session *s))
{
	Session *s, *next;

	for (s = TAILQ_FIRST(&w->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		act(s);
	}
}

static void end_now(Session *s)
{
	Fault why;

	if (session_is_in(s, PHASE_close))
		return;
	fault_set(&why, FAULT_SHUTDOWN,
		  "terminating connection because the proxy is shutting down");
	if (session_is_in(s, PHASE_cancel))
		session_end(s, "a cancel request");
	else if (session_is_in(s, PHASE_relay) || session_is_in(s, PHASE_drain))
		relay_refuse(s, &why);
	else
		session_refuse(s, &why);
}

static void drain(Session *s)
{
	if (session_is_in(s, PHASE_relay))
		session_advance(s, PHASE_drain);
	else if (session_is_in(s, PHASE_drain))
		drain_look(s);
}

static void on_shutdown_timeout(void *arg)
{
	Worker *w = arg;

	log_info("shutdown_timeout is over, ending what is left: sessions=%u", w->n_sessions);
	each_session(w, end_now);
}

/* Sessions that have not begun yet go on to begin, and then come to rest. */
static void begin_drain(Worker *w)
{
	if (w->draining)
		return;
	log_info("draining: sessions=%u", w->n_sessions);
	door_shut(w);
	w->draining = true;
	timer_arm(&w->shutdown, conf_ms(w->conf->reveille.shutdown_timeout));
	each_session(w, drain);
	end_if_drained(w);
}

static void on_signal(void *arg, int number)
{
	Worker *w = arg;

	switch (number) {
	case SIGHUP:
		reload(w);
		break;
	case SIGTERM:
		begin_drain(w);
		break;
	case SIGINT:
		/* The supervisor may be gone and nobody there to end us, should we hang. */
		alarm(INT_SECONDS);
		begin_drain(w);
		each_session(w, end_now);
		break;
	case SIGUSR1:
		log_reopen();
		break;
	case SIGQUIT:
		_exit(0);
	}
}

static void watch_signals(Worker *w)
{
	static const int numbers[WORKER_SIGNALS] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGQUIT};

	for (int i = 0; i < WORKER_SIGNALS; i++)
		signal_watch_start(&w->signals[i], w->loop, numbers[i], on_signal, w);
}

static Worker *new_worker(const WorkerSetup *setup)
{
	Worker *w = NEW(Worker);

	assert(shared_is_ours(setup->shared));
	w->setup = setup;
	w->number = setup->number;
	w->claimer = setup->claimer;
	w->shared = setup->shared;
	w->cell = &setup->shared->workers[setup->number];
	w->conf = conf_hold(setup->conf);
	w->access = access_hold(setup->access);
	w->loop = loop_new();
	w->stretcher = stretcher_new(w->loop);
	w->credentials = credentials_new(w);
	make_all_keys(w);
	w->resolver = resolver_new(w->loop);
	w->fetcher = fetcher_new(w->loop);
	w->buf_size = (size_t)w->conf->reveille.pkt_buf;
	w->buf = mem_new(w->buf_size, 1);
	w->slot_hint = (uint32_t)w->number * 256;
	TAILQ_INIT(&w->sessions);
	TAILQ_INIT(&w->waiters);
	TAILQ_INIT(&w->strangers);
	handshakes_init(w);
	LIST_INIT(&w->calls);
	LIST_INIT(&w->cancellers);
	LIST_INIT(&w->pokes);
	w->told = atomic_load(&w->cell->told);
	timer_init(&w->shutdown, w->loop, on_shutdown_timeout, w);
	token_read(w->conf, w->shared->proxy_token, w->token);
	return w;
}

static void free_worker(Worker *w)
{
	poke_stop(w);
	wake_stop(w);
	cancel_stop(w);
	credentials_free(w->credentials);
	fetcher_free(w->fetcher);
	resolver_free(w->resolver);
	stretcher_free(w->stretcher);
	for (int i = 0; i < WORKER_SIGNALS; i++)
		signal_watch_stop(&w->signals[i]);
	read_watch_stop(&w->nudged);
	timer_stop(&w->shutdown);
	loop_free(w->loop);
	access_release(w->access);
	conf_release(w->conf);
	free(w->buf);
	free(w);
}

void worker_main(const WorkerSetup *setup)
{
	Worker *w = new_worker(setup);

	watch_signals(w);
	read_watch_init(&w->nudged, w->loop, setup->nudges[w->number], on_nudge, w);
	read_watch_start(&w->nudged);
	door_init(w);
	loop_run(w->loop);
	free_worker(w);
	exit(0);
}
