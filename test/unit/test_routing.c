/* Which compute does a client want, and what is its startup packet for the compute? */
#include "wire.h"

#include "src/proxy/routing.h"

/* A packet as "name=value name=value"; values have no blanks ('+' stands for one). */
static Startup startup_of(const char *text)
{
	Startup s = {.minor = 0};

	while (*text) {
		size_t n = strcspn(text, "="), k;

		buf_append(&s.pairs, (Span){(const uint8_t *)text, n});
		buf_append_u8(&s.pairs, 0);
		text += n + 1;
		k = strcspn(text, " ");
		for (size_t i = 0; i < k; i++)
			buf_append_u8(&s.pairs, text[i] == '+' ? ' ' : (uint8_t)text[i]);
		buf_append_u8(&s.pairs, 0);
		text += k + (text[k] == ' ');
	}
	return s;
}

/* The other way round. */
static const char *text_of(const Startup *s)
{
	static char text[20000];
	Span pairs = buf_span(&s->pairs);
	bool is_value = false;

	*text = 0;
	for (size_t i = 0; i < pairs.n; i += strlen((const char *)pairs.at + i) + 1) {
		strcat(text, is_value ? "=" : *text ? " " : "");
		strcat(text, (const char *)pairs.at + i);
		is_value = !is_value;
	}
	return text;
}

static const Config *conf_of(const char *text)
{
	Fault why;
	const Config *conf = conf_parse("x.ini", text, NULL, 0, &why);

	if (!conf)
		fail_msg("%s", why.detail);
	return conf;
}

static void goes_by(const char *settings, const char *server_name, const char *packet,
		    const char *compute, const char *rewritten)
{
	const Config *conf = conf_of(settings);
	const Database *database = NULL;
	Startup s = startup_of(packet);
	char id[64];
	Fault why;

	if (!routing_find(conf, "postgres", server_name, &s, id, sizeof(id), &database, &why))
		fail_msg("%s: %s", packet, why.detail);
	assert_true(routing_apply(conf, database, "", &s, &why));
	assert_string_equal(id, compute);
	assert_string_equal(text_of(&s), rewritten);
	assert_non_null(database);
	buf_free(&s.pairs);
	conf_release(conf);
}

static void goes(const char *settings, const char *packet, const char *compute,
		 const char *rewritten)
{
	goes_by(settings, "", packet, compute, rewritten);
}

static void refused_by(const char *settings, const char *server_name, const char *packet,
		       FaultCode code, const char *detail)
{
	const Config *conf = conf_of(settings);
	const Database *database = NULL;
	Startup s = startup_of(packet);
	char id[64];
	Fault why;

	assert_false(
		routing_find(conf, "postgres", server_name, &s, id, sizeof(id), &database, &why) &&
		routing_apply(conf, database, "", &s, &why));
	assert_int_equal(why.code, code);
	assert_string_equal(why.detail, detail);
	buf_free(&s.pairs);
	conf_release(conf);
}

static void refused(const char *settings, const char *packet, FaultCode code, const char *detail)
{
	refused_by(settings, "", packet, code, detail);
}

TEST(the_database_names_the_compute)
{
	goes("", "user=bob database=frog", "frog", "user=bob database=frog");
	goes("", "user=bob database=frog/app", "frog", "user=bob database=app");
	goes("", "user=bob database=frog/a/b", "frog", "user=bob database=a/b");
}

/* As the server has it: who names no database means that of his own name. */
TEST(without_a_database_the_users_name_counts)
{
	goes("", "user=bob", "bob", "user=bob");
	goes("", "user=bob database=", "bob", "user=bob database=");
}

TEST(a_separator_with_nothing_behind_it_leaves_the_database_to_the_server)
{
	goes("", "user=bob database=frog/", "frog", "user=bob");
}

TEST(a_separator_may_be_another)
{
	goes("[reveille]\nroute_separator=--\n", "user=bob database=frog--app", "frog",
	     "user=bob database=app");
	goes("[reveille]\nroute_separator=@\n", "user=bob database=frog@a/b", "frog",
	     "user=bob database=a/b");
}

TEST(ids_are_compared_in_lower_case)
{
	goes("", "user=bob database=FROG/App", "frog", "user=bob database=App");
}

TEST(options_name_the_compute_and_go_without_it)
{
	static const struct {
		const char *options, *left;
	} table[] = {
		{"-c+endpoint=frog", NULL},
		{"-cendpoint=frog", NULL},
		{"--endpoint=frog", NULL},
		{"endpoint=frog", NULL},
		{"project=frog", NULL},
		{"-c+project=frog", NULL},
		{"++endpoint=frog++", NULL},
		{"-c+geqo=off+endpoint=frog", "-c+geqo=off"},
		{"-c+endpoint=frog+-c+geqo=off", "-c+geqo=off"},
		{"-c+geqo=off+-c+endpoint=frog+--x=y", "-c+geqo=off+--x=y"},
		{"-c+a=1+-c+endpoint=toad+-c+b=2+project=frog", "-c+a=1+-c+b=2"},
		{"-c+application_name=a\\+b+endpoint=frog", "-c+application_name=a\\+b"},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		char packet[200], left[200];

		snprintf(packet, sizeof(packet), "user=bob options=%s database=app",
			 table[i].options);
		snprintf(left, sizeof(left), "user=bob database=app%s%s",
			 table[i].left ? " options=" : "", table[i].left ? table[i].left : "");
		for (char *p = left; (p = strchr(p, '+'));)
			*p = ' ';
		goes("", packet, "frog", left);
	}
}

TEST(options_of_other_kinds_are_left_alone)
{
	goes("", "user=bob options=-c+search_path=x database=frog", "frog",
	     "user=bob options=-c search_path=x database=frog");
	goes("", "user=bob options=-c+myendpoint=x+-d+endpoint database=frog", "frog",
	     "user=bob options=-c myendpoint=x -d endpoint database=frog");
	goes("", "user=bob options=-xendpoint=toad database=frog", "frog",
	     "user=bob options=-xendpoint=toad database=frog");
	goes("", "user=bob options= database=frog", "frog", "user=bob options= database=frog");
}

TEST(a_database_stays_as_it_is_when_options_name_the_compute)
{
	goes("", "user=bob options=endpoint=frog database=toad/app", "frog",
	     "user=bob database=toad/app");
}

TEST(the_user_names_the_compute_for_clients_without_options)
{
	goes("", "user=endpoint$frog$bob database=app", "frog", "database=app user=bob");
	goes("", "user=endpoint$frog;bob database=app", "frog", "database=app user=bob");
	goes("", "user=endpoint$frog;a$b;c database=app", "frog", "database=app user=a$b;c");
}

TEST(a_user_that_only_looks_like_it_stays_as_it_is)
{
	goes("", "user=endpoint$frog database=toad", "toad", "user=endpoint$frog database=toad");
	goes("", "user=endpoint$frog$ database=toad", "toad", "user=endpoint$frog$ database=toad");
	goes("", "user=my-endpoint$frog$bob database=toad", "toad",
	     "user=my-endpoint$frog$bob database=toad");
}

TEST(the_admin_says_where_to_look_and_in_which_order)
{
	goes("[reveille]\nroute_by = database, options\n",
	     "user=bob options=endpoint=frog database=toad", "toad", "user=bob database=toad");
	goes("[reveille]\nroute_by = user\n", "user=endpoint$frog$bob database=toad/x", "frog",
	     "database=toad/x user=bob");
	refused("[reveille]\nroute_by = options\n", "user=bob database=frog", FAULT_NO_ROUTE,
		"no compute is named; say which as the database");
	refused("[reveille]\nroute_by =\n", "user=bob database=frog", FAULT_NO_ROUTE,
		"no compute is named; say which as the database");
}

/* Nothing but a DNS label reaches a URL. */
TEST(what_is_no_label_is_no_compute)
{
	refused("", "user=bob database=fr_og", FAULT_NO_ROUTE, "there is no compute \"fr_og\"");
	refused("", "user=bob database=-frog", FAULT_NO_ROUTE, "there is no compute \"-frog\"");
	refused("", "user=bob options=endpoint=a?b database=x", FAULT_NO_ROUTE,
		"there is no compute \"a?b\"");
	refused("", "user=bob database=a%2fb", FAULT_NO_ROUTE, "there is no compute \"a%2fb\"");
	refused("", "user=bob database=a\nb", FAULT_NO_ROUTE, "there is no compute \"a?b\"");
	refused("", "user=endpoint$$bob database=..", FAULT_NO_ROUTE, "there is no compute \"..\"");
}

TEST(a_separator_with_nothing_before_it_names_nothing)
{
	const Config *conf = conf_of("");
	const Database *database;
	Startup s = startup_of("user=bob database=/app");
	char id[64];
	Fault why;

	assert_false(routing_find(conf, "postgres", "", &s, id, sizeof(id), &database, &why));
	assert_int_equal(why.code, FAULT_NO_ROUTE);
	buf_free(&s.pairs);
	conf_release(conf);
}

TEST(a_name_that_is_too_long_is_refused_not_cut)
{
	static const char long_name[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	static const char detail[] = "the compute's name is longer than 63 characters";
	char packet[200];

	snprintf(packet, sizeof(packet), "user=bob database=%s", long_name);
	refused("", packet, FAULT_NO_ROUTE, detail);
	snprintf(packet, sizeof(packet), "user=bob database=%s/app", long_name);
	refused("", packet, FAULT_NO_ROUTE, detail);
	snprintf(packet, sizeof(packet), "user=bob options=endpoint=%s", long_name);
	refused("", packet, FAULT_NO_ROUTE, detail);
	snprintf(packet, sizeof(packet), "user=endpoint$%s$bob", long_name);
	refused("", packet, FAULT_NO_ROUTE, detail);
}

/* The server name that was asked for in TLS. */

#define DOMAIN "[reveille]\nroute_domain = db.example.com\n"

TEST(the_server_name_names_the_compute)
{
	goes_by(DOMAIN, "frog.db.example.com", "user=bob database=app", "frog",
		"user=bob database=app");
	goes_by(DOMAIN, "frog.db.example.com", "user=bob", "frog", "user=bob");
	goes_by(DOMAIN, "frog.db.example.com", "user=bob options=-c+geqo=off database=a-b", "frog",
		"user=bob options=-c geqo=off database=a-b");
}

TEST(a_domain_may_be_written_in_any_case)
{
	goes_by("[reveille]\nroute_domain = DB.Example.Com\n", "frog.db.example.com",
		"user=bob database=app", "frog", "user=bob database=app");
	goes_by(DOMAIN, "FROG.Db.Example.COM", "user=bob database=app", "frog",
		"user=bob database=app");
}

TEST(there_may_be_several_domains)
{
	static const char conf[] = "[reveille]\nroute_domain = db.example.com , x.org,,\n";

	goes_by(conf, "frog.db.example.com", "user=bob database=app", "frog",
		"user=bob database=app");
	goes_by(conf, "frog.x.org", "user=bob database=app", "frog", "user=bob database=app");
	goes_by(conf, "frog.x.com", "user=bob database=toad", "toad", "user=bob database=toad");
}

/* One label stands before a domain, which is all that a wildcard certificate is good for. */
TEST(a_name_elsewhere_names_nothing)
{
	static const char *const names[] = {
		"db.example.com",
		"example.com",
		"frog.example.com",
		"big.frog.db.example.com",
		"frogdb.example.com",
		"frog.db.example.com.",
		"frog.db.example.com.evil.org",
		"frog.xdb.example.com",
		".db.example.com",
		"frog",
		"frog.",
		".",
	};

	for (size_t i = 0; i < N_OF(names); i++)
		goes_by(DOMAIN, names[i], "user=bob database=toad/app", "toad",
			"user=bob database=app");
	goes_by("", "frog.", "user=bob database=toad", "toad", "user=bob database=toad");
	goes_by("", "frog.db.example.com", "user=bob database=toad", "toad",
		"user=bob database=toad");
}

TEST(a_server_name_that_is_no_label_is_no_compute)
{
	refused_by(DOMAIN, "fr_og.db.example.com", "user=bob database=x", FAULT_NO_ROUTE,
		   "there is no compute \"fr_og\"");
	refused_by(DOMAIN, "-frog.db.example.com", "user=bob database=x", FAULT_NO_ROUTE,
		   "there is no compute \"-frog\"");
	refused_by(DOMAIN, "*.db.example.com", "user=bob database=x", FAULT_NO_ROUTE,
		   "there is no compute \"*\"");
	refused_by(DOMAIN, "a/b.db.example.com", "user=bob database=x", FAULT_NO_ROUTE,
		   "there is no compute \"a/b\"");
	refused_by(DOMAIN, "a\nb.db.example.com", "user=bob database=x", FAULT_NO_ROUTE,
		   "there is no compute \"a?b\"");
}

TEST(a_server_name_that_is_too_long_is_refused_not_cut)
{
	char name[100], label[64];

	memset(label, 'x', sizeof(label));
	snprintf(name, sizeof(name), "%.64s.db.example.com", label);
	refused_by(DOMAIN, name, "user=bob database=app", FAULT_NO_ROUTE,
		   "the compute's name is longer than 63 characters");
	snprintf(name, sizeof(name), "%.63s.db.example.com", label);
	label[63] = 0;
	goes_by(DOMAIN, name, "user=bob database=app", label, "user=bob database=app");
}

TEST(who_names_the_same_compute_twice_agrees)
{
	static const char users[] = DOMAIN "route_by = sni,options,user,database\n";

	goes_by(DOMAIN, "frog.db.example.com", "user=bob database=frog/app", "frog",
		"user=bob database=app");
	goes_by(DOMAIN, "frog.db.example.com", "user=bob database=FROG/app", "frog",
		"user=bob database=app");
	goes_by(DOMAIN, "frog.db.example.com", "user=bob database=app options=endpoint=frog",
		"frog", "user=bob database=app");
	goes_by(users, "frog.db.example.com", "user=endpoint$frog$bob database=app", "frog",
		"database=app user=bob");
}

TEST(who_names_two_computes_is_told_both)
{
	static const char users[] = "[reveille]\nroute_domain = db.example.com\n"
				    "route_by = user, sni\n";
	static const char detail[] = "the server name asks for compute \"frog\", but the startup "
				     "packet for \"toad\"";

	refused_by(DOMAIN, "frog.db.example.com", "user=bob database=toad/app", FAULT_NO_ROUTE,
		   detail);
	refused_by(DOMAIN, "frog.db.example.com", "user=bob options=-c+endpoint=toad",
		   FAULT_NO_ROUTE, detail);
	refused_by(DOMAIN, "frog.db.example.com", "user=bob options=project=toad database=frog/x",
		   FAULT_NO_ROUTE, detail);
	refused_by(DOMAIN, "frog.db.example.com", "user=endpoint$toad$bob database=app",
		   FAULT_NO_ROUTE, detail);
	refused_by(users, "frog.db.example.com", "user=endpoint$toad;bob database=app",
		   FAULT_NO_ROUTE, detail);
}

TEST(what_two_names_contain_is_printable)
{
	refused_by(DOMAIN, "a\nb.db.example.com", "user=bob database=c\rd/x", FAULT_NO_ROUTE,
		   "the server name asks for compute \"a?b\", but the startup packet for "
		   "\"c?d\"");
}

TEST(the_admin_says_whether_server_names_count)
{
	static const char without[] = DOMAIN "route_by = options,database\n";
	static const char alone[] = DOMAIN "route_by = sni\n";

	goes_by(without, "frog.db.example.com", "user=bob database=toad", "toad",
		"user=bob database=toad");
	goes_by(alone, "frog.db.example.com", "user=bob database=toad/app", "frog",
		"user=bob database=toad/app");
	refused_by(alone, "", "user=bob database=toad", FAULT_NO_ROUTE,
		   "no compute is named; say which as the database");
}

TEST(a_static_entry_may_have_a_server_name)
{
	goes_by("[databases]\nlegacy = host=h dbname=old\n" DOMAIN, "legacy.db.example.com",
		"user=bob database=app", "legacy", "user=bob database=old");
	refused_by("[databases]\nlegacy = host=h\n" DOMAIN, "frog.db.example.com",
		   "user=bob database=legacy", FAULT_NO_ROUTE, "there is no compute \"frog\"");
}

TEST(a_static_entry_is_found_by_its_own_name)
{
	static const char conf[] = "[databases]\nLegacy_DB = host=h dbname=old user=ann "
				   "client_encoding=UTF8 datestyle=ISO timezone=UTC "
				   "application_name=app\n* = wake=control_plane\n";

	goes(conf, "user=bob database=Legacy_DB", "Legacy_DB",
	     "database=old user=ann client_encoding=UTF8 datestyle=ISO timezone=UTC "
	     "application_name=app");
	goes(conf, "user=bob database=frog", "frog", "user=bob database=frog");
	refused(conf, "user=bob database=legacy_db", FAULT_NO_ROUTE,
		"there is no compute \"legacy_db\"");
}

TEST(an_entry_in_lower_case_is_found_however_it_is_written)
{
	goes("[databases]\nlegacy = host=h\n", "user=bob database=LEGACY", "legacy",
	     "user=bob database=LEGACY");
}

TEST(without_a_star_nothing_else_is_served)
{
	refused("[databases]\nlegacy = host=h\n", "user=bob database=frog", FAULT_NO_ROUTE,
		"there is no compute \"frog\"");
}

TEST(an_entry_of_the_other_engine_is_not_there)
{
	refused("[databases]\nmaria = host=h engine=mariadb\n", "user=bob database=maria",
		FAULT_NO_ROUTE, "there is no compute \"maria\"");
	goes("[databases]\npg = host=h engine=postgres\n", "user=bob database=pg", "pg",
	     "user=bob database=pg");
}

TEST(a_packet_must_not_grow_beyond_what_the_server_takes)
{
	char packet[10200] = "user=bob database=l application_name=";

	memset(packet + strlen(packet), 'x', 9920);
	goes("[databases]\nl = host=h\n", packet, "l", packet);
	refused("[databases]\nl = host=h dbname=a-much-longer-name-than-this-used-to-be-before\n",
		packet, FAULT_BAD_MESSAGE,
		"the startup packet, rewritten for the compute, is longer than 10000 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_database_names_the_compute),
		cmocka_unit_test(without_a_database_the_users_name_counts),
		cmocka_unit_test(
			a_separator_with_nothing_behind_it_leaves_the_database_to_the_server),
		cmocka_unit_test(a_separator_may_be_another),
		cmocka_unit_test(ids_are_compared_in_lower_case),
		cmocka_unit_test(options_name_the_compute_and_go_without_it),
		cmocka_unit_test(options_of_other_kinds_are_left_alone),
		cmocka_unit_test(a_database_stays_as_it_is_when_options_name_the_compute),
		cmocka_unit_test(the_user_names_the_compute_for_clients_without_options),
		cmocka_unit_test(a_user_that_only_looks_like_it_stays_as_it_is),
		cmocka_unit_test(the_admin_says_where_to_look_and_in_which_order),
		cmocka_unit_test(what_is_no_label_is_no_compute),
		cmocka_unit_test(a_separator_with_nothing_before_it_names_nothing),
		cmocka_unit_test(a_name_that_is_too_long_is_refused_not_cut),
		cmocka_unit_test(the_server_name_names_the_compute),
		cmocka_unit_test(a_domain_may_be_written_in_any_case),
		cmocka_unit_test(there_may_be_several_domains),
		cmocka_unit_test(a_name_elsewhere_names_nothing),
		cmocka_unit_test(a_server_name_that_is_no_label_is_no_compute),
		cmocka_unit_test(a_server_name_that_is_too_long_is_refused_not_cut),
		cmocka_unit_test(who_names_the_same_compute_twice_agrees),
		cmocka_unit_test(who_names_two_computes_is_told_both),
		cmocka_unit_test(what_two_names_contain_is_printable),
		cmocka_unit_test(the_admin_says_whether_server_names_count),
		cmocka_unit_test(a_static_entry_may_have_a_server_name),
		cmocka_unit_test(a_static_entry_is_found_by_its_own_name),
		cmocka_unit_test(an_entry_in_lower_case_is_found_however_it_is_written),
		cmocka_unit_test(without_a_star_nothing_else_is_served),
		cmocka_unit_test(an_entry_of_the_other_engine_is_not_there),
		cmocka_unit_test(a_packet_must_not_grow_beyond_what_the_server_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
