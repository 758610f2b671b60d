/*
 * The server of an instance: found, started, watched, stopped.
 *
 * Nothing is asked again and again: the server says when it is ready, the kernel
 * says when it is dead.  postmaster.pid tells of a server that somebody before us
 * started; it is written before READY=1 is sent, so whoever listens first and
 * reads the file then misses nothing.
 */
#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "process.h"
#include "sys/log.h"

#define LOG_MOST        (1 << 20) /* a larger log is put aside at the next start */
#define TAIL_SIZE       700
#define STOP_TIMEOUT_MS 30000 /* for a fast stop, before it becomes an immediate one */
#define TIDY_MS         5     /* from then on twice as long each time */
#define TIDY_MOST_MS    10000
#define KILL_TIMEOUT_MS 10000 /* for an immediate stop, before it becomes SIGKILL */

static void on_server_end(void *arg, int status);

/* ---- its control group ------------------------------------------------- */

static bool has_groups(const ProcessDriver *d)
{
	return d->cgroups.freeze || d->cgroups.cpu || d->cgroups.memory;
}

static void group_set(Instance *i)
{
	const char *life = home_life(&i->home);

	i->group[0] = 0;
	if (has_groups(i->driver) && *life)
		snprintf(i->group, sizeof(i->group), "%s.%s", i->id, life);
}

/* An empty group freezes as well as a full one, so nobody may think that it is in there. */
static void group_check(Instance *i)
{
	if (*i->group && !cgroup_holds(&i->driver->cgroups, i->group, process_pid(i->server)))
		i->group[0] = 0;
}

void server_on_tidy(void *arg)
{
	Instance *i = arg;

	if (cgroup_remove(&i->driver->cgroups, i->old_group) || i->tidy_ms > TIDY_MOST_MS)
		return;
	i->tidy_ms *= 2;
	timer_arm(&i->tidy, i->tidy_ms);
}

static void group_leave(Instance *i)
{
	if (!*i->group)
		return;
	cgroup_kill(&i->driver->cgroups, i->group);
	text_copy(i->old_group, sizeof(i->old_group), i->group);
	i->tidy_ms = TIDY_MS;
	server_on_tidy(i);
}

/* ---- finding it -------------------------------------------------------- */

static bool works_in(pid_t pid, const char *folder)
{
	char link[64], at[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	n = readlink(link, at, sizeof(at) - 1);
	if (n == -1)
		return false;
	at[n] = 0;
	return strcmp(at, folder) == 0;
}

static bool is_of(pid_t pid, uid_t user)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) == 0 && st.st_uid == user;
}

/*
 * So a process that only has the same id is told apart: a server's working folder is its
 * data folder, and a tenant has no processes but his server's.
 */
static bool serves(const Instance *i, pid_t pid)
{
	return i->home.user ? is_of(pid, i->home.user) : works_in(pid, i->home.data);
}

/* A killed server's processes end by themselves, but not while they stand still. */
static int end_orphans(const Instance *i)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && serves(i, pid) && kill(pid, SIGKILL) == 0)
			n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void adopt(Instance *i, pid_t pid)
{
	uint64_t start = machine_process_start(pid);

	if (!serves(i, pid))
		return;
	i->server = process_adopt(i->driver->loop, pid, start, on_server_end, i);
	logs_watch(i->driver);
	if (i->server)
		log_info("found a server: compute=%s pid=%d", i->id, (int)pid);
}

/* Where it listens tells which life of it this is, and so its control group. */
static void find_life(Instance *i, const char *run)
{
	const Engine *e = i->program->engine;

	if (strcmp(run, i->home.run) == 0 || !home_find_life(&i->home, run, e->socket))
		return;
	group_set(i);
	group_check(i);
}

bool server_look(Instance *i, ServerPhase *phase)
{
	PidFile file = {.phase = SERVER_STARTING};

	i->home.user = tenant_of(&i->driver->tenants, i->home.data);
	if (i->program->engine->status(i->home.data, &file) && !i->server)
		adopt(i, file.pid);
	if (i->server && *file.sockets)
		find_life(i, file.sockets);
	if (i->server && file.phase == SERVER_READY)
		i->ready = true;
	*phase = file.phase;
	return i->server != NULL;
}

/* ---- becoming ready ---------------------------------------------------- */

static void stop_listening(Instance *i)
{
	if (i->notify)
		notify_close(i->notify);
	i->notify = NULL;
}

static void became_ready(Instance *i)
{
	const DriverAbilities *can = &i->driver->driver.can;
	char failure[REASON_SIZE];
	ServerPhase phase;

	stop_listening(i);
	timer_stop(&i->deadline);
	server_look(i, &phase); /* for where it listens, if it was found */
	i->ready = true;
	group_check(i);
	if (!limits_apply(i, failure, sizeof(failure)) && can->limit_cpu)
		log_warning("a server is not limited: compute=%s reason=\"%s\"", i->id, failure);
	server_go_on(i);
	task_end(i, "");
}

/* One that an earlier life of ours began tells the same socket; ours gives way to it, and ends. */
static bool is_ours(const Instance *i)
{
	PidFile file = {.phase = SERVER_STARTING};

	return !i->server || !i->program->engine->status(i->home.data, &file) ||
	       file.pid == process_pid(i->server);
}

static void on_ready(void *arg)
{
	if (is_ours(arg))
		became_ready(arg);
}

static bool listen_for_ready(Instance *i)
{
	Fault why;

	if (!folder_make(i->home.sockets)) {
		task_end(i, "could not make the folder of its sockets");
		return false;
	}
	i->notify = notify_open(i->driver->loop, i->home.notify, on_ready, i, &why);
	if (i->notify && (!i->home.user || chown(i->home.notify, i->home.user, (gid_t)-1) == 0))
		return true;
	task_end(i, why.detail);
	return false;
}

void server_on_deadline(void *arg)
{
	Instance *i = arg;
	ServerPhase phase;

	if (!i->server)
		return;
	if (i->task == TASK_FREEZE) {
		freeze_give_up(i);
		return;
	}
	/* Somebody else was told that it is ready. */
	if (i->task == TASK_START && server_look(i, &phase) && phase == SERVER_READY) {
		became_ready(i);
		return;
	}
	log_warning("a server takes too long, stopping it at once: compute=%s pid=%d", i->id,
		    (int)process_pid(i->server));
	process_signal(i->server, i->given_up ? SIGKILL : i->program->engine->kill_signal);
	i->given_up = true;
	timer_arm(&i->deadline, KILL_TIMEOUT_MS);
}

static void give_time(Instance *i, int64_t ms)
{
	i->given_up = false;
	timer_arm(&i->deadline, ms);
}

/* ---- starting ---------------------------------------------------------- */

static void put_large_log_aside(Instance *i)
{
	char old[PATH_SIZE];

	if (file_size(i->home.log) > LOG_MOST) {
		path_set(old, "%s.1", i->home.log);
		rename(i->home.log, old);
	}
	i->log_from = file_size(i->home.log);
}

static bool spawn_server(Instance *i, Fault *why)
{
	Command command = {0};
	char notify[PATH_SIZE + 32];
	const char *env[] = {"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", notify, NULL};
	CgroupDoors doors = {0};
	SpawnPlan plan = {.argv = command.argv,
			  .env = env,
			  .folder = i->home.folder,
			  .log_file = i->home.log,
			  .user = i->home.user,
			  .data_limit = i->driver->driver.can.limit_memory ? 0 : i->order.memory,
			  .groups = doors.list};

	if (!i->program->engine->prepare(i->program, &i->home, i->id, &i->order, &command, why))
		return false;
	if (*i->group)
		cgroup_doors(&i->driver->cgroups, i->group, &doors);
	snprintf(notify, sizeof(notify), "NOTIFY_SOCKET=%s", i->home.notify);
	i->server = process_spawn(i->driver->loop, &plan, on_server_end, i, why);
	logs_watch(i->driver);
	return i->server != NULL;
}

/*
 * Nothing of earlier lives is left, so that their addresses lead nowhere.  One of the same
 * generation is left alone: a control process that was killed may just have begun it.
 */
static bool make_life(Instance *i)
{
	home_begin_life(&i->home, i->order.generation, i->program->engine->socket);
	home_forget_lives(&i->home);
	if (!folder_make(i->home.sockets) || !folder_make(i->home.run) ||
	    (i->home.user && !tenant_share_sockets(i->home.user, &i->home))) {
		task_end(i, "could not make the folder of its sockets");
		return false;
	}
	i->cpu_us = 0;
	timer_stop(&i->tidy);
	group_set(i);
	if (*i->group)
		cgroup_make(&i->driver->cgroups, i->group);
	return true;
}

void server_launch(Instance *i)
{
	Fault why;

	if (access(i->home.data, F_OK) == -1) {
		task_end(i, "its data folder is not there");
		return;
	}
	i->home.user = tenant_of(&i->driver->tenants, i->home.data);
	if (i->home.user)
		tenant_end_all(i->home.user);
	if (folder_is_behind(i)) {
		folder_bring_up(i);
		return;
	}
	if (!make_life(i) || !listen_for_ready(i))
		return;
	put_large_log_aside(i);
	if (spawn_server(i, &why)) {
		give_time(i, i->order.start_timeout_ms);
		return;
	}
	stop_listening(i);
	task_end(i, why.detail);
}

/* One that somebody before us started, and that is not ready yet. */
static void await_found(Instance *i)
{
	ServerPhase phase;

	if (!listen_for_ready(i))
		return;
	give_time(i, i->order.start_timeout_ms);
	if (server_look(i, &phase) && phase == SERVER_READY)
		became_ready(i);
}

void server_start(Instance *i)
{
	ServerPhase phase;

	if (!server_look(i, &phase))
		server_launch(i);
	else if (phase == SERVER_READY)
		became_ready(i);
	else if (phase == SERVER_STARTING)
		await_found(i);
	else
		give_time(i, STOP_TIMEOUT_MS); /* it is started anew when it has ended */
}

/* ---- stopping and ending ----------------------------------------------- */

void server_close_door(Instance *i)
{
	ServerPhase phase;

	if (server_look(i, &phase))
		process_signal(i->server, i->program->engine->close_signal);
}

/* Until it says that it is stopping it may not have heard, and let somebody in. */
Crowd server_crowd(Instance *i)
{
	Crowd crowd = {0};
	ServerPhase phase;

	if (!server_look(i, &phase))
		crowd.known = true;
	else if (phase == SERVER_STOPPING)
		crowd.known =
			guests_count(process_pid(i->server), i->program->engine->guest_of, &crowd);
	return crowd;
}

void server_stop(Instance *i, int number)
{
	ServerPhase phase;

	if (!server_look(i, &phase)) {
		task_end(i, "");
		return;
	}
	process_signal(i->server, number); /* the first that it hears when it goes on */
	server_go_on(i);
	give_time(i, number == i->program->engine->kill_signal ? KILL_TIMEOUT_MS : STOP_TIMEOUT_MS);
}

/* With all that descends from it, where that can be done; its data is of no more use. */
void server_kill(Instance *i)
{
	if (*i->group && cgroup_kill(&i->driver->cgroups, i->group))
		give_time(i, KILL_TIMEOUT_MS);
	else
		server_stop(i, i->program->engine->kill_signal);
}

/* What others may have had written to a log is shown as plain text. */
static void make_plain(char *text)
{
	for (; *text; text++) {
		if (*text != '\n' && (*text < ' ' || *text > '~'))
			*text = '?';
	}
}

static void last_words(Instance *i, char out[REASON_SIZE], const char *what)
{
	char tail[TAIL_SIZE];

	file_tail(i->home.log, i->log_from, tail, sizeof(tail));
	make_plain(tail);
	snprintf(out, REASON_SIZE, "%s%s%s", what, *tail ? "; its log ends: " : "", tail);
}

static void start_failed(Instance *i, bool gave_up)
{
	char failure[REASON_SIZE];
	ServerPhase phase;

	/* It gave way to one that an earlier life of ours had started meanwhile. */
	if (!gave_up && server_look(i, &phase)) {
		await_found(i);
		return;
	}
	if (!gave_up && end_orphans(i) > 0) {
		server_launch(i);
		return;
	}
	last_words(i, failure,
		   gave_up ? "the server was not ready in time"
			   : "the server ended while starting");
	task_end(i, failure);
}

/*
 * What a killed server leaves leads nowhere from now on, unless ours gave way to one that an
 * earlier life of ours began.  Its pid file stays: with it the next server finds out whether
 * processes of the killed one still use its memory.
 */
static void leave_sockets(const Instance *i, pid_t dead)
{
	PidFile file;

	if (!i->program->engine->status(i->home.data, &file) || file.pid == dead ||
	    !serves(i, file.pid))
		home_end_life(&i->home);
}

static void on_server_end(void *arg, int status)
{
	Instance *i = arg;
	char words[REASON_SIZE];
	bool was_starting = i->notify != NULL, gave_up = i->given_up, was_frozen = i->frozen;

	log_info("a server ended: compute=%s pid=%d status=%d", i->id, (int)process_pid(i->server),
		 status);
	leave_sockets(i, process_pid(i->server));
	process_free(i->server);
	i->server = NULL;
	i->ready = false;
	freeze_forget(i);
	group_leave(i);
	if (was_frozen)
		end_orphans(i);
	stop_listening(i);
	timer_stop(&i->deadline);
	switch (i->task) {
	case TASK_NONE:
		last_words(i, words, "the server ended by itself");
		i->on_end(i->arg, words);
		break;
	case TASK_START:
		if (was_starting)
			start_failed(i, gave_up);
		else if (!timer_is_armed(&i->answer))
			server_launch(i); /* it was stopping when we wanted to start it */
		break;
	case TASK_STOP:
		task_end(i, "");
		break;
	case TASK_FREEZE:
		task_end(i, "the server ended");
		break;
	case TASK_DESTROY:
		folder_destroy(i);
		break;
	default:
		break; /* the answer to come will say that there is no server */
	}
}
