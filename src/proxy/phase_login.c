/*
 * login: the compute accepts the session, or says why not.
 *
 * Whatever it asks of the client is passed on, and the answers back, so that
 * passwords are nobody's business but theirs.  The client has what is left of
 * client_login_timeout.
 */
#include "account.h"
#include "base/text.h"
#include "phases.h"
#include "stretch.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "throttling.h"
#include "worker.h"

static void compute_lost(Session *s)
{
	Fault why;

	fault_set(&why, FAULT_DIAL_FAILED, "compute \"%s\" closed the connection during login",
		  s->arrival->compute);
	if (s->arrival->login.heard)
		session_refuse(s, &why);
	else
		dial_again(s, &why); /* it is starting, or stopping */
}

/*
 * The client's answers go to the compute, each when it has been asked for.  What
 * else the client sends is kept, and bounded: sent on at once it would be lost if
 * the login has to be tried again, or overtake the connect query.
 */
static void forward(Session *s)
{
	Arrival *a = s->arrival;
	Buf *in = &s->client.in;
	Fault why;
	size_t n;

	while (!stream_is_blocked(&s->compute.stream) &&
	       (n = s->proto->wanted(&a->login, in)) > 0) {
		Span message = {buf_span(in).at, n};

		if (!s->proto->passable(&a->login, message, &why)) {
			session_refuse(s, &why);
			return;
		}
		if (!stream_send(&s->compute.stream, message)) {
			compute_lost(s);
			return;
		}
		a->login.wanted--;
		buf_take(in, n);
	}
}

/*
 * What passes through may bind to the client's TLS connection only if both ends
 * show the same certificate; what we log in with ourselves binds to the compute's.
 */
static void prepare_binding(Session *s)
{
	Login *login = &s->arrival->login;
	const Tls *client = s->client.stream.tls, *compute = s->compute.stream.tls;
	uint8_t ours[TLS_HASH_MAX];
	size_t n = client ? tls_own_binding(client, ours) : 0;

	login->own.private_leg = compute || address_is_local(&s->arrival->peer);
	login->own.binding = (ScramBinding){s->arrival->binding, 0};
	if (compute)
		login->own.binding.size = tls_peer_binding(compute, s->arrival->binding);
	login->no_binding =
		n == 0 || n != login->own.binding.size || memcmp(ours, s->arrival->binding, n) != 0;
}

void phase_login_enter(Session *s)
{
	Arrival *a = s->arrival;
	Buf packet = {0};

	stat_add(&s->worker->cell->stats.computes_login, 1);
	a->ready_us = clock_us();
	a->login_since_ms = a->ready_us / 1000;
	session_deadline(s, a->login_left_ms);
	session_negotiate(s, &packet);
	if (buf_size(&packet) > 0)
		stream_send(&s->client.stream, buf_span(&packet));
	buf_free(&packet);
	login_begin(&a->login);
	if (a->login.own.on)
		random_printable(a->login.own.nonce, SCRAM_NONCE_SIZE);
	prepare_binding(s);
	a->login.connect_query = a->database->connect_query;
	s->proto->begin(&a->hello.startup, &packet);
	stream_read_on(&s->compute.stream);
	if (!stream_send(&s->compute.stream, buf_span(&packet)))
		compute_lost(s);
	buf_free(&packet);
}

static void send_both(Session *s, Buf *to_client, Buf *to_compute)
{
	/* A leg that breaks here is heard of by its own event. */
	if (buf_size(to_client) > 0)
		stream_send(&s->client.stream, buf_span(to_client));
	if (stream_is_blocked(&s->client.stream))
		stream_read_off(&s->compute.stream);
	if (buf_size(to_compute) > 0)
		stream_send(&s->compute.stream, buf_span(to_compute));
	buf_free(to_client);
	buf_free(to_compute);
}

static void publish_compute(Session *s)
{
	const Arrival *a = s->arrival;
	const CancelKey *key = &a->login.theirs, *ours = &a->login.ours;
	SlotInfo info;

	session_slot_info(s, &info);
	atomic_store(&s->worker->shared->heads[s->slot].key,
		     key->secret_size ? slot_key(key->pid, ours->secret, ours->secret_size) : 0);
	info.compute_pid = key->pid;
	info.compute_secret_size = key->secret_size;
	memcpy(info.compute_secret, key->secret, sizeof(info.compute_secret));
	info.client_secret_size = ours->secret_size;
	memcpy(info.client_secret, ours->secret, sizeof(info.client_secret));
	memcpy(info.address, &a->peer.at, sizeof(info.address));
	info.address_size = a->peer.size;
	info.tls = s->compute.stream.tls;
	if (!text_copy(info.server_name, sizeof(info.server_name), a->compute_host))
		*info.server_name = 0;
	session_publish(s, &info);
}

static bool is_wrong_password(const char *sqlstate)
{
	return strcmp(sqlstate, "28P01") == 0 || strcmp(sqlstate, "28000") == 0;
}

/* Where the compute judges, its verdict counts as ours would. */
static void refused(Session *s)
{
	if (s->arrival->method == HBA_PASSTHROUGH && is_wrong_password(s->arrival->login.refusal))
		login_failed(s);
	text_copy(s->sqlstate, sizeof(s->sqlstate), s->arrival->login.refusal);
	account_refused_login(s);
	session_end(s, "the compute refused the login");
}

static void on_keys(void *arg, const ScramKeys *keys)
{
	Session *s = arg;
	Buf packet = {0};

	s->work = NULL;
	s->proto->stretched(&s->arrival->login, keys, &packet);
	if (!stream_send(&s->compute.stream, buf_span(&packet)))
		compute_lost(s);
	buf_free(&packet);
}

/* The compute's salt is not the one that we know keys for. */
static void stretch_password(Session *s)
{
	const OwnLogin *own = &s->arrival->login.own;
	StretchOrder order = {.tenant = s->arrival->compute,
			      .password = own->password,
			      .salt = own->scram.salt,
			      .salt_size = own->scram.salt_size,
			      .iterations = own->scram.iterations,
			      .keep = true,
			      .on_keys = on_keys,
			      .arg = s};
	ScramKeys keys;

	if (stretch_now(s->worker->stretcher, &order, &keys))
		on_keys(s, &keys);
	else if (!s->work)
		s->work = stretch(s->worker->stretcher, &order);
	explicit_bzero(&keys, sizeof(keys));
}

static void act(Session *s, LoginVerdict verdict, const Fault *why)
{
	switch (verdict) {
	case LOGIN_MORE:
		break;
	case LOGIN_STRETCH:
		stretch_password(s);
		break;
	case LOGIN_READY:
		if (s->arrival->method == HBA_PASSTHROUGH)
			login_passed(s);
		session_advance(s, PHASE_relay);
		break;
	case LOGIN_NOT_YET:
		dial_again(s, why);
		break;
	case LOGIN_ENDED:
		refused(s);
		break;
	case LOGIN_FAULT:
		session_refuse(s, why);
		break;
	}
}

static void receive(Session *s)
{
	Worker *w = s->worker;
	Buf to_client = {0}, to_compute = {0};
	LoginVerdict verdict;
	Fault why;
	ssize_t n = stream_recv(&s->compute.stream, w->buf, w->buf_size);

	if (n == STREAM_AGAIN)
		return;
	if (n <= 0) {
		compute_lost(s);
		return;
	}
	s->received_compute += (uint64_t)n;
	buf_append(&s->compute.in, (Span){w->buf, (size_t)n});
	verdict =
		s->proto->login(&s->arrival->login, &s->compute.in, &to_client, &to_compute, &why);
	if (buf_size(&to_client) > 0 && verdict != LOGIN_NOT_YET)
		s->arrival->login.heard = true;
	/* Before the client knows its key somebody has to know what it is for. */
	if (verdict == LOGIN_READY)
		publish_compute(s);
	send_both(s, &to_client, &to_compute);
	act(s, verdict, &why);
	if (session_is_in(s, PHASE_login))
		forward(s);
}

static void too_late(Session *s)
{
	Fault why;

	fault_set(&why, FAULT_LOGIN_TIMEOUT, "the login did not end within client_login_timeout");
	session_refuse(s, &why);
}

void phase_login_event(Session *s, Event e)
{
	if (session_hears_client(s, e)) {
		if (session_is_in(s, PHASE_login))
			forward(s);
		return;
	}
	switch (e) {
	case EVENT_COMPUTE_READABLE:
		receive(s);
		break;
	case EVENT_COMPUTE_DRAINED:
		forward(s);
		break;
	case EVENT_CLIENT_DRAINED:
		stream_read_on(&s->compute.stream);
		break;
	case EVENT_COMPUTE_BROKEN:
		compute_lost(s);
		break;
	case EVENT_DEADLINE:
		too_late(s);
		break;
	default:
		break;
	}
}

void phase_login_leave(Session *s)
{
	Arrival *a = s->arrival;

	if (s->work)
		stretch_cancel(s->work);
	s->work = NULL;
	stat_sub(&s->worker->cell->stats.computes_login, 1);
	timer_stop(&s->deadline);
	a->login_left_ms -= clock_ms() - a->login_since_ms;
}
