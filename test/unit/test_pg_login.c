/* Passing on a login: whatever the compute asks the client is between the two. */
#include "wire.h"

/* One login, and what became of it. */
typedef struct Visit {
	Login login;
	Buf from_compute, to_client, to_compute;
	Fault why;
	LoginVerdict verdict;
} Visit;

static Visit begin(void)
{
	return (Visit){.login.ours = {.pid = 77, .secret = "ours", .secret_size = 4}};
}

static LoginVerdict listen_to(Visit *v)
{
	v->verdict = pg_login(&v->login, &v->from_compute, &v->to_client, &v->to_compute, &v->why);
	return v->verdict;
}

static void end(Visit *v)
{
	buf_free(&v->from_compute);
	buf_free(&v->to_client);
	buf_free(&v->to_compute);
}

TEST(what_the_compute_asks_is_passed_on_unchanged)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'R', "\0\0\0\012SCRAM-SHA-256\0\0");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_client), "R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0");
	assert_int_equal(buf_size(&v.from_compute), 0);
	assert_int_equal(buf_size(&v.to_compute), 0);
	end(&v);
}

TEST(the_computes_key_is_kept_and_ours_is_handed_out)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'K', "\0\0\1\2abcd");
	MESSAGE(&v.from_compute, 'Z', "I");
	assert_int_equal(listen_to(&v), LOGIN_READY);
	assert_bytes(buf_span(&v.to_client), "K\0\0\0\014\0\0\1\2oursZ\0\0\0\5I");
	assert_int_equal(v.login.theirs.pid, 258);
	assert_int_equal(v.login.theirs.secret_size, 4);
	assert_memory_equal(v.login.theirs.secret, "abcd", 4);
	end(&v);
}

TEST(a_longer_key_is_kept_too)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'K', "\0\0\0\1abcdefghijklmnopqrstuvwxyz012345");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_client), "K\0\0\0\014\0\0\0\1ours");
	assert_int_equal(v.login.theirs.secret_size, 32);
	end(&v);
}

/* Such a session cannot be cancelled; everything else works. */
TEST(a_key_that_cannot_be_kept_is_no_fault)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'K', "\0\0\0\1abcdefghijklmnopqrstuvwxyz0123456");
	MESSAGE(&v.from_compute, 'K', "\0\0\0\1");
	MESSAGE(&v.from_compute, 'K', "");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_int_equal(v.login.theirs.secret_size, 0);
	end(&v);
}

TEST(a_compute_without_keys_gives_none)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'R', "\0\0\0\0");
	MESSAGE(&v.from_compute, 'Z', "I");
	assert_int_equal(listen_to(&v), LOGIN_READY);
	assert_bytes(buf_span(&v.to_client), "R\0\0\0\010\0\0\0\0Z\0\0\0\5I");
	end(&v);
}

TEST(behind_ready_nothing_is_taken)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'Z', "I");
	MESSAGE(&v.from_compute, 'A', "\0\0\0\1x\0y\0");
	assert_int_equal(listen_to(&v), LOGIN_READY);
	assert_int_equal(buf_size(&v.from_compute), 13);
	end(&v);
}

TEST(not_yet_as_the_first_word_is_kept_from_the_client)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'E', "SFATAL\0C57P03\0Mthe database system is starting up\0\0");
	assert_int_equal(listen_to(&v), LOGIN_NOT_YET);
	assert_int_equal(buf_size(&v.to_client), 0);
	assert_int_equal(v.why.code, FAULT_DIAL_FAILED);
	end(&v);
}

TEST(not_yet_as_a_later_word_is_a_refusal)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'R', "\0\0\0\0");
	MESSAGE(&v.from_compute, 'E', "SFATAL\0C57P03\0\0");
	assert_int_equal(listen_to(&v), LOGIN_ENDED);
	assert_string_equal(v.login.refusal, "57P03");
	end(&v);
}

TEST(a_refusal_is_the_clients_to_read)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'R', "\0\0\0\3");
	MESSAGE(&v.from_compute, 'E', "SFATAL\0VFATAL\0C28P01\0Mno\0\0");
	assert_int_equal(listen_to(&v), LOGIN_ENDED);
	assert_bytes(buf_span(&v.to_client),
		     "R\0\0\0\010\0\0\0\3E\0\0\0\036SFATAL\0VFATAL\0C28P01\0Mno\0\0");
	assert_string_equal(v.login.refusal, "28P01");
	end(&v);
}

TEST(an_error_may_leave_its_code_out_or_be_no_error_at_all)
{
	static const struct {
		const char *body;
		size_t n;
	} odd[] = {{"", 0},  {"\0", 1},    {"SFATAL\0\0", 8}, {"C57P03", 6},
		   {"C", 1}, {"C\0\0", 3}, {"C57P", 4},       {"SC57P03\0\0", 9}};

	for (size_t i = 0; i < N_OF(odd); i++) {
		Visit v = begin();

		put_message(&v.from_compute, 'E', (Span){(const uint8_t *)odd[i].body, odd[i].n});
		assert_int_equal(listen_to(&v), LOGIN_ENDED);
		assert_string_equal(v.login.refusal, "");
		assert_int_equal(buf_size(&v.to_client), 5 + odd[i].n);
		end(&v);
	}
}

TEST(the_connect_query_runs_before_the_client_is_told)
{
	Visit v = begin();

	v.login.connect_query = "set x = 1";
	MESSAGE(&v.from_compute, 'S', "TimeZone\0UTC\0");
	MESSAGE(&v.from_compute, 'Z', "I");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_compute), "Q\0\0\0\016set x = 1\0");
	assert_bytes(buf_span(&v.to_client), "S\0\0\0\021TimeZone\0UTC\0");
	buf_free(&v.to_client);
	MESSAGE(&v.from_compute, 'T', "\0\0");
	MESSAGE(&v.from_compute, 'D', "\0\0");
	MESSAGE(&v.from_compute, 'S', "TimeZone\0CET\0");
	MESSAGE(&v.from_compute, 'C', "SELECT 1\0");
	MESSAGE(&v.from_compute, 'Z', "I");
	assert_int_equal(listen_to(&v), LOGIN_READY);
	assert_bytes(buf_span(&v.to_client), "S\0\0\0\021TimeZone\0CET\0Z\0\0\0\5I");
	end(&v);
}

TEST(a_connect_query_that_fails_is_our_mistake)
{
	Visit v = begin();

	v.login.connect_query = "nonsense";
	MESSAGE(&v.from_compute, 'Z', "I");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	MESSAGE(&v.from_compute, 'E', "SERROR\0C42601\0Msyntax error\0\0");
	assert_int_equal(listen_to(&v), LOGIN_FAULT);
	assert_int_equal(v.why.code, FAULT_MISCONFIGURED);
	assert_string_equal(v.why.detail, "connect_query failed: syntax error");
	assert_int_equal(buf_size(&v.to_client), 0);
	end(&v);
}

TEST(a_length_that_cannot_be_ends_it)
{
	static const uint32_t lengths[] = {0, 1, 3, 65536, 0x7fffffff, 0xffffffff};

	for (size_t i = 0; i < N_OF(lengths); i++) {
		Visit v = begin();

		buf_append_u8(&v.from_compute, 'R');
		buf_append_u32(&v.from_compute, lengths[i]);
		assert_int_equal(listen_to(&v), LOGIN_FAULT);
		assert_int_equal(v.why.code, FAULT_BAD_MESSAGE);
		assert_contains(v.why.detail, "the compute's message 0x52 claims a length of ");
		end(&v);
	}
}

TEST(the_longest_message_is_passed_on)
{
	static const uint8_t body[65535 - 4];
	Visit v = begin();

	put_message(&v.from_compute, 'R', (Span){body, sizeof(body)});
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_int_equal(buf_size(&v.to_client), 65536);
	end(&v);
}

/* A compute's side of a login: a random one, but with all that a login is made of. */
static void put_random_login(Buf *out, unsigned *seed)
{
	static const uint8_t body[] = "C57P03\0Mno\0\0\1\2\3\4\5\6\7\10abcdefgh";

	for (int i = rand_r(seed) % 12; i >= 0; i--) {
		char type = "RRSKKNvTDCEZ"[rand_r(seed) % 12];

		put_message(out, type, (Span){body, (size_t)rand_r(seed) % sizeof(body)});
	}
}

static void hear_in_pieces(Visit *v, Span stream, unsigned *seed)
{
	while (stream.n > 0 && v->verdict == LOGIN_MORE) {
		size_t n = 1 + (size_t)rand_r(seed) % 7;

		n = n < stream.n ? n : stream.n;
		buf_append(&v->from_compute, (Span){stream.at, n});
		stream = span_skip(stream, n);
		listen_to(v);
	}
	buf_append(&v->from_compute, stream);
}

TEST(cuts_do_not_matter)
{
	for (unsigned seed = 1; seed < 5000; seed++) {
		unsigned dice = seed;
		Visit whole = begin(), cut = begin();

		if (seed % 2)
			whole.login.connect_query = cut.login.connect_query = "select 1";
		put_random_login(&whole.from_compute, &dice);
		hear_in_pieces(&cut, buf_span(&whole.from_compute), &dice);
		listen_to(&whole);
		assert_int_equal(whole.verdict, cut.verdict);
		assert_span(buf_span(&cut.to_client), buf_span(&whole.to_client));
		assert_span(buf_span(&cut.to_compute), buf_span(&whole.to_compute));
		assert_span(buf_span(&cut.from_compute), buf_span(&whole.from_compute));
		assert_string_equal(whole.login.refusal, cut.login.refusal);
		assert_int_equal(whole.login.theirs.pid, cut.login.theirs.pid);
		end(&whole);
		end(&cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_compute_asks_is_passed_on_unchanged),
		cmocka_unit_test(the_computes_key_is_kept_and_ours_is_handed_out),
		cmocka_unit_test(a_longer_key_is_kept_too),
		cmocka_unit_test(a_key_that_cannot_be_kept_is_no_fault),
		cmocka_unit_test(a_compute_without_keys_gives_none),
		cmocka_unit_test(behind_ready_nothing_is_taken),
		cmocka_unit_test(not_yet_as_the_first_word_is_kept_from_the_client),
		cmocka_unit_test(not_yet_as_a_later_word_is_a_refusal),
		cmocka_unit_test(a_refusal_is_the_clients_to_read),
		cmocka_unit_test(an_error_may_leave_its_code_out_or_be_no_error_at_all),
		cmocka_unit_test(the_connect_query_runs_before_the_client_is_told),
		cmocka_unit_test(a_connect_query_that_fails_is_our_mistake),
		cmocka_unit_test(a_length_that_cannot_be_ends_it),
		cmocka_unit_test(the_longest_message_is_passed_on),
		cmocka_unit_test(cuts_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
