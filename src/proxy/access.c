#include "access.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proxy/proxy.h"
#include "sys/file.h"

#define USERLIST_MAX (16u << 20)
#define RULES_MAX    (4u << 20)

static bool load_ticket_keys(void *arg, TicketKeys *out)
{
	const Shared *sh = arg;

	/* The supervisor writes it in an instant; should it have been stopped just then, no ticket.
	 */
	for (int tries = 0; tries < 1000; tries++) {
		if (ROW_LOAD(&sh->tickets, out))
			return out->n > 0;
	}
	return false;
}

static TlsVerify verify_clients(const Config *conf)
{
	const conf_choice *mode = &conf->reveille.client_tls_sslmode;

	if (!*conf->reveille.client_tls_ca_file.s)
		return TLS_VERIFY_NONE;
	if (conf_is(mode, "verify-ca") || conf_is(mode, "verify-full"))
		return TLS_VERIFY_CA;
	return TLS_VERIFY_ASK;
}

static bool load_client_tls(Access *a, const Config *conf, const Shared *shared, Fault *why)
{
	TlsSetup setup = {.names = "client_tls",
			  .key_file = conf->reveille.client_tls_key_file.s,
			  .cert_file = conf->reveille.client_tls_cert_file.s,
			  .ca_file = conf->reveille.client_tls_ca_file.s,
			  .protocols = conf->reveille.client_tls_protocols.s,
			  .ciphers = conf->reveille.client_tls_ciphers.s,
			  .ciphers13 = conf->reveille.client_tls13_ciphers.s,
			  .curve = conf->reveille.client_tls_ecdhcurve.s,
			  .dhe = !conf_is(&conf->reveille.client_tls_dheparams, "none"),
			  .verify = verify_clients(conf),
			  .alpn = "postgresql",
			  .arg = (void *)(uintptr_t)shared};

	if (conf_is(&conf->reveille.client_tls_sslmode, "disable"))
		return true;
	if (conf->reveille.client_tls_ticket_rotate > 0)
		setup.ticket_keys = load_ticket_keys;
	a->clients = tls_server_context(&setup, why);
	return a->clients;
}

static TlsVerify verify_computes(const Config *conf)
{
	const conf_choice *mode = &conf->reveille.server_tls_sslmode;

	if (conf_is(mode, "verify-full"))
		return TLS_VERIFY_NAME;
	return conf_is(mode, "verify-ca") ? TLS_VERIFY_CA : TLS_VERIFY_NONE;
}

static bool load_compute_tls(Access *a, const Config *conf, Fault *why)
{
	TlsSetup setup = {.names = "server_tls",
			  .key_file = conf->reveille.server_tls_key_file.s,
			  .cert_file = conf->reveille.server_tls_cert_file.s,
			  .ca_file = conf->reveille.server_tls_ca_file.s,
			  .protocols = conf->reveille.server_tls_protocols.s,
			  .ciphers = conf->reveille.server_tls_ciphers.s,
			  .ciphers13 = conf->reveille.server_tls13_ciphers.s,
			  .curve = "",
			  .verify = verify_computes(conf),
			  .alpn = "postgresql"};

	if (conf_is(&conf->reveille.server_tls_sslmode, "disable"))
		return true;
	a->computes = tls_client_context(&setup, why);
	return a->computes;
}

static bool load_users(Access *a, const Config *conf, Fault *why)
{
	const char *file = conf->reveille.auth_file.s;
	char *text;

	if (!*file)
		return true;
	text = file_text(file, USERLIST_MAX, why);
	if (text)
		a->users = userlist_parse(file, text, why);
	mem_wipe_text(text);
	return a->users;
}

static bool load_hba(Access *a, const Config *conf, Fault *why)
{
	const char *file = conf->reveille.auth_hba_file.s,
		   *ident_file = conf->reveille.auth_ident_file.s;
	char *text, *ident = NULL;

	if (!conf_is(&conf->reveille.auth_type, "hba"))
		return true;
	text = file_text(file, RULES_MAX, why);
	if (text && *ident_file)
		ident = file_text(ident_file, RULES_MAX, why);
	if (text && (ident || !*ident_file))
		a->hba = hba_parse(file, text, ident_file, ident, why);
	free(text);
	free(ident);
	return a->hba;
}

/*
 * The salt that an unknown user is shown must not change where a true one does
 * not: not at a restart, nor from one proxy of a group to the next.  So its key
 * is made of what stays: the certificate's key, or else the machine's identity.
 */
static void make_mock_key(Access *a, const Config *conf, const Shared *shared)
{
	const char *file = *conf->reveille.client_tls_key_file.s
				   ? conf->reveille.client_tls_key_file.s
				   : "/etc/machine-id";
	Fault ignored;
	char *text = file_text(file, RULES_MAX, &ignored);

	if (text && *text)
		scram_mock_key(a->mock_key, span_of_text(text));
	else if (shared)
		scram_mock_key(a->mock_key, (Span){shared->hash_key, sizeof(shared->hash_key)});
	mem_wipe_text(text);
}

Access *access_load(const Config *conf, const Shared *shared, Fault *why)
{
	Access *a = NEW(Access);

	a->refs = 1;
	make_mock_key(a, conf, shared);
	if (load_client_tls(a, conf, shared, why) && load_compute_tls(a, conf, why) &&
	    load_users(a, conf, why) && load_hba(a, conf, why))
		return a;
	access_release(a);
	return NULL;
}

Access *access_hold(Access *a)
{
	a->refs++;
	return a;
}

void access_release(Access *a)
{
	if (!a || --a->refs > 0)
		return;
	tls_context_release(a->clients);
	tls_context_release(a->computes);
	userlist_free(a->users);
	hba_free(a->hba);
	free(a);
}

const char *access_secret(const Access *a, const char *user)
{
	return a->users ? userlist_find(a->users, user) : NULL;
}
