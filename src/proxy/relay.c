/*
 * The hot path.  A request costs a receive and a send, its answer the same, and
 * nothing else: no other system call, no timer, no memory, no change of events.
 *
 * What is received lies in the worker's one buffer, is shown to the Watch, and
 * is sent on at once.  What the other side does not take is kept by its stream,
 * and nothing more is read until that is gone: a slow reader stops its writer.
 */
#include "relay.h"

#include "cancel.h"
#include "phases.h"
#include "poke.h"
#include "sys/clock.h"
#include "worker.h"

#define ROUNDS        8      /* full buffers in a row before others have their turn */
#define LAST_WORDS_MS 5000   /* for a compute that takes no more to say why */
#define FAREWELL_MS   600000 /* for a compute to finish what a client asked before it left */

static Leg *leg_of(Session *s, Side side)
{
	return side == SIDE_CLIENT ? &s->client : &s->compute;
}

/* What the supervisor, the monitor and SHOW can see without asking us. */
static void show_work(Session *s)
{
	SlotHead *head = &s->worker->shared->heads[s->slot];

	atomic_store_explicit(&head->at_work, !watch_at_rest(&s->watch), memory_order_relaxed);
	atomic_store_explicit(&head->listening, s->watch.listening, memory_order_relaxed);
	atomic_store_explicit(&head->transactions, s->watch.transactions, memory_order_relaxed);
}

/* A request's time is from the first that is unanswered until none is. */
static void take_time(Session *s, const Watch *before)
{
	bool was_asked = watch_is_asked(before), is_asked = watch_is_asked(&s->watch);

	if (!was_asked && is_asked)
		s->asked_us = clock_us();
	else if (was_asked && !is_asked)
		histogram_add(&s->worker->cell->stats.query_time,
			      (uint64_t)(clock_us() - s->asked_us));
}

static void count(Session *s, Side from, size_t n, const Watch *before)
{
	Stats *stats = &s->worker->cell->stats;

	take_time(s, before);
	if (from == SIDE_CLIENT) {
		s->received_client += n;
		stat_add(&stats->received_client, n);
		stat_add(&stats->sent_compute, n);
		stat_add(&stats->queries, s->watch.requests - before->requests);
		if (s->traffic)
			stat_add(&s->traffic->received, n);
	} else {
		s->received_compute += n;
		stat_add(&stats->received_compute, n);
		stat_add(&stats->sent_client, n);
		stat_add(&stats->transactions, s->watch.transactions - before->transactions);
		if (s->traffic)
			stat_add(&s->traffic->sent, n);
	}
}

/* Nobody will read the answer: a compute that still works at one is told to stop. */
static void client_vanished(Session *s)
{
	s->client_left = true;
	if (watch_is_asked(&s->watch))
		cancel_abandoned(s);
	session_end(s, "the client closed");
}

/*
 * The client has ended its side.  If it said goodbye, what it asked for before
 * is finished, as PostgreSQL does, for as long as that can be waited for.
 */
static void client_ended(Session *s)
{
	if (!s->watch.terminated ||
	    (!watch_is_asked(&s->watch) && !stream_is_blocked(&s->compute.stream))) {
		client_vanished(s);
		return;
	}
	stream_read_off(&s->client.stream);
	session_deadline(s, FAREWELL_MS);
}

/* What it had no time to say itself is said for it, unless that would be nonsense. */
static void compute_gone(Session *s)
{
	Fault why;

	if (s->watch.terminated || s->watch.refused) {
		session_end(s, s->watch.terminated ? "the client closed" : "the compute closed");
		return;
	}
	fault_set(&why, FAULT_COMPUTE_GONE, "the compute closed the connection unexpectedly");
	relay_refuse(s, &why);
}

/*
 * A compute that takes no more may still say why, so it is read to its end; a
 * client that takes no more has vanished.
 */
void relay_not_taken(Session *s, Side to)
{
	if (to == SIDE_CLIENT) {
		client_vanished(s);
		return;
	}
	stream_read_off(&s->client.stream);
	session_deadline(s, LAST_WORDS_MS);
}

void relay_too_long(Session *s)
{
	if (s->watch.terminated)
		client_vanished(s);
	else
		compute_gone(s);
}

/* Words of our own fit only between two messages of the compute. */
void relay_refuse(Session *s, const Fault *why)
{
	if (watch_at_frame_end(&s->watch, SIDE_COMPUTE))
		session_refuse(s, why);
	else
		session_end(s, fault_info(why->code)->text);
}

/* Shows, counts and sends. False if the session has ended. */
static bool pass(Session *s, Side from, Span bytes)
{
	Watch before = s->watch;
	Fault why;

	if (!s->proto->watch(&s->watch, from, bytes, &why)) {
		relay_refuse(s, &why);
		return false;
	}
	count(s, from, bytes.n, &before);
	show_work(s);
	if (!stream_send(&leg_of(s, side_other(from))->stream, bytes)) {
		relay_not_taken(s, side_other(from));
		return false;
	}
	if (from == SIDE_CLIENT && s->route && news_is_frozen(s->route))
		poke_if_frozen(s);
	return true;
}

static bool is_held(Session *s, Side from)
{
	const SlotHead *head = &s->worker->shared->heads[s->slot];

	if (from == SIDE_COMPUTE ||
	    atomic_load_explicit(&head->canceller, memory_order_acquire) == 0)
		return false;
	s->held = true;
	session_wait(s, true);
	stream_read_off(&s->client.stream);
	relay_look_at_cancel(s); /* it may have ended before we were on the list */
	return s->held;
}

void relay_look_at_cancel(Session *s)
{
	if (!s->held || atomic_load(&s->worker->shared->heads[s->slot].canceller) != 0)
		return;
	s->held = false;
	session_wait(s, false);
	if (!stream_is_blocked(&s->compute.stream))
		stream_read_on(&s->client.stream);
}

static void ended(Session *s, Side side, bool in_order)
{
	if (side == SIDE_COMPUTE)
		compute_gone(s);
	else if (in_order)
		client_ended(s);
	else
		client_vanished(s);
}

void relay_pump(Session *s, Side from)
{
	Worker *w = s->worker;
	Stream *in = &leg_of(s, from)->stream, *out = &leg_of(s, side_other(from))->stream;

	for (int round = 0; round < ROUNDS; round++) {
		ssize_t n;

		if (is_held(s, from))
			return;
		n = stream_recv(in, w->buf, w->buf_size);
		if (n == STREAM_AGAIN)
			return;
		if (n <= 0) {
			ended(s, from, n == 0);
			return;
		}
		if (!pass(s, from, (Span){w->buf, (size_t)n}))
			return;
		if (stream_is_blocked(out)) {
			stream_read_off(in);
			return;
		}
		if ((size_t)n < w->buf_size)
			return;
	}
}

void relay_drained(Session *s, Side to)
{
	Side from = side_other(to);

	if (from == SIDE_CLIENT && (s->held || s->watch.terminated))
		return;
	stream_read_on(&leg_of(s, from)->stream);
}

void relay_first(Session *s, Side from, Buf *bytes)
{
	if (buf_size(bytes) > 0)
		pass(s, from, buf_span(bytes));
	buf_free(bytes);
}
