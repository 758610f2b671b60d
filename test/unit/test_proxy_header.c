/* PROXY headers: what balancers send, what they must not, and what is none at all. */
#include "unit.h"

#include "proto/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        SIGNATURE "\x21\x11\0\14\300\250\0\1\300\250\0\13\334\4\1\273"
#define V6_BODY                              \
	"\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0" \
	"\1"                                 \
	"\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0" \
	"\2"                                 \
	"\334\4\25\70"

static ProxyHeader header;
static Fault fault;

/* The verdict on these bytes, in a memory of their exact size. */
static ProxyVerdict read_span(Span in)
{
	uint8_t *exact = malloc(in.n ? in.n : 1);
	ProxyVerdict verdict;

	if (in.n > 0)
		memcpy(exact, in.at, in.n);
	fault = (Fault){0};
	verdict = proxy_header_read(&header, (Span){exact, in.n}, &fault);
	free(exact);
	assert_int_equal(fault.code, verdict == PROXY_BAD ? FAULT_BAD_MESSAGE : FAULT_NONE);
	return verdict;
}

#define READ(literal) read_span(BYTES(literal))

/* The first n bytes of a literal, padded with zeros, in version 2 of this command and family. */
static ProxyVerdict read_v2(uint8_t command, uint8_t how, size_t length, Span body)
{
	static uint8_t bytes[16 + UINT16_MAX];

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, SIGNATURE, 12);
	bytes[12] = command;
	bytes[13] = how;
	bytes[14] = (uint8_t)(length >> 8);
	bytes[15] = (uint8_t)length;
	if (body.n > 0)
		memcpy(bytes + 16, body.at, body.n);
	return read_span((Span){bytes, 16 + length});
}

TEST(a_line_of_version_1)
{
	assert_int_equal(READ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nrest"), PROXY_DONE);
	assert_false(header.local);
	assert_int_equal(header.family, 4);
	assert_memory_equal(header.address, "\300\250\0\1", 4);
	assert_memory_equal(header.to_address, "\300\250\0\13", 4);
	assert_int_equal(header.port, 56324);
	assert_int_equal(header.to_port, 443);
	assert_int_equal(header.size, 47);
}

TEST(a_line_of_version_1_with_long_addresses)
{
	assert_int_equal(READ("PROXY TCP6 2001:db8::1 2001:DB8::2 0 65535\r\n"), PROXY_DONE);
	assert_int_equal(header.family, 6);
	assert_memory_equal(header.address, V6_BODY, 16);
	assert_memory_equal(header.to_address, &V6_BODY[16], 16);
	assert_int_equal(header.port, 0);
	assert_int_equal(header.to_port, 65535);
}

TEST(a_line_that_does_not_know_says_nothing)
{
	assert_int_equal(READ("PROXY UNKNOWN\r\n"), PROXY_DONE);
	assert_true(header.local);
	assert_int_equal(header.family, 0);
	assert_int_equal(header.size, 15);
	assert_int_equal(READ("PROXY UNKNOWN a b c d e f g\r\n"), PROXY_DONE);
	assert_true(header.local);
	assert_int_equal(READ("PROXY UNKNOWNS\r\n"), PROXY_BAD);
}

#define LONG_V6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

TEST(the_longest_line_is_read_and_no_longer_one)
{
	assert_int_equal(READ("PROXY UNKNOWN " LONG_V6 " " LONG_V6 " 65535 65535\r\n"), PROXY_DONE);
	assert_int_equal(header.size, 107);
	assert_int_equal(READ("PROXY UNKNOWN " LONG_V6 " " LONG_V6 " 65535 65535 \r\n"), PROXY_BAD);
	assert_int_equal(READ("PROXY UNKNOWN " LONG_V6 " " LONG_V6 " 65535 65535-"), PROXY_BAD);
	assert_int_equal(READ("PROXY UNKNOWN " LONG_V6 " " LONG_V6 " 65535 65535\r"), PROXY_MORE);
}

TEST(a_line_with_anything_else_in_it_is_refused)
{
	static const char *lines[] = {
		"PROXY\r\n",
		"PROXY \r\n",
		"PROXYTCP4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
		"PROXY TCP4 1.2.3.4\r\n",
		"PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
		"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4. 1 2\r\n",
		"PROXY TCP6 1::2::3 ::1 1 2\r\n",
		"PROXY TCP6 ::1%lo ::1 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 99999999999 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
		"PROXY UNKNOWN a\nb\r\n",
		"PROXY UNKNOWN a\rb\r\n",
	};

	for (size_t i = 0; i < N_OF(lines); i++) {
		if (read_span(span_of_text(lines[i])) != PROXY_BAD)
			fail_msg("accepted: %s", lines[i]);
	}
	assert_int_equal(READ("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"), PROXY_BAD);
}

TEST(a_header_of_version_2)
{
	assert_int_equal(READ(V4 "rest"), PROXY_DONE);
	assert_false(header.local);
	assert_int_equal(header.family, 4);
	assert_memory_equal(header.address, "\300\250\0\1", 4);
	assert_memory_equal(header.to_address, "\300\250\0\13", 4);
	assert_int_equal(header.port, 56324);
	assert_int_equal(header.to_port, 443);
	assert_int_equal(header.size, 28);
}

TEST(a_header_of_version_2_with_long_addresses)
{
	assert_int_equal(read_v2(0x21, 0x21, 36, BYTES(V6_BODY)), PROXY_DONE);
	assert_int_equal(header.family, 6);
	assert_memory_equal(header.address, V6_BODY, 16);
	assert_memory_equal(header.to_address, &V6_BODY[16], 16);
	assert_int_equal(header.port, 56324);
	assert_int_equal(header.to_port, 5432);
}

TEST(a_unix_socket_has_no_address_to_count)
{
	assert_int_equal(read_v2(0x21, 0x31, 216, BYTES("/run/a")), PROXY_DONE);
	assert_false(header.local);
	assert_int_equal(header.family, 0);
	assert_int_equal(header.size, 232);
}

/* A health check of the balancer's own; whatever else it says is skipped. */
TEST(a_local_connection_is_its_own)
{
	assert_int_equal(read_v2(0x20, 0, 0, BYTES("")), PROXY_DONE);
	assert_true(header.local);
	assert_int_equal(header.size, 16);
	assert_int_equal(read_v2(0x20, 0x11, 12, BYTES("abcdefghijkl")), PROXY_DONE);
	assert_true(header.local);
	assert_int_equal(header.family, 0);
	assert_int_equal(header.size, 28);
	assert_int_equal(read_v2(0x20, 0xff, 5, BYTES("abcde")), PROXY_DONE);
	assert_true(header.local);
}

TEST(what_has_no_family_or_is_no_stream_counts_as_unsaid)
{
	static const uint8_t how[] = {0x00, 0x01, 0x10, 0x12, 0x20, 0x22, 0x30, 0x32};

	for (size_t i = 0; i < N_OF(how); i++) {
		assert_int_equal(read_v2(0x21, how[i], 216, BYTES("")), PROXY_DONE);
		assert_true(header.local);
		assert_int_equal(header.family, 0);
		assert_int_equal(header.size, 232);
	}
}

TEST(an_unknown_version_command_family_or_transport_is_refused)
{
	assert_int_equal(read_v2(0x11, 0x11, 12, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x31, 0x11, 12, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x22, 0x11, 12, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x2f, 0x11, 12, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x41, 216, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x13, 216, BYTES("")), PROXY_BAD);
}

TEST(a_header_without_room_for_its_addresses_is_refused)
{
	assert_int_equal(read_v2(0x21, 0x11, 11, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x21, 35, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x31, 215, BYTES("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x11, 0, BYTES("")), PROXY_BAD);
}

#define TWELVE "abcdefghijkl"

TEST(more_than_addresses_is_skipped_if_it_is_well_formed)
{
	assert_int_equal(read_v2(0x21, 0x11, 19, BYTES(TWELVE "\1\0\1a\4\0\0")), PROXY_DONE);
	assert_int_equal(header.size, 35);
	assert_int_equal(read_v2(0x21, 0x11, 13, BYTES(TWELVE "\1")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x11, 14, BYTES(TWELVE "\1\0")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x11, 15, BYTES(TWELVE "\1\0\1")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x11, 16, BYTES(TWELVE "\1\377\377a")), PROXY_BAD);
}

TEST(a_header_longer_than_its_bound_is_refused_before_it_has_come)
{
	assert_int_equal(read_v2(0x21, 0x11, 512, BYTES(TWELVE "\4\1\361")), PROXY_DONE);
	assert_int_equal(header.size, PROXY_HEADER_MAX);
	assert_int_equal(READ(SIGNATURE "\x21\x11\2\1"), PROXY_BAD);
	assert_int_equal(READ(SIGNATURE "\x20\0\377\377"), PROXY_BAD);
}

TEST(what_begins_otherwise_is_none)
{
	assert_int_equal(READ(""), PROXY_MORE);
	assert_int_equal(READ("GET / HTTP/1.1"), PROXY_NONE);
	assert_int_equal(READ("PR0"), PROXY_NONE);
	assert_int_equal(READ("\r\n\r\n\r"), PROXY_NONE);
	assert_int_equal(READ("\x16\3\1"), PROXY_NONE);
}

/* Its length is at most 10,000, so the first of its four bytes is 0. */
TEST(a_startup_packet_is_none_at_its_first_byte)
{
	for (int length = 0; length <= 10000; length++) {
		uint8_t bytes[4] = {0, 0, (uint8_t)(length >> 8), (uint8_t)length};

		assert_int_equal(read_span((Span){bytes, 1}), PROXY_NONE);
		assert_int_equal(read_span((Span){bytes, 4}), PROXY_NONE);
	}
}

TEST(wherever_it_is_cut_more_is_wanted)
{
	static const char *lines[] = {"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", "PROXY UNKNOWN\r\n"};

	for (size_t i = 0; i < N_OF(lines); i++) {
		for (size_t n = 0; n < strlen(lines[i]); n++)
			assert_int_equal(read_span((Span){(const uint8_t *)lines[i], n}),
					 PROXY_MORE);
	}
	for (size_t n = 0; n < sizeof(V4) - 1; n++)
		assert_int_equal(read_span((Span){(const uint8_t *)V4, n}), PROXY_MORE);
}

TEST(what_is_written_is_read_again)
{
	Buf out = {0};

	proxy_header_write(4, (const uint8_t *)"\300\250\0\1", 56324,
			   (const uint8_t *)"\300\250\0\13", 443, &out);
	assert_bytes(buf_span(&out), V4);
	buf_free(&out);
	proxy_header_write(6, (const uint8_t *)V6_BODY, 56324, (const uint8_t *)&V6_BODY[16], 5432,
			   &out);
	assert_bytes(buf_span(&out), SIGNATURE "\x21\x21\0\x24" V6_BODY);
	buf_free(&out);
	proxy_header_write(0, NULL, 0, NULL, 0, &out);
	assert_bytes(buf_span(&out), SIGNATURE "\x20\0\0\0");
	assert_int_equal(read_span(buf_span(&out)), PROXY_DONE);
	assert_true(header.local);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_version_1),
		cmocka_unit_test(a_line_of_version_1_with_long_addresses),
		cmocka_unit_test(a_line_that_does_not_know_says_nothing),
		cmocka_unit_test(the_longest_line_is_read_and_no_longer_one),
		cmocka_unit_test(a_line_with_anything_else_in_it_is_refused),
		cmocka_unit_test(a_header_of_version_2),
		cmocka_unit_test(a_header_of_version_2_with_long_addresses),
		cmocka_unit_test(a_unix_socket_has_no_address_to_count),
		cmocka_unit_test(a_local_connection_is_its_own),
		cmocka_unit_test(what_has_no_family_or_is_no_stream_counts_as_unsaid),
		cmocka_unit_test(an_unknown_version_command_family_or_transport_is_refused),
		cmocka_unit_test(a_header_without_room_for_its_addresses_is_refused),
		cmocka_unit_test(more_than_addresses_is_skipped_if_it_is_well_formed),
		cmocka_unit_test(a_header_longer_than_its_bound_is_refused_before_it_has_come),
		cmocka_unit_test(what_begins_otherwise_is_none),
		cmocka_unit_test(a_startup_packet_is_none_at_its_first_byte),
		cmocka_unit_test(wherever_it_is_cut_more_is_wanted),
		cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
