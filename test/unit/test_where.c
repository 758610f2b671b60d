/* Where something listens, and the URLs of Unix sockets. */
#include "unit.h"

#include "conf/where.h"

TEST(an_address_has_a_port_and_a_path_has_none)
{
	static const struct {
		const char *text, *host;
		int port;
		bool is_path, is_private;
	} good[] = {
		{"127.0.0.1:8081", "127.0.0.1", 8081, false, true},
		{"localhost:1", "localhost", 1, false, true},
		{"[::1]:65535", "::1", 65535, false, true},
		{"0.0.0.0:8081", "0.0.0.0", 8081, false, false},
		{"*:8081", "*", 8081, false, false},
		{"[::]:8081", "::", 8081, false, false},
		{"127.0.0.1.example.com:80", "127.0.0.1.example.com", 80, false, false},
		{"10.0.0.1:80", "10.0.0.1", 80, false, false},
		{"/run/a.sock", "/run/a.sock", 0, true, true},
		{"@abstract", "@abstract", 0, true, true},
	};
	static const char *const bad[] = {
		"",     "8081",   ":8081", "h", "h:",    "h:0",         "h:x", "h:65536",
		"h:-1", "::1:80", "[::1]", "/", "[]:80", "h:000000001", "@"};
	Where w;

	for (size_t i = 0; i < N_OF(good); i++) {
		assert_true(where_parse(&w, good[i].text));
		assert_string_equal(w.host, good[i].host);
		assert_int_equal(w.port, good[i].port);
		assert_int_equal(w.is_path, good[i].is_path);
		assert_int_equal(where_is_private(&w), good[i].is_private);
	}
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(where_parse(&w, bad[i]));
}

TEST(a_url_may_lead_to_a_unix_socket)
{
	char path[WHERE_PATH_MAX + 1];
	const char *asked;

	assert_true(where_of_unix_url("unix:/run/a.sock:/api/v1/x?y=a:/b", path, &asked));
	assert_string_equal(path, "/run/a.sock");
	assert_string_equal(asked, "/api/v1/x?y=a:/b");
	assert_true(where_of_unix_url("unix:@a:", path, &asked));
	assert_string_equal(path, "@a");
	assert_string_equal(asked, "/");
	assert_false(where_of_unix_url("http://unix:/a", path, &asked));
	assert_false(where_of_unix_url("unix:relative:/a", path, &asked));
}

TEST(a_path_that_no_socket_can_have_is_none)
{
	char text[WHERE_PATH_MAX + 20] = "unix:/", path[WHERE_PATH_MAX + 1];
	const char *asked;
	Where w;

	memset(text + 6, 'x', WHERE_PATH_MAX);
	assert_false(where_parse(&w, text + 5));
	assert_false(where_of_unix_url(text, path, &asked));
	text[5 + WHERE_PATH_MAX] = 0;
	assert_true(where_parse(&w, text + 5));
	assert_true(where_of_unix_url(text, path, &asked));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_a_port_and_a_path_has_none),
		cmocka_unit_test(a_url_may_lead_to_a_unix_socket),
		cmocka_unit_test(a_path_that_no_socket_can_have_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
