/*
 * The supervisor's life.
 *
 *	RUNNING    children that die are replaced
 *	DRAINING   TERM: workers let their sessions come to rest, nobody new is let in
 *	STOPPING   INT: workers end their sessions now
 *	GONE       no worker is left (or QUIT came): the others are ended, and we end
 *
 * The monitor and the control plane stay until the last worker has gone, so that
 * a drain can be watched, and so that sessions that still wait for a compute get it.
 */
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pause.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/systemd.h"

#define LOOK_MS  2000  /* how often workers are looked at, and systemd is told how they are */
#define GRACE_MS 10000 /* beyond what children were given, before they are killed */

typedef enum State { RUNNING, DRAINING, STOPPING, GONE } State;

static const int signals[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
}

static void tell(const Supervisor *s, bool workers_only, int number)
{
	for (int i = 0; i < s->n_children; i++) {
		const Child *c = &s->children[i];

		if (c->pid > 0 && (!workers_only || c->kind == CHILD_worker))
			kill(c->pid, number);
	}
}

static int count_running(const Supervisor *s, bool workers_only)
{
	int n = 0;

	for (int i = 0; i < s->n_children; i++)
		n += s->children[i].pid > 0 &&
		     (!workers_only || s->children[i].kind == CHILD_worker);
	return n;
}

static void add_children(Supervisor *s, ChildKind kind, int n)
{
	for (int i = 0; i < n; i++)
		s->children[s->n_children++] = (Child){.kind = kind, .number = i};
}

static void make_children(Supervisor *s)
{
#define CHILD(kind, title, count) add_children(s, CHILD_##kind, count);
#include "children.def"
#undef CHILD
}

static Child *find_child(Supervisor *s, pid_t pid)
{
	for (int i = 0; i < s->n_children; i++) {
		if (s->children[i].pid == pid)
			return &s->children[i];
	}
	return NULL;
}

static void nudge(const Supervisor *s, int worker)
{
	uint64_t one = 1;

	if (write(s->nudges[worker], &one, sizeof(one)) == -1 && errno != EAGAIN)
		log_warning("could not nudge a worker: error=\"%s\"", strerror(errno));
}

/* What a dead worker held is free again, and whoever waited for it is told. */
static void bury_worker(Supervisor *s, const Child *c)
{
	shared_release(s->shared, claimer_make(c->number, c->life));
	atomic_store(&s->shared->workers[c->number].pid, 0);
	atomic_fetch_add(&s->shared->worker_restarts, 1);
	for (int i = 0; i < s->shared->n_workers; i++)
		nudge(s, i);
}

/*
 * A worker that does not run cannot serve, nor give up what it has claimed.  It is
 * nudged, and if it has not heard that for too long, another takes its place.
 */
static void watch(Supervisor *s, Child *c, int64_t now)
{
	uint32_t turns = atomic_load(&s->shared->workers[c->number].turns);
	int64_t most = conf_ms(s->conf->reveille.watchdog_timeout);

	if (turns != c->turns || c->turned_ms < c->since_ms)
		c->turned_ms = now;
	c->turns = turns;
	nudge(s, c->number);
	if (most == 0 || now - c->turned_ms <= most)
		return;
	log_error("a worker does not run, ending it: pid=%d ms=%lld", (int)c->pid,
		  (long long)(now - c->turned_ms));
	kill(c->pid, SIGKILL);
}

static void watch_workers(Supervisor *s)
{
	int64_t now = clock_ms();

	for (int i = 0; i < s->n_children; i++) {
		if (s->children[i].kind == CHILD_worker && s->children[i].pid > 0)
			watch(s, &s->children[i], now);
	}
}

static void child_died(Supervisor *s, State state, Child *c, int status)
{
	int64_t now = clock_ms();
	bool signalled = WIFSIGNALED(status);
	int number = signalled ? WTERMSIG(status) : WEXITSTATUS(status);

	c->pause_ms = pause_after(c->pause_ms, now - c->since_ms, signalled);
	c->again_ms = now + c->pause_ms;
	if (state == RUNNING)
		log_warning("a child died, starting another: kind=%s pid=%d %s=%d in_ms=%lld",
			    child_title(c), (int)c->pid, signalled ? "signal" : "status", number,
			    (long long)c->pause_ms);
	if (c->kind == CHILD_worker)
		bury_worker(s, c);
	c->pid = 0;
}

static void reap(Supervisor *s, State state)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		Child *c = find_child(s, pid);

		if (c)
			child_died(s, state, c, status);
	}
}

/* Starts who is missing; the milliseconds until somebody may be started. */
static int64_t start_missing(Supervisor *s)
{
	int64_t now = clock_ms(), wait = LOOK_MS;

	for (int i = 0; i < s->n_children; i++) {
		Child *c = &s->children[i];

		if (c->pid > 0)
			continue;
		if (c->again_ms <= now)
			child_start(s, c);
		else if (c->again_ms - now < wait)
			wait = c->again_ms - now;
	}
	return wait;
}

static void tell_status(const Supervisor *s)
{
	unsigned sessions = 0, computes = 0;

	for (int i = 0; i < s->shared->n_workers; i++)
		sessions += atomic_load(&s->shared->workers[i].sessions);
	for (int i = 0; i < ROUTES_MAX; i++)
		computes += atomic_load(&s->shared->route_tag[i]) != 0;
	systemd_tell("STATUS=%u sessions, %u computes", sessions, computes);
}

static int wait_for_signal(const sigset_t *set, int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	return sigtimedwait(set, NULL, &ts);
}

static State begin_end(Supervisor *s, State next, int number)
{
	log_info(next == DRAINING ? "draining: sessions may come to rest" : "stopping");
	systemd_tell("STOPPING=1");
	estate_stop_listening(s);
	tell(s, true, number);
	return next;
}

static State on_signal(Supervisor *s, State state, int number)
{
	switch (number) {
	case SIGCHLD:
		reap(s, state);
		break;
	case SIGHUP:
		reload(s);
		break;
	case SIGUSR1:
		log_reopen();
		tell(s, false, SIGUSR1);
		break;
	case SIGUSR2:
		log_warning("replacing the running program is not available in this version");
		break;
	case SIGTERM:
		return state == RUNNING ? begin_end(s, DRAINING, SIGTERM) : state;
	case SIGINT:
		return state == RUNNING || state == DRAINING ? begin_end(s, STOPPING, SIGINT)
							     : state;
	case SIGQUIT:
		tell(s, false, SIGKILL);
		return GONE;
	}
	return state;
}

static void run(Supervisor *s, const sigset_t *set)
{
	State state = RUNNING;

	while (state == RUNNING) {
		int64_t ms = start_missing(s);

		state = on_signal(s, state, wait_for_signal(set, ms));
		shared_repair(s->shared);
		watch_workers(s);
		ticket_keys_watch(s, clock_ms());
		tell_status(s);
	}
	for (int64_t end = 0; state != GONE && count_running(s, true) > 0;) {
		int64_t now = clock_ms(),
			most = state == DRAINING ? conf_ms(s->conf->reveille.shutdown_timeout) : 0;

		if (end == 0 || state == STOPPING)
			end = end && end < now + GRACE_MS ? end : now + most + GRACE_MS;
		if (now >= end)
			tell(s, true, SIGKILL);
		state = on_signal(s, state, wait_for_signal(set, 1000));
	}
}

/* The last ones have nothing to finish. */
static void end_others(Supervisor *s, const sigset_t *set)
{
	int64_t end = clock_ms() + GRACE_MS;

	tell(s, false, SIGTERM);
	while (count_running(s, false) > 0) {
		if (clock_ms() >= end)
			tell(s, false, SIGKILL);
		on_signal(s, GONE, wait_for_signal(set, 1000));
	}
}

/* Who started us in the background waits to hear that all went well. */
static void tell_parent(int ready_fd)
{
	if (write(ready_fd, "", 1) == -1)
		log_debug("nobody waits for us to be ready");
	close(ready_fd);
	estate_leave_terminal();
}

int supervisor_main(const SupervisorSetup *setup)
{
	Supervisor s = {.setup = setup, .conf = conf_hold(setup->conf), .pid_file = -1};
	sigset_t set;
	Fault why;

	block_signals(&set);
	log_name("supervisor");
	log_set(conf_is(&s.conf->reveille.log_format, "json"), s.conf->reveille.verbose);
	if (!estate_open(&s, &why)) {
		log_error("%s", why.detail);
		estate_close(&s);
		access_release(s.access);
		conf_release(s.conf);
		return 1;
	}
	make_children(&s);
	if (setup->ready_fd != -1)
		tell_parent(setup->ready_fd);
	start_missing(&s);
	log_info("started: version=" REVEILLE_VERSION " workers=%d listeners=%d",
		 s.shared->n_workers, s.clients.n);
	systemd_tell("READY=1");
	tell_status(&s);
	run(&s, &set);
	end_others(&s, &set);
	log_info("ended");
	estate_close(&s);
	access_release(s.access);
	conf_release(s.conf);
	return 0;
}
