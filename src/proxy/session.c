#include "session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "account.h"
#include "base/mem.h"
#include "base/text.h"
#include "handshake.h"
#include "phases.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "worker.h"

#define READ_AHEAD_MAX 65541 /* an authentication message is not longer (PostgreSQL has 65535) */

#define TO(name) | (1u << PHASE_##name)

static const Phase phases[PHASE_COUNT] = {
#define PHASE(id, to, gauge, waits)                                                             \
	[PHASE_##id] = {#id,  0 to, phase_##id##_enter, phase_##id##_event, phase_##id##_leave, \
			waits},
#include "phases.def"
#undef PHASE
};

static _Atomic uint64_t *gauge_of(Session *s)
{
	Stats *stats = &s->worker->cell->stats;

	switch ((PhaseId)(s->phase - phases)) {
#define PHASE(id, to, gauge, waits) \
	case PHASE_##id:            \
		return &stats->gauge;
#include "phases.def"
#undef PHASE
	case PHASE_COUNT:
		break;
	}
	abort();
}

bool session_is_in(const Session *s, PhaseId phase)
{
	return s->phase == &phases[phase];
}

void session_advance(Session *s, PhaseId next)
{
	assert(s->phase->next & (1u << next));
	log_debug("phase session=%llu from=%s to=%s", (unsigned long long)s->id, s->phase->name,
		  phases[next].name);
	s->phase->leave(s);
	stat_sub(gauge_of(s), 1);
	s->phase = &phases[next];
	stat_add(gauge_of(s), 1);
	s->phase->enter(s);
}

void session_event(Session *s, Event e)
{
	s->phase->event(s, e);
}

static void on_client(void *arg, StreamEvent what)
{
	session_event(arg, (Event)(EVENT_CLIENT_READABLE + (int)what));
}

static void on_deadline(void *arg)
{
	session_event(arg, EVENT_DEADLINE);
}

void session_deadline(Session *s, int64_t ms)
{
	timer_arm(&s->deadline, ms > 0 ? ms : 0);
}

void session_wait(Session *s, bool on)
{
	if (on && !s->waiting)
		TAILQ_INSERT_TAIL(&s->worker->waiters, s, waiters);
	else if (!on && s->waiting)
		TAILQ_REMOVE(&s->worker->waiters, s, waiters);
	s->waiting = on;
}

static ClientAddress client_address_of(const Address *from)
{
	ClientAddress out = {0};

	out.family = address_bytes(from, out.bytes, &out.port);
	client_address_unmap(&out);
	return out;
}

/* Only a compute that is told needs to know, and it costs a call. */
static ClientAddress reached_by(const Session *s, int fd)
{
	Address own = {0};

	if (s->conf->reveille.server_proxy_protocol)
		address_of_own_end(&own, fd);
	return client_address_of(&own);
}

static Arrival *new_arrival(Session *s, const Address *from)
{
	Arrival *a = NEW(Arrival);

	a->access = access_hold(s->worker->access);
	a->accepted_us = clock_us();
	a->login_left_ms = conf_ms(s->conf->reveille.client_login_timeout);
	a->login_since_ms = a->accepted_us / 1000;
	address_print(from, a->client, sizeof(a->client));
	a->from = client_address_of(from);
	return a;
}

void session_tune(const Session *s, Stream *stream)
{
	KeepAlive keep = {.on = s->conf->reveille.tcp_keepalive,
			  .count = s->conf->reveille.tcp_keepcnt,
			  .idle_s = s->conf->reveille.tcp_keepidle,
			  .interval_s = s->conf->reveille.tcp_keepintvl,
			  .user_timeout_ms = s->conf->reveille.tcp_user_timeout};

	stream_tune(stream, &keep);
}

void session_begin(Worker *w, int fd, const Address *from)
{
	Session *s = NEW(Session);

	s->worker = w;
	s->conf = conf_hold(w->conf);
	s->proto = &proto_pg;
	s->phase = &phases[PHASE_hello];
	s->arrival = new_arrival(s, from);
	s->arrival->reached = reached_by(s, fd);
	s->id = atomic_fetch_add(&w->shared->next_session_id, 1) + 1;
	s->since_us = wall_us();
	s->slot = SLOT_NONE;
	s->wake_ms = -1;
	s->compute.stream.fd = -1;
	timer_init(&s->deadline, w->loop, on_deadline, s);
	stream_open(&s->client.stream, w->loop, fd, on_client, s);
	session_tune(s, &s->client.stream);
	TAILQ_INSERT_TAIL(&w->sessions, s, all);
	TAILQ_INSERT_TAIL(&w->strangers, s, strangers);
	w->n_strangers++;
	s->stranger = true;
	worker_load(w, +1);
	stat_add(&w->cell->stats.connections, 1);
	stat_add(gauge_of(s), 1);
	s->phase->enter(s);
}

void session_no_stranger(Session *s)
{
	if (!s->stranger)
		return;
	s->stranger = false;
	TAILQ_REMOVE(&s->worker->strangers, s, strangers);
	s->worker->n_strangers--;
}

/* In the middle of a TLS handshake there are no words for our own. */
static bool may_speak(const Session *s)
{
	const Stream *client = &s->client.stream;
	bool will_be_tls =
		s->arrival && s->arrival->handshake.state != HANDSHAKE_NONE && !client->tls;

	return stream_is_open(client) && !client->shaking_hands && !will_be_tls;
}

void session_refuse(Session *s, const Fault *why)
{
	Buf message = {0};

	account_refusal(s, why);
	text_copy(s->sqlstate, sizeof(s->sqlstate), fault_info(why->code)->sqlstate);
	s->proto->refuse(why, &message);
	if (may_speak(s))
		stream_send(&s->client.stream, buf_span(&message));
	buf_free(&message);
	session_end(s, fault_info(why->code)->text);
}

void session_end(Session *s, const char *reason)
{
	session_no_stranger(s);
	if (!s->reason) {
		s->reason = reason;
		s->ended_in = s->phase->name;
	}
	session_advance(s, PHASE_close);
}

void session_hung_up(Session *s)
{
	s->client_left = true;
	session_end(s, "the client hung up");
}

bool session_receive(Session *s)
{
	uint8_t chunk[16384];
	ssize_t n = stream_recv(&s->client.stream, chunk, sizeof(chunk));

	if (n == STREAM_AGAIN)
		return false;
	if (n <= 0) {
		session_hung_up(s);
		return false;
	}
	s->received_client += (uint64_t)n;
	buf_append(&s->client.in, (Span){chunk, (size_t)n});
	return true;
}

bool session_hears_client(Session *s, Event e)
{
	Fault why;

	if (e == EVENT_CLIENT_BROKEN) {
		session_hung_up(s);
	} else if (e != EVENT_CLIENT_READABLE) {
		return false;
	} else if (session_receive(s) && buf_size(&s->client.in) > READ_AHEAD_MAX) {
		fault_set(&why, FAULT_BAD_MESSAGE, "too much was sent ahead of the login");
		session_refuse(s, &why);
	}
	return true;
}

void session_slot_info(const Session *s, SlotInfo *info)
{
	if (s->slot == SLOT_NONE || !ROW_LOAD(&s->worker->shared->slots[s->slot], info))
		*info = (SlotInfo){0};
}

void session_publish(Session *s, const SlotInfo *info)
{
	assert(s->slot != SLOT_NONE);
	ROW_STORE(&s->worker->shared->slots[s->slot], info);
}

int64_t session_login_left_ms(const Session *s)
{
	return s->arrival->login_left_ms - (clock_ms() - s->arrival->login_since_ms);
}

void session_negotiate(Session *s, Buf *to_client)
{
	if (!s->arrival->negotiated)
		s->proto->negotiate(&s->arrival->hello.startup, to_client);
	s->arrival->negotiated = true;
}

void session_arrived(Session *s)
{
	access_release(s->arrival->access);
	hello_free(&s->arrival->hello);
	login_free(&s->arrival->login);
	free(s->arrival->user);
	mem_wipe_text(s->arrival->own_password);
	free(s->arrival);
	s->arrival = NULL;
}

void phases_print_dot(void)
{
	puts("digraph session {");
	for (int i = 0; i < PHASE_COUNT; i++) {
		printf("\t%s [tooltip=\"waits for %s\"]\n", phases[i].name, phases[i].waits_for);
		for (int k = 0; k < PHASE_COUNT; k++) {
			if (phases[i].next & (1u << k))
				printf("\t%s -> %s\n", phases[i].name, phases[k].name);
		}
	}
	puts("}");
}

static void free_session(void *arg)
{
	Session *s = arg;

	conf_release(s->conf);
	free(s);
}

/* The monitor may never have seen it. */
static void note_parting(const Session *s)
{
	const Shared *sh = s->worker->shared;
	Parting p = {.at_ms = clock_ms()};
	SlotInfo info;

	if (!s->opened || !s->route)
		return;
	session_slot_info(s, &info);
	p.route = (uint32_t)(s->route - sh->routes);
	p.tenancy = route_tenancy(sh, s->route);
	p.who = party_of(&info);
	parting_note(&s->worker->shared->partings[s->worker->number], &p);
}

/* The last act of the phase close; the memory goes when the loop's turn is over. */
void session_gone(Session *s)
{
	Worker *w = s->worker;

	account_close(s);
	note_parting(s);
	timer_stop(&s->deadline);
	session_wait(s, false);
	stream_close(&s->client.stream);
	buf_free(&s->client.in);
	buf_free(&s->compute.in);
	if (s->arrival) {
		handshake_end(s);
		session_arrived(s);
	}
	if (s->route)
		route_session_ends(s->route, w->number);
	if (s->slot != SLOT_NONE)
		slot_release(w->shared, s->slot, &w->slot_hint);
	stat_sub(gauge_of(s), 1);
	TAILQ_REMOVE(&w->sessions, s, all);
	loop_bury(w->loop, s, free_session);
	worker_load(w, -1);
}
