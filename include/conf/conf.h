/*
 * Configuration: text in, an immutable Config out.
 *
 * Pure: the supervisor reads the file once, and every process parses the same
 * bytes, so that all of them have the same configuration or none does.  A
 * reload builds a second Config and, if every line of it is good, takes its
 * place; a bad file leaves the old one in force.  Who works with a Config for
 * longer than one turn of the loop holds a reference to it.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "conf/database.h"
#include "conf/network.h"
#include "conf/peer.h"
#include "conf/user.h"

#define CONF_VALUE_MAX 1024 /* with its zero */

typedef int conf_int;
typedef bool conf_bool;
typedef int64_t conf_time; /* microseconds */
typedef int64_t conf_size; /* bytes */
typedef int conf_mode;     /* permission bits */
typedef struct conf_text {
	char s[CONF_VALUE_MAX];
} conf_text;
typedef struct conf_choice {
	char s[24];
} conf_choice;

#define CONF_FIELD_INT    conf_int
#define CONF_FIELD_BOOL   conf_bool
#define CONF_FIELD_TIME   conf_time
#define CONF_FIELD_SIZE   conf_size
#define CONF_FIELD_MODE   conf_mode
#define CONF_FIELD_TEXT   conf_text
#define CONF_FIELD_CHOICE conf_choice

typedef struct Config {
#define SECTION(name, doc)                struct {
#define SETTING(section, name, TYPE, ...) CONF_FIELD_##TYPE name;
#define SECTION_END(name) \
	}                 \
	name;
#include "conf/settings.def"
#undef SECTION
#undef SETTING
#undef SECTION_END
	bool has_control; /* a [control] section is present */
	Database *databases;
	int n_databases;
	UserEntry *users;
	int n_users;
	PeerEntry *peers; /* without the one that is ourselves */
	int n_peers;

	/* The settings of these names, read. */
	NetworkList allow, deny, proxy_protocol;
	char **control_listen; /* [control] listen */
	int n_control_listen;
	bool asks_own;        /* nobody said where the control plane is: [control] has found it */
	char **route_domains; /* in lower case */
	int n_route_domains;
	char **ignore_parameters; /* ignore_startup_parameters */
	int n_ignore_parameters;
	int first_user, last_user; /* user_range; 0 if there is none */

	int refs;
} Config;

/* What stands beside the file: "name=value" from -c and from the environment, in this order. */
typedef struct ConfOverride {
	const char *from; /* "command line" or the environment variable, for messages */
	const char *name_value;
} ConfOverride;

/*
 * Parses a whole file; NULL and *why ("FILE:LINE: …") if anything in it is wrong.
 * The caller owns the one reference of what is returned.
 */
const Config *conf_parse(const char *file, const char *text, const ConfOverride *overrides,
			 int n_overrides, Fault *why);

/* The defaults alone, for tests and for programs that need no file. */
const Config *conf_defaults(void);

const Config *conf_hold(const Config *conf);
void conf_release(const Config *conf);

static inline bool conf_is(const conf_choice *choice, const char *word)
{
	return __builtin_strcmp(choice->s, word) == 0;
}

static inline int64_t conf_ms(conf_time t)
{
	return t / 1000;
}

/*
 * Where the admin's token is: what admin_token_file says, else admin.token beside an SQLite
 * store; beside the folder of the computes if the store is a database.
 */
void conf_admin_token_file(const Config *conf, char *out, size_t size);

/* The entry that serves a compute id: its own, else "*", else NULL. */
const Database *conf_database(const Config *conf, const char *compute);

/* The entry of a user, or NULL. */
const UserEntry *conf_user(const Config *conf, const char *user);

/*
 * Copies into *next what `now` has for the settings that only a restart can
 * apply, and calls changed() with the name of each that differs.
 */
void conf_keep_restart_only(Config *next, const Config *now, void (*changed)(const char *name));

/* etc/reveille.ini, and the SETTINGS section of reveille.ini(5). */
void conf_print_ini(FILE *out);
void conf_print_man(FILE *out);

/* A line for each setting: section, name, value, default, "yes" if reloadable. */
void conf_show(const Config *conf, FILE *out);

#endif
