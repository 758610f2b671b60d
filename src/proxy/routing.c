#include "routing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* The server's limit for a whole startup packet holds for what we make of one, too. */
#define REWRITTEN_MAX (10000 - 9)

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The length of the next word of an options text: a backslash keeps what follows it. */
static size_t word_length(const char *at)
{
	size_t n = 0;

	while (at[n] && !is_space(at[n]))
		n += at[n] == '\\' && at[n + 1] ? 2 : 1;
	return n;
}

/* "endpoint=ID" or "project=ID": where the ID begins, else NULL. */
static const char *id_in_word(const char *word, size_t n)
{
	static const char *const names[] = {"endpoint=", "project="};

	for (int i = 0; i < 2; i++) {
		size_t k = strlen(names[i]);

		if (n > k && strncmp(word, names[i], k) == 0)
			return word + k;
	}
	return NULL;
}

static bool is_switch_c(const char *word, size_t n)
{
	return n == 2 && word[0] == '-' && word[1] == 'c';
}

/*
 * Copies the options without the words that name a compute, and without the -c
 * that stood before one.  The last one named counts.
 */
static void split_options(const char *options, char *id, size_t size, char *rest, bool *fits)
{
	size_t out = 0, before_c = 0;
	bool after_c = false;

	*id = 0;
	*fits = true;
	while (*options) {
		size_t n, skip;
		const char *found;

		options += strspn(options, " \t\n");
		n = word_length(options);
		skip = n > 2 && options[0] == '-' && strchr("c-", options[1]) ? 2 : 0;
		found = id_in_word(options + skip, n - skip);
		if (found && (skip || after_c || options[0] != '-')) {
			*fits &= text_copy_n(id, size, found, n - (size_t)(found - options));
			if (after_c)
				out = before_c;
		} else if (n > 0) {
			before_c = out;
			if (out > 0)
				rest[out++] = ' ';
			memcpy(rest + out, options, n);
			out += n;
		}
		after_c = !found && is_switch_c(options, n);
		options += n;
	}
	rest[out] = 0;
}

typedef bool Look(const Config *conf, Startup *s, char *id, size_t size, Fault *why);

static bool too_long(Fault *why)
{
	return fault_set(why, FAULT_NO_ROUTE, "the compute's name is longer than 63 characters");
}

/* endpoint$ID$user or endpoint$ID;user */
static bool look_in_user(const Config *conf, Startup *s, char *id, size_t size, Fault *why)
{
	static const char prefix[] = "endpoint$";
	const char *user = startup_get(s, "user");
	size_t n;
	char *real;

	(void)conf;
	if (!user || !text_starts(user, prefix))
		return true;
	user += sizeof(prefix) - 1;
	n = strcspn(user, "$;");
	if (!user[n] || !user[n + 1])
		return true;
	if (!text_copy_n(id, size, user, n))
		return too_long(why);
	real = mem_text(user + n + 1);
	startup_set(s, "user", real);
	free(real);
	return true;
}

/* The options, and the prefix of the user for clients that have none. */
static bool look_in_options(const Config *conf, Startup *s, char *id, size_t size, Fault *why)
{
	const char *options = startup_get(s, "options");
	char *rest;
	bool fits;

	(void)conf;
	if (!options)
		return look_in_user(conf, s, id, size, why);
	rest = mem_new(strlen(options) + 2, 1);
	split_options(options, id, size, rest, &fits);
	if (*id)
		startup_set(s, "options", *rest ? rest : NULL);
	free(rest);
	if (!fits)
		return too_long(why);
	return *id || look_in_user(conf, s, id, size, why);
}

static bool look_in_database(const Config *conf, Startup *s, char *id, size_t size, Fault *why)
{
	const char *database = startup_get(s, "database"), *separator;
	char *real;

	/* As the server has it: without a database, the user's name is meant. */
	if (!database || !*database)
		database = startup_get(s, "user");
	separator = strstr(database, conf->reveille.route_separator.s);
	if (!separator)
		return text_copy(id, size, database) || too_long(why);
	if (!text_copy_n(id, size, database, (size_t)(separator - database)))
		return too_long(why);
	real = mem_text(separator + strlen(conf->reveille.route_separator.s));
	startup_set(s, "database", *real ? real : NULL);
	free(real);
	return true;
}

static Look *look_named(const char *word)
{
	if (strcmp(word, "options") == 0)
		return look_in_options;
	if (strcmp(word, "user") == 0)
		return look_in_user;
	if (strcmp(word, "database") == 0)
		return look_in_database;
	return NULL;
}

/* The label before one of route_domain's domains; "" if the name is in none of them. */
static bool id_of_server_name(const Config *conf, const char *server_name, char *id, size_t size,
			      Fault *why)
{
	size_t n = strcspn(server_name, ".");

	*id = 0;
	for (int i = 0; server_name[n] && i < conf->n_route_domains; i++) {
		if (strcasecmp(server_name + n + 1, conf->route_domains[i]) == 0)
			return text_copy_n(id, size, server_name, n) || too_long(why);
	}
	return true;
}

static bool is_listed(const Config *conf, const char *wanted)
{
	char list[sizeof(conf->reveille.route_by.s)], *rest = list;

	text_copy(list, sizeof(list), conf->reveille.route_by.s);
	while (rest) {
		if (strcmp(text_trim(strsep(&rest, ",")), wanted) == 0)
			return true;
	}
	return false;
}

static bool names_compute(const Config *conf, const Startup *s)
{
	const char *database = startup_get(s, "database");

	return database && strstr(database, conf->reveille.route_separator.s);
}

/*
 * The first place that names a compute wins.  The others are looked at too, so
 * that what was meant for us is taken out; but a database name stays as it is
 * when something else has named the compute, unless it names it again.
 */
static bool find_in_startup(const Config *conf, Startup *s, const char *by_server_name, char *id,
			    size_t size, Fault *why)
{
	char list[sizeof(conf->reveille.route_by.s)], *rest = list, word_id[DATABASE_NAME_MAX];

	text_copy(list, sizeof(list), conf->reveille.route_by.s);
	*id = 0;
	while (rest) {
		Look *look = look_named(text_trim(strsep(&rest, ",")));

		*word_id = 0;
		if (!look || (look == look_in_database && *id))
			continue;
		if (look == look_in_database && *by_server_name && !names_compute(conf, s))
			continue;
		if (!look(conf, s, word_id, sizeof(word_id), why))
			return false;
		if (!*id)
			text_copy(id, size, word_id);
	}
	return true;
}

/* The server name and the startup packet have to agree, if both name a compute. */
static bool find_id(const Config *conf, const char *server_name, Startup *s, char *id, size_t size,
		    Fault *why)
{
	char by_name[DATABASE_NAME_MAX] = "";

	if (is_listed(conf, "sni") &&
	    !id_of_server_name(conf, server_name, by_name, sizeof(by_name), why))
		return false;
	if (!find_in_startup(conf, s, by_name, id, size, why))
		return false;
	if (!*by_name)
		return *id || fault_set(why, FAULT_NO_ROUTE,
					"no compute is named; say which as the database");
	if (*id && strcasecmp(id, by_name) != 0) {
		text_printable(by_name);
		text_printable(id);
		return fault_set(why, FAULT_NO_ROUTE,
				 "the server name asks for compute \"%s\", but the startup packet "
				 "for \"%s\"",
				 by_name, id);
	}
	return text_copy(id, size, by_name);
}

/* What an entry of [databases] says about the session on the compute. */
static void apply_entry(const Database *d, Startup *s)
{
	if (*d->dbname)
		startup_set(s, "database", d->dbname);
	if (*d->user)
		startup_set(s, "user", d->user);
	if (*d->client_encoding)
		startup_set(s, "client_encoding", d->client_encoding);
	if (*d->datestyle)
		startup_set(s, "datestyle", d->datestyle);
	if (*d->timezone)
		startup_set(s, "timezone", d->timezone);
	if (*d->application_name)
		startup_set(s, "application_name", d->application_name);
}

/* An entry's own name is compared as it is, an id in lower case. */
static const Database *find_entry(const Config *conf, char *id)
{
	const Database *d = conf_database(conf, id);

	if (d && strcmp(d->name, "*") != 0)
		return d;
	text_lower(id);
	return conf_database(conf, id);
}

bool routing_find(const Config *conf, const char *engine, const char *server_name, Startup *s,
		  char *compute, size_t size, const Database **database, Fault *why)
{
	const Database *d;

	if (!find_id(conf, server_name, s, compute, size, why))
		return false;
	d = find_entry(conf, compute);
	if (!d || (*d->engine && strcmp(d->engine, engine) != 0) ||
	    (d->wake && !text_is_label(compute))) {
		text_printable(compute);
		return fault_set(why, FAULT_NO_ROUTE, "there is no compute \"%s\"", compute);
	}
	*database = d;
	return true;
}

static void append_host(Startup *s, const char *client)
{
	const char *said = startup_get(s, "application_name");
	const char *name = said && *said ? said : "app";
	size_t n = strlen(name) + strlen(client) + sizeof(" - ");
	char *with_host = mem_new(n, 1);

	snprintf(with_host, n, "%s - %s", name, client);
	startup_set(s, "application_name", with_host);
	free(with_host);
}

bool routing_apply(const Config *conf, const Database *d, const char *client, Startup *s,
		   Fault *why)
{
	for (int i = 0; i < conf->n_ignore_parameters; i++)
		startup_set(s, conf->ignore_parameters[i], NULL);
	apply_entry(d, s);
	if (conf->reveille.application_name_add_host)
		append_host(s, client);
	if (buf_size(&s->pairs) > REWRITTEN_MAX)
		return fault_set(why, FAULT_BAD_MESSAGE,
				 "the startup packet, rewritten for the compute, is longer than "
				 "10000 bytes");
	return true;
}
