#include "whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "conf/tls.h"
#include "conf/where.h"

#define DEFAULT_URL "http://127.0.0.1:8081"

static bool wrong(Fault *why, const char *sentence)
{
	return fault_set(why, FAULT_BAD_SETTING, "%s", sentence);
}

static bool take_networks(NetworkList *out, const char *name, const conf_text *text, Fault *why)
{
	Fault inner;

	return network_list_parse(out, text->s, &inner) ||
	       fault_set(why, FAULT_BAD_SETTING, "%s: %s", name, inner.detail);
}

static bool take_allow(Config *conf, Fault *why)
{
	return take_networks(&conf->allow, "allow_networks", &conf->reveille.allow_networks, why);
}

static bool take_deny(Config *conf, Fault *why)
{
	return take_networks(&conf->deny, "deny_networks", &conf->reveille.deny_networks, why);
}

static bool take_proxy_protocol(Config *conf, Fault *why)
{
	return take_networks(&conf->proxy_protocol, "proxy_protocol_networks",
			     &conf->reveille.proxy_protocol_networks, why);
}

/* The words of a list, without the empty ones. */
static char **split(const conf_text *text, int *n)
{
	char *copy = mem_text(text->s), *rest = copy, **words = NULL;

	while (rest) {
		char *word = text_trim(strsep(&rest, ","));

		if (!*word)
			continue;
		words = mem_grow(words, sizeof(char *) * (size_t)(*n + 1));
		words[(*n)++] = mem_text(word);
	}
	free(copy);
	return words;
}

static void free_words(char **words, int n)
{
	for (int i = 0; i < n; i++)
		free(words[i]);
	free(words);
}

/* Neither root nor anybody of the system. */
#define LEAST_USER 1000

static bool take_users(Config *conf, Fault *why)
{
	const char *text = conf->process.user_range.s;
	int n = 0;

	if (!*text)
		return true;
	if (sscanf(text, "%9d-%9d%n", &conf->first_user, &conf->last_user, &n) != 2 || text[n] ||
	    conf->first_user < LEAST_USER || conf->last_user < conf->first_user)
		return fault_set(
			why, FAULT_BAD_SETTING,
			"user_range takes the first and the last of numbers from %d on, as "
			"200000-299999, not \"%.80s\"",
			LEAST_USER, text);
	return true;
}

static bool is_domain(const char *name)
{
	char label[64];

	for (;;) {
		size_t n = strcspn(name, ".");

		if (!text_copy_n(label, sizeof(label), name, n) || !text_is_label(label))
			return false;
		if (!name[n])
			return true;
		name += n + 1;
	}
}

static bool take_domains(Config *conf, Fault *why)
{
	conf->route_domains = split(&conf->reveille.route_domain, &conf->n_route_domains);
	for (int i = 0; i < conf->n_route_domains; i++) {
		text_lower(conf->route_domains[i]);
		if (!is_domain(conf->route_domains[i]))
			return fault_set(why, FAULT_BAD_SETTING,
					 "route_domain takes domains as db.example.com, not "
					 "\"%.80s\"",
					 conf->route_domains[i]);
	}
	return true;
}

static bool take_ignored(Config *conf, Fault *why)
{
	conf->ignore_parameters =
		split(&conf->reveille.ignore_startup_parameters, &conf->n_ignore_parameters);
	for (int i = 0; i < conf->n_ignore_parameters; i++) {
		const char *name = conf->ignore_parameters[i];

		if (strcmp(name, "user") == 0 || strcmp(name, "database") == 0)
			return fault_set(why, FAULT_BAD_SETTING,
					 "ignore_startup_parameters cannot have %s: no client "
					 "could log in without",
					 name);
	}
	return true;
}

/* ---- the control plane ------------------------------------------------- */

static bool has_tls(const Config *conf)
{
	return *conf->control.tls_cert_file.s;
}

static bool check_listen(const Config *conf, const char *text, Fault *why)
{
	Where where;

	if (!where_parse(&where, text))
		return fault_set(
			why, FAULT_BAD_SETTING,
			"[control] listen takes ADDRESS:PORT or the path of a Unix socket, "
			"not \"%.80s\"",
			text);
	if (where_is_private(&where) || has_tls(conf))
		return true;
	return fault_set(why, FAULT_BAD_SETTING,
			 "[control] listen = %.80s is not on loopback, so it needs TLS: set "
			 "tls_cert_file and tls_key_file, or use 127.0.0.1:PORT or a path",
			 text);
}

static bool take_listen(Config *conf, Fault *why)
{
	conf->control_listen = split(&conf->control.listen, &conf->n_control_listen);
	if (conf->n_control_listen == 0)
		return wrong(why, "[control] listen is empty, so nobody could reach it");
	for (int i = 0; i < conf->n_control_listen; i++) {
		if (!check_listen(conf, conf->control_listen[i], why))
			return false;
	}
	return true;
}

static bool check_control_key(Config *conf, Fault *why)
{
	if (!*conf->control.tls_key_file.s == !has_tls(conf))
		return true;
	return wrong(why, "[control] tls_cert_file and tls_key_file need each other");
}

/* How the proxy of this process tree gets there: without a certificate that it would have to trust.
 */
static bool find_own_url(Config *conf, char *url, size_t size, Fault *why)
{
	for (int i = 0; i < conf->n_control_listen; i++) {
		const char *where = conf->control_listen[i];
		bool path = strchr("/@", *where);

		if (!path && has_tls(conf))
			continue;
		snprintf(url, size, path ? "unix:%.1000s" : "http://%.1000s", where);
		return true;
	}
	return wrong(why,
		     "[control] listens with TLS only: add a Unix socket to [control] listen for "
		     "the proxy of this process tree, or set [wake] control_plane_url and "
		     "ca_file");
}

/* What is asked of a Unix socket stands behind a second colon. */
static void end_unix_url(char *url, size_t size)
{
	size_t n = strlen(url);

	if (text_starts(url, "unix:") && !strchr(url + 5, ':') && n + 1 < size)
		memcpy(url + n, ":", 2);
}

/* Unless it is said otherwise, the control plane is the one of this process tree. */
static bool find_url(Config *conf, Fault *why)
{
	char *url = conf->wake.control_plane_url.s;
	size_t size = sizeof(conf->wake.control_plane_url.s);

	conf->asks_own = strcmp(url, DEFAULT_URL) == 0;
	if (conf->has_control && conf->asks_own && conf_is(&conf->wake.provider, "control_plane") &&
	    !find_own_url(conf, url, size, why))
		return false;
	while (*url && url[strlen(url) - 1] == '/')
		url[strlen(url) - 1] = 0;
	end_unix_url(url, size);
	return true;
}

void whole_keep_control(Config *next, const Config *now)
{
	Fault why;

	free_words(next->control_listen, next->n_control_listen);
	next->n_control_listen = 0;
	take_listen(next, &why); /* which was good at the start */
	if (!next->asks_own)
		return;
	text_copy(next->wake.control_plane_url.s, sizeof(next->wake.control_plane_url.s),
		  DEFAULT_URL);
	if (!find_url(next, &why))
		next->wake.control_plane_url = now->wake.control_plane_url;
}

/* ---- what else must fit together --------------------------------------- */

static bool check_provider(Config *conf, Fault *why)
{
	if (conf_is(&conf->wake.provider, "kubernetes"))
		return wrong(why, "[wake] provider = kubernetes is not available in this version; "
				  "use control_plane or none");
	return true;
}

static bool check_store(Config *conf, Fault *why)
{
	const char *store = conf->control.store.s;

	return text_starts(store, "sqlite:") || text_starts(store, "postgresql://") ||
	       text_starts(store, "postgres://") ||
	       wrong(why, "[control] store must be sqlite:/path/of/a/file or "
			  "postgresql://user@host/database");
}

static bool check_separator(Config *conf, Fault *why)
{
	return *conf->reveille.route_separator.s || wrong(why, "route_separator may not be empty");
}

static bool check_versions(const char *name, const conf_text *words, Fault *why)
{
	return conf_tls_versions(words->s) ||
	       fault_set(why, FAULT_BAD_SETTING,
			 "%s is a list of tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, all, secure and "
			 "legacy, not \"%.80s\"",
			 name, words->s);
}

static bool check_client_versions(Config *conf, Fault *why)
{
	return check_versions("client_tls_protocols", &conf->reveille.client_tls_protocols, why);
}

static bool check_server_versions(Config *conf, Fault *why)
{
	return check_versions("server_tls_protocols", &conf->reveille.server_tls_protocols, why);
}

static bool verifies(const conf_choice *sslmode)
{
	return conf_is(sslmode, "verify-ca") || conf_is(sslmode, "verify-full");
}

static bool mode_needs(const char *name, const conf_choice *mode, const char *what, Fault *why)
{
	return fault_set(why, FAULT_BAD_SETTING, "%s = %s needs %s", name, mode->s, what);
}

static bool check_client_tls(Config *conf, Fault *why)
{
	const conf_choice *mode = &conf->reveille.client_tls_sslmode;

	if (conf_is(mode, "disable"))
		return true;
	if (!*conf->reveille.client_tls_key_file.s || !*conf->reveille.client_tls_cert_file.s)
		return mode_needs("client_tls_sslmode", mode,
				  "client_tls_key_file and client_tls_cert_file", why);
	if (verifies(mode) && !*conf->reveille.client_tls_ca_file.s)
		return mode_needs("client_tls_sslmode", mode, "client_tls_ca_file", why);
	return true;
}

static bool check_server_tls(Config *conf, Fault *why)
{
	const conf_choice *mode = &conf->reveille.server_tls_sslmode;

	if (verifies(mode) && !*conf->reveille.server_tls_ca_file.s)
		return mode_needs("server_tls_sslmode", mode, "server_tls_ca_file", why);
	return true;
}

static bool check_server_key(Config *conf, Fault *why)
{
	if (!*conf->reveille.server_tls_key_file.s == !*conf->reveille.server_tls_cert_file.s)
		return true;
	return wrong(why, "server_tls_key_file and server_tls_cert_file need each other");
}

static bool check_auth_type(Config *conf, Fault *why)
{
	const conf_choice *type = &conf->reveille.auth_type;

	if (conf_is(type, "hba") && !*conf->reveille.auth_hba_file.s)
		return mode_needs("auth_type", type, "auth_hba_file", why);
	if (!conf_is(type, "cert"))
		return true;
	if (!*conf->reveille.client_tls_ca_file.s)
		return mode_needs("auth_type", type, "client_tls_ca_file", why);
	if (conf_is(&conf->reveille.client_tls_sslmode, "disable"))
		return mode_needs("auth_type", type, "a client_tls_sslmode other than disable",
				  why);
	return true;
}

static bool check_auth_query(Config *conf, Fault *why)
{
	return strstr(conf->reveille.auth_query.s, "$1") ||
	       wrong(why, "auth_query needs a $1, which is the user's name");
}

/* Where auth_query is asked must be up by itself: to ask may not wake, nor cost anyone. */
static bool check_asked(const Config *conf, const char *name, Fault *why)
{
	const Database *d = conf_database(conf, name);

	if (!*name || (d && !d->wake))
		return true;
	return fault_set(why, FAULT_BAD_SETTING,
			 d ? "auth_dbname = %.80s names an entry that wakes, and to ask there "
			     "would wake it; name one with host=…"
			   : "auth_dbname = %.80s names no entry of [databases]; name one with "
			     "host=…",
			 name);
}

static bool check_auth_dbname(Config *conf, Fault *why)
{
	return check_asked(conf, conf->reveille.auth_dbname.s, why);
}

/* The entry of this very process tree may stand there, so that all can share one section. */
static void drop_own_peer(Config *conf)
{
	int kept = 0;

	for (int i = 0; i < conf->n_peers; i++) {
		if (conf->peers[i].id != conf->reveille.peer_id)
			conf->peers[kept++] = conf->peers[i];
	}
	conf->n_peers = kept;
}

static bool check_peers(Config *conf, Fault *why)
{
	if (conf->n_peers > 0 && conf->reveille.peer_id == 0)
		return wrong(why, "[peers] needs peer_id, which says who of the group this is");
	drop_own_peer(conf);
	return true;
}

static const struct Check {
	size_t blamed; /* a setting, by its place in Config */
	bool (*check)(Config *conf, Fault *why);
} checks[] = {
#define BLAMES(setting) offsetof(Config, setting)
	{BLAMES(control.listen), take_listen},
	{BLAMES(control.tls_key_file), check_control_key},
	{BLAMES(wake.control_plane_url), find_url},
	{BLAMES(wake.provider), check_provider},
	{BLAMES(control.store), check_store},
	{BLAMES(reveille.route_separator), check_separator},
	{BLAMES(reveille.route_domain), take_domains},
	{BLAMES(reveille.ignore_startup_parameters), take_ignored},
	{BLAMES(reveille.allow_networks), take_allow},
	{BLAMES(reveille.deny_networks), take_deny},
	{BLAMES(reveille.proxy_protocol_networks), take_proxy_protocol},
	{BLAMES(reveille.client_tls_protocols), check_client_versions},
	{BLAMES(reveille.client_tls_sslmode), check_client_tls},
	{BLAMES(reveille.server_tls_protocols), check_server_versions},
	{BLAMES(reveille.server_tls_sslmode), check_server_tls},
	{BLAMES(reveille.server_tls_key_file), check_server_key},
	{BLAMES(reveille.auth_type), check_auth_type},
	{BLAMES(reveille.auth_query), check_auth_query},
	{BLAMES(reveille.auth_dbname), check_auth_dbname},
	{BLAMES(reveille.peer_id), check_peers},
	{BLAMES(process.user_range), take_users},
#undef BLAMES
};

static bool check_database(const Config *conf, const Database *d, Fault *why)
{
	Fault inner;

	if (d->wake && conf_is(&conf->wake.provider, "none"))
		return fault_set(why, FAULT_BAD_SETTING,
				 "database \"%s\" has wake=control_plane, but [wake] provider is "
				 "none",
				 d->name);
	return check_asked(conf, d->auth_dbname, &inner) ||
	       fault_set(why, FAULT_BAD_SETTING, "database \"%s\": %s", d->name, inner.detail);
}

bool whole_check(Config *conf, const void **culprit, Fault *why)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		*culprit = (char *)conf + checks[i].blamed;
		if (!checks[i].check(conf, why))
			return false;
	}
	for (int i = 0; i < conf->n_databases; i++) {
		*culprit = &conf->databases[i];
		if (!check_database(conf, &conf->databases[i], why))
			return false;
	}
	return true;
}

void whole_free(Config *conf)
{
	network_list_free(&conf->allow);
	network_list_free(&conf->deny);
	network_list_free(&conf->proxy_protocol);
	free_words(conf->control_listen, conf->n_control_listen);
	free_words(conf->route_domains, conf->n_route_domains);
	free_words(conf->ignore_parameters, conf->n_ignore_parameters);
}
