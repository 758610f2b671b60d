/*
 * Accepting connections, evenly.
 *
 * All workers wait at the same sockets, and the kernel wakes them in an order
 * of its own, which puts most of the connections on one of them.  So a worker
 * that has noticeably more sessions than the least loaded one closes its door:
 * it stops listening, says so in shared memory, and is nudged when the others
 * have caught up.  The least loaded worker never closes its door, so somebody
 * always accepts; a worker that does not run at all is not counted among them.
 */
#include "accept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "model/repeat.h"
#include "sys/clock.h"
#include "sys/log.h"

#define LOOK_AGAIN_MS 500 /* a closed door is looked at again, should a nudge be lost */
#define EXHAUSTED_MS  100 /* pause when there are no descriptors left */

/* A worker that is stopped, or busy beyond hope, accepts nobody: its load is no measure. */
static bool is_stuck(const Worker *w, int other)
{
	return w->door.stuck[other] &&
	       atomic_load(&w->shared->workers[other].turns) == w->door.heard[other];
}

/* Who has not heard the last nudge by now is stuck; and all are nudged for the next look. */
static void look_who_runs(Worker *w)
{
	for (int i = 0; i < w->shared->n_workers; i++) {
		uint32_t turns = atomic_load(&w->shared->workers[i].turns);

		w->door.stuck[i] = i != w->number && w->door.asked && turns == w->door.heard[i];
		w->door.heard[i] = turns;
		if (i != w->number)
			worker_nudge(w, i);
	}
	w->door.asked = true;
}

static uint32_t least_load(const Worker *w)
{
	uint32_t least = w->n_sessions;

	for (int i = 0; i < w->shared->n_workers; i++) {
		const WorkerCell *cell = &w->shared->workers[i];
		uint32_t load = atomic_load(&cell->sessions);

		if (atomic_load(&cell->ready) && load < least && !is_stuck(w, i))
			least = load;
	}
	return least;
}

/* Room for a little unevenness, so that doors do not move with every connection. */
static uint32_t allowance(uint32_t least)
{
	return least + 2 + least / 16;
}

static bool has_too_many(const Worker *w)
{
	return w->n_sessions > allowance(least_load(w));
}

static void open_door(Worker *w)
{
	if (w->door.open)
		return;
	for (int i = 0; i < w->door.n; i++)
		read_watch_start(&w->door.listeners[i].watch);
	w->door.open = true;
}

static void close_door(Worker *w, int64_t look_again_ms)
{
	for (int i = 0; i < w->door.n; i++)
		read_watch_stop(&w->door.listeners[i].watch);
	w->door.open = w->door.asked = false;
	timer_arm(&w->door.reopen, look_again_ms);
}

/*
 * We say that the door is closed before we look at the loads for the last time;
 * who changes a load looks at the doors afterwards.  So one of us sees the other.
 */
static bool gate(Worker *w)
{
	if (w->shared->n_workers == 1 || !has_too_many(w))
		return false;
	atomic_store(&w->cell->gated, 1);
	if (!has_too_many(w)) {
		atomic_store(&w->cell->gated, 0);
		return false;
	}
	close_door(w, LOOK_AGAIN_MS);
	return true;
}

void door_look(Worker *w)
{
	if (w->draining || w->door.open)
		return;
	if (has_too_many(w)) {
		timer_arm(&w->door.reopen, LOOK_AGAIN_MS);
		return;
	}
	atomic_store(&w->cell->gated, 0);
	open_door(w);
}

void door_load_changed(Worker *w)
{
	uint32_t allowed = allowance(least_load(w));

	for (int i = 0; i < w->shared->n_workers; i++) {
		const WorkerCell *cell = &w->shared->workers[i];

		if (atomic_load(&cell->gated) && atomic_load(&cell->sessions) <= allowed)
			worker_nudge(w, i);
	}
}

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* There is one line, and then silence for a while, however many are concerned. */
static void say(Worker *w, const char *what)
{
	int64_t ms = conf_ms(w->conf->reveille.log_dedup_interval);
	int repeats = ms > 0 ? repeat_say(w->shared, what, strlen(what), clock_ms(), ms) : 0;

	if (repeats != REPEAT_SILENT)
		log_error("%s: sessions=%u strangers=%u repeats=%d; raise LimitNOFILE", what,
			  w->n_sessions, w->n_strangers, repeats);
}

/* Who has not proved who he is for longest makes room for those who come. */
static bool end_a_stranger(Worker *w)
{
	Session *s = TAILQ_FIRST(&w->strangers);

	if (s)
		session_hung_up(s);
	return s;
}

/* Of the descriptors half are for those who are known: each needs one for its compute, too. */
static uint32_t room_for_strangers(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur / 2 > UINT32_MAX)
		return UINT32_MAX;
	return (uint32_t)(limit.rlim_cur / 2);
}

/*
 * No descriptor is left.  If nobody can make room, one connection is taken with
 * the reserve and closed, so that its client knows, and accepting rests a moment.
 */
static void shed(Worker *w, int listener)
{
	int fd;

	say(w, "no descriptors are left, ending connections that have not logged in");
	if (end_a_stranger(w))
		return;
	close(w->door.reserve);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd != -1)
		close(fd);
	w->door.reserve = open_reserve();
	close_door(w, EXHAUSTED_MS);
}

static void let_in(Worker *w, int fd, const Address *from)
{
	session_begin(w, fd, from);
	if (w->n_strangers <= w->strangers_max)
		return;
	say(w, "too many connections have not logged in, ending the oldest");
	end_a_stranger(w);
}

/* One connection a turn: the loop comes back for the next without asking in vain. */
static void on_knock(void *arg)
{
	Listener *l = arg;
	Address from = {.size = sizeof(from.at)};
	int fd;

	if (gate(l->worker))
		return;
	fd = accept4(l->fd, &from.at.any, &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1)
		let_in(l->worker, fd, &from);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		shed(l->worker, l->fd);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		log_warning("could not accept a connection: error=\"%s\"", strerror(errno));
}

static void on_reopen(void *arg)
{
	look_who_runs(arg);
	door_look(arg);
}

void door_init(Worker *w)
{
	w->door.n = w->setup->listeners->n;
	w->door.reserve = open_reserve();
	w->strangers_max = room_for_strangers();
	timer_init(&w->door.reopen, w->loop, on_reopen, w);
	for (int i = 0; i < w->door.n; i++) {
		Listener *l = &w->door.listeners[i];

		l->worker = w;
		l->fd = w->setup->listeners->fd[i];
		read_watch_init(&l->watch, w->loop, l->fd, on_knock, l);
	}
	atomic_store(&w->cell->ready, 1);
	open_door(w);
}

void door_shut(Worker *w)
{
	close_door(w, 0);
	timer_stop(&w->door.reopen);
	/* When the last worker has closed them, the kernel refuses who comes. */
	for (int i = 0; i < w->door.n; i++)
		close(w->door.listeners[i].fd);
	w->door.n = 0;
	atomic_store(&w->cell->ready, 0);
}
