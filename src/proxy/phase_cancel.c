/*
 * cancel: the client wants a query of another session cancelled.
 *
 * It gets no answer, as PostgreSQL gives none; its socket closes when the compute
 * has taken the cancel, which is how PQcancel knows.  Right and wrong keys are
 * closed on the same beat, so that the time tells nothing.
 */
#include "base/mem.h"
#include "base/text.h"
#include "cancel.h"
#include "model/bucket.h"
#include "peers.h"
#include "phases.h"
#include "poke.h"
#include "sys/clock.h"
#include "throttling.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

#define BEAT_MS  10
#define TOLD_MAX 64 /* peers being told, in a worker; beyond it a key counts as wrong */

/* What there is to keep until the end. */
typedef struct Told {
	Session *session;
	Canceller *canceller; /* NULL when the peer has it */
} Told;

typedef struct Delivery {
	Canceller *canceller;
	Told *told; /* peers */
	int n_told, pending;
	int64_t since_ms;
	uint32_t slot;    /* being cancelled, or SLOT_NONE */
	const Route *row; /* of its compute, or NULL */
	SlotInfo info;
	bool claimed;
} Delivery;

static void close_on_the_beat(Session *s)
{
	Delivery *d = s->work;
	int64_t passed = clock_ms() - d->since_ms;

	session_deadline(s, BEAT_MS - passed % BEAT_MS);
}

static void release(Session *s, Delivery *d)
{
	uint32_t mine = s->worker->claimer;

	if (!d->claimed)
		return;
	d->claimed = false;
	atomic_compare_exchange_strong(&s->worker->shared->heads[d->slot].canceller, &mine, 0);
	worker_nudge_all(s->worker);
}

static void on_delivered(void *arg)
{
	Session *s = arg;
	Delivery *d = s->work;

	d->canceller = NULL;
	release(s, d);
	close_on_the_beat(s);
}

/* One cancel at a time for each session; a second one waits for its turn. */
static bool claim(Session *s, Delivery *d)
{
	uint32_t nobody = 0;

	d->claimed = atomic_compare_exchange_strong(&s->worker->shared->heads[d->slot].canceller,
						    &nobody, s->worker->claimer);
	return d->claimed;
}

const Route *cancel_row(const Session *s)
{
	const Delivery *d = s->work;

	return d->canceller ? d->row : NULL;
}

/* A server that does not run takes no cancels either. */
void cancel_look_at_news(const Session *s)
{
	const Delivery *d = s->work;

	if (cancel_row(s) && news_is_frozen(d->row))
		poke(s->worker, d->row, &d->info);
}

/* The session that is meant may end meanwhile, and its row go to another: then too much is poked.
 */
static const Route *row_of(const Shared *sh, uint32_t slot)
{
	uint32_t number = atomic_load(&sh->heads[slot].route);

	return number ? &sh->routes[number - 1] : NULL;
}

static void deliver(Session *s)
{
	Delivery *d = s->work;
	CancelTarget target;

	if (!claim(s, d))
		return;
	session_wait(s, false);
	if (!cancel_target(&d->info, &target)) {
		release(s, d);
		close_on_the_beat(s);
		return;
	}
	d->row = row_of(s->worker->shared, d->slot);
	d->canceller = cancel_send(s->worker, &target, on_delivered, s);
	cancel_look_at_news(s);
}

static void on_told(void *arg)
{
	Told *told = arg;
	Session *s = told->session;
	Delivery *d = s->work;

	told->canceller = NULL;
	s->worker->n_told--;
	if (--d->pending == 0)
		close_on_the_beat(s);
}

static void tell(Session *s, const PeerEntry *peer, const CancelKey *key)
{
	Delivery *d = s->work;
	Told *told = &d->told[d->n_told++];
	CancelTarget target = {.key = *key, .port = peer->port};
	char path[sizeof(peer->host) + 32];

	peers_mark(&target.key);
	text_copy(target.server_name, sizeof(target.server_name), peer->host);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.%d", peer->host, peer->port);
	address_of_literal(&target.to, *peer->host == '/' ? path : peer->host, peer->port);
	told->session = s;
	told->canceller = cancel_send(s->worker, &target, on_told, told);
	d->pending++;
	s->worker->n_told++;
	stat_add(&s->worker->cell->stats.cancels_forwarded, 1);
}

/* The session is not one of ours: whose it may be is told, once. */
static void tell_peers(Session *s, const CancelKey *key)
{
	const Config *conf = s->conf;
	Delivery *d = s->work;

	d->told = mem_new((size_t)conf->n_peers + 1, sizeof(Told));
	session_deadline(s, conf_ms(conf->reveille.cancel_wait_timeout));
	for (int i = 0; i < conf->n_peers && s->worker->n_told < TOLD_MAX; i++) {
		if (peers_concerns(conf, &conf->peers[i], key))
			tell(s, &conf->peers[i], key);
	}
	if (d->pending > 0)
		return;
	stat_add(&s->worker->cell->stats.cancels_wrong, 1);
	close_on_the_beat(s);
}

/* Who guesses keys is not even looked up; it is told nothing, and on the same beat. */
static bool is_too_often(Session *s)
{
	uint8_t key[CLIENT_KEY_MAX];
	size_t n = client_key(&s->arrival->from, key);

	if (n == 0 || !bucket_take(s->worker->shared, BUCKET_CLIENT_CANCELS, key, n, clock_us(),
				   s->conf->reveille.cancel_rate, s->conf->reveille.cancel_burst))
		return false;
	stat_add(&s->worker->cell->stats.cancels_limited, 1);
	return true;
}

void phase_cancel_enter(Session *s)
{
	CancelKey *said = &s->arrival->hello.cancel;
	Delivery *d = NEW(Delivery);
	Stats *stats = &s->worker->cell->stats;
	bool was_told;

	session_no_stranger(s);
	s->work = d;
	d->since_ms = clock_ms();
	timer_stop(&s->deadline);
	d->slot = SLOT_NONE;
	if (is_too_often(s)) {
		close_on_the_beat(s);
		return;
	}
	was_told = peers_unmark(said);
	d->slot =
		slot_find(s->worker->shared, said->pid, said->secret, said->secret_size, &d->info);
	if (d->slot == SLOT_NONE && !was_told) {
		tell_peers(s, said);
		return;
	}
	if (d->slot == SLOT_NONE) {
		stat_add(&stats->cancels_wrong, 1);
		close_on_the_beat(s);
		return;
	}
	stat_add(&stats->cancels, 1);
	session_deadline(s, conf_ms(s->conf->reveille.cancel_wait_timeout));
	session_wait(s, true);
	deliver(s);
}

/* A canceller that hangs up does not take its request back. */
static void look_at_client(Session *s)
{
	uint8_t ignored[64];
	ssize_t n = stream_recv(&s->client.stream, ignored, sizeof(ignored));

	if (n == 0 || n == STREAM_ERROR)
		stream_read_off(&s->client.stream);
}

void phase_cancel_event(Session *s, Event e)
{
	const Delivery *d = s->work;

	switch (e) {
	case EVENT_CLIENT_READABLE:
		look_at_client(s);
		break;
	case EVENT_NUDGE:
		if (!d->claimed)
			deliver(s);
		break;
	case EVENT_DEADLINE:
		session_end(s, "a cancel request");
		break;
	default:
		break;
	}
}

void phase_cancel_leave(Session *s)
{
	Delivery *d = s->work;

	session_wait(s, false);
	if (d->canceller)
		cancel_forget(d->canceller);
	for (int i = 0; i < d->n_told; i++) {
		if (!d->told[i].canceller)
			continue;
		cancel_forget(d->told[i].canceller);
		s->worker->n_told--;
	}
	free(d->told);
	release(s, d);
	free(d);
	s->work = NULL;
}
