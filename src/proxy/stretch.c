#include "stretch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/text.h"

#define SLICE    1024 /* iterations: a quarter of a millisecond, about */
#define KEPT_MAX 8192

/* Keys, and what they were made of. */
typedef struct Kept {
	UT_hash_handle hh;
	ScramKeys keys;
	size_t size;
	uint8_t made_of[];
} Kept;

struct Stretch {
	Stretcher *stretcher;
	struct Tenant *tenant;
	ScramStretch scram;
	Kept *kept; /* to be kept when its keys are there, or NULL */
	void (*on_keys)(void *arg, const ScramKeys *keys);
	void *arg;
	TAILQ_ENTRY(Stretch) jobs;
};

/* Who has orders; the first of the list is served next, and then stands last. */
typedef struct Tenant {
	char name[64];
	TAILQ_HEAD(, Stretch) jobs;
	TAILQ_ENTRY(Tenant) tenants;
} Tenant;

struct Stretcher {
	Timer turn;
	Kept *kept; /* oldest first */
	TAILQ_HEAD(, Tenant) tenants;
	int n_ahead; /* orders for later that are not served yet */
};

static void free_kept(Kept *k)
{
	explicit_bzero(k, sizeof(*k) + k->size);
	free(k);
}

static Kept *new_kept(const StretchOrder *order)
{
	size_t n = strlen(order->password) + 1;
	Kept *k = mem_new(1, sizeof(*k) + n + order->salt_size + sizeof(order->iterations));

	k->size = n + order->salt_size + sizeof(order->iterations);
	memcpy(k->made_of, order->password, n);
	memcpy(k->made_of + n, order->salt, order->salt_size);
	memcpy(k->made_of + n + order->salt_size, &order->iterations, sizeof(order->iterations));
	return k;
}

static const Kept *find_kept(const Stretcher *s, const Kept *like)
{
	Kept *found;

	HASH_FIND(hh, s->kept, like->made_of, like->size, found);
	return found;
}

static void keep(Stretcher *s, Kept *k, const ScramKeys *keys)
{
	Kept *oldest = s->kept;

	if (find_kept(s, k)) {
		free_kept(k);
		return;
	}
	if (HASH_COUNT(s->kept) >= KEPT_MAX) {
		HASH_DEL(s->kept, oldest);
		free_kept(oldest);
	}
	k->keys = *keys;
	HASH_ADD_KEYPTR(hh, s->kept, k->made_of, k->size, k);
}

static void drop(Stretch *job)
{
	Tenant *t = job->tenant;

	if (job->kept)
		free_kept(job->kept);
	if (!job->on_keys)
		job->stretcher->n_ahead--;
	TAILQ_REMOVE(&t->jobs, job, jobs);
	if (TAILQ_EMPTY(&t->jobs)) {
		TAILQ_REMOVE(&job->stretcher->tenants, t, tenants);
		free(t);
	}
	scram_stretch_free(&job->scram);
	free(job);
}

static void deliver(Stretch *job)
{
	void (*on_keys)(void *arg, const ScramKeys *keys) = job->on_keys;
	void *arg = job->arg;
	ScramKeys keys;

	scram_stretch_keys(&job->scram, &keys);
	if (job->kept)
		keep(job->stretcher, job->kept, &keys);
	job->kept = NULL;
	drop(job);
	if (on_keys)
		on_keys(arg, &keys);
	explicit_bzero(&keys, sizeof(keys));
}

static void on_turn(void *arg)
{
	Stretcher *s = arg;
	Tenant *t = TAILQ_FIRST(&s->tenants);
	Stretch *job;

	if (!t)
		return;
	TAILQ_REMOVE(&s->tenants, t, tenants);
	TAILQ_INSERT_TAIL(&s->tenants, t, tenants);
	job = TAILQ_FIRST(&t->jobs);
	if (scram_stretch_step(&job->scram, SLICE))
		deliver(job);
	if (!TAILQ_EMPTY(&s->tenants))
		timer_arm(&s->turn, 0);
}

Stretcher *stretcher_new(Loop *loop)
{
	Stretcher *s = NEW(Stretcher);

	TAILQ_INIT(&s->tenants);
	timer_init(&s->turn, loop, on_turn, s);
	return s;
}

void stretcher_free(Stretcher *s)
{
	while (!TAILQ_EMPTY(&s->tenants))
		drop(TAILQ_FIRST(&TAILQ_FIRST(&s->tenants)->jobs));
	timer_stop(&s->turn);
	while (s->kept) {
		Kept *k = s->kept;

		HASH_DEL(s->kept, k);
		free_kept(k);
	}
	free(s);
}

static Tenant *find_or_make(Stretcher *s, const char *name)
{
	Tenant *t;

	TAILQ_FOREACH(t, &s->tenants, tenants)
	{
		if (strcmp(t->name, name) == 0)
			return t;
	}
	t = NEW(Tenant);
	text_copy(t->name, sizeof(t->name), name);
	TAILQ_INIT(&t->jobs);
	TAILQ_INSERT_TAIL(&s->tenants, t, tenants);
	return t;
}

Stretch *stretch(Stretcher *s, const StretchOrder *order)
{
	Stretch *job = NEW(Stretch);

	job->stretcher = s;
	job->tenant = find_or_make(s, order->tenant);
	job->on_keys = order->on_keys;
	job->arg = order->arg;
	if (order->keep)
		job->kept = new_kept(order);
	scram_stretch_begin(&job->scram, order->password, order->salt, order->salt_size,
			    order->iterations);
	TAILQ_INSERT_TAIL(&job->tenant->jobs, job, jobs);
	if (!timer_is_armed(&s->turn))
		timer_arm(&s->turn, 0);
	return job;
}

bool stretch_now(Stretcher *s, const StretchOrder *order, ScramKeys *keys)
{
	Kept *like = new_kept(order);
	const Kept *k = find_kept(s, like);

	if (k)
		*keys = k->keys;
	free_kept(like);
	return k;
}

void stretch_ahead(Stretcher *s, const StretchOrder *order)
{
	ScramKeys keys;

	if ((int)HASH_COUNT(s->kept) + s->n_ahead < KEPT_MAX && !stretch_now(s, order, &keys)) {
		stretch(s, order);
		s->n_ahead++;
	}
	explicit_bzero(&keys, sizeof(keys));
}

void stretch_cancel(Stretch *job)
{
	drop(job);
}
