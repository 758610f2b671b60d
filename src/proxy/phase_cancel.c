/*
 * cancel: the client wants a query of another session cancelled.
 *
 * It gets no answer, as PostgreSQL gives none; its socket closes when the compute
 * has taken the cancel, which is how PQcancel knows.  Right and wrong keys are
 * closed on the same beat, so that the time tells nothing.
 */
#include "base/mem.h"
#include "cancel.h"
#include "phases.h"
#include "sys/clock.h"
#include "worker.h"

#include <stdlib.h>

#define BEAT_MS 10

/* What there is to keep until the end. */
typedef struct Delivery {
	Canceller *canceller;
	int64_t since_ms;
	uint32_t slot; /* being cancelled, or SLOT_NONE */
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

static void deliver(Session *s)
{
	Delivery *d = s->work;
	CancelKey key;
	Address to;

	if (!claim(s, d))
		return;
	session_wait(s, false);
	if (!cancel_target(&d->info, &key, &to)) {
		release(s, d);
		close_on_the_beat(s);
		return;
	}
	d->canceller = cancel_send(s->worker, &key, &to,
				   conf_ms(s->conf->reveille.cancel_wait_timeout), on_delivered, s);
}

void phase_cancel_enter(Session *s)
{
	const CancelKey *said = &s->arrival->hello.cancel;
	Delivery *d = NEW(Delivery);
	Stats *stats = &s->worker->cell->stats;

	s->work = d;
	d->since_ms = clock_ms();
	timer_stop(&s->deadline);
	d->slot =
		slot_find(s->worker->shared, said->pid, said->secret, said->secret_size, &d->info);
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
	release(s, d);
	free(d);
	s->work = NULL;
}
