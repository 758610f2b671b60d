#include "conf/conf.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ini.h"
#include "type.h"

#define DATABASES_MAX 4096

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
	{"users", "settings for one user (comes later)"},
	{"peers", "other proxies of the same group (comes later)"},
};

#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* What is known while a file is being read. */
typedef struct Parse {
	Config *conf;
	bool section_seen[N_SECTIONS];
	bool setting_seen[N_SETTINGS];
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

static bool add_database(Config *conf, const char *name, const char *value, Fault *why)
{
	Database *d;
	Fault inner;

	for (int i = 0; i < conf->n_databases; i++) {
		if (strcmp(conf->databases[i].name, name) == 0)
			return fault_set(why, FAULT_BAD_SETTING, "database \"%s\" stands twice",
					 name);
	}
	if (conf->n_databases == DATABASES_MAX)
		return fault_set(why, FAULT_BAD_SETTING, "there are more than %d databases",
				 DATABASES_MAX);
	conf->databases =
		mem_grow(conf->databases, sizeof(Database) * (size_t)(conf->n_databases + 1));
	d = &conf->databases[conf->n_databases++];
	memset(d, 0, sizeof(*d));
	if (!text_copy(d->name, sizeof(d->name), name))
		return fault_set(why, FAULT_BAD_SETTING,
				 "the name \"%.80s…\" is longer than %zu bytes", name,
				 sizeof(d->name) - 1);
	return database_parse(d, value, &inner) ||
	       fault_set(why, FAULT_BAD_SETTING, "database \"%s\": %s", name, inner.detail);
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
	if (p->setting_seen[s - settings])
		return fault_set(why, FAULT_BAD_SETTING, "%s is set twice", name);
	p->setting_seen[s - settings] = true;
	return assign(p->conf, s, value, why);
}

static bool take_line(void *arg, const IniLine *line, Fault *why)
{
	Parse *p = arg;

	if (!line->name)
		return begin_section(p, line->section, why);
	if (strcmp(line->section, "databases") == 0)
		return add_database(p->conf, line->name, line->value, why);
	if (strcmp(line->section, "users") == 0 || strcmp(line->section, "peers") == 0)
		return fault_set(why, FAULT_BAD_SETTING,
				 "section [%s] takes no entries in this version; remove \"%s\"",
				 line->section, line->name);
	return add_setting(p, line->section, line->name, line->value, why);
}

static bool take_override(Config *conf, const char *name_value, Fault *why)
{
	char name[64], section[64] = "";
	const char *eq = strchr(name_value, '='), *dot;
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
	return assign(conf, s, eq + 1, why);
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
		add_database(p->conf, "*", "wake=control_plane", &why);
}

/* What no single line can tell. */
static bool check_whole(Config *conf, Fault *why)
{
	char *url = conf->wake.control_plane_url.s;

	while (*url && url[strlen(url) - 1] == '/')
		url[strlen(url) - 1] = 0;
	for (int i = 0; i < conf->n_databases; i++) {
		if (conf->databases[i].wake && conf_is(&conf->wake.provider, "none"))
			return fault_set(
				why, FAULT_BAD_SETTING,
				"database \"%s\" has wake=control_plane, but [wake] provider "
				"is none",
				conf->databases[i].name);
	}
	if (conf_is(&conf->wake.provider, "kubernetes"))
		return fault_set(
			why, FAULT_BAD_SETTING,
			"[wake] provider = kubernetes is not available in this version; use "
			"control_plane or none");
	if (!text_starts(conf->control.store.s, "sqlite:"))
		return fault_set(why, FAULT_BAD_SETTING,
				 "[control] store = %s is not available in this version; use "
				 "sqlite:/path/of/a/file",
				 conf->control.store.s);
	if (!*conf->reveille.route_separator.s)
		return fault_set(why, FAULT_BAD_SETTING, "route_separator may not be empty");
	return true;
}

/* Puts where it was in front of what was wrong. */
static void locate(Fault *why, const char *where)
{
	Fault inner = *why;

	fault_set(why, FAULT_BAD_SETTING, "%s: %s", where, inner.detail);
}

const Config *conf_parse(const char *file, const char *text, const ConfOverride *overrides,
			 int n_overrides, Fault *why)
{
	Parse p = {.conf = new_with_defaults()};
	char where[300];
	int line = 0;

	if (!ini_parse(text, take_line, &p, &line, why)) {
		snprintf(where, sizeof(where), "%s:%d", file, line);
		goto fail;
	}
	for (int i = 0; i < n_overrides; i++) {
		snprintf(where, sizeof(where), "%s", overrides[i].from);
		if (!take_override(p.conf, overrides[i].name_value, why))
			goto fail;
	}
	add_default_database(&p);
	snprintf(where, sizeof(where), "%s", file);
	if (!check_whole(p.conf, why))
		goto fail;
	return p.conf;
fail:
	locate(why, where);
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
	free(mine->databases);
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
	      "* = wake=control_plane\n",
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
