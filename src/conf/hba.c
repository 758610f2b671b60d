#include "conf/hba.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "fields.h"
#include "ident.h"

typedef enum Kind { LOCAL, HOST, HOSTSSL, HOSTNOSSL } Kind;

/* A column of databases or users. */
typedef struct Names {
	bool all, sameuser, replication;
	char **at;
	int n;
} Names;

typedef struct Rule {
	Kind kind;
	Names databases, users;
	bool every_address;
	Network network;
	HbaMethod method;
	bool wants_cert; /* clientcert=verify-ca */
	const IdentMap *map;
} Rule;

struct HbaRules {
	Rule *rules;
	int n;
	IdentMaps *maps; /* NULL without auth_ident_file */
};

typedef struct Parse {
	HbaRules *rules;
	const char *ident_file;
} Parse;

static bool bad(Fault *why, const Word *w, const char *sentence)
{
	return fault_set(why, FAULT_BAD_SETTING, "\"%.60s\"%s", w->text, sentence);
}

/* Words that may stand somewhere, and words that PostgreSQL knows there but we cannot follow. */
typedef struct Keyword {
	const char *word;
	int value;
	const char *refused; /* NULL, or why */
} Keyword;

static bool keyword_find(const Keyword *words, const Word *w, int *value, const char *unknown,
			 Fault *why)
{
	for (; words->word; words++) {
		if (!word_is(w, words->word))
			continue;
		*value = words->value;
		return !words->refused || bad(why, w, words->refused);
	}
	return bad(why, w, unknown);
}

static bool take_kind(Fields *line, Kind *out, Fault *why)
{
	static const char other_file[] =
		": other files are not read from here; put their lines into this one";
	static const char no_gss[] = ": GSS encryption is never spoken here; write host";
	static const Keyword kinds[] = {
		{"local", LOCAL, NULL},         {"host", HOST, NULL},
		{"hostssl", HOSTSSL, NULL},     {"hostnossl", HOSTNOSSL, NULL},
		{"hostgssenc", 0, no_gss},      {"hostnogssenc", 0, no_gss},
		{"include", 0, other_file},     {"include_if_exists", 0, other_file},
		{"include_dir", 0, other_file}, {NULL, 0, NULL},
	};
	const Word *w;
	int kind;

	if (!fields_take_word(line, "kind", &w, why) ||
	    !keyword_find(kinds, w, &kind,
			  " is no kind of rule; there are local, host, hostssl and hostnossl", why))
		return false;
	*out = (Kind)kind;
	return true;
}

/* Names that mean more than themselves in PostgreSQL. */
static bool check_name(const Word *w, Fault *why)
{
	if (w->quoted)
		return true;
	switch (*w->text) {
	case '+':
		return bad(why, w,
			   ": who is in a role is not known here; write the names themselves");
	case '@':
		return bad(why, w,
			   ": other files are not read from here; write the names themselves");
	case '/':
		return bad(why, w,
			   ": regular expressions are not understood here; write the names "
			   "themselves");
	}
	return true;
}

static bool add_name(Names *names, const Word *w, Fault *why)
{
	if (word_is(w, "all"))
		return names->all = true;
	if (!check_name(w, why))
		return false;
	names->at = mem_grow(names->at, sizeof(char *) * (size_t)(names->n + 1));
	names->at[names->n++] = mem_text(w->text);
	return true;
}

static bool add_database(Names *names, const Word *w, Fault *why)
{
	if (word_is(w, "sameuser"))
		return names->sameuser = true;
	if (word_is(w, "replication"))
		return names->replication = true;
	if (word_is(w, "samerole") || word_is(w, "samegroup"))
		return bad(why, w,
			   ": who is in a role is not known here; write the names themselves");
	return add_name(names, w, why);
}

static bool take_names(Fields *line, Names *names, const char *what,
		       bool (*add)(Names *names, const Word *w, Fault *why), Fault *why)
{
	Fields field = fields_take(line);

	if (field.n == 0)
		return fault_set(why, FAULT_BAD_SETTING, "the line ends before its %s", what);
	for (int i = 0; i < field.n; i++) {
		if (!add(names, &field.words[i], why))
			return false;
	}
	return true;
}

static bool take_address(Fields *line, Rule *rule, Fault *why)
{
	const Word *w, *mask;
	ClientAddress a;

	if (!fields_take_word(line, "address", &w, why))
		return false;
	if (word_is(w, "all"))
		return rule->every_address = true;
	if (word_is(w, "samehost") || word_is(w, "samenet"))
		return bad(why, w,
			   ": our own addresses are not known here; write the network itself");
	if (strchr(w->text, '/'))
		return network_parse(&rule->network, w->text, why);
	if (!client_address_parse(&a, w->text))
		return bad(why, w,
			   " is no address, and host names are not looked up here; write a "
			   "network (10.0.0.0/8) or all");
	return fields_take_word(line, "mask", &mask, why) &&
	       network_parse_mask(&rule->network, w->text, mask->text, why);
}

static bool take_method(Fields *line, Rule *rule, Fault *why)
{
	static const Keyword methods[] = {
		{"reject", HBA_REJECT, NULL},
		{"trust", HBA_TRUST, NULL},
		{"scram-sha-256", HBA_SCRAM, NULL},
		{"md5", HBA_SCRAM, NULL},
		{"password", HBA_PLAIN, NULL},
		{"cert", HBA_CERT, NULL},
		{"peer", HBA_PEER, NULL},
		{"passthrough", HBA_PASSTHROUGH, NULL},
		{NULL, 0, NULL},
	};
	const Word *w;
	int method;

	if (!fields_take_word(line, "method", &w, why) ||
	    !keyword_find(methods, w, &method,
			  " is no method here; there are trust, reject, scram-sha-256, md5 (which "
			  "means scram-sha-256), password, cert, peer and passthrough",
			  why))
		return false;
	rule->method = (HbaMethod)method;
	if (rule->method == HBA_PEER && rule->kind != LOCAL)
		return bad(why, w, " works over Unix sockets only; the rule must begin with local");
	if (rule->method == HBA_CERT && rule->kind != HOSTSSL)
		return bad(why, w, " works over TLS only; the rule must begin with hostssl");
	return true;
}

static bool take_map(const Parse *p, Rule *rule, const Word *w, const char *name, Fault *why)
{
	if (rule->method != HBA_CERT && rule->method != HBA_PEER)
		return bad(why, w, " is for methods cert and peer only");
	if (!p->rules->maps)
		return bad(why, w, " needs auth_ident_file, which has the map");
	rule->map = ident_find(p->rules->maps, name);
	return rule->map ||
	       fault_set(why, FAULT_BAD_SETTING, "\"%.60s\": there is no map of that name in %s",
			 w->text, p->ident_file);
}

static bool take_clientcert(Rule *rule, const Word *w, const char *value, Fault *why)
{
	if (rule->kind != HOSTSSL)
		return bad(why, w, " works over TLS only; the rule must begin with hostssl");
	if (rule->method == HBA_CERT)
		return strcmp(value, "verify-full") == 0 ||
		       bad(why, w, ": method cert means clientcert=verify-full; remove it");
	rule->wants_cert = strcmp(value, "verify-ca") == 0;
	return rule->wants_cert ||
	       bad(why, w,
		   " is not clientcert=verify-ca; for a certificate that names the user, "
		   "use method cert");
}

static bool take_option(const Parse *p, Rule *rule, Fields *line, Fault *why)
{
	const Word *w;

	if (!fields_take_word(line, "option", &w, why))
		return false;
	if (text_starts(w->text, "map="))
		return take_map(p, rule, w, w->text + strlen("map="), why);
	if (text_starts(w->text, "clientcert="))
		return take_clientcert(rule, w, w->text + strlen("clientcert="), why);
	return bad(why, w, " is no option; there are map=NAME and clientcert=verify-ca");
}

static bool take_rule(void *arg, Fields *line, Fault *why)
{
	Parse *p = arg;
	HbaRules *r = p->rules;
	Rule *rule;

	r->rules = mem_grow(r->rules, sizeof(Rule) * (size_t)(r->n + 1));
	rule = &r->rules[r->n++];
	memset(rule, 0, sizeof(*rule));
	if (!take_kind(line, &rule->kind, why) ||
	    !take_names(line, &rule->databases, "databases", add_database, why) ||
	    !take_names(line, &rule->users, "users", add_name, why) ||
	    (rule->kind != LOCAL && !take_address(line, rule, why)) ||
	    !take_method(line, rule, why))
		return false;
	while (line->n > 0) {
		if (!take_option(p, rule, line, why))
			return false;
	}
	return true;
}

HbaRules *hba_parse(const char *file, const char *hba_text, const char *ident_file,
		    const char *ident_text, Fault *why)
{
	HbaRules *r = NEW(HbaRules);
	Parse p = {r, ident_file};

	if (ident_text && !(r->maps = ident_parse(ident_file, ident_text, why)))
		goto fail;
	if (!fields_parse(file, hba_text, take_rule, &p, why))
		goto fail;
	if (r->n > 0)
		return r;
	fault_set(why, FAULT_BAD_SETTING, "%s: there is no rule in it, so nobody could connect",
		  file);
fail:
	hba_free(r);
	return NULL;
}

static bool has_name(const Names *names, const char *name)
{
	for (int i = 0; i < names->n; i++) {
		if (strcmp(names->at[i], name) == 0)
			return true;
	}
	return names->all;
}

static bool fits_database(const Names *names, const HbaRequest *q)
{
	if (q->replication)
		return names->replication;
	return has_name(names, q->database) || (q->detailed && has_name(names, q->detailed)) ||
	       (names->sameuser && strcmp(q->database, q->user) == 0);
}

static bool fits_way(const Rule *rule, const HbaRequest *q)
{
	if (rule->kind == LOCAL || q->client->family == 0)
		return rule->kind == LOCAL && q->client->family == 0;
	if ((rule->kind == HOSTSSL && !q->tls) || (rule->kind == HOSTNOSSL && q->tls))
		return false;
	return rule->every_address || network_has(&rule->network, q->client);
}

HbaMethod hba_match(const HbaRules *r, const HbaRequest *q, const IdentMap **map)
{
	*map = NULL;
	for (int i = 0; i < r->n; i++) {
		const Rule *rule = &r->rules[i];

		if (!fits_way(rule, q) || !fits_database(&rule->databases, q) ||
		    !has_name(&rule->users, q->user))
			continue;
		if (rule->wants_cert && !q->client_cert)
			return HBA_REJECT;
		*map = rule->map;
		return rule->method;
	}
	return HBA_REJECT;
}

static void names_free(Names *names)
{
	for (int i = 0; i < names->n; i++)
		free(names->at[i]);
	free(names->at);
}

void hba_free(HbaRules *r)
{
	if (!r)
		return;
	for (int i = 0; i < r->n; i++) {
		names_free(&r->rules[i].databases);
		names_free(&r->rules[i].users);
	}
	ident_free(r->maps);
	free(r->rules);
	free(r);
}
