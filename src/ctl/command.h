/*
 * What was asked on the command line, as data: a row of commands.def, its
 * argument, and the values of its options.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "base/fault.h"

#define SETTINGS_MOST 64

typedef enum Place { BODY, BODY_NUMBER, CONFIG_NUMBER, CONFIG_ANY, QUERY, PATH } Place;

typedef struct Option {
	const char *name, *value_name; /* value_name NULL: a switch */
	Place place;
	const char *key, *doc;
} Option;

typedef struct Command {
	const char *words, *argument, *options;
	const char *method, *path;
	const char *list, *columns, *done;
	const char *doc;
} Command;

#define COMMAND(...)
#define OPTION(...) +1
enum {
	N_OPTIONS = 0
#include "commands.def"
};
#undef COMMAND
#undef OPTION

extern const Option ctl_options[N_OPTIONS];

/* One command line. Texts belong to whoever made argv. */
typedef struct Call {
	const Command *command;
	const char *argument;
	const char *values[N_OPTIONS];       /* as ctl_options; "" for a switch; NULL: not given */
	const char *settings[SETTINGS_MOST]; /* of CONFIG_ANY, each as NAME=VALUE */
	int n_settings;
	const char *url, *ca_file, *token_file, *config_file;
	bool json, help, version;
} Call;

/* False and *why if nobody could mean this; `help` and `version` end the reading. */
bool call_parse(Call *call, int argc, char **argv, Fault *why);

/* What all commands and options are. */
void call_help(FILE *out);

#endif
