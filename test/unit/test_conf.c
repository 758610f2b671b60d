/* Configuration: text in, an immutable Config out, or a sentence that says where it is wrong. */
#include "unit.h"

#include "conf/conf.h"

/* The table of settings once more, as an operator would read it. */
static const struct Row {
	const char *section, *name, *type, *initial, *least, *most, *when;
} rows[] = {
#define SECTION(name, doc)
#define SETTING(section, name, TYPE, initial, least, most, WHEN, doc) \
	{#section, #name, #TYPE, initial, least, most, #WHEN},
#define SECTION_END(name)
#include "conf/settings.def"
#undef SECTION
#undef SETTING
#undef SECTION_END
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static const Config *parse(const char *text, Fault *why)
{
	return conf_parse("x.ini", text, NULL, 0, why);
}

static const Config *good(const char *text)
{
	Fault why;
	const Config *conf = parse(text, &why);

	if (!conf)
		fail_msg("%s", why.detail);
	return conf;
}

static void refused(const char *text, const char *detail)
{
	Fault why;

	assert_null(parse(text, &why));
	assert_int_equal(why.code, FAULT_BAD_SETTING);
	assert_string_equal(why.detail, detail);
}

static bool accepts(const struct Row *row, const char *value, Fault *why)
{
	const Config *conf;
	char text[700];

	snprintf(text, sizeof(text), "[databases]\n[%s]\n%s = %s\n", row->section, row->name,
		 value);
	conf = parse(text, why);
	if (conf)
		conf_release(conf);
	return conf;
}

TEST(an_empty_file_is_the_defaults)
{
	const Config *conf = good("");

	assert_int_equal(conf->reveille.workers, 0);
	assert_int_equal(conf->reveille.listen_port, 5432);
	assert_string_equal(conf->reveille.listen_addr.s, "127.0.0.1");
	assert_int_equal(conf_ms(conf->reveille.wake_timeout), 60000);
	assert_int_equal(conf_ms(conf->reveille.server_login_retry), 100);
	assert_int_equal(conf_ms(conf->control.idle_timeout), 300000);
	assert_true(conf_is(&conf->wake.provider, "control_plane"));
	assert_false(conf->has_control);
	conf_release(conf);
}

TEST(every_default_is_a_valid_value)
{
	const Config *conf = conf_defaults();
	Fault why;

	assert_int_equal(conf->n_databases, 0);
	conf_release(conf);
	for (size_t i = 0; i < N_OF(rows); i++) {
		if (!accepts(&rows[i], rows[i].initial, &why))
			fail_msg("%s: %s", rows[i].name, why.detail);
	}
}

TEST(a_good_file_is_applied)
{
	const Config *conf = good("[reveille]\nwake_timeout = 90s\nworkers=8 ; note\n"
				  "unix_socket_mode = 0770\nlog_connections = off\n"
				  "log_format = json\nlisten_addr = *\n"
				  "[control]\nidle_timeout = 0\n");

	assert_int_equal(conf->reveille.wake_timeout, 90000000);
	assert_int_equal(conf->reveille.workers, 8);
	assert_int_equal(conf->reveille.unix_socket_mode, 0770);
	assert_false(conf->reveille.log_connections);
	assert_true(conf_is(&conf->reveille.log_format, "json"));
	assert_string_equal(conf->reveille.listen_addr.s, "*");
	assert_true(conf->has_control);
	assert_int_equal(conf->control.idle_timeout, 0);
	conf_release(conf);
}

TEST(a_bad_line_says_where_it_stands_and_what_would_be_right)
{
	refused("[reveille]\nworkers = 8\nwake_timeout = soon\n",
		"x.ini:3: wake_timeout takes a time (seconds, or 500ms, 5min, 1h), not \"soon\"");
	refused("[reveille]\nworkers = many\n",
		"x.ini:2: workers takes a whole number, not \"many\"");
	refused("[reveille]\n\nsyslog = maybe\n", "x.ini:3: syslog takes yes or no, not \"maybe\"");
	refused("[reveille]\nworkers = 1000\n",
		"x.ini:2: workers must be between 0 and 64, not \"1000\"");
	refused("[reveille]\nlog_format = xml\n",
		"x.ini:2: log_format is one of text|json, not \"xml\"");
	refused("[reveille]\njust words\n", "x.ini:2: expected name = value, not \"just words\"");
}

TEST(every_bound_of_a_number_is_enforced)
{
	Fault why;

	for (size_t i = 0; i < N_OF(rows); i++) {
		char beyond[32];
		const struct Row *r = &rows[i];

		if (!is(r->type, "INT"))
			continue;
		snprintf(beyond, sizeof(beyond), "%d", atoi(r->least) - 1);
		assert_false(accepts(r, beyond, &why));
		assert_contains(why.detail, " must be between ");
		snprintf(beyond, sizeof(beyond), "%d", atoi(r->most) + 1);
		assert_false(accepts(r, beyond, &why));
		assert_contains(why.detail, " must be between ");
		if (is(r->when, "LATER"))
			continue;
		assert_true(accepts(r, r->least, &why));
		assert_true(accepts(r, r->most, &why));
	}
}

TEST(every_bound_of_a_time_is_enforced)
{
	Fault why;

	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct Row *r = &rows[i];

		if (!is(r->type, "TIME"))
			continue;
		assert_false(accepts(r, "31d", &why));
		assert_contains(why.detail, " must be between ");
		if (!is(r->least, "0")) {
			assert_false(accepts(r, "9ms", &why));
			assert_contains(why.detail, " must be between ");
		}
		if (is(r->when, "LATER"))
			continue;
		assert_true(accepts(r, r->least, &why));
		assert_true(accepts(r, r->most, &why));
	}
}

TEST(every_word_of_a_choice_may_stand_and_no_other)
{
	Fault why;

	for (size_t i = 0; i < N_OF(rows); i++) {
		char words[300], *rest = words, *word;

		if (!is(rows[i].type, "CHOICE"))
			continue;
		assert_false(accepts(&rows[i], "nonsense", &why));
		assert_contains(why.detail, " is one of ");
		assert_false(accepts(&rows[i], "", &why));
		assert_false(accepts(&rows[i], rows[i].least, &why));
		if (is(rows[i].when, "LATER") || is(rows[i].name, "provider"))
			continue;
		snprintf(words, sizeof(words), "%s", rows[i].least);
		while ((word = strsep(&rest, "|")))
			assert_true(accepts(&rows[i], word, &why));
	}
}

/* What this version cannot do is refused by name, not ignored. */
TEST(a_setting_whose_capability_comes_later_takes_only_its_default)
{
	Fault why;

	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct Row *r = &rows[i];
		const char *other = is(r->type, "INT")    ? r->most
				    : is(r->type, "TIME") ? r->most
				    : is(r->type, "BOOL") ? (is(r->initial, "no") ? "yes" : "no")
							  : "other";
		char choice[64];

		if (!is(r->when, "LATER"))
			continue;
		if (is(r->type, "CHOICE")) {
			snprintf(choice, sizeof(choice), "%s", strrchr(r->least, '|') + 1);
			other = choice;
		}
		assert_false(accepts(r, other, &why));
		assert_contains(why.detail, "x.ini:3: ");
		assert_contains(why.detail, r->name);
		assert_contains(why.detail, "is not available in this version");
		assert_contains(why.detail, "leave it at its default");
	}
}

TEST(other_capabilities_that_come_later_are_refused_too)
{
	refused("[wake]\nprovider = kubernetes\n",
		"x.ini: [wake] provider = kubernetes is not available in this version; use "
		"control_plane or none");
	refused("[control]\nstore = postgresql://x\n",
		"x.ini: [control] store = postgresql://x is not available in this version; use "
		"sqlite:/path/of/a/file");
	refused("[users]\nbob = pool_mode=session\n",
		"x.ini:2: section [users] takes no entries in this version; remove \"bob\"");
	refused("[peers]\n1 = host=x\n",
		"x.ini:2: section [peers] takes no entries in this version; remove \"1\"");
}

TEST(an_unknown_name_is_an_error)
{
	refused("[reveille]\nwokers = 2\n",
		"x.ini:2: no setting of section [reveille] is called \"wokers\"; reveille "
		"--print-ini prints all that there are");
	refused("[reveille]\nidle_timeout = 2\n",
		"x.ini:2: idle_timeout belongs to section [control], not [reveille]");
	refused("\n[pgbouncer]\n",
		"x.ini:2: no section is called [pgbouncer]; there are [databases], [users], "
		"[peers], [reveille], [wake], [control], [kubernetes] and [process]");
}

TEST(nothing_may_stand_twice)
{
	refused("[reveille]\n[wake]\n[reveille]\n",
		"x.ini:3: section [reveille] stands twice; join the two");
	refused("[reveille]\nworkers = 1\nworkers = 1\n", "x.ini:3: workers is set twice");
	refused("[databases]\na = host=x\na = host=y\n", "x.ini:3: database \"a\" stands twice");
}

/* Two sections have a setting of this name, and each has its own. */
TEST(settings_of_one_name_belong_to_their_sections)
{
	const Config *conf = good("[wake]\ntoken_file = /t\n[reveille]\nuser = nobody\n");

	assert_string_equal(conf->wake.token_file.s, "/t");
	assert_string_equal(conf->kubernetes.token_file.s, "");
	assert_string_equal(conf->reveille.user.s, "nobody");
	assert_string_equal(conf->process.user.s, "");
	conf_release(conf);
}

TEST(text_before_a_section_is_an_error)
{
	refused("workers = 8\n", "x.ini:1: \"workers\" stands before the first [section]");
}

TEST(an_empty_separator_is_an_error)
{
	refused("[reveille]\nroute_separator =\n", "x.ini: route_separator may not be empty");
}

TEST(a_database_that_is_wrong_is_named)
{
	refused("[databases]\nlegacy = host=h pool_size=5\n",
		"x.ini:2: database \"legacy\": pool_size needs a pool or verifiers of our own, "
		"which this version does not have; remove it");
	refused("[databases]\n"
		"0123456789012345678901234567890123456789012345678901234567890123 = host=h\n",
		"x.ini:2: the name "
		"\"0123456789012345678901234567890123456789012345678901234567890123"
		"…\" is longer than 63 bytes");
}

static const Config *with_overrides(const ConfOverride *overrides, int n, Fault *why)
{
	return conf_parse("x.ini", "[reveille]\nworkers = 2\n", overrides, n, why);
}

TEST(overrides_hold_before_the_file)
{
	const ConfOverride overrides[] = {{"PROXY_LISTEN_ADDR", "listen_port=1"},
					  {"command line", "listen_port=6000"},
					  {"command line", "workers=3"},
					  {"command line", "wake.token_file=/t=t"},
					  {"command line", "control.idle_timeout=1h"}};
	Fault why;
	const Config *conf = with_overrides(overrides, N_OF(overrides), &why);

	assert_non_null(conf);
	assert_int_equal(conf->reveille.listen_port, 6000);
	assert_int_equal(conf->reveille.workers, 3);
	assert_string_equal(conf->wake.token_file.s, "/t=t");
	assert_int_equal(conf_ms(conf->control.idle_timeout), 3600000);
	assert_false(conf->has_control);
	conf_release(conf);
}

TEST(a_bad_override_says_where_it_came_from)
{
	static const struct {
		const char *name_value, *detail;
	} bad[] = {
		{"workers", "command line: expected name=value, not \"workers\""},
		{"wokers=1", "command line: no setting is called \"wokers\""},
		{"wake.workers=1", "command line: no setting is called \"wake.workers\""},
		{"workers=65", "command line: workers must be between 0 and 64, not \"65\""},
		{"=1", "command line: no setting is called \"\""},
		{"mysql_listen_port=3306", "command line: mysql_listen_port = 3306 is not "
					   "available in this version; leave it "
					   "at its default, \"0\""},
	};
	Fault why;

	for (size_t i = 0; i < N_OF(bad); i++) {
		ConfOverride override = {"command line", bad[i].name_value};

		assert_null(with_overrides(&override, 1, &why));
		assert_string_equal(why.detail, bad[i].detail);
	}
}

TEST(without_databases_every_name_is_woken)
{
	const Config *conf = good("");

	assert_int_equal(conf->n_databases, 1);
	assert_true(conf_database(conf, "anything")->wake);
	conf_release(conf);
}

TEST(with_an_empty_section_there_are_no_databases)
{
	const Config *conf = good("[databases]\n");

	assert_null(conf_database(conf, "anything"));
	conf_release(conf);
}

TEST(without_a_provider_nothing_is_woken)
{
	const Config *conf = good("[wake]\nprovider = none\n");

	assert_null(conf_database(conf, "anything"));
	conf_release(conf);
	refused("[databases]\nlegacy = host=h\n* = wake=control_plane\n[wake]\nprovider = none\n",
		"x.ini: database \"*\" has wake=control_plane, but [wake] provider is none");
}

TEST(a_name_of_its_own_goes_before_the_star)
{
	const Config *conf = good("[databases]\n* = wake=control_plane\nlegacy = host=h\n");

	assert_string_equal(conf_database(conf, "legacy")->name, "legacy");
	assert_string_equal(conf_database(conf, "other")->name, "*");
	conf_release(conf);
}

static char changed_names[200];

static void on_changed(const char *name)
{
	strcat(changed_names, name);
	strcat(changed_names, " ");
}

TEST(a_reload_keeps_what_only_a_restart_can_change)
{
	const Config *now = good("[reveille]\nworkers = 2\nwake_timeout = 30\nlisten_addr = ::1\n");
	const Config *next = good("[reveille]\nworkers = 4\nwake_timeout = 40\n"
				  "listen_addr = 10.0.0.1\npkt_buf = 8192\n[control]\n");

	*changed_names = 0;
	conf_keep_restart_only((Config *)(uintptr_t)next, now, on_changed);
	assert_string_equal(changed_names, "workers listen_addr pkt_buf [control] ");
	assert_int_equal(next->reveille.workers, 2);
	assert_string_equal(next->reveille.listen_addr.s, "::1");
	assert_int_equal(next->reveille.pkt_buf, 32768);
	assert_int_equal(conf_ms(next->reveille.wake_timeout), 40000);
	assert_false(next->has_control);
	conf_release(now);
	conf_release(next);
}

TEST(a_reload_of_the_same_file_changes_nothing)
{
	const Config *now = good("[reveille]\nworkers = 2\nlisten_addr = ::1\n[control]\n");
	const Config *next = good("[control]\n[reveille]\nlisten_addr=::1\nworkers=2\n");

	*changed_names = 0;
	conf_keep_restart_only((Config *)(uintptr_t)next, now, on_changed);
	assert_string_equal(changed_names, "");
	conf_release(now);
	conf_release(next);
}

TEST(who_holds_a_config_may_use_it)
{
	const Config *conf = good("[databases]\na = host=h connect_query='select 1'\n");

	conf_hold(conf);
	conf_release(conf);
	assert_string_equal(conf_database(conf, "a")->connect_query, "select 1");
	conf_release(conf);
}

/* What print() writes, until the next call. */
static char *printed(void (*print)(FILE *out))
{
	static char text[1 << 17];
	FILE *out = fmemopen(text, sizeof(text), "w");

	print(out);
	fclose(out);
	return text;
}

TEST(the_sample_file_is_itself_a_good_file)
{
	conf_release(good(printed(conf_print_ini)));
}

/* Uncommented, every line of the sample says what holds anyway. */
TEST(the_sample_file_names_every_default)
{
	char *text = printed(conf_print_ini), *p;

	p = strstr(text, ";[control]");
	assert_non_null(p);
	*p = ' ';
	p = text;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char line[200];

		snprintf(line, sizeof(line), "\n;%s =%s%s\n", rows[i].name,
			 *rows[i].initial ? " " : "", rows[i].initial);
		p = strstr(p, line);
		if (!p)
			fail_msg("the sample file lacks %s", rows[i].name);
		p[1] = ' ';
	}
	conf_release(good(text));
}

TEST(the_manual_has_every_setting)
{
	char *text = printed(conf_print_man);

	for (size_t i = 0; i < N_OF(rows); i++) {
		char line[100];

		snprintf(line, sizeof(line), ".TP\n.B %s\n", rows[i].name);
		assert_contains(text, line);
	}
}

TEST(what_is_shown_is_what_holds)
{
	const Config *conf = good("[reveille]\nworkers = 3\n");
	char *text;
	size_t size, lines = 0;
	FILE *out = open_memstream(&text, &size);

	conf_show(conf, out);
	fclose(out);
	assert_contains(text, "reveille\tworkers\t3\t0\tno\n");
	assert_contains(text, "reveille\twake_timeout\t1min\t60\tyes\n");
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, N_OF(rows));
	free(text);
	conf_release(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_is_the_defaults),
		cmocka_unit_test(every_default_is_a_valid_value),
		cmocka_unit_test(a_good_file_is_applied),
		cmocka_unit_test(a_bad_line_says_where_it_stands_and_what_would_be_right),
		cmocka_unit_test(every_bound_of_a_number_is_enforced),
		cmocka_unit_test(every_bound_of_a_time_is_enforced),
		cmocka_unit_test(every_word_of_a_choice_may_stand_and_no_other),
		cmocka_unit_test(a_setting_whose_capability_comes_later_takes_only_its_default),
		cmocka_unit_test(other_capabilities_that_come_later_are_refused_too),
		cmocka_unit_test(an_unknown_name_is_an_error),
		cmocka_unit_test(nothing_may_stand_twice),
		cmocka_unit_test(settings_of_one_name_belong_to_their_sections),
		cmocka_unit_test(text_before_a_section_is_an_error),
		cmocka_unit_test(an_empty_separator_is_an_error),
		cmocka_unit_test(a_database_that_is_wrong_is_named),
		cmocka_unit_test(overrides_hold_before_the_file),
		cmocka_unit_test(a_bad_override_says_where_it_came_from),
		cmocka_unit_test(without_databases_every_name_is_woken),
		cmocka_unit_test(with_an_empty_section_there_are_no_databases),
		cmocka_unit_test(without_a_provider_nothing_is_woken),
		cmocka_unit_test(a_name_of_its_own_goes_before_the_star),
		cmocka_unit_test(a_reload_keeps_what_only_a_restart_can_change),
		cmocka_unit_test(a_reload_of_the_same_file_changes_nothing),
		cmocka_unit_test(who_holds_a_config_may_use_it),
		cmocka_unit_test(the_sample_file_is_itself_a_good_file),
		cmocka_unit_test(the_sample_file_names_every_default),
		cmocka_unit_test(the_manual_has_every_setting),
		cmocka_unit_test(what_is_shown_is_what_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
