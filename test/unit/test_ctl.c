/* reveillectl: how a command line is understood, and how answers look. */
#include "unit.h"

#include <unistd.h>

#include "src/ctl/command.h"
#include "src/ctl/setup.h"
#include "src/ctl/show.h"

#define WORDS_MAX 12

/* Parses a line of words separated by single blanks. */
static bool parse(Call *call, const char *line, Fault *why)
{
	static char text[200];
	char *argv[WORDS_MAX], *rest = text;
	int argc = 0;

	snprintf(text, sizeof(text), "reveillectl%s%s", *line ? " " : "", line);
	while (rest)
		argv[argc++] = strsep(&rest, " ");
	*call = (Call){.command = NULL};
	return call_parse(call, argc, argv, why);
}

static void refused(const char *line, const char *detail)
{
	Call call;
	Fault why;

	assert_false(parse(&call, line, &why));
	assert_string_equal(why.detail, detail);
}

static const char *value_of(const Call *call, const char *option)
{
	for (int i = 0; i < N_OPTIONS; i++) {
		if (strcmp(ctl_options[i].name, option) == 0)
			return call->values[i];
	}
	fail_msg("there is no option %s", option);
	return NULL;
}

TEST(options_may_stand_anywhere)
{
	Call call;
	Fault why;

	assert_true(parse(&call, "-u http://x compute --name=a create p1 --json --engine postgres",
			  &why));
	assert_string_equal(call.command->words, "compute create");
	assert_string_equal(call.argument, "p1");
	assert_string_equal(call.url, "http://x");
	assert_string_equal(value_of(&call, "name"), "a");
	assert_string_equal(value_of(&call, "engine"), "postgres");
	assert_true(call.json);
}

TEST(a_list_may_be_of_one_project_or_of_all)
{
	Call call;
	Fault why;

	assert_true(parse(&call, "compute list", &why));
	assert_string_equal(call.command->path, "/api/v1/compute");
	assert_true(parse(&call, "compute list p1", &why));
	assert_string_equal(call.command->path, "/api/v1/projects/{}/compute");
	assert_string_equal(call.argument, "p1");
}

TEST(behind_two_hyphens_everything_is_a_word)
{
	Call call;
	Fault why;

	assert_true(parse(&call, "wake -- --json", &why));
	assert_string_equal(call.argument, "--json");
	assert_false(call.json);
}

TEST(what_nobody_can_mean_is_refused_with_a_sentence)
{
	refused("", "a command is missing");
	refused("project", "no command is called \"project\"");
	refused("project destroy x", "no command is called \"project destroy\"");
	refused("wake", "wake needs ID");
	refused("wake a b", "\"b\" is too much for wake");
	refused("project list a", "\"a\" is too much for project list");
	refused("wake a --immediate", "wake takes no --immediate");
	refused("suspend a --immediate=1", "--immediate takes no value");
	refused("suspend a --quick", "no option is called --quick");
	refused("usage p --from", "--from needs a value");
	refused("resize a", "resize needs --size UNITS");
	refused("resize a --size big", "--size takes a number, not \"big\"");
	refused("project set p --set idle_timeout",
		"a setting is NAME=VALUE, not \"idle_timeout\"");
	refused("project create p --idle-timeout soon",
		"--idle-timeout takes a number, not \"soon\"");
	refused("project create p --idle-timeout nan",
		"--idle-timeout takes a number, not \"nan\"");
}

TEST(what_is_done_to_a_compute_may_be_said_with_that_word)
{
	Call call;
	Fault why;

	assert_true(parse(&call, "compute suspend a --immediate", &why));
	assert_string_equal(call.command->words, "suspend");
	assert_string_equal(call.argument, "a");
	refused("compute usage p", "no command is called \"compute usage\"");
	refused("project suspend p", "no command is called \"project suspend\"");
}

TEST(settings_are_said_one_by_one)
{
	Call call;
	Fault why;

	assert_true(parse(&call, "project set p --set a=1 --set=b=[2] --set c=", &why));
	assert_int_equal(call.n_settings, 3);
	assert_string_equal(call.settings[1], "b=[2]");
	assert_string_equal(call.settings[2], "c=");
}

TEST(settings_may_follow_the_argument_as_they_are)
{
	Call call;
	Fault why;

	assert_true(parse(&call, "project set p a=1 --set b=2 c=", &why));
	assert_string_equal(call.argument, "p");
	assert_int_equal(call.n_settings, 3);
	refused("project set p a=1 b", "a setting is NAME=VALUE, not \"b\"");
	refused("project show p a=1", "\"a=1\" is too much for project show");
}

TEST(help_is_given_whatever_else_is_wrong)
{
	Call call;
	Fault why;

	assert_true(parse(&call, "no such thing --help", &why));
	assert_true(call.help);
}

static Setup setup_of(const char *line, bool *ok, Fault *why)
{
	Setup setup = {.url = ""};
	Call call;

	assert_true(parse(&call, line, why));
	*ok = setup_find(&setup, &call, why);
	return setup;
}

TEST(the_command_line_holds_before_the_environment)
{
	Setup setup;
	Fault why;
	bool ok;

	setenv("REVEILLE_CONTROL_URL", "http://from-environment/", 1);
	setenv("REVEILLE_TOKEN", " secret\n", 1);
	setup = setup_of("project list", &ok, &why);
	assert_true(ok);
	assert_string_equal(setup.url, "http://from-environment");
	assert_string_equal(setup.token, "secret");
	setup = setup_of("-u http://said project list", &ok, &why);
	assert_string_equal(setup.url, "http://said");
}

TEST(without_a_word_it_is_the_control_plane_of_this_machine)
{
	Setup setup;
	Fault why;
	bool ok;

	unsetenv("REVEILLE_CONTROL_URL");
	setup = setup_of("project list", &ok, &why);
	assert_string_equal(setup.url, "http://127.0.0.1:8081");
	assert_string_equal(setup.ca_file, "");
	setup = setup_of("-u unix:/run/x/api --ca-file a.pem project list", &ok, &why);
	assert_string_equal(setup.url, "unix:/run/x/api:");
	assert_string_equal(setup.ca_file, "a.pem");
}

/* The address that is asked by this configuration. */
static void asks_at(const char *settings, const char *url)
{
	char path[] = "/tmp/reveille-ctl-XXXXXX", line[100];
	int fd = mkstemp(path);
	Setup setup;
	Fault why;
	bool ok;

	assert_true(dprintf(fd, "[control]\n%s\n", settings) > 0);
	close(fd);
	snprintf(line, sizeof(line), "-c %s -t %s project list", path, path);
	setup = setup_of(line, &ok, &why);
	assert_string_equal(setup.url, url);
	unlink(path);
}

TEST(a_configuration_says_where_its_control_plane_is)
{
	static const char tls[] = "tls_cert_file = c\ntls_key_file = k\nlisten = ";
	char text[300];

	asks_at("listen = [::1]:9, /run/x/api", "http://[::1]:9");
	asks_at("listen = /run/x/api, 127.0.0.1:9", "unix:/run/x/api:");
	snprintf(text, sizeof(text), "%s0.0.0.0:9, /run/x/api", tls);
	asks_at(text, "unix:/run/x/api:");
	snprintf(text, sizeof(text), "%s*:9\n[wake]\ncontrol_plane_url = https://h:9", tls);
	asks_at(text, "https://127.0.0.1:9");
}

TEST(a_token_that_could_end_its_header_is_refused)
{
	Fault why;
	bool ok;

	setenv("REVEILLE_TOKEN", "a\r\nX-Evil: b", 1);
	setup_of("project list", &ok, &why);
	assert_false(ok);
	assert_string_equal(why.detail, "REVEILLE_TOKEN holds something that is no token");
}

/* What is printed for a JSON text; free() it. */
static char *shown(const char *json, const char *columns)
{
	json_t *value = json_loads(json, 0, NULL);
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(value);
	if (json_is_array(value))
		show_table(out, value, columns);
	else
		show_object(out, value);
	fclose(out);
	json_decref(value);
	return text;
}

static void looks(const char *json, const char *columns, const char *expected)
{
	char *text = shown(json, columns);

	assert_string_equal(text, expected);
	free(text);
}

TEST(columns_are_as_wide_as_what_they_hold)
{
	looks("[{\"id\":\"härry\",\"config\":{\"n\":5}},{\"id\":\"x\",\"config\":null}]",
	      "ID=id N=config.n",
	      "ID     N\n"
	      "härry  5\n"
	      "x      -\n");
	looks("[]", "ID=id N=n", "ID  N\n");
	looks("[{\"at\":\"t\",\"deep\":{},\"n\":1.5}]", NULL, "AT  N\nt   1.5\n");
}

TEST(one_thing_is_lines_and_its_lists_follow)
{
	looks("{\"id\":\"a\",\"config\":{\"x\":true,\"y\":[\"b\"]},\"rows\":[{\"k\":1}],\"none\":[]"
	      "}",
	      NULL,
	      "id        a\n"
	      "config.x  true\n"
	      "config.y  [\"b\"]\n"
	      "\nrows:\nK\n1\n");
}

TEST(an_answer_cannot_steer_the_terminal)
{
	looks("{\"id\":\"a\\u001b[31m\\nb\"}", NULL, "id  a?[31m?b\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(a_list_may_be_of_one_project_or_of_all),
		cmocka_unit_test(behind_two_hyphens_everything_is_a_word),
		cmocka_unit_test(what_nobody_can_mean_is_refused_with_a_sentence),
		cmocka_unit_test(what_is_done_to_a_compute_may_be_said_with_that_word),
		cmocka_unit_test(settings_are_said_one_by_one),
		cmocka_unit_test(settings_may_follow_the_argument_as_they_are),
		cmocka_unit_test(help_is_given_whatever_else_is_wrong),
		cmocka_unit_test(the_command_line_holds_before_the_environment),
		cmocka_unit_test(without_a_word_it_is_the_control_plane_of_this_machine),
		cmocka_unit_test(a_configuration_says_where_its_control_plane_is),
		cmocka_unit_test(a_token_that_could_end_its_header_is_refused),
		cmocka_unit_test(columns_are_as_wide_as_what_they_hold),
		cmocka_unit_test(one_thing_is_lines_and_its_lists_follow),
		cmocka_unit_test(an_answer_cannot_steer_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
