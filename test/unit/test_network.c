/* Networks in CIDR notation: which addresses are in them, and what is said of bad ones. */
#include "unit.h"

#include "conf/network.h"

static ClientAddress address(const char *text)
{
	ClientAddress a = {.family = 0};

	if (strcmp(text, "unix") != 0 && !client_address_parse(&a, text))
		fail_msg("%s is no address", text);
	return a;
}

static bool has(const char *list, const char *text)
{
	NetworkList l;
	Fault why;
	ClientAddress a = address(text);
	bool found;

	if (!network_list_parse(&l, list, &why))
		fail_msg("%s: %s", list, why.detail);
	found = network_list_has(&l, &a);
	network_list_free(&l);
	return found;
}

TEST(an_address_is_in_its_networks)
{
	static const struct {
		const char *list, *in, *out;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
		{"10.0.0.0/8", "10.0.0.0", "9.255.255.255"},
		{"192.168.4.0/22", "192.168.7.255", "192.168.8.0"},
		{"192.168.4.0/22", "192.168.4.0", "192.168.3.255"},
		{"10.1.2.3", "10.1.2.3", "10.1.2.2"},
		{"10.1.2.3/32", "10.1.2.3", "10.1.2.4"},
		{"10.1.2.2/31", "10.1.2.3", "10.1.2.4"},
		{"0.0.0.0/0", "255.1.2.3", "::1"},
		{"0.0.0.0/0", "1.2.3.4", "unix"},
		{"::/0", "2001:db8::1", "1.2.3.4"},
		{"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
		{"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
		{"fe80::1", "fe80::1", "fe80::2"},
		{"unix", "unix", "127.0.0.1"},
		{"10.0.0.0/8, unix , ::1", "unix", "::2"},
		{" 10.0.0.0/8,::1 ", "::1", "unix"},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		if (!has(rows[i].list, rows[i].in) || has(rows[i].list, rows[i].out))
			fail_msg("%s", rows[i].list);
	}
}

TEST(an_empty_list_has_nobody)
{
	assert_false(has("", "1.2.3.4"));
	assert_false(has("  ", "::1"));
	assert_false(has("", "unix"));
}

TEST(a_mapped_address_counts_as_ipv4)
{
	static const struct {
		const char *list, *in, *out;
	} rows[] = {
		{"10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"},
		{"::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"},
		{"::ffff:10.0.0.0/104", "::ffff:10.1.1.1", "::ffff:11.1.1.1"},
		{"::ffff:10.1.1.1", "10.1.1.1", "10.1.1.2"},
		{"::ffff:0:0/96", "1.2.3.4", "::1"},
		{"::/0", "::1", "::ffff:10.1.1.1"},
	};
	ClientAddress raw = {.family = 6, .bytes = {[10] = 0xff, 0xff, 10, 1, 1, 1}};
	Network n;
	Fault why;

	for (size_t i = 0; i < N_OF(rows); i++) {
		if (!has(rows[i].list, rows[i].in) || has(rows[i].list, rows[i].out))
			fail_msg("%s", rows[i].list);
	}
	assert_true(network_parse(&n, "10.0.0.0/8", &why));
	assert_true(network_has(&n, &raw));
	assert_true(network_parse(&n, "::/0", &why));
	assert_false(network_has(&n, &raw));
}

TEST(a_bad_list_says_what_would_be_right)
{
	static const struct {
		const char *list, *detail;
	} rows[] = {
		{"10.0.0.1/8", "\"10.0.0.1/8\" has bits set behind its mask; the network is "
			       "10.0.0.0/8"},
		{"2001:db8::1/32", "\"2001:db8::1/32\" has bits set behind its mask; the network "
				   "is 2001:db8::/32"},
		{"::ffff:10.0.0.1/104", "\"::ffff:10.0.0.1/104\" has bits set behind its mask; the "
					"network is 10.0.0.0/8"},
		{"::ffff:0:0/95", "\"::ffff:0:0/95\" has bits set behind its mask; the network is "
				  "::fffe:0:0/95"},
		{"10.0.0.0/33", "the mask of \"10.0.0.0/33\" must be between 0 and 32"},
		{"::/129", "the mask of \"::/129\" must be between 0 and 128"},
		{"10.0.0.0/", "the mask of \"10.0.0.0/\" must be between 0 and 32"},
		{"10.0.0.0/-1", "the mask of \"10.0.0.0/-1\" must be between 0 and 32"},
		{"10.0.0.0/8x", "the mask of \"10.0.0.0/8x\" must be between 0 and 32"},
		{"10.0.0.0/0008", "the mask of \"10.0.0.0/0008\" must be between 0 and 32"},
		{"10.0.0.0/255.0.0.0",
		 "the mask of \"10.0.0.0/255.0.0.0\" must be between 0 and 32"},
		{"10.0.0/8", "\"10.0.0/8\" is no network; write one as 10.0.0.0/8 or "
			     "2001:db8::/32, or a single address"},
		{"example.com", "\"example.com\" is no network; write one as 10.0.0.0/8 or "
				"2001:db8::/32, or a single address"},
		{"fe80::1%eth0", "\"fe80::1%eth0\" is no network; write one as 10.0.0.0/8 or "
				 "2001:db8::/32, or a single address"},
		{"/8", "\"/8\" is no network; write one as 10.0.0.0/8 or 2001:db8::/32, or a "
		       "single address"},
		{"10.0.0.0/8 ::1", "the mask of \"10.0.0.0/8 ::1\" must be between 0 and 32"},
		{"unix,,::1", "there is nothing between two commas"},
		{"unix,", "there is nothing between two commas"},
	};
	NetworkList l;
	Fault why;

	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_false(network_list_parse(&l, rows[i].list, &why));
		assert_int_equal(why.code, FAULT_BAD_SETTING);
		assert_string_equal(why.detail, rows[i].detail);
		assert_null(l.at);
	}
}

TEST(a_mask_may_be_written_as_an_address)
{
	static const struct {
		const char *address, *mask;
		int bits;
	} rows[] = {
		{"10.0.0.0", "255.0.0.0", 8},
		{"10.1.2.3", "255.255.255.255", 32},
		{"0.0.0.0", "0.0.0.0", 0},
		{"10.0.0.0", "255.128.0.0", 9},
		{"2001:db8::", "ffff:ffff::", 32},
		{"::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128},
		{"::ffff:10.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ff00:0", 8},
	};
	Network n;
	Fault why;

	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_true(network_parse_mask(&n, rows[i].address, rows[i].mask, &why));
		assert_int_equal(n.bits, rows[i].bits);
	}
	assert_false(network_parse_mask(&n, "10.0.0.0", "255.0.255.0", &why));
	assert_string_equal(why.detail,
			    "\"255.0.255.0\" is no mask for 10.0.0.0; write 10.0.0.0/32");
	assert_false(network_parse_mask(&n, "10.0.0.0", "ffff::", &why));
	assert_false(network_parse_mask(&n, "10.0.0.1", "255.0.0.0", &why));
	assert_string_equal(why.detail, "\"10.0.0.1\" has bits set behind its mask; the network is "
					"10.0.0.0/8");
	assert_false(network_parse_mask(&n, "x", "255.0.0.0", &why));
}

TEST(what_is_no_address_is_refused)
{
	static const char *const bad[] = {"",           "x",      "10.0.0", "10.0.0.1/32",
					  "10.0.0.256", "1::2::3"};
	ClientAddress a;

	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(client_address_parse(&a, bad[i]));
	a = address("::ffff:1.2.3.4");
	assert_int_equal(a.family, 4);
	assert_memory_equal(a.bytes, "\1\2\3\4", 4);
	assert_int_equal(address("::1").family, 6);
}

TEST(an_address_is_of_a_network)
{
	static const struct {
		const char *address, *network;
	} facts[] = {{"10.1.2.3", "10.1.2.0/24"},
		     {"2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"},
		     {"::1", "::/56"}};
	ClientAddress a = {0};
	char text[64];

	for (size_t i = 0; i < N_OF(facts); i++) {
		assert_true(client_address_parse(&a, facts[i].address));
		client_address_print_network(&a, text, sizeof(text));
		assert_string_equal(text, facts[i].network);
	}
	a.family = 0;
	client_address_print_network(&a, text, sizeof(text));
	assert_string_equal(text, "local");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_of_a_network),
		cmocka_unit_test(an_address_is_in_its_networks),
		cmocka_unit_test(an_empty_list_has_nobody),
		cmocka_unit_test(a_mapped_address_counts_as_ipv4),
		cmocka_unit_test(a_bad_list_says_what_would_be_right),
		cmocka_unit_test(a_mask_may_be_written_as_an_address),
		cmocka_unit_test(what_is_no_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
