/*
 * A server that stands still, and goes on as if nothing had been.
 *
 * Its control group does both at once, and the kernel tells when all of it stands still.
 * Where there is no group, each process gets a signal; whether that has worked nobody tells,
 * so it is looked at again, a moment later.
 */
#include <signal.h>
#include <unistd.h>

#include "process.h"
#include "tree.h"

#define FREEZE_TIMEOUT_MS 5000 /* a process that waits for a disk does not stop before */
#define LOOK_AGAIN_MS     1

static void stop_watching(Instance *i)
{
	if (i->freezing_fd == -1)
		return;
	read_watch_stop(&i->freezing);
	close(i->freezing_fd);
	i->freezing_fd = -1;
}

void freeze_forget(Instance *i)
{
	stop_watching(i);
	timer_stop(&i->look_again);
	i->frozen = false;
}

static bool has_group(const Instance *i)
{
	return *i->group && i->driver->cgroups.freeze;
}

bool freeze_is_done(const Instance *i)
{
	if (!i->server)
		return false;
	return (has_group(i) && cgroup_is_frozen(&i->driver->cgroups, i->group)) ||
	       tree_is_stopped(process_pid(i->server));
}

static void finish(Instance *i, const char *failure)
{
	stop_watching(i);
	timer_stop(&i->look_again);
	timer_stop(&i->deadline);
	task_end(i, failure);
}

void freeze_look_again(void *arg)
{
	Instance *i = arg;
	bool still = has_group(i) ? cgroup_is_frozen(&i->driver->cgroups, i->group)
				  : tree_stop(process_pid(i->server));

	if (still) {
		i->frozen = true;
		finish(i, "");
	} else if (!has_group(i)) {
		timer_arm(&i->look_again, LOOK_AGAIN_MS);
	}
}

static void on_event(void *arg)
{
	Instance *i = arg;
	char events[4096];

	while (read(i->freezing_fd, events, sizeof(events)) > 0)
		continue;
	freeze_look_again(i);
}

static bool watch(Instance *i)
{
	i->freezing_fd = cgroup_watch(&i->driver->cgroups, i->group);
	if (i->freezing_fd == -1)
		return false;
	read_watch_init(&i->freezing, i->driver->loop, i->freezing_fd, on_event, i);
	read_watch_start(&i->freezing);
	return true;
}

/* First listen, then order it, then look: it may be done before anybody could tell. */
static void freeze(Instance *i)
{
	if (!has_group(i)) {
		freeze_look_again(i);
		return;
	}
	if (*i->driver->cgroups.place[CGROUP_UNIFIED] && !watch(i)) {
		finish(i, "could not watch the server's control group");
		return;
	}
	if (cgroup_set_frozen(&i->driver->cgroups, i->group, true))
		freeze_look_again(i);
	else
		finish(i, "could not freeze the server's control group");
}

void server_freeze(Instance *i)
{
	ServerPhase phase;

	if (!server_look(i, &phase) || phase != SERVER_READY) {
		task_end(i, "there is no server that is ready");
		return;
	}
	timer_arm(&i->deadline, FREEZE_TIMEOUT_MS);
	freeze(i);
}

void freeze_give_up(Instance *i)
{
	server_go_on(i);
	finish(i, "a process of the server did not stop in time, so all of it goes on");
}

/* Whoever froze it, and in whichever way. */
void server_go_on(Instance *i)
{
	if (has_group(i))
		cgroup_set_frozen(&i->driver->cgroups, i->group, false);
	if (tree_is_stopped(process_pid(i->server)))
		tree_continue(process_pid(i->server));
	i->frozen = false;
}

void server_thaw(Instance *i)
{
	ServerPhase phase;

	if (server_look(i, &phase))
		server_go_on(i);
	task_end(i, ""); /* a server that is gone does not stand still either */
}
