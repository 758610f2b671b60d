#include "conf/conf.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ini.h"
#include "pairs.h"
#include "type.h"
#include "whole.h"

#define ENTRIES_MAX 4096 /* of one section */

typedef enum When { RELOAD, RESTART, LATER } When;

typedef struct Setting {
	const char *section, *name;
	const Type *type;
	size_t offset;
	const char *initial, *least, *most; /* least of a CHOICE: its words */
	When when;
	const char *doc;
} Setting;

static const Setting settings[] = {
#define SECTION(name, doc)
#define SETTING(section, name, TYPE, initial, least, most, WHEN, doc)                   \
	{#section, #name, &type_##TYPE, offsetof(Config, section.name), initial, least, \
	 most,     WHEN,  doc},
#define SECTION_END(name)
#include "conf/settings.def"
#undef SECTION
#undef SETTING
#undef SECTION_END
};

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static const struct Section {
	const char *name, *doc;
} sections[] = {
#define SECTION(name, doc) {#name, doc},
#define SETTING(...)
#define SECTION_END(name)
#include "conf/settings.def"
#undef SECTION
#undef SETTING
#undef SECTION_END
	{"databases", "name = connection string; * serves every other name"},
	{"users", "name = limits and networks of one user"},
	{"peers", "peer_id = where another Reveille of the same group is"},
};

#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* What is known while a file is being read. */
typedef struct Parse {
	Config *conf;
	const char *file;
	int line;
	bool section_seen[N_SECTIONS];
	int setting_line[N_SETTINGS];         /* 0 if it does not stand in the file */
	const char *setting_from[N_SETTINGS]; /* who has overridden it, or NULL */
} Parse;

static const void *field_of(const Config *conf, const Setting *s)
{
	return (const char *)conf + s->offset;
}

/* The setting of that name; section NULL means in any. */
static const Setting *find_setting(const char *section, const char *name)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		if ((!section || strcmp(settings[i].section, section) == 0) &&
		    strcmp(settings[i].name, name) == 0)
			return &settings[i];
	}
	return NULL;
}

static bool is_choice(const char *choices, const char *word)
{
	size_t n = strlen(word);

	while (*choices) {
		size_t k = strcspn(choices, "|");

		if (k == n && strncmp(choices, word, n) == 0)
			return true;
		choices += k + (choices[k] == '|');
	}
	return false;
}

static bool in_bounds(const Setting *s, const void *field)
{
	union {
		conf_int i;
		conf_time t;
		conf_size s;
	} bound;

	if (!s->type->rank)
		return true;
	if (*s->least && s->type->parse(&bound, s->least) &&
	    s->type->rank(field) < s->type->rank(&bound))
		return false;
	return !(*s->most && s->type->parse(&bound, s->most) &&
		 s->type->rank(field) > s->type->rank(&bound));
}

static bool check_value(const Setting *s, const void *field, const char *value, Fault *why)
{
	char printed[CONF_VALUE_MAX];

	if (s->type == &type_CHOICE && !is_choice(s->least, value))
		return fault_set(why, FAULT_BAD_SETTING, "%s is one of %s, not \"%s\"", s->name,
				 s->least, value);
	if (!in_bounds(s, field))
		return fault_set(why, FAULT_BAD_SETTING, "%s must be between %s and %s, not \"%s\"",
				 s->name, s->least, s->most, value);
	s->type->print(field, printed, sizeof(printed));
	if (s->when == LATER && strcmp(printed, s->initial) != 0)
		return fault_set(
			why, FAULT_BAD_SETTING,
			"%s = %s is not available in this version; leave it at its default, "
			"\"%s\"",
			s->name, value, s->initial);
	return true;
}

static bool assign(Config *conf, const Setting *s, const char *value, Fault *why)
{
	void *field = (char *)conf + s->offset;

	if (!s->type->parse(field, value))
		return fault_set(why, FAULT_BAD_SETTING, "%s takes %s, not \"%s\"", s->name,
				 s->type->name, value);
	return check_value(s, field, value, why);
}

static Config *new_with_defaults(void)
{
	Config *conf = NEW(Config);
	Fault why;

	conf->refs = 1;
	for (size_t i = 0; i < N_SETTINGS; i++) {
		bool ok = assign(conf, &settings[i], settings[i].initial, &why);

		assert(ok);
		(void)ok;
	}
	return conf;
}

const Config *conf_defaults(void)
{
	return new_with_defaults();
}

static bool begin_section(Parse *p, const char *name, Fault *why)
{
	for (size_t i = 0; i < N_SECTIONS; i++) {
		if (strcmp(sections[i].name, name) != 0)
			continue;
		if (p->section_seen[i])
			return fault_set(why, FAULT_BAD_SETTING,
					 "section [%s] stands twice; join the two", name);
		p->section_seen[i] = true;
		p->conf->has_control |= strcmp(name, "control") == 0;
		return true;
	}
	return fault_set(why, FAULT_BAD_SETTING,
			 "no section is called [%s]; there are [databases], [users], [peers], "
			 "[reveille], [wake], [control], [kubernetes] and [process]",
			 name);
}

/* Room for one more entry of a section; NULL and *why if there are too many. */
static void *add_entry(void *entries, int *n, size_t size, const char *section, Fault *why)
{
	char *grown;

	if (*n == ENTRIES_MAX) {
		fault_set(why, FAULT_BAD_SETTING, "there are more than %d %s", ENTRIES_MAX,
			  section);
		return NULL;
	}
	grown = mem_grow(entries, size * (size_t)(*n + 1));
	memset(grown + size * (size_t)(*n)++, 0, size);
	return grown;
}

static bool add_database(Parse *p, const char *name, const char *value, Fault *why)
{
	Config *conf = p->conf;
	void *grown =
		add_entry(conf->databases, &conf->n_databases, sizeof(Database), "databases", why);
	Database *d;
	Fault inner;

	if (!grown)
		return false;
	conf->databases = grown;
	d = &conf->databases[conf->n_databases - 1];
	d->line = p->line;
	if (!pair_name(d->name, sizeof(d->name), name, why))
		return false;
	for (const Database *other = conf->databases; other < d; other++) {
		if (strcmp(other->name, d->name) == 0)
			return fault_set(why, FAULT_BAD_SETTING, "database \"%s\" stands twice",
					 d->name);
	}
	return database_parse(d, value, &inner) ||
	       fault_set(why, FAULT_BAD_SETTING, "database \"%s\": %s", d->name, inner.detail);
}

static bool add_user(Parse *p, const char *name, const char *value, Fault *why)
{
	Config *conf = p->conf;
	void *grown = add_entry(conf->users, &conf->n_users, sizeof(UserEntry), "users", why);
	UserEntry *u;
	Fault inner;

	if (!grown)
		return false;
	conf->users = grown;
	u = &conf->users[conf->n_users - 1];
	if (!pair_name(u->name, sizeof(u->name), name, why))
		return false;
	if (conf_user(conf, u->name) != u)
		return fault_set(why, FAULT_BAD_SETTING, "user \"%s\" stands twice", u->name);
	return user_parse(u, value, &inner) ||
	       fault_set(why, FAULT_BAD_SETTING, "user \"%s\": %s", u->name, inner.detail);
}

static bool add_peer(Parse *p, const char *id, const char *value, Fault *why)
{
	Config *conf = p->conf;
	void *grown = add_entry(conf->peers, &conf->n_peers, sizeof(PeerEntry), "peers", why);
	PeerEntry *peer;
	Fault inner;

	if (!grown)
		return false;
	conf->peers = grown;
	peer = &conf->peers[conf->n_peers - 1];
	if (!peer_parse(peer, id, value, &inner))
		return fault_set(why, FAULT_BAD_SETTING, "peer %.80s: %s", id, inner.detail);
	for (const PeerEntry *other = conf->peers; other < peer; other++) {
		if (other->id == peer->id)
			return fault_set(why, FAULT_BAD_SETTING, "peer %d stands twice", peer->id);
	}
	return true;
}

static bool add_setting(Parse *p, const char *section, const char *name, const char *value,
			Fault *why)
{
	const Setting *s = find_setting(section, name), *elsewhere = find_setting(NULL, name);

	if (!s && elsewhere)
		return fault_set(why, FAULT_BAD_SETTING, "%s belongs to section [%s], not [%s]",
				 name, elsewhere->section, section);
	if (!s)
		return fault_set(
			why, FAULT_BAD_SETTING,
			"no setting of section [%s] is called \"%s\"; reveille --print-ini "
			"prints all that there are",
			section, name);
	if (p->setting_line[s - settings])
		return fault_set(why, FAULT_BAD_SETTING, "%s is set twice", name);
	p->setting_line[s - settings] = p->line;
	return assign(p->conf, s, value, why);
}

static bool take_line(void *arg, const IniLine *line, Fault *why)
{
	Parse *p = arg;

	p->line = line->number;
	if (!line->name)
		return begin_section(p, line->section, why);
	if (strcmp(line->section, "databases") == 0)
		return add_database(p, line->name, line->value, why);
	if (strcmp(line->section, "users") == 0)
		return add_user(p, line->name, line->value, why);
	if (strcmp(line->section, "peers") == 0)
		return add_peer(p, line->name, line->value, why);
	return add_setting(p, line->section, line->name, line->value, why);
}

static bool take_override(Parse *p, const ConfOverride *override, Fault *why)
{
	char name[64], section[64] = "";
	const char *name_value = override->name_value, *eq = strchr(name_value, '='), *dot;
	const Setting *s;

	if (!eq || !text_copy_n(name, sizeof(name), name_value, (size_t)(eq - name_value)))
		return fault_set(why, FAULT_BAD_SETTING, "expected name=value, not \"%s\"",
				 name_value);
	dot = strchr(name, '.');
	if (dot)
		text_copy_n(section, sizeof(section), name, (size_t)(dot - name));
	s = find_setting(dot ? section : NULL, dot ? dot + 1 : name);
	if (!s)
		return fault_set(why, FAULT_BAD_SETTING, "no setting is called \"%s\"", name);
	p->setting_from[s - settings] = override->from;
	return assign(p->conf, s, eq + 1, why);
}

/* Without [databases] every name is a compute that the control plane knows. */
static void add_default_database(Parse *p)
{
	Fault why;

	for (size_t i = 0; i < N_SECTIONS; i++) {
		if (strcmp(sections[i].name, "databases") == 0 && p->section_seen[i])
			return;
	}
	if (!conf_is(&p->conf->wake.provider, "none"))
		add_database(p, "*", "wake=control_plane", &why);
}

/* Puts where it was in front of what was wrong: a line of the file if there is one. */
static bool locate(Fault *why, const char *where, int line)
{
	Fault inner = *why;

	return line ? fault_set(why, FAULT_BAD_SETTING, "%s:%d: %s", where, line, inner.detail)
		    : fault_set(why, FAULT_BAD_SETTING, "%s: %s", where, inner.detail);
}

static bool parse_file(Parse *p, const char *text, Fault *why)
{
	int line;

	return ini_parse(text, take_line, p, &line, why) || locate(why, p->file, line);
}

static bool take_overrides(Parse *p, const ConfOverride *overrides, int n, Fault *why)
{
	p->line = 0;
	for (int i = 0; i < n; i++) {
		if (!take_override(p, &overrides[i], why))
			return locate(why, overrides[i].from, 0);
	}
	return true;
}

static bool locate_setting(const Parse *p, const void *field, Fault *why)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		if (field_of(p->conf, &settings[i]) != field)
			continue;
		return p->setting_from[i] ? locate(why, p->setting_from[i], 0)
					  : locate(why, p->file, p->setting_line[i]);
	}
	return locate(why, p->file, 0);
}

static bool check_whole(Parse *p, Fault *why)
{
	const Config *conf = p->conf;
	const void *culprit;

	add_default_database(p);
	if (whole_check(p->conf, &culprit, why))
		return true;
	for (int i = 0; i < conf->n_databases; i++) {
		if (culprit == &conf->databases[i])
			return locate(why, p->file, conf->databases[i].line);
	}
	return locate_setting(p, culprit, why);
}

const Config *conf_parse(const char *file, const char *text, const ConfOverride *overrides,
			 int n_overrides, Fault *why)
{
	Parse p = {.conf = new_with_defaults(), .file = file};

	if (parse_file(&p, text, why) && take_overrides(&p, overrides, n_overrides, why) &&
	    check_whole(&p, why))
		return p.conf;
	conf_release(p.conf);
	return NULL;
}

const Config *conf_hold(const Config *conf)
{
	((Config *)(uintptr_t)conf)->refs++;
	return conf;
}

void conf_release(const Config *conf)
{
	Config *mine = (Config *)(uintptr_t)conf;

	assert(mine->refs > 0);
	if (--mine->refs > 0)
		return;
	for (int i = 0; i < mine->n_databases; i++)
		database_free(&mine->databases[i]);
	for (int i = 0; i < mine->n_users; i++)
		user_free(&mine->users[i]);
	whole_free(mine);
	free(mine->databases);
	free(mine->users);
	free(mine->peers);
	free(mine);
}

const Database *conf_database(const Config *conf, const char *compute)
{
	const Database *other = NULL;

	for (int i = 0; i < conf->n_databases; i++) {
		if (strcmp(conf->databases[i].name, compute) == 0)
			return &conf->databases[i];
		if (strcmp(conf->databases[i].name, "*") == 0)
			other = &conf->databases[i];
	}
	return other;
}

const UserEntry *conf_user(const Config *conf, const char *user)
{
	for (int i = 0; i < conf->n_users; i++) {
		if (strcmp(conf->users[i].name, user) == 0)
			return &conf->users[i];
	}
	return NULL;
}

void conf_keep_restart_only(Config *next, const Config *now, void (*changed)(const char *name))
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const Setting *s = &settings[i];

		if (s->when != RESTART ||
		    memcmp(field_of(now, s), field_of(next, s), s->type->size) == 0)
			continue;
		changed(s->name);
		memcpy((char *)next + s->offset, field_of(now, s), s->type->size);
	}
	if (next->has_control != now->has_control)
		changed("[control]");
	next->has_control = now->has_control;
	whole_keep_control(next, now);
}

static const char *when_applied(const Setting *s)
{
	switch (s->when) {
	case RELOAD:
		return "Applied on reload.";
	case RESTART:
		return "Applied on restart.";
	case LATER:
		return "Not available yet: only the default is accepted.";
	}
	return "";
}

static void print_ini_setting(FILE *out, const Setting *s)
{
	fprintf(out, "\n; %s\n", s->doc);
	if (s->type == &type_CHOICE)
		fprintf(out, "; One of: %s.\n", s->least);
	else if (*s->most)
		fprintf(out, "; From %s to %s.\n", s->least, s->most);
	fprintf(out, "; %s\n;%s =%s%s\n", when_applied(s), s->name, *s->initial ? " " : "",
		s->initial);
}

void conf_print_ini(FILE *out)
{
	fputs("; The configuration of Reveille, with every setting at its default.\n"
	      "; Printed by reveille --print-ini; reveille.ini(5) says more.\n"
	      "\n"
	      "[databases]\n"
	      "; name = connection string; the name is the compute that clients ask for\n"
	      ";legacy = host=10.0.0.5 port=5432 dbname=legacy\n"
	      "\n"
	      "; everything else is looked up, and woken, by the control plane\n"
	      "* = wake=control_plane\n"
	      "\n"
	      ";[users]\n"
	      "; name = limits and networks of one user\n"
	      ";app = max_user_client_connections=100 allow_networks=10.0.0.0/8\n"
	      "\n"
	      ";[peers]\n"
	      "; peer_id = where another Reveille of the same group is; with peer_id below\n"
	      ";2 = host=10.0.0.2 port=5432\n",
	      out);
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const Setting *s = &settings[i];

		if (i == 0 || strcmp(s->section, settings[i - 1].section) != 0) {
			for (size_t k = 0; k < N_SECTIONS; k++) {
				if (strcmp(sections[k].name, s->section) == 0)
					fprintf(out, "\n\n;;; %s\n%s[%s]\n", sections[k].doc,
						strcmp(s->section, "control") == 0 ? ";" : "",
						s->section);
			}
		}
		print_ini_setting(out, s);
	}
}

/* A hyphen that is not to be broken or turned into a dash. */
static void print_roff(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '-' ? "\\-" : *text == '\\' ? "\\\\" : "%c", *text);
}

void conf_print_man(FILE *out)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const Setting *s = &settings[i];

		if (i == 0 || strcmp(s->section, settings[i - 1].section) != 0)
			fprintf(out, ".SS [%s]\n", s->section);
		fprintf(out, ".TP\n.B %s\n", s->name);
		print_roff(out, s->doc);
		if (s->type == &type_CHOICE)
			fprintf(out, " One of: %s.", s->least);
		else if (*s->most)
			fprintf(out, " From %s to %s.", s->least, s->most);
		fprintf(out, " Default: ");
		print_roff(out, *s->initial ? s->initial : "empty");
		fprintf(out, ". %s\n", when_applied(s));
	}
}

void conf_show(const Config *conf, FILE *out)
{
	char value[CONF_VALUE_MAX];

	for (size_t i = 0; i < N_SETTINGS; i++) {
		const Setting *s = &settings[i];

		s->type->print(field_of(conf, s), value, sizeof(value));
		fprintf(out, "%s\t%s\t%s\t%s\t%s\n", s->section, s->name, value, s->initial,
			s->when == RELOAD ? "yes" : "no");
	}
}

void conf_admin_token_file(const Config *conf, char *out, size_t size)
{
	static const char sqlite[] = "sqlite:";
	const char *store = conf->control.store.s, *beside = conf->process.data_dir.s, *slash;

	if (*conf->control.admin_token_file.s) {
		text_copy(out, size, conf->control.admin_token_file.s);
		return;
	}
	if (text_starts(store, sqlite))
		beside = store + sizeof(sqlite) - 1;
	slash = strrchr(beside, '/');
	snprintf(out, size, "%.*sadmin.token", slash ? (int)(slash - beside + 1) : 0, beside);
}
