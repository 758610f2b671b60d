/*
 * What a server may use, and what it uses.
 *
 * A control group limits all of a server at once.  Without one that can, CPU is not
 * limited, and memory only for each process: one that has gone wild gets no more, but
 * many together may.  Starting is not limited: that work is ours, and clients wait for it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "process.h"
#include "sys/spawn.h"
#include "sys/user.h"
#include "tree.h"

static bool fail(char *failure, size_t size, const char *what)
{
	size_t n = strlen(failure);

	snprintf(failure + n, size - n, "%s%s", n > 0 ? "; " : "", what);
	return false;
}

static bool limit_cpu(const Instance *i, char *failure, size_t size)
{
	if (!i->driver->driver.can.limit_cpu || !*i->group)
		return fail(failure, size, "no control group limits CPU here");
	return cgroup_limit_cpu(&i->driver->cgroups, i->group, i->order.size) ||
	       fail(failure, size, "the limit of CPU could not be written");
}

/* Processes to come have what their parent has now; one that starts was born with its limit. */
static int limit_each(void *arg)
{
	const Instance *i = arg;
	struct rlimit limit = {.rlim_cur = (rlim_t)i->order.memory, .rlim_max = RLIM_INFINITY};

	if (i->home.user && !user_switch(i->home.user)) /* in a copy: only he may */
		return 1;
	return prlimit(process_pid(i->server), RLIMIT_DATA, &limit, NULL) == 0 ? 0 : 1;
}

static bool limit_others(Instance *i)
{
	if (i->task == TASK_START)
		return true;
	return (i->home.user ? spawn_copy_and_wait(limit_each, i) : limit_each(i)) == 0;
}

static bool limit_memory(Instance *i, char *failure, size_t size)
{
	if (!i->driver->driver.can.limit_memory || !*i->group)
		return limit_others(i) ||
		       fail(failure, size, "a running server's memory cannot be limited here");
	return cgroup_limit_memory(&i->driver->cgroups, i->group, i->order.memory) ||
	       fail(failure, size, "the limit of memory could not be written");
}

bool limits_apply(Instance *i, char *failure, size_t size)
{
	bool cpu, memory;

	failure[0] = 0;
	cpu = limit_cpu(i, failure, size);
	memory = limit_memory(i, failure, size);
	return cpu && memory;
}

void server_resize(Instance *i)
{
	char failure[REASON_SIZE] = "";
	ServerPhase phase;
	Fault why;

	if (!server_look(i, &phase)) {
		task_end(i, "");
		return;
	}
	limits_apply(i, failure, sizeof(failure));
	if (i->program->engine->configure(&i->home, &i->order, &why))
		process_signal(i->server, i->program->engine->reload_signal);
	else
		fail(failure, sizeof(failure), why.detail);
	task_end(i, failure);
}

/* ---- what it uses ------------------------------------------------------ */

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* A process that ends is counted with its parent a moment later: until then it would be less. */
static int64_t cpu_us(Instance *i, const pid_t *pids, int n)
{
	int64_t us = *i->group ? cgroup_cpu_us(&i->driver->cgroups, i->group) : -1;

	i->cpu_us = max(i->cpu_us, us >= 0 ? us : tree_cpu_us(pids, n));
	return i->cpu_us;
}

static int64_t memory(const Instance *i, const pid_t *pids, int n)
{
	int64_t bytes = *i->group ? cgroup_memory(&i->driver->cgroups, i->group) : -1;

	return bytes >= 0 ? bytes : tree_memory(pids, n);
}

bool server_stat(Instance *i, ServerStat *out)
{
	static pid_t pids[TREE_MOST];
	const Cgroups *c = &i->driver->cgroups;
	ServerPhase phase;
	int n;

	if (!server_look(i, &phase))
		return false;
	n = tree_list(process_pid(i->server), pids);
	*out = (ServerStat){.cpu_us = cpu_us(i, pids, n),
			    .memory = memory(i, pids, n),
			    .processes = n,
			    .cpu_pressure = -1,
			    .memory_pressure = -1};
	if (*i->group) {
		out->cpu_pressure = cgroup_pressure(c, i->group, "cpu");
		out->memory_pressure = cgroup_pressure(c, i->group, "memory");
	}
	return true;
}
