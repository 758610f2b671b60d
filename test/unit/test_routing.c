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

static void goes(const char *settings, const char *packet, const char *compute,
		 const char *rewritten)
{
	const Config *conf = conf_of(settings);
	const Database *database = NULL;
	Startup s = startup_of(packet);
	char id[64];
	Fault why;

	if (!routing_find(conf, "postgres", &s, id, sizeof(id), &database, &why))
		fail_msg("%s: %s", packet, why.detail);
	assert_string_equal(id, compute);
	assert_string_equal(text_of(&s), rewritten);
	assert_non_null(database);
	buf_free(&s.pairs);
	conf_release(conf);
}

static void refused(const char *settings, const char *packet, FaultCode code, const char *detail)
{
	const Config *conf = conf_of(settings);
	const Database *database = NULL;
	Startup s = startup_of(packet);
	char id[64];
	Fault why;

	assert_false(routing_find(conf, "postgres", &s, id, sizeof(id), &database, &why));
	assert_int_equal(why.code, code);
	assert_string_equal(why.detail, detail);
	buf_free(&s.pairs);
	conf_release(conf);
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

	assert_false(routing_find(conf, "postgres", &s, id, sizeof(id), &database, &why));
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
		cmocka_unit_test(a_static_entry_is_found_by_its_own_name),
		cmocka_unit_test(an_entry_in_lower_case_is_found_however_it_is_written),
		cmocka_unit_test(without_a_star_nothing_else_is_served),
		cmocka_unit_test(an_entry_of_the_other_engine_is_not_there),
		cmocka_unit_test(a_packet_must_not_grow_beyond_what_the_server_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
