/* Whose work does not count. */
#include "unit.h"

#include "src/control/exempt.h"

static Exempt some(void)
{
	Exempt e = {0};
	Fault why = {0};

	if (!exempt_role(&e, "monitor", &why) || !exempt_application(&e, "pgbackweb", &why) ||
	    !exempt_application(&e, "Data_Dog 100%\\*", &why) ||
	    !exempt_network(&e, "10.1.0.0/16", &why) || !exempt_network(&e, "2001:db8::/32", &why))
		fail_msg("%s", why.detail);
	return e;
}

static bool has(const Exempt *e, const char *role, const char *application, const char *network)
{
	return exempt_has(e, &(Who){role, application, network});
}

TEST(a_session_is_exempt_for_any_of_its_marks)
{
	Exempt e = some();
	const struct {
		const char *role, *application, *network;
		bool exempt;
	} rows[] = {
		{"app", "psql", "192.0.2.0/24", false},
		{"app", "", "", false},
		{"monitor", "psql", "192.0.2.0/24", true},
		{"Monitor", "psql", "192.0.2.0/24", false},
		{"monitor2", "psql", "192.0.2.0/24", false},
		{"app", "pgbackweb", "192.0.2.0/24", true},
		{"app", "pgbackweb 2", "192.0.2.0/24", false},
		{"app", "Data_Dog 100%\\", "192.0.2.0/24", true},
		{"app", "Data_Dog 100%\\ agent", "192.0.2.0/24", true},
		{"app", "Data_Dog", "192.0.2.0/24", false},
		{"app", "psql", "10.1.255.0/24", true},
		{"app", "psql", "10.2.0.0/24", false},
		{"app", "psql", "10.0.0.0/8", false}, /* wider than what was named */
		{"app", "psql", "2001:db8:1:100::/56", true},
		{"app", "psql", "2001:db9::/56", false},
		{"app", "psql", "local", false},
		{"app", "psql", "nonsense", false},
	};

	for (size_t i = 0; i < N_OF(rows); i++)
		assert_int_equal(has(&e, rows[i].role, rows[i].application, rows[i].network),
				 rows[i].exempt);
	assert_true(exempt_network(&e, "local", &(Fault){0}));
	assert_true(has(&e, "app", "psql", "local"));
}

TEST(names_that_proxies_cannot_tell_are_found_as_they_tell_them)
{
	Exempt e = {0};
	Fault why;
	char *parameter;

	assert_true(exempt_role(&e, "j\xc3\xbcrgen", &why));
	assert_true(exempt_application(&e, "m\xc3\xbcller*", &why));
	assert_true(has(&e, "j??rgen", "psql", "192.0.2.0/24"));
	assert_true(has(&e, "j\xc3\xbcrgen", "psql", "192.0.2.0/24"));
	assert_true(has(&e, "app", "m??ller 2", "192.0.2.0/24"));
	assert_false(has(&e, "j?rgen", "m?ller", "192.0.2.0/24"));
	parameter = exempt_parameter(&e);
	assert_string_equal(parameter, "{\"roles\":[\"j\xc3\xbcrgen\"],"
				       "\"applications\":[\"m??ller%\"]}");
	free(parameter);
}

TEST(where_nothing_is_named_everybody_counts)
{
	Exempt e = {0};

	assert_false(has(&e, "", "", ""));
	assert_false(has(&e, "app", "psql", "local"));
	assert_false(has(&e, "app", "psql", "10.0.0.0/24"));
}

TEST(what_could_never_be_found_is_refused)
{
	Exempt e = {0};
	Fault why;

	assert_false(exempt_network(&e, "10.1.2.3", &why));
	assert_contains(why.detail, "narrower than /24");
	assert_false(exempt_network(&e, "2001:db8::/64", &why));
	assert_contains(why.detail, "narrower than /56");
	assert_false(exempt_network(&e, "ten", &why));
	assert_contains(why.detail, "\"ten\" is no network");
	assert_int_equal(why.code, FAULT_BAD_VALUE);
	assert_false(exempt_application(&e, "*", &why));
	assert_contains(why.detail, "not alone");
	assert_false(exempt_application(&e, "a*b", &why));
	assert_contains(why.detail, "only stand at the end");
	assert_false(exempt_role(&e, "", &why));
	assert_contains(why.detail, "1 to 63 bytes");
	assert_int_equal(e.n_roles + e.n_applications + e.n_networks, 0);
}

TEST(the_server_is_given_patterns_in_which_nothing_means_more_than_it_did)
{
	Exempt e = some();
	char *text = exempt_parameter(&e);

	assert_string_equal(text, "{\"roles\":[\"monitor\"],\"applications\":[\"pgbackweb\","
				  "\"Data\\\\_Dog 100\\\\%\\\\\\\\%\"]}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_exempt_for_any_of_its_marks),
		cmocka_unit_test(names_that_proxies_cannot_tell_are_found_as_they_tell_them),
		cmocka_unit_test(where_nothing_is_named_everybody_counts),
		cmocka_unit_test(what_could_never_be_found_is_refused),
		cmocka_unit_test(
			the_server_is_given_patterns_in_which_nothing_means_more_than_it_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
