#include "routing.h"

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

/*
 * The first place that names a compute wins.  The others are looked at too, so
 * that what was meant for us is taken out; but a database name stays as it is
 * when something else has named the compute.
 */
static bool find_id(const Config *conf, Startup *s, char *id, size_t size, Fault *why)
{
	char list[CONF_VALUE_MAX], *rest = list, word_id[DATABASE_NAME_MAX];

	text_copy(list, sizeof(list), conf->reveille.route_by.s);
	*id = 0;
	while (rest) {
		Look *look = look_named(text_trim(strsep(&rest, ",")));

		*word_id = 0;
		if (!look || (look == look_in_database && *id))
			continue;
		if (!look(conf, s, word_id, sizeof(word_id), why))
			return false;
		if (!*id)
			text_copy(id, size, word_id);
	}
	return *id ||
	       fault_set(why, FAULT_NO_ROUTE, "no compute is named; say which as the database");
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

bool routing_find(const Config *conf, const char *engine, Startup *s, char *compute, size_t size,
		  const Database **database, Fault *why)
{
	const Database *d;

	if (!find_id(conf, s, compute, size, why))
		return false;
	d = find_entry(conf, compute);
	if (!d || (*d->engine && strcmp(d->engine, engine) != 0) ||
	    (d->wake && !text_is_label(compute))) {
		text_printable(compute);
		return fault_set(why, FAULT_NO_ROUTE, "there is no compute \"%s\"", compute);
	}
	apply_entry(d, s);
	*database = d;
	if (buf_size(&s->pairs) > REWRITTEN_MAX)
		return fault_set(why, FAULT_BAD_MESSAGE,
				 "the startup packet, rewritten for the compute, is longer than "
				 "10000 bytes");
	return true;
}
