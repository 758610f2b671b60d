/* Configuration: text in, an immutable Config out, or a sentence that says where it is wrong. */
#include "unit.h"

#include "conf/conf.h"
#include "conf/tls.h"

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

/* One value, beside what some choices need. */
static bool accepts(const struct Row *row, const char *value, Fault *why)
{
	static const ConfOverride needed[] = {
		{"test", "client_tls_key_file=k"}, {"test", "client_tls_cert_file=c"},
		{"test", "client_tls_ca_file=ca"}, {"test", "client_tls_sslmode=require"},
		{"test", "server_tls_ca_file=ca"}, {"test", "auth_hba_file=h"},
	};
	const Config *conf;
	char text[700];

	snprintf(text, sizeof(text), "[databases]\n[%s]\n%s = %s\n", row->section, row->name,
		 value);
	conf = conf_parse("x.ini", text, needed, N_OF(needed), why);
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
		assert_false(accepts(r, "3651d", &why));
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
		"x.ini:2: [wake] provider = kubernetes is not available in this version; use "
		"control_plane or none");
	refused("[control]\nstore = mysql://x\n",
		"x.ini:2: [control] store must be sqlite:/path/of/a/file or "
		"postgresql://user@host/database");
}

TEST(lists_of_networks_are_read)
{
	const Config *conf = good("[reveille]\nallow_networks = 10.0.0.0/8, ::1\n"
				  "deny_networks = 10.1.0.0/16, unix\n"
				  "proxy_protocol_networks = 10.0.0.7\n");

	assert_int_equal(conf->allow.n, 2);
	assert_int_equal(conf->deny.n, 1);
	assert_true(conf->deny.unix_too);
	assert_int_equal(conf->proxy_protocol.n, 1);
	conf_release(conf);
	conf = good("");
	assert_int_equal(conf->allow.n + conf->deny.n + conf->proxy_protocol.n, 0);
	conf_release(conf);
	refused("[reveille]\n\nallow_networks = 10.0.0.1/8\n",
		"x.ini:3: allow_networks: \"10.0.0.1/8\" has bits set behind its mask; the "
		"network is 10.0.0.0/8");
	refused("[reveille]\ndeny_networks = all\n",
		"x.ini:2: deny_networks: \"all\" is no network; write one as 10.0.0.0/8 or "
		"2001:db8::/32, or a single address");
	refused("[reveille]\nproxy_protocol_networks = ::/200\n",
		"x.ini:2: proxy_protocol_networks: the mask of \"::/200\" must be between 0 and "
		"128");
}

TEST(lists_of_words_are_read)
{
	const Config *conf = good("[reveille]\nroute_domain = db.Example.com, example.org\n"
				  "ignore_startup_parameters = extra_float_digits , options,\n");

	assert_int_equal(conf->n_route_domains, 2);
	assert_string_equal(conf->route_domains[0], "db.example.com");
	assert_string_equal(conf->route_domains[1], "example.org");
	assert_int_equal(conf->n_ignore_parameters, 2);
	assert_string_equal(conf->ignore_parameters[0], "extra_float_digits");
	assert_string_equal(conf->ignore_parameters[1], "options");
	conf_release(conf);
	conf = good("");
	assert_int_equal(conf->n_route_domains + conf->n_ignore_parameters, 0);
	conf_release(conf);
	refused("[reveille]\nignore_startup_parameters = geqo,database\n",
		"x.ini:2: ignore_startup_parameters cannot have database: no client could log in "
		"without");
}

TEST(what_is_no_domain_is_refused)
{
	static const char *const bad[] = {"*.example.com", ".example.com", "example.com.", "a..b",
					  "a b",           "-a.com",       "10.0.0.0/8"};
	char text[100], detail[200];

	for (size_t i = 0; i < N_OF(bad); i++) {
		snprintf(text, sizeof(text), "[reveille]\nroute_domain = good.org, %s\n", bad[i]);
		snprintf(detail, sizeof(detail),
			 "x.ini:2: route_domain takes domains as db.example.com, not \"%s\"",
			 bad[i]);
		refused(text, detail);
	}
}

TEST(tls_versions_are_words)
{
	static const struct {
		const char *words;
		unsigned versions;
	} lists[] = {
		{"secure", CONF_TLS_1_2 | CONF_TLS_1_3},
		{"tlsv1.3", CONF_TLS_1_3},
		{"tlsv1.1, TLSv1.0", CONF_TLS_1_0 | CONF_TLS_1_1},
		{"all", 15},
		{"legacy", 15},
		{"secure,tlsv1.1", CONF_TLS_1_1 | CONF_TLS_1_2 | CONF_TLS_1_3},
		{"", 0},
		{"tlsv1.4", 0},
		{"secure,", 0},
		{"secure tlsv1.1", 0},
	};

	for (size_t i = 0; i < N_OF(lists); i++)
		assert_int_equal(conf_tls_versions(lists[i].words), lists[i].versions);
}

#define CLIENT_KEY "client_tls_key_file = k\nclient_tls_cert_file = c\n"

TEST(settings_that_need_others_say_which)
{
	static const struct {
		const char *text, *detail;
	} lacking[] = {
		{"client_tls_sslmode = require\n",
		 "x.ini:2: client_tls_sslmode = require needs client_tls_key_file and "
		 "client_tls_cert_file"},
		{"client_tls_key_file = k\nclient_tls_sslmode = allow\n",
		 "x.ini:3: client_tls_sslmode = allow needs client_tls_key_file and "
		 "client_tls_cert_file"},
		{CLIENT_KEY "client_tls_sslmode = verify-ca\n",
		 "x.ini:4: client_tls_sslmode = verify-ca needs client_tls_ca_file"},
		{CLIENT_KEY "client_tls_sslmode = verify-full\n",
		 "x.ini:4: client_tls_sslmode = verify-full needs client_tls_ca_file"},
		{"client_tls_protocols = tlsv2\n",
		 "x.ini:2: client_tls_protocols is a list of tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, "
		 "all, secure and legacy, not \"tlsv2\""},
		{"server_tls_protocols =\n",
		 "x.ini:2: server_tls_protocols is a list of tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, "
		 "all, secure and legacy, not \"\""},
		{"server_tls_sslmode = verify-full\n",
		 "x.ini:2: server_tls_sslmode = verify-full needs server_tls_ca_file"},
		{"server_tls_cert_file = c\n",
		 "x.ini: server_tls_key_file and server_tls_cert_file need each other"},
		{"server_tls_key_file = k\n",
		 "x.ini:2: server_tls_key_file and server_tls_cert_file need each other"},
		{"[control]\nlisten = 127.0.0.1:1, 10.0.0.1:8081\n",
		 "x.ini:3: [control] listen = 10.0.0.1:8081 is not on loopback, so it needs TLS: "
		 "set "
		 "tls_cert_file and tls_key_file, or use 127.0.0.1:PORT or a path"},
		{"[control]\nlisten = 8081\n", "x.ini:3: [control] listen takes ADDRESS:PORT or "
					       "the path of a Unix socket, not \"8081\""},
		{"[process]\nuser_range = 5-9\n",
		 "x.ini:3: user_range takes the first and the last of numbers from 1000 on, as "
		 "200000-299999, not \"5-9\""},
		{"[process]\nuser_range = 2000-1999\n",
		 "x.ini:3: user_range takes the first and the last of numbers from 1000 on, as "
		 "200000-299999, not \"2000-1999\""},
		{"[control]\nlisten = ,\n",
		 "x.ini:3: [control] listen is empty, so nobody could reach it"},
		{"[control]\ntls_key_file = k\n",
		 "x.ini:3: [control] tls_cert_file and tls_key_file need each other"},
		{"[control]\ntls_key_file = k\ntls_cert_file = c\n",
		 "x.ini: [control] listens with TLS only: add a Unix socket to [control] listen "
		 "for the "
		 "proxy of this process tree, or set [wake] control_plane_url and ca_file"},
		{"auth_type = hba\n", "x.ini:2: auth_type = hba needs auth_hba_file"},
		{"auth_type = cert\n", "x.ini:2: auth_type = cert needs client_tls_ca_file"},
		{"auth_type = cert\nclient_tls_ca_file = ca\n",
		 "x.ini:2: auth_type = cert needs a client_tls_sslmode other than disable"},
		{"auth_query = SELECT 1\n",
		 "x.ini:2: auth_query needs a $1, which is the user's name"},
	};
	char text[400];

	for (size_t i = 0; i < N_OF(lacking); i++) {
		snprintf(text, sizeof(text), "[reveille]\n%s", lacking[i].text);
		refused(text, lacking[i].detail);
	}
}

TEST(settings_that_have_what_they_need_are_taken)
{
	static const struct {
		const char *text;
	} texts[] = {
		{CLIENT_KEY "client_tls_sslmode = require\n"},
		{CLIENT_KEY "client_tls_ca_file = ca\nclient_tls_sslmode = verify-full\n"
			    "auth_type = cert\n"},
		{"server_tls_ca_file = ca\nserver_tls_sslmode = verify-full\n"
		 "server_tls_key_file = k\nserver_tls_cert_file = c\n"},
		{"auth_hba_file = h\nauth_type = hba\n"},
		{"auth_type = plain\n"},
		{"auth_type = scram-sha-256\nauth_file = f\n"},
	};
	char text[400];

	for (size_t i = 0; i < N_OF(texts); i++) {
		snprintf(text, sizeof(text), "[reveille]\n%s", texts[i].text);
		conf_release(good(text));
	}
}

TEST(an_override_that_needs_another_setting_is_blamed)
{
	ConfOverride override = {"command line", "auth_type=hba"};
	Fault why;

	assert_null(conf_parse("x.ini", "[reveille]\nauth_type = any\n", &override, 1, &why));
	assert_string_equal(why.detail, "command line: auth_type = hba needs auth_hba_file");
}

/* To ask where a compute has to be woken would let anybody wake it. */
TEST(secrets_are_asked_for_where_nothing_has_to_wake)
{
	conf_release(good("[databases]\ncentral = host=h\n* = wake=control_plane\n"
			  "[reveille]\nauth_dbname = central\n"));
	conf_release(good("[databases]\n* = host=h\na = wake=control_plane auth_dbname=any\n"));
	refused("[databases]\n* = wake=control_plane\n[reveille]\nauth_dbname = central\n",
		"x.ini:4: auth_dbname = central names an entry that wakes, and to ask there would "
		"wake it; name one with host=…");
	refused("[databases]\na = host=h\n[reveille]\nauth_dbname = central\n",
		"x.ini:4: auth_dbname = central names no entry of [databases]; name one with "
		"host=…");
	refused("[databases]\na = host=h\nb = host=h auth_dbname=c\nc = wake=control_plane\n",
		"x.ini:3: database \"b\": auth_dbname = c names an entry that wakes, and to ask "
		"there would wake it; name one with host=…");
}

TEST(a_user_has_limits_and_networks)
{
	const Config *conf = good("[users]\nbob = max_user_connections=5 deny_networks=unix\n"
				  "\"a \"\"b\"\"\" = max_user_client_connections=0 "
				  "allow_networks='10.0.0.0/8, ::1'\nnobody =\n");
	const UserEntry *bob = conf_user(conf, "bob"), *other = conf_user(conf, "a \"b\"");

	assert_int_equal(bob->max_user_connections, 5);
	assert_int_equal(bob->max_user_client_connections, -1);
	assert_true(bob->deny.unix_too);
	assert_int_equal(bob->allow.n, 0);
	assert_int_equal(other->max_user_connections, -1);
	assert_int_equal(other->max_user_client_connections, 0);
	assert_int_equal(other->allow.n, 2);
	assert_int_equal(conf_user(conf, "nobody")->max_user_connections, -1);
	assert_null(conf_user(conf, "Bob"));
	conf_release(conf);
}

TEST(what_is_wrong_with_a_user_is_said)
{
	refused("[users]\nbob = pool_mode=session\n",
		"x.ini:2: user \"bob\": pool_mode needs a pool of our own, which this version does "
		"not have; remove it");
	refused("[users]\nbob = query_timeout=1\n", "x.ini:2: user \"bob\": query_timeout needs a "
						    "reader of queries, which this version "
						    "does not have; remove it");
	refused("[users]\nbob = max_user_connections=x\n",
		"x.ini:2: user \"bob\": max_user_connections takes a number from 0, which is no "
		"limit, to 1000000, not \"x\"");
	refused("[users]\nbob = max_db_connections=1\n",
		"x.ini:2: user \"bob\": \"max_db_connections\" is not known of a user; there are "
		"max_user_connections, max_user_client_connections, allow_networks and "
		"deny_networks");
	refused("[users]\nbob =\n\"bob\" =\n", "x.ini:3: user \"bob\" stands twice");
	refused("[users]\n\"bob =\n",
		"x.ini:2: the name \"bob begins with a quote that does not close at its end");
	refused("[users]\n\"b\"ob =\n",
		"x.ini:2: the name \"b\"ob begins with a quote that does not close at its end");
}

TEST(peers_are_those_of_the_group_but_ourselves)
{
	const Config *conf = good("[peers]\n1 = host=10.0.0.1\n2 = host=10.0.0.2 port=6432\n"
				  "16383 = host=/run/third\n[reveille]\npeer_id = 2\n");

	assert_int_equal(conf->n_peers, 2);
	assert_int_equal(conf->peers[0].id, 1);
	assert_string_equal(conf->peers[0].host, "10.0.0.1");
	assert_int_equal(conf->peers[0].port, 5432);
	assert_int_equal(conf->peers[1].id, 16383);
	assert_string_equal(conf->peers[1].host, "/run/third");
	conf_release(conf);
}

TEST(what_is_wrong_with_a_peer_is_said)
{
	static const char *const ids[] = {"0", "16384", "-1", "one", "1x", "99999999999"};
	char text[100], detail[200];

	for (size_t i = 0; i < N_OF(ids); i++) {
		snprintf(text, sizeof(text), "[peers]\n%s = host=h\n", ids[i]);
		snprintf(detail, sizeof(detail),
			 "x.ini:2: peer %s: a peer's name is its peer_id, from 1 to 16383, not "
			 "\"%s\"",
			 ids[i], ids[i]);
		refused(text, detail);
	}
	refused("[peers]\n1 = host=h\n01 = host=i\n", "x.ini:3: peer 1 stands twice");
	refused("[peers]\n1 = port=1\n", "x.ini:2: peer 1: a peer needs host=…");
	refused("[peers]\n1 = host=h pool_size=2\n",
		"x.ini:2: peer 1: pool_size means nothing here: cancel requests go to a peer "
		"without a pool; remove it");
	refused("[peers]\n1 = host=h dbname=x\n",
		"x.ini:2: peer 1: \"dbname\" is not known of a peer; there are host and port");
	refused("[peers]\n1 = host=h\n",
		"x.ini: [peers] needs peer_id, which says who of the group this is");
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
	const Config *conf = good("[wake]\ntoken_file = /t\n");

	assert_string_equal(conf->wake.token_file.s, "/t");
	assert_string_equal(conf->kubernetes.token_file.s, "");
	conf_release(conf);
}

TEST(text_before_a_section_is_an_error)
{
	refused("workers = 8\n", "x.ini:1: \"workers\" stands before the first [section]");
}

TEST(an_empty_separator_is_an_error)
{
	refused("[reveille]\nroute_separator =\n", "x.ini:2: route_separator may not be empty");
}

TEST(a_database_that_is_wrong_is_named)
{
	refused("[databases]\nlegacy = host=h pool_size=5\n",
		"x.ini:2: database \"legacy\": pool_size needs a pool of our own, "
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
		"x.ini:3: database \"*\" has wake=control_plane, but [wake] provider is none");
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

/* The proxy is not sent to where nobody listens before the restart. */
TEST(a_reload_does_not_lose_the_control_plane)
{
	static const struct {
		const char *now, *next, *url;
	} table[] = {
		{"[control]\nlisten = 127.0.0.1:1\n", "[control]\nlisten = 127.0.0.1:2\n",
		 "http://127.0.0.1:1"},
		{"[control]\nlisten = 127.0.0.1:1\n", "", "http://127.0.0.1:1"},
		{"", "[control]\nlisten = 127.0.0.1:2\n", "http://127.0.0.1:8081"},
		{"[control]\nlisten = 127.0.0.1:1\n",
		 "[wake]\ncontrol_plane_url = http://h:9\n[control]\nlisten = 127.0.0.1:2\n",
		 "http://h:9"},
		{"[wake]\ncontrol_plane_url = https://h:9\n[control]\nlisten = *:1\n"
		 "tls_cert_file = c\ntls_key_file = k\n",
		 "[control]\nlisten = /run/x\n", "https://h:9"},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		const Config *now = good(table[i].now), *next = good(table[i].next);

		*changed_names = 0;
		conf_keep_restart_only((Config *)(uintptr_t)next, now, on_changed);
		assert_string_equal(next->wake.control_plane_url.s, table[i].url);
		assert_int_equal(next->n_control_listen, now->n_control_listen);
		conf_release(now);
		conf_release(next);
	}
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

static void asks_at(const char *settings, const char *url)
{
	const Config *conf = good(settings);

	assert_string_equal(conf->wake.control_plane_url.s, url);
	conf_release(conf);
}

TEST(the_control_plane_that_is_asked_is_our_own_if_there_is_one)
{
	asks_at("", "http://127.0.0.1:8081");
	asks_at("[control]\nlisten = 127.0.0.1:9000\n", "http://127.0.0.1:9000");
	asks_at("[control]\nlisten = /run/x/api\n", "unix:/run/x/api:");
	asks_at("[control]\nlisten = @api, 127.0.0.1:9000\n", "unix:@api:");
	asks_at("[control]\nlisten = 0.0.0.0:9000, /run/x/api\ntls_cert_file = c\n"
		"tls_key_file = k\n",
		"unix:/run/x/api:");
	asks_at("[wake]\ncontrol_plane_url = unix:/run/y\n", "unix:/run/y:");
	asks_at("[wake]\ncontrol_plane_url = http://10.0.0.9:1\n[control]\nlisten = "
		"127.0.0.1:9000\n",
		"http://10.0.0.9:1");
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
		cmocka_unit_test(lists_of_networks_are_read),
		cmocka_unit_test(lists_of_words_are_read),
		cmocka_unit_test(what_is_no_domain_is_refused),
		cmocka_unit_test(tls_versions_are_words),
		cmocka_unit_test(settings_that_need_others_say_which),
		cmocka_unit_test(settings_that_have_what_they_need_are_taken),
		cmocka_unit_test(an_override_that_needs_another_setting_is_blamed),
		cmocka_unit_test(secrets_are_asked_for_where_nothing_has_to_wake),
		cmocka_unit_test(a_user_has_limits_and_networks),
		cmocka_unit_test(what_is_wrong_with_a_user_is_said),
		cmocka_unit_test(peers_are_those_of_the_group_but_ourselves),
		cmocka_unit_test(what_is_wrong_with_a_peer_is_said),
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
		cmocka_unit_test(a_reload_does_not_lose_the_control_plane),
		cmocka_unit_test(a_reload_of_the_same_file_changes_nothing),
		cmocka_unit_test(who_holds_a_config_may_use_it),
		cmocka_unit_test(the_control_plane_that_is_asked_is_our_own_if_there_is_one),
		cmocka_unit_test(the_sample_file_is_itself_a_good_file),
		cmocka_unit_test(the_sample_file_names_every_default),
		cmocka_unit_test(the_manual_has_every_setting),
		cmocka_unit_test(what_is_shown_is_what_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
