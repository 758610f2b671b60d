/*
 * hello: the client says who it is, how it wants to speak, and what it wants.
 *
 * First may come a PROXY header, from those who are trusted with one; then
 * requests for encryption, or TLS at once; then the startup packet.  All of it
 * has to be there within client_login_timeout, counted from the connection's
 * beginning and not from its last byte, and may be no more than those hold.
 */
#include "base/text.h"
#include "handshake.h"
#include "model/bucket.h"
#include "phases.h"
#include "proto/proxy_header.h"
#include "sys/clock.h"
#include "throttling.h"
#include "worker.h"

#define TICKET_MS 20 /* that a session ticket waits for company */

void phase_hello_enter(Session *s)
{
	s->arrival->hello.may_secure = s->arrival->access->clients;
	stream_read_on(&s->client.stream);
	session_deadline(s, s->arrival->login_left_ms);
}

/* The connection's place may have come while it was waiting. */
void session_secure(Session *s)
{
	const Handshake *h = &s->arrival->handshake;
	int64_t left = session_login_left_ms(s),
		most = conf_ms(s->conf->reveille.client_tls_handshake_timeout);
	Tls *tls = tls_from_client(s->arrival->access->clients, h->direct);

	session_deadline(s, left < most ? left : most);
	stream_secure(&s->client.stream, tls, buf_span(&s->client.in));
	buf_free(&s->client.in);
}

static void secured(Session *s)
{
	Arrival *a = s->arrival;
	const Tls *tls = s->client.stream.tls;
	Stats *stats = &s->worker->cell->stats;

	handshake_end(s);
	stat_add(tls_is_resumed(tls) ? &stats->tls_resumed : &stats->tls_full, 1);
	text_copy(a->server_name, sizeof(a->server_name), tls_server_name(tls));
	text_lower(a->server_name);
	/* A ticket leaves with our next words, or alone if the client is slow to ask for them. */
	session_deadline(s, TICKET_MS);
}

static void handshake_failed(Session *s)
{
	Fault why;

	tls_why(s->client.stream.tls, &why);
	stat_add(&s->worker->cell->stats.tls_failed, 1);
	session_refuse(s, &why);
}

static void answer(Session *s, Buf *reply)
{
	if (buf_size(reply) > 0 && !stream_send(&s->client.stream, buf_span(reply)))
		session_hung_up(s);
}

static bool is_on_network(const Session *s)
{
	return s->arrival->from.family != 0;
}

static bool needs_tls(const Session *s)
{
	const conf_choice *mode = &s->conf->reveille.client_tls_sslmode;

	return is_on_network(s) && !s->client.stream.tls &&
	       (conf_is(mode, "require") || conf_is(mode, "verify-ca") ||
		conf_is(mode, "verify-full"));
}

static void started(Session *s)
{
	Fault why;

	if (!needs_tls(s)) {
		session_advance(s, PHASE_route);
		return;
	}
	fault_set(&why, FAULT_REFUSED, "connections without TLS are not allowed");
	fault_hint(&why, "connect with sslmode=require or higher");
	session_refuse(s, &why);
}

/* True if the next packet may lie in what was received already. */
static bool step(Session *s)
{
	Buf reply = {0};
	Fault why;
	HelloVerdict verdict = s->proto->hello(&s->arrival->hello, &s->client.in, &reply, &why);

	switch (verdict) {
	case HELLO_MORE:
		break;
	case HELLO_ANSWER:
		answer(s, &reply);
		break;
	case HELLO_SECURE:
		s->arrival->handshake.state = HANDSHAKE_AGREED;
		answer(s, &reply);
		break;
	case HELLO_DIRECT:
		s->arrival->handshake.direct = true;
		handshake_begin(s);
		break;
	case HELLO_STARTUP:
		started(s);
		break;
	case HELLO_CANCEL:
		session_advance(s, PHASE_cancel);
		break;
	case HELLO_FAULT:
		session_refuse(s, &why);
		break;
	}
	buf_free(&reply);
	return verdict == HELLO_ANSWER && session_is_in(s, PHASE_hello);
}

static void take_header(Session *s, const ProxyHeader *h)
{
	Arrival *a = s->arrival;

	buf_take(&s->client.in, h->size);
	a->header_read = true;
	if (h->local || h->family == 0)
		return;
	a->relayed = true;
	a->from = (ClientAddress){.family = h->family, .port = h->port};
	a->reached = (ClientAddress){.family = h->family, .port = h->to_port};
	memcpy(a->from.bytes, h->address, sizeof(h->address));
	memcpy(a->reached.bytes, h->to_address, sizeof(h->to_address));
	client_address_unmap(&a->from);
	client_address_unmap(&a->reached);
	client_address_print(&a->from, a->client, sizeof(a->client));
}

/* A startup packet cannot be taken for a header, so those who are trusted may also go without. */
static bool read_header(Session *s)
{
	Arrival *a = s->arrival;
	ProxyHeader header;
	Fault why;

	if (a->header_read || !network_list_has(&s->conf->proxy_protocol, &a->from)) {
		a->header_read = true;
		return true;
	}
	switch (proxy_header_read(&header, buf_span(&s->client.in), &why)) {
	case PROXY_MORE:
		return false;
	case PROXY_NONE:
		a->header_read = true;
		return true;
	case PROXY_DONE:
		take_header(s, &header);
		return true;
	case PROXY_BAD:
		session_refuse(s, &why);
		return false;
	}
	return false;
}

/* Asked for before anything that costs: a handshake is dear. */
static bool comes_too_often(Session *s)
{
	Arrival *a = s->arrival;
	const Config *conf = s->conf;
	uint8_t key[CLIENT_KEY_MAX];
	size_t n = client_key(&a->from, key);
	Fault why;

	if (a->counted || n == 0 || conf->reveille.connect_rate == 0)
		return false;
	a->counted = true;
	if (!bucket_take(s->worker->shared, BUCKET_CLIENT_CONNECTS, key, n, clock_us(),
			 conf->reveille.connect_rate, conf->reveille.connect_burst))
		return false;
	fault_set(&why, FAULT_LIMIT, "too many connections a second from this address");
	fault_hint(&why, "the limits are connect_rate and connect_burst");
	session_refuse(s, &why);
	return true;
}

static void read_packets(Session *s)
{
	if (!read_header(s) || comes_too_often(s))
		return;
	while (step(s))
		;
}

static void too_late(Session *s)
{
	Fault why;

	if (s->client.stream.shaking_hands)
		fault_set(&why, FAULT_LOGIN_TIMEOUT,
			  "the TLS handshake did not end within "
			  "client_tls_handshake_timeout");
	else
		fault_set(&why, FAULT_LOGIN_TIMEOUT,
			  "no complete startup packet came within client_login_timeout");
	session_refuse(s, &why);
}

static void on_deadline(Session *s)
{
	if (s->client.stream.shaking_hands || session_login_left_ms(s) <= 0) {
		too_late(s);
		return;
	}
	if (s->client.stream.tls)
		stream_send(&s->client.stream, (Span){0});
	session_deadline(s, session_login_left_ms(s));
}

void phase_hello_event(Session *s, Event e)
{
	switch (e) {
	case EVENT_CLIENT_READABLE:
		if (s->arrival->handshake.state == HANDSHAKE_AGREED)
			handshake_begin(s);
		else if (session_receive(s))
			read_packets(s);
		break;
	case EVENT_CLIENT_SECURED:
		secured(s);
		break;
	case EVENT_DEADLINE:
		on_deadline(s);
		break;
	case EVENT_CLIENT_BROKEN:
		if (s->client.stream.tls)
			handshake_failed(s);
		else
			session_hung_up(s);
		break;
	default:
		break;
	}
}

void phase_hello_leave(Session *s)
{
	handshake_end(s);
}
