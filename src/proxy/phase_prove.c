/*
 * prove: the client shows that it is who it says, before it can cost anyone a wake.
 *
 * The control plane's rules hold for everybody.  Then it is asked for a secret
 * (proving.c), or something else vouches for it: its certificate, the kernel, the
 * configuration.  (With passthrough the compute judges.)
 */
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/text.h"
#include "model/bucket.h"
#include "phases.h"
#include "proving.h"
#include "sys/clock.h"
#include "throttling.h"
#include "worker.h"

/* What the entry says counts for the compute; else what auth_file has for the user that goes there.
 */
static const char *password_for_compute(const Session *s)
{
	const Arrival *a = s->arrival;
	const Database *d = a->database;
	const Proving *p = s->work;
	const char *secret;

	if (*d->password)
		return userlist_is_plain(d->password) ? d->password : NULL;
	if (!*d->user || strcmp(d->user, a->user) == 0)
		return p->password;
	secret = access_secret(s->arrival->access, d->user);
	return userlist_is_plain(secret) ? secret : NULL;
}

/* The client may come in; from here on what the compute asks is ours to answer. */
void prove_accept(Session *s)
{
	OwnLogin *own = &s->arrival->login.own;
	const char *password = password_for_compute(s);
	Buf welcome = {0};

	own->on = true;
	s->arrival->own_password = password ? mem_text(password) : NULL;
	own->password = s->arrival->own_password;
	own->user = startup_get(&s->arrival->hello.startup, "user");
	if (*s->arrival->database->user && strcmp(own->user, s->arrival->user) != 0)
		own->has_keys = false;
	login_passed(s);
	s->proto->welcome(&welcome);
	stream_send(&s->client.stream, buf_span(&welcome));
	buf_free(&welcome);
	session_advance(s, PHASE_queue);
}

bool prove_allows(const Session *s, const CredentialInfo *info, Fault *why)
{
	const Arrival *a = s->arrival;
	uint8_t key[CLIENT_KEY_MAX + ROUTE_NAME_SIZE];
	size_t n = client_key(&a->from, key), k = strlen(a->compute);

	if (info->networks && (info->networks->n > 0 || info->networks->unix_too) &&
	    !network_list_has(info->networks, &a->from))
		return fault_set(why, FAULT_REFUSED,
				 "connections from this address to compute \"%s\" are not allowed",
				 a->compute);
	memcpy(key + n, a->compute, k);
	if (bucket_take(s->worker->shared, BUCKET_COMPUTE_CONNECTS, key, n + k, clock_us(),
			info->connect_rate, info->connect_burst)) {
		fault_set(why, FAULT_LIMIT, "too many connections a second to compute \"%s\"",
			  a->compute);
		return fault_hint(why, "the limit is the project's connect_rate");
	}
	return true;
}

static void refuse_identity(Session *s, const char *what)
{
	char name[NAME_SIZE];
	Fault why;

	login_failed(s);
	text_copy(name, sizeof(name), s->arrival->user);
	text_printable(name);
	fault_set(&why, FAULT_REFUSED, "%s authentication failed for user \"%s\"", what, name);
	session_refuse(s, &why);
}

/* For a client that need not say anything: its secret in auth_file serves us at the compute. */
static void accept_known(Session *s)
{
	const char *secret = access_secret(s->arrival->access, s->arrival->user);
	Proving *p = s->work;
	Buf first = {0};

	if (userlist_is_plain(secret))
		p->password = mem_text(secret);
	session_negotiate(s, &first);
	proving_say(s, &first);
	prove_accept(s);
}

/* As PgBouncer has it: whoever is trusted has to be known, where there is a list; any is any. */
static void trust(Session *s)
{
	bool listed = access_secret(s->arrival->access, s->arrival->user);

	if (s->arrival->access->users && !listed && !conf_is(&s->conf->reveille.auth_type, "any"))
		refuse_identity(s, "trust");
	else
		accept_known(s);
}

static void check_certificate(Session *s)
{
	const Arrival *a = s->arrival;
	const Tls *tls = s->client.stream.tls;
	char name[TLS_NAME_MAX];

	if (tls && tls_peer(tls, name) && *name && ident_allows(a->map, name, a->user))
		accept_known(s);
	else
		refuse_identity(s, "certificate");
}

static void check_peer(Session *s)
{
	const Arrival *a = s->arrival;
	struct ucred cred;
	socklen_t size = sizeof(cred);
	const struct passwd *pw = NULL;

	if (a->from.family == 0 && !a->relayed &&
	    getsockopt(s->client.stream.fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0)
		pw = getpwuid(cred.uid);
	if (pw && ident_allows(a->map, pw->pw_name, a->user))
		accept_known(s);
	else
		refuse_identity(s, "peer");
}

static void ask_in_clear(Session *s)
{
	Fault why;

	if (s->arrival->from.family == 0 || s->client.stream.tls) {
		proving_begin(s, PROOF_PASSWORD);
		return;
	}
	fault_set(&why, FAULT_REFUSED, "a password in clear is taken only over TLS");
	fault_hint(&why, "connect with sslmode=require, or let the proxy ask for scram-sha-256");
	session_refuse(s, &why);
}

static void begin(Session *s)
{
	switch (s->arrival->method) {
	case HBA_PASSTHROUGH:
		session_advance(s, PHASE_queue);
		break;
	case HBA_TRUST:
		trust(s);
		break;
	case HBA_CERT:
		check_certificate(s);
		break;
	case HBA_PEER:
		check_peer(s);
		break;
	case HBA_PLAIN:
		ask_in_clear(s);
		break;
	default:
		proving_begin(s, PROOF_SCRAM);
	}
}

/* The control plane's rules hold whoever judges the client. */
static void let_through(Session *s, const CredentialInfo *info)
{
	Fault why;

	if (!info || prove_allows(s, info, &why))
		begin(s);
	else
		session_refuse(s, &why);
}

/* A control plane that does not answer keeps nobody from a compute that runs. */
static void on_rules(void *arg, const CredentialInfo *info, const Fault *why)
{
	Session *s = arg;
	Proving *p = s->work;

	(void)why;
	p->wait = NULL;
	let_through(s, info);
}

static void find_rules(Session *s)
{
	Proving *p = s->work;
	CredentialWish wish = proving_wish(s);
	CredentialInfo info;

	wish.rules_only = true;
	wish.on_credential = on_rules;
	if (credential_now(s->worker->credentials, &wish, &info))
		let_through(s, &info);
	else
		p->wait = credential_ask(s->worker->credentials, &wish);
}

/* Who is asked for a secret tells the rules too. */
static bool asks_control_plane_anyway(const Session *s)
{
	const Arrival *a = s->arrival;

	return (a->method == HBA_SCRAM || a->method == HBA_PLAIN) &&
	       !access_secret(s->arrival->access, a->user);
}

static bool has_rules(const Session *s)
{
	const conf_choice *ask = &s->conf->wake.access_control;

	return s->arrival->database->wake && conf_is(&s->conf->wake.provider, "control_plane") &&
	       (conf_is(ask, "yes") || (conf_is(ask, "auto") && s->conf->has_control));
}

void phase_prove_enter(Session *s)
{
	s->work = NEW(Proving);
	session_deadline(s, session_login_left_ms(s));
	if (has_rules(s) && !asks_control_plane_anyway(s))
		find_rules(s);
	else
		begin(s);
}

static void too_late(Session *s)
{
	Fault why;

	fault_set(&why, FAULT_LOGIN_TIMEOUT,
		  "the client did not prove who it is within client_login_timeout");
	session_refuse(s, &why);
}

void phase_prove_event(Session *s, Event e)
{
	if (session_hears_client(s, e)) {
		if (session_is_in(s, PHASE_prove))
			proving_hear(s);
	} else if (e == EVENT_DEADLINE) {
		too_late(s);
	}
}

void phase_prove_leave(Session *s)
{
	Proving *p = s->work;

	session_no_stranger(s);
	if (p->wait)
		credential_forget(p->wait);
	if (p->stretch)
		stretch_cancel(p->stretch);
	proof_free(&p->proof);
	mem_wipe_text(p->password);
	free(p);
	s->work = NULL;
}
