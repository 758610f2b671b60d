/*
 * admit: may this client come in at all, and how has it to prove who it is?
 *
 * Networks, host-based rules, rates, and the pause after failed logins; then a
 * slot in shared memory, of which there are as many as clients are allowed, over
 * all workers.  Nothing here costs more than a look into memory.
 */
#include <stdio.h>

#include "base/text.h"
#include "model/bucket.h"
#include "phases.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "throttling.h"
#include "worker.h"

#define PATIENCE_MS 15000 /* a longer pause than this is not waited for here */

static void copy_name(char *to, const char *value)
{
	text_copy(to, NAME_SIZE, value ? value : "");
	text_printable(to);
}

/* Protocol 3.2 has room for more, and for who of a group made it. */
static void make_secret(const Session *s, CancelKey *key)
{
	int peer = s->conf->reveille.peer_id;

	key->secret_size = s->arrival->hello.startup.minor >= 2 ? SLOT_SECRET_MAX : 4;
	random_bytes(key->secret, key->secret_size);
	if (key->secret_size > 4) {
		key->secret[0] = (uint8_t)(peer >> 8);
		key->secret[1] = (uint8_t)peer;
	}
}

static void fill_slot(Session *s)
{
	Arrival *a = s->arrival;
	const Startup *startup = &a->hello.startup;
	SlotInfo info = {.session_id = s->id, .since_us = s->since_us};

	make_secret(s, &a->login.ours);
	text_copy(info.compute, sizeof(info.compute), a->compute);
	copy_name(info.user, a->user);
	copy_name(info.database, startup_get(startup, "database"));
	copy_name(info.application_name, startup_get(startup, "application_name"));
	text_copy(info.client, sizeof(info.client), a->client);
	client_address_print_network(&a->from, info.network, sizeof(info.network));
	session_publish(s, &info);
}

static bool lets_in(const NetworkList *allow, const NetworkList *deny, const ClientAddress *from)
{
	bool anybody = allow->n == 0 && !allow->unix_too;

	return (anybody || network_list_has(allow, from)) && !network_list_has(deny, from);
}

static bool check_networks(const Session *s, Fault *why)
{
	const Arrival *a = s->arrival;
	const Config *conf = s->conf;
	const UserEntry *user = conf_user(conf, a->user);

	const char *whose = NULL;

	if (!lets_in(&conf->allow, &conf->deny, &a->from))
		whose = "[reveille]";
	else if (!lets_in(&a->database->allow, &a->database->deny, &a->from))
		whose = "[databases]";
	else if (user && !lets_in(&user->allow, &user->deny, &a->from))
		whose = "[users]";
	if (!whose)
		return true;
	fault_set(why, FAULT_REFUSED, "connections from this address are not allowed");
	return fault_cause(why, "allow_networks and deny_networks of %s", whose);
}

static const char *tls_word(const Session *s)
{
	return s->client.stream.tls ? "TLS" : "no TLS";
}

/*
 * The compute is what the client asks for; but behind an entry * without wake any
 * name leads to the same server, and what it asks for there is the database.
 */
static bool is_any_name(const Arrival *a)
{
	return !a->database->wake && strcmp(a->database->name, "*") == 0;
}

static bool ask_rules(Session *s, Fault *why)
{
	Arrival *a = s->arrival;
	const char *said = startup_get(&a->hello.startup, "database");
	const char *database = said && *said ? said : a->user;
	char name[TLS_NAME_MAX], detailed[2 * ROUTE_NAME_SIZE + 16];
	const Tls *tls = s->client.stream.tls;
	HbaRequest request = {.client = &a->from,
			      .tls = tls,
			      .client_cert = tls && tls_peer(tls, name),
			      .replication = a->replication,
			      .database = is_any_name(a) ? database : a->compute,
			      .detailed = is_any_name(a) ? NULL : detailed,
			      .user = a->user};

	snprintf(detailed, sizeof(detailed), "%s%.15s%.63s", a->compute,
		 s->conf->reveille.route_separator.s, database);
	a->method = hba_match(a->access->hba, &request, &a->map);
	if (a->method != HBA_REJECT)
		return true;
	text_copy(name, sizeof(name), a->user);
	text_printable(name);
	return fault_set(why, FAULT_REFUSED,
			 "no rule of auth_hba_file lets user \"%.64s\" into \"%s\" from %s, %s",
			 name, a->compute, a->client, tls_word(s));
}

static bool find_method(Session *s, Fault *why)
{
	static const struct {
		const char *word;
		HbaMethod method;
	} methods[] = {
		{"passthrough", HBA_PASSTHROUGH},
		{"scram-sha-256", HBA_SCRAM},
		{"plain", HBA_PLAIN},
		{"cert", HBA_CERT},
		{"trust", HBA_TRUST},
		{"any", HBA_TRUST},
	};
	const conf_choice *type = &s->conf->reveille.auth_type;

	if (s->arrival->access->hba)
		return ask_rules(s, why);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (conf_is(type, methods[i].word))
			s->arrival->method = methods[i].method;
	}
	return s->arrival->method != HBA_REJECT ||
	       fault_set(why, FAULT_MISCONFIGURED, "the rules of auth_hba_file are not loaded");
}

static bool check_rate(const Session *s, Fault *why)
{
	const Arrival *a = s->arrival;
	Shared *sh = s->worker->shared;
	int64_t now = clock_us();
	if (bucket_take(sh, BUCKET_COMPUTE_CONNECTS, a->compute, strlen(a->compute), now,
			s->conf->reveille.compute_connect_rate,
			s->conf->reveille.compute_connect_burst)) {
		fault_set(why, FAULT_LIMIT, "too many connections a second to compute \"%s\"",
			  a->compute);
		return fault_hint(why,
				  "the limits are compute_connect_rate and compute_connect_burst");
	}
	return true;
}

static void enter_slot(Session *s)
{
	Worker *w = s->worker;
	Fault why;

	if (!find_method(s, &why)) {
		session_refuse(s, &why);
		return;
	}
	s->slot = slot_claim(w->shared, w->claimer, &w->slot_hint);
	if (s->slot == SLOT_NONE) {
		fault_set(&why, FAULT_LIMIT, "no more connections allowed (max_client_conn)");
		session_refuse(s, &why);
		return;
	}
	fill_slot(s);
	session_advance(s, PHASE_prove);
}

/* After failed logins: a short pause is waited for here, a long one is said to the client. */
static void pause_or_enter(Session *s)
{
	int64_t ms = login_pause(s);
	Fault why;

	if (ms == 0) {
		enter_slot(s);
		return;
	}
	if (!s->arrival->paused)
		stat_add(&s->worker->cell->stats.logins_throttled, 1);
	s->arrival->paused = true;
	if (ms <= PATIENCE_MS) {
		session_deadline(s, ms);
		return;
	}
	fault_set(&why, FAULT_LIMIT, "too many failed logins from this address at compute \"%s\"",
		  s->arrival->compute);
	fault_hint(&why, "try again in %lld s", (long long)(ms + 999) / 1000);
	session_refuse(s, &why);
}

void phase_admit_enter(Session *s)
{
	Fault why;

	if (check_networks(s, &why) && check_rate(s, &why))
		pause_or_enter(s);
	else
		session_refuse(s, &why);
}

void phase_admit_event(Session *s, Event e)
{
	if (!session_hears_client(s, e) && e == EVENT_DEADLINE)
		pause_or_enter(s);
}

void phase_admit_leave(Session *s)
{
	(void)s;
}
