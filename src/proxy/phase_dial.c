/*
 * dial: a connection to the compute.
 *
 * Every address of every host is tried in turn.  If none answers, an address
 * that came from the cache is forgotten and the wake asked again at once; anything
 * else is tried again after a pause, until wake_timeout is over, because a
 * compute that is just starting refuses at first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "connect.h"
#include "phases.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "wake.h"
#include "worker.h"

#define PAUSE_MOST_MS 2000
#define ASK_AGAIN     3 /* failures in a row after which a fresh address is doubted too */

typedef struct Dialling {
	Session *session;
	Connect connect;
	Lookup *lookup;
	Timer pause;
	int hosts_left, host; /* of the entry; a woken compute has one address */
	Address addresses[RESOLVE_MAX];
	int n, at;
	Fault last;
} Dialling;

static void next_host(Dialling *d);

static void begin_round(Dialling *d)
{
	const Database *entry = d->session->arrival->database;

	d->hosts_left = entry->wake ? 1 : entry->n_hosts;
	d->host = 0;
	if (entry->round_robin && entry->n_hosts > 1)
		d->host = (int)(d->session->worker->next_host++ % (uint32_t)entry->n_hosts);
	next_host(d);
}

static int64_t pause_ms(const Session *s)
{
	int64_t ms = conf_ms(s->conf->reveille.server_login_retry);

	for (int i = 1; i < s->arrival->attempts && ms < PAUSE_MOST_MS; i++)
		ms *= 2;
	return ms < PAUSE_MOST_MS ? ms : PAUSE_MOST_MS;
}

/* The compute may have been put to sleep, or moved, since the address was learnt. */
static bool may_be_stale(const Session *s)
{
	return s->route && (s->arrival->from_cache || s->arrival->attempts % ASK_AGAIN == 0);
}

static void ask_again(Session *s)
{
	Arrival *a = s->arrival;

	wake_forget(s->route, a->address);
	if (a->from_cache) {
		a->last = (Fault){0};
		a->attempts = 0;
	}
	session_advance(s, PHASE_wake);
}

/* No address answered. */
static void failed(Dialling *d)
{
	Session *s = d->session;

	s->arrival->last = d->last;
	s->arrival->attempts++;
	if (may_be_stale(s))
		ask_again(s);
	else
		timer_arm(&d->pause, pause_ms(s));
}

static void next_address(Dialling *d)
{
	const Session *s = d->session;
	const Arrival *a = s->arrival;
	ConnectPlan plan = {.conf = s->conf,
			    .proto = s->proto,
			    .server_name = a->compute_host,
			    .tls_needed = *a->compute_server_name,
			    .client = &a->from,
			    .reached = &a->reached,
			    .timeout_ms = conf_ms(s->conf->reveille.server_connect_timeout)};

	if (d->at == d->n) {
		next_host(d);
		return;
	}
	plan.to = d->addresses[d->at];
	connect_start(&d->connect, &plan);
}

static void on_resolved(void *arg, const Address *addresses, int n, const char *error)
{
	Dialling *d = arg;

	d->lookup = NULL;
	d->at = 0;
	d->n = n;
	for (int i = 0; i < n; i++)
		d->addresses[i] = addresses[i];
	if (n == 0)
		fault_set(&d->last, FAULT_DIAL_FAILED,
			  "the address of compute \"%s\" could not be looked up: %s",
			  d->session->arrival->compute, error);
	next_address(d);
}

/* A folder stands for the socket that PostgreSQL makes in it, as in libpq. */
static bool literal_of(Address *out, const char *host, int port, bool is_folder)
{
	char path[200];

	if (!is_folder || (*host != '/' && *host != '@'))
		return address_of_literal(out, host, port);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.%d", host, port);
	return address_of_literal(out, path, 0);
}

/* A certificate is for the name that the control plane gives, or for the host's own. */
static void look_up(Dialling *d, const char *host, int port, bool is_folder)
{
	Arrival *a = d->session->arrival;

	d->at = d->n = 0;
	text_copy(a->compute_host, sizeof(a->compute_host),
		  *a->compute_server_name ? a->compute_server_name : host);
	if (literal_of(&d->addresses[0], host, port, is_folder)) {
		d->n = 1;
		next_address(d);
		return;
	}
	d->lookup = resolve(d->session->worker->resolver, host, port, on_resolved, d);
}

static void next_host(Dialling *d)
{
	const Arrival *a = d->session->arrival;
	const Database *entry = a->database;
	char host[ROUTE_ADDRESS_SIZE];
	int port;

	if (d->hosts_left == 0) {
		failed(d);
		return;
	}
	d->hosts_left--;
	if (entry->wake) {
		address_split(a->address, host, sizeof(host), &port);
		look_up(d, host, port, false);
		return;
	}
	look_up(d, entry->hosts[d->host++ % entry->n_hosts], entry->port, true);
}

static void note_failure(Dialling *d, const Fault *why)
{
	char where[ADDRESS_TEXT_MAX];

	address_print(&d->addresses[d->at], where, sizeof(where));
	fault_set(&d->last, FAULT_DIAL_FAILED, "could not connect to compute \"%s\": %s",
		  d->session->arrival->compute, why->detail);
	text_copy(d->last.hint, sizeof(d->last.hint), why->hint);
	log_debug("dial failed: session=%llu address=%s error=\"%s\"",
		  (unsigned long long)d->session->id, where, why->detail);
}

static void on_compute(void *arg, StreamEvent what)
{
	session_event(arg, (Event)(EVENT_COMPUTE_READABLE + (int)what));
}

static void on_connected(void *arg, const Fault *why)
{
	Dialling *d = arg;
	Session *s = d->session;

	if (why) {
		note_failure(d, why);
		d->at++;
		next_address(d);
		return;
	}
	s->arrival->peer = d->addresses[d->at];
	stream_hear(&s->compute.stream, on_compute, s);
	session_tune(s, &s->compute.stream);
	session_advance(s, PHASE_login);
}

static void on_pause_over(void *arg)
{
	begin_round(arg);
}

void phase_dial_enter(Session *s)
{
	Dialling *d = NEW(Dialling);

	s->work = d;
	d->session = s;
	connect_init(&d->connect, s->worker, &s->compute.stream, on_connected, d);
	timer_init(&d->pause, s->worker->loop, on_pause_over, d);
	arrival_pause_login(s->arrival, s->conf);
	session_deadline(s, s->arrival->wake_until_ms - clock_ms());
	if (s->arrival->last.code)
		timer_arm(&d->pause, pause_ms(s));
	else
		begin_round(d);
}

void dial_again(Session *s, const Fault *why)
{
	stream_close(&s->compute.stream);
	buf_free(&s->compute.in);
	s->arrival->last = *why;
	s->arrival->attempts++;
	if (may_be_stale(s))
		ask_again(s);
	else
		session_advance(s, PHASE_dial);
}

static void too_late(Session *s)
{
	const Dialling *d = s->work;
	const Fault *last = s->arrival->last.code ? &s->arrival->last : &d->last;
	Fault why;

	fault_set(&why, FAULT_WAKE_TIMEOUT,
		  "compute \"%s\" did not accept a connection within wake_timeout; last: %.120s",
		  s->arrival->compute, last->code ? last->detail : "no answer");
	session_refuse(s, &why);
}

void phase_dial_event(Session *s, Event e)
{
	if (!session_hears_client(s, e) && e == EVENT_DEADLINE)
		too_late(s);
}

void phase_dial_leave(Session *s)
{
	Dialling *d = s->work;

	connect_stop(&d->connect);
	timer_stop(&d->pause);
	if (d->lookup)
		resolve_cancel(d->lookup);
	s->work = NULL;
	loop_bury(s->worker->loop, d, free);
}
