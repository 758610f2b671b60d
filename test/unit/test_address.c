/* Where a server is: "host:port", "[v6]:port", or a path. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "sys/address.h"

TEST(a_text_is_a_host_and_a_port)
{
	static const struct {
		const char *text, *host;
		int port;
	} good[] = {
		{"localhost:5432", "localhost", 5432},
		{"10.0.0.1:1", "10.0.0.1", 1},
		{"[::1]:65535", "::1", 65535},
		{"[fe80::1%eth0]:80", "fe80::1%eth0", 80},
		{"/run/pg", "/run/pg", 0},
		{"@abstract", "@abstract", 0},
		{"/run/a:b:1", "/run/a:b:1", 0},
	};

	for (size_t i = 0; i < N_OF(good); i++) {
		char host[100];
		int port = -1;

		assert_true(address_split(good[i].text, host, sizeof(host), &port));
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
}

TEST(what_is_neither_is_refused)
{
	static const char *const bad[] = {
		"",      "h",     "h:",    ":1",    "h:0",      "h:65536", "h:1x",
		"h:x",   "[::1]", "[::1",  "[:1",   "[::1]x:1", "h:-1",    "h:99999999999999999999",
		"[]:80", "h:+80", "h: 80", "h:0x50"};

	for (size_t i = 0; i < N_OF(bad); i++) {
		char host[100];
		int port;

		if (address_split(bad[i], host, sizeof(host), &port))
			fail_msg("\"%s\" was split into \"%s\" and %d", bad[i], host, port);
	}
}

TEST(a_host_that_does_not_fit_is_refused_not_cut)
{
	char host[4];
	int port;

	assert_true(address_split("abc:1", host, sizeof(host), &port));
	assert_false(address_split("abcd:1", host, sizeof(host), &port));
	assert_false(address_split("[abcd]:1", host, sizeof(host), &port));
	assert_false(address_split("/abc", host, sizeof(host), &port));
}

static void prints(const char *host, int port, const char *expected)
{
	char out[ADDRESS_TEXT_MAX];
	Address a;

	assert_true(address_of_literal(&a, host, port));
	assert_true(a.size > 0 && a.size <= sizeof(a.at));
	address_print(&a, out, sizeof(out));
	assert_string_equal(out, expected);
}

TEST(a_literal_needs_no_resolver)
{
	prints("127.0.0.1", 5432, "127.0.0.1:5432");
	prints("::1", 5432, "[::1]:5432");
	prints("2001:db8:0::1", 1, "[2001:db8::1]:1");
	prints("/run/pg/.s.PGSQL.5432", 0, "unix:/run/pg/.s.PGSQL.5432");
	prints("@name", 0, "unix:@name");
}

TEST(a_name_is_no_literal)
{
	static const char *const names[] = {"localhost", "db.example", "",
					    "1.2.3",     "1.2.3.4.5",  "256.1.1.1",
					    "[::1]",     "::g",        "127.0.0.1 "};

	for (size_t i = 0; i < N_OF(names); i++) {
		Address a;

		assert_false(address_of_literal(&a, names[i], 1));
		assert_int_equal(a.size, 0);
	}
}

TEST(a_path_has_a_longest_length)
{
	char path[120] = "/";
	Address a;

	memset(path + 1, 'x', 106);
	assert_true(address_of_literal(&a, path, 0));
	path[107] = 'x';
	assert_false(address_of_literal(&a, path, 0));
}

/* The name of an abstract socket is as long as the address says; no zero ends it. */
TEST(an_abstract_name_begins_with_a_zero)
{
	Address a;

	assert_true(address_of_literal(&a, "@ab", 0));
	assert_int_equal(a.size, offsetof(struct sockaddr_un, sun_path) + 3);
	assert_memory_equal(a.at.un.sun_path, "\0ab", 3);
}

TEST(a_client_of_a_unix_socket_has_no_name)
{
	Address a = {.at.any.sa_family = AF_UNIX, .size = sizeof(sa_family_t)};
	char out[ADDRESS_TEXT_MAX];

	address_print(&a, out, sizeof(out));
	assert_string_equal(out, "unix");
	a = (Address){.size = 0};
	address_print(&a, out, sizeof(out));
	assert_string_equal(out, "unknown");
}

TEST(an_address_has_bytes_and_a_port)
{
	uint8_t bytes[16];
	uint16_t port = 0;
	Address a;

	assert_true(address_of_literal(&a, "10.1.2.3", 5432));
	assert_int_equal(address_bytes(&a, bytes, &port), 4);
	assert_memory_equal(bytes, "\12\1\2\3", 4);
	assert_int_equal(port, 5432);
	assert_true(address_of_literal(&a, "2001:db8::5", 65535));
	assert_int_equal(address_bytes(&a, bytes, &port), 6);
	assert_memory_equal(bytes, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\5", 16);
	assert_int_equal(port, 65535);
	assert_true(address_of_literal(&a, "/run/x", 0));
	assert_int_equal(address_bytes(&a, bytes, &port), 0);
	assert_int_equal(address_bytes(&(Address){.size = 0}, bytes, &port), 0);
}

TEST(what_is_printed_is_cut_to_what_there_is)
{
	char out[8];
	Address a;

	address_of_literal(&a, "/a/long/path", 0);
	address_print(&a, out, sizeof(out));
	assert_string_equal(out, "unix:/a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_a_host_and_a_port),
		cmocka_unit_test(what_is_neither_is_refused),
		cmocka_unit_test(a_host_that_does_not_fit_is_refused_not_cut),
		cmocka_unit_test(a_literal_needs_no_resolver),
		cmocka_unit_test(a_name_is_no_literal),
		cmocka_unit_test(a_path_has_a_longest_length),
		cmocka_unit_test(an_abstract_name_begins_with_a_zero),
		cmocka_unit_test(a_client_of_a_unix_socket_has_no_name),
		cmocka_unit_test(an_address_has_bytes_and_a_port),
		cmocka_unit_test(what_is_printed_is_cut_to_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
