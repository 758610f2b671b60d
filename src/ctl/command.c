/* Reads the command line by the rows of commands.def, and prints them as help. */
#include "command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define GET    "GET"
#define POST   "POST"
#define PATCH  "PATCH"
#define DELETE "DELETE"
#define EVENTS "EVENTS"
#define TOP    "TOP"
#define WHY    "WHY"

#define TOP_COLUMNS                                                                 \
	"ID=id STATE=state SIZE=size CPU=cpu MEMORY=memory SESSIONS=load.sessions " \
	"AT_WORK=load.at_work WHY=load.kept_awake_by"

#define OPTION(...)
#define COMMAND(...) {__VA_ARGS__},
static const Command commands[] = {
#include "commands.def"
};
#undef OPTION
#undef COMMAND

#define COMMAND(...)
#define OPTION(...) {__VA_ARGS__},
const Option ctl_options[N_OPTIONS] = {
#include "commands.def"
};
#undef OPTION
#undef COMMAND

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

#define WORDS_MOST (3 + SETTINGS_MOST) /* no command has more */

/* The words of argv that are not options. */
typedef struct Words {
	const char *at[WORDS_MOST];
	int n;
} Words;

/* The word in the list, separated by spaces, or NULL; a "!" may stand behind it there. */
static const char *list_find(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; *list; list += strspn(list, " ")) {
		size_t k = strcspn(list, " !");

		if (k == n && strncmp(list, word, n) == 0)
			return list;
		list += strcspn(list, " ");
	}
	return NULL;
}

static bool list_has(const char *list, const char *word)
{
	return list_find(list, word) != NULL;
}

static bool list_needs(const char *list, const char *word)
{
	const char *at = list_find(list, word);

	return at && at[strlen(word)] == '!';
}

/*
 * How many of the words the command's own take; 0 if it is another command.  What is done
 * to computes may be said with that word before it: "compute suspend" is "suspend".
 */
static int words_matched(const Command *c, const Words *words)
{
	char both[64];

	if (words->n > 0 && strcmp(c->words, words->at[0]) == 0)
		return 1;
	if (words->n < 2)
		return 0;
	if (strcmp(words->at[0], "compute") == 0 && c->argument && strcmp(c->argument, "ID") == 0 &&
	    strcmp(c->words, words->at[1]) == 0)
		return 2;
	snprintf(both, sizeof(both), "%s %s", words->at[0], words->at[1]);
	return strcmp(c->words, both) == 0 ? 2 : 0;
}

static bool is_number(const char *text)
{
	char *end;
	double number = strtod(text, &end);

	return *text && !*end && isfinite(number);
}

static bool takes_number(const Option *o)
{
	return o->place == CONFIG_NUMBER || o->place == BODY_NUMBER;
}

static bool check_options(const Call *call, Fault *why)
{
	for (int i = 0; i < N_OPTIONS; i++) {
		const Option *o = &ctl_options[i];
		const char *value = call->values[i];

		if (value && !list_has(call->command->options, o->name))
			return fault_set(why, FAULT_BAD_REQUEST, "%s takes no --%s",
					 call->command->words, o->name);
		if (!value && list_needs(call->command->options, o->name))
			return fault_set(why, FAULT_BAD_REQUEST, "%s needs --%s %s",
					 call->command->words, o->name, o->value_name);
		if (value && takes_number(o) && !is_number(value))
			return fault_set(why, FAULT_BAD_REQUEST, "--%s takes a number, not \"%s\"",
					 o->name, value);
	}
	return true;
}

/* Said once for each setting. */
static bool take_setting(Call *call, const char *value, Fault *why)
{
	if (!strchr(value, '=') || *value == '=')
		return fault_set(why, FAULT_BAD_REQUEST, "a setting is NAME=VALUE, not \"%s\"",
				 value);
	if (call->n_settings == SETTINGS_MOST)
		return fault_set(why, FAULT_BAD_REQUEST, "%d settings at once are the most",
				 SETTINGS_MOST);
	call->settings[call->n_settings++] = value;
	return true;
}

/* What stands behind the argument are settings, where the command takes any. */
static bool check_rest(Call *call, const Words *words, int from, Fault *why)
{
	bool takes_settings = list_has(call->command->options, "set");

	for (int i = from; takes_settings && i < words->n; i++) {
		if (!take_setting(call, words->at[i], why))
			return false;
	}
	return takes_settings || words->n <= from ||
	       fault_set(why, FAULT_BAD_REQUEST, "\"%s\" is too much for %s",
			 words->at[words->n - 1], call->command->words);
}

static bool check_argument(Call *call, const Words *words, int used, Fault *why)
{
	const Command *c = call->command;

	if (!check_rest(call, words, used + (c->argument ? 1 : 0), why))
		return false;
	if (c->argument && words->n == used)
		return fault_set(why, FAULT_BAD_REQUEST, "%s needs %s", c->words, c->argument);
	call->argument = c->argument ? words->at[used] : NULL;
	if (call->argument && !*call->argument)
		return fault_set(why, FAULT_BAD_REQUEST, "%s is empty", c->argument);
	return check_options(call, why);
}

/* Then this one is what the words mean alone, and that one with an argument. */
static bool next_has_same_words(size_t i)
{
	return i + 1 < N_COMMANDS && strcmp(commands[i].words, commands[i + 1].words) == 0;
}

static bool find_command(Call *call, const Words *words, Fault *why)
{
	if (words->n == 0)
		return fault_set(why, FAULT_BAD_REQUEST, "a command is missing");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		int used = words_matched(&commands[i], words);

		call->command = &commands[i];
		if (used > 0 && !(words->n > used && next_has_same_words(i)))
			return check_argument(call, words, used, why);
	}
	return fault_set(why, FAULT_BAD_REQUEST, "no command is called \"%s%s%s\"", words->at[0],
			 words->n > 1 ? " " : "", words->n > 1 ? words->at[1] : "");
}

/* Where the value of an option that every command takes is kept, or NULL. */
static const char **common_value(Call *call, const char *name, size_t n)
{
	const struct {
		const char *name;
		const char **value;
	} common[] = {
		{"-u", &call->url},
		{"--url", &call->url},
		{"-t", &call->token_file},
		{"--token-file", &call->token_file},
		{"-c", &call->config_file},
		{"--config", &call->config_file},
		{"--ca-file", &call->ca_file},
	};

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		if (strlen(common[i].name) == n && strncmp(common[i].name, name, n) == 0)
			return common[i].value;
	}
	return NULL;
}

static bool is_switch(Call *call, const char *text)
{
	const struct {
		const char *name;
		bool *value;
	} switches[] = {
		{"--json", &call->json},       {"--help", &call->help}, {"-h", &call->help},
		{"--version", &call->version}, {"-V", &call->version},
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		if (strcmp(switches[i].name, text) == 0)
			return *switches[i].value = true;
	}
	return false;
}

static int find_option(const char *text, size_t n)
{
	for (int i = 0; i < N_OPTIONS; i++) {
		const char *name = ctl_options[i].name;

		if (n == strlen(name) + 2 && text_starts(text, "--") &&
		    strncmp(text + 2, name, n - 2) == 0)
			return i;
	}
	return -1;
}

/* Reads one option, and the value that stands behind it; *at moves on. */
static bool take_option(Call *call, int argc, char **argv, int *at, Fault *why)
{
	const char *text = argv[*at], *value = NULL, *eq = strchr(text, '=');
	size_t n = eq ? (size_t)(eq - text) : strlen(text);
	int i = find_option(text, n);
	const char **where = i == -1 ? common_value(call, text, n) : &call->values[i];

	if (is_switch(call, text))
		return true;
	if (!where)
		return fault_set(why, FAULT_BAD_REQUEST, "no option is called %s", text);
	if (i != -1 && !ctl_options[i].value_name) {
		*where = "";
		return !eq || fault_set(why, FAULT_BAD_REQUEST, "--%s takes no value",
					ctl_options[i].name);
	}
	value = eq ? eq + 1 : *at + 1 < argc ? argv[++*at] : NULL;
	if (!value)
		return fault_set(why, FAULT_BAD_REQUEST, "%s needs a value", text);
	*where = value;
	return i == -1 || ctl_options[i].place != CONFIG_ANY || take_setting(call, value, why);
}

bool call_parse(Call *call, int argc, char **argv, Fault *why)
{
	Words words = {.n = 0};
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
			if (!take_option(call, argc, argv, &i, why))
				return false;
		} else if (words.n == WORDS_MOST) {
			return fault_set(why, FAULT_BAD_REQUEST, "\"%s\" is too much", argv[i]);
		} else {
			words.at[words.n++] = argv[i];
		}
	}
	return call->help || call->version || find_command(call, &words, why);
}

static void print_command(FILE *out, const Command *c)
{
	char left[40];

	snprintf(left, sizeof(left), "%s%s%s", c->words, c->argument ? " " : "",
		 c->argument ? c->argument : "");
	fprintf(out, "  %-24s %s\n", left, c->doc);
	for (int i = 0; i < N_OPTIONS; i++) {
		const Option *o = &ctl_options[i];

		if (!list_has(c->options, o->name))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value_name ? " " : "",
			 o->value_name ? o->value_name : "");
		fprintf(out, "      %-26s %s\n", left, o->doc);
	}
}

void call_help(FILE *out)
{
	fputs("usage: reveillectl [-u URL] [--ca-file FILE] [-t FILE] [-c CONFIG.ini] [--json] "
	      "COMMAND …\n"
	      "\n"
	      "Asks the control plane of reveille over its REST API.\n"
	      "\n"
	      "To begin with:\n"
	      "  reveillectl project create shop          says the project's id\n"
	      "  reveillectl compute create PROJECT --name orders\n"
	      "                                           says how to connect; it sleeps until you "
	      "do\n"
	      "  reveillectl project set PROJECT idle_timeout=600 max_size=2\n"
	      "                                           what is different for its databases\n"
	      "  reveillectl top                          who is awake, and why\n"
	      "  reveillectl usage PROJECT                what it cost\n"
	      "\n"
	      "commands; what is done to a compute may be said as \"compute suspend\", too:\n",
	      out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		print_command(out, &commands[i]);
	fputs("\n"
	      "options of all commands:\n"
	      "  -u, --url URL            where the control plane is: http://…, https://… or\n"
	      "                           unix:/path/of/a/socket\n"
	      "      --ca-file FILE       authority of its certificate; default: the system's\n"
	      "  -t, --token-file FILE    file that holds the bearer token\n"
	      "  -c, --config FILE        take both from this configuration of reveille\n"
	      "      --json               print what the API answered\n"
	      "  -h, --help               print this\n"
	      "  -V, --version            print the version\n"
	      "\n"
	      "exit status: 0 done, 1 refused, 2 not understood, 3 the control plane was not "
	      "reached\n"
	      "\n"
	      "environment: REVEILLE_CONTROL_URL, REVEILLE_CA_FILE, REVEILLE_TOKEN,\n"
	      "REVEILLE_TOKEN_FILE\n",
	      out);
}
