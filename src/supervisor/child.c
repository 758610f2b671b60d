/*
 * How a child is born: what it keeps, what it closes, how it dies with us.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "control/control.h"
#include "monitor/monitor.h"
#include "proxy/proxy.h"
#include "supervisor.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/title.h"
#include "sys/user.h"

static void close_all(Listeners *l)
{
	for (int i = 0; i < l->n; i++)
		close(l->fd[i]);
	l->n = 0;
}

static void run_worker(Supervisor *s, const Child *c)
{
	WorkerSetup setup = {.number = c->number,
			     .claimer = claimer_make(c->number, c->life),
			     .shared = s->shared,
			     .conf = s->conf,
			     .access = s->access,
			     .listeners = &s->clients,
			     .nudges = s->nudges,
			     .reread = reread,
			     .arg = s};

	close_all(&s->http);
	close_all(&s->control);
	worker_main(&setup);
}

static void run_monitor(Supervisor *s, const Child *c)
{
	MonitorSetup setup = {.shared = s->shared,
			      .conf = s->conf,
			      .listeners = &s->http,
			      .nudges = s->nudges,
			      .reread = reread,
			      .arg = s};

	(void)c;
	access_release(s->access);
	close_all(&s->clients);
	close_all(&s->control);
	monitor_main(&setup);
}

static void run_control(Supervisor *s, const Child *c)
{
	ControlSetup setup = {.conf = s->conf,
			      .listeners = &s->control,
			      .proxy_token = s->shared->proxy_token,
			      .reread = reread,
			      .arg = s};

	(void)c;
	user_take_up_privileges();
	access_release(s->access);
	close_all(&s->clients);
	close_all(&s->http);
	control_main(&setup);
}

static const struct {
	const char *title;
	void (*run)(Supervisor *s, const Child *c);
} kinds[] = {
#define CHILD(kind, title, count) [CHILD_##kind] = {title, run_##kind},
#include "children.def"
#undef CHILD
};

const char *child_title(const Child *c)
{
	return kinds[c->kind].title;
}

static void name_it(const Child *c)
{
	char name[32], title[64];

	if (c->kind == CHILD_worker)
		snprintf(name, sizeof(name), "%s %d", child_title(c), c->number + 1);
	else
		snprintf(name, sizeof(name), "%s", child_title(c));
	snprintf(title, sizeof(title), "reveille: %s", name);
	title_set(title);
	log_name(name);
}

/* Should the supervisor be killed, its children end their sessions and follow. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGINT);
	if (getppid() != parent)
		_exit(0);
}

static void be_child(Supervisor *s, const Child *c, pid_t parent)
{
	die_with(parent);
	name_it(c);
	signal(SIGPIPE, SIG_IGN);
	/* Signals stay blocked until the child's loop runs and can hear of them. */
	if (s->pid_file != -1)
		close(s->pid_file);
	if (c->kind != CHILD_control)
		user_drop_privileges();
	kinds[c->kind].run(s, c);
	_exit(1);
}

void child_start(Supervisor *s, Child *c)
{
	pid_t parent = getpid(), pid;

	c->life++;
	c->since_ms = clock_ms();
	pid = fork();
	if (pid == 0)
		be_child(s, c, parent);
	if (pid == -1) {
		log_error("could not start a child, trying again: kind=%s error=\"%s\"",
			  child_title(c), strerror(errno));
		c->again_ms = c->since_ms + 1000;
		return;
	}
	c->pid = pid;
	if (c->kind == CHILD_worker)
		atomic_store(&s->shared->workers[c->number].pid, pid);
	log_debug("started: kind=%s number=%d pid=%d", child_title(c), c->number + 1, (int)pid);
}
