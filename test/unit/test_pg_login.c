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

/* It is the client's version that is spoken with us, and the compute's with the compute. */
TEST(that_a_compute_speaks_less_is_no_word_for_the_client)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'v', "\0\3\0\0\0\0\0\0");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_int_equal(buf_size(&v.to_client), 0);
	assert_int_equal(buf_size(&v.from_compute), 0);
	MESSAGE(&v.from_compute, 'E', "SFATAL\0C57P03\0\0");
	assert_int_equal(listen_to(&v), LOGIN_NOT_YET);
	end(&v);
}

/* What a client may answer. */

static size_t wanted(Visit *v, Span from_client)
{
	Buf in = {0};
	size_t n;

	buf_append(&in, from_client);
	n = pg_wanted(&v->login, &in);
	buf_free(&in);
	return n;
}

TEST(a_client_is_heard_only_when_it_was_asked)
{
	Visit v = begin();

	assert_int_equal(wanted(&v, BYTES("p\0\0\0\5x")), 0);
	MESSAGE(&v.from_compute, 'R', "\0\0\0\3");
	MESSAGE(&v.from_compute, 'R', "\0\0\0\013r=x");
	MESSAGE(&v.from_compute, 'R', "\0\0\0\014v=x");
	MESSAGE(&v.from_compute, 'R', "\0\0\0\0");
	MESSAGE(&v.from_compute, 'R', "\0");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_int_equal(v.login.wanted, 2);
	assert_int_equal(wanted(&v, BYTES("p\0\0\0\5x")), 6);
	assert_int_equal(wanted(&v, BYTES("p\0\0\0\5xQ\0\0\0\4")), 6);
	end(&v);
}

TEST(a_client_is_heard_when_it_has_said_all_of_it)
{
	Visit v = begin();

	v.login.wanted = 1;
	assert_int_equal(wanted(&v, BYTES("")), 0);
	assert_int_equal(wanted(&v, BYTES("p\0\0\0")), 0);
	assert_int_equal(wanted(&v, BYTES("p\0\0\0\5")), 0);
	assert_int_equal(wanted(&v, BYTES("p\0\0\0\4")), 5);
	assert_int_equal(wanted(&v, BYTES("p\0\0\0\3xyz")), 0);
	assert_int_equal(wanted(&v, BYTES("p\0\0\0\0xyz")), 0);
	assert_int_equal(wanted(&v, BYTES("p\377\377\377\377xyz")), 0);
}

/* Channel binding that ends with us. */

static Visit begin_unbound(void)
{
	Visit v = begin();

	v.login.no_binding = true;
	return v;
}

TEST(a_binding_that_would_end_with_us_is_not_offered)
{
	Visit v = begin_unbound();

	MESSAGE(&v.from_compute, 'R', "\0\0\0\012SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_client), "R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0");
	assert_true(v.login.hid_plus);
	assert_true(v.login.heard);
	assert_int_equal(v.login.wanted, 1);
	end(&v);
}

TEST(a_binding_that_holds_is_offered)
{
	Visit v = begin();

	MESSAGE(&v.from_compute, 'R', "\0\0\0\012SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_client),
		     "R\0\0\0\052\0\0\0\012SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
	assert_false(v.login.hid_plus);
	end(&v);
}

TEST(other_mechanisms_are_passed_on)
{
	static const struct {
		const char *list, *left;
		size_t n, left_n;
		bool hid;
	} lists[] = {
		{"SCRAM-SHA-256\0\0", "SCRAM-SHA-256\0\0", 15, 15, false},
		{"SCRAM-SHA-256-PLUS\0\0", "\0", 20, 1, true},
		{"A\0SCRAM-SHA-256-PLUS\0B\0\0", "A\0B\0\0", 24, 5, true},
		{"SCRAM-SHA-256-PLUSX\0\0", "SCRAM-SHA-256-PLUSX\0\0", 21, 21, false},
		{"", "\0", 0, 1, false},
		{"\0", "\0", 1, 1, false},
		{"A\0SCRAM-SHA-256-PLUS", "A\0\0", 20, 3, false},
		{"A\0\0SCRAM-SHA-256-PLUS\0", "A\0\0", 22, 3, false},
	};

	for (size_t i = 0; i < N_OF(lists); i++) {
		Visit v = begin_unbound();

		buf_append_u8(&v.from_compute, 'R');
		buf_append_u32(&v.from_compute, (uint32_t)(8 + lists[i].n));
		buf_append_u32(&v.from_compute, AUTH_SASL);
		buf_append(&v.from_compute, (Span){(const uint8_t *)lists[i].list, lists[i].n});
		assert_int_equal(listen_to(&v), LOGIN_MORE);
		assert_int_equal(get_u32(buf_span(&v.to_client).at + 1), lists[i].left_n + 8);
		assert_span(span_skip(buf_span(&v.to_client), 9),
			    ((Span){(const uint8_t *)lists[i].left, lists[i].left_n}));
		assert_int_equal(v.login.hid_plus, lists[i].hid);
		end(&v);
	}
}

TEST(what_is_no_list_of_mechanisms_stays_as_it_is)
{
	Visit v = begin_unbound();

	MESSAGE(&v.from_compute, 'R', "\0\0\0\013SCRAM-SHA-256-PLUS\0");
	MESSAGE(&v.from_compute, 'R', "\0\0");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_client),
		     "R\0\0\0\033\0\0\0\013SCRAM-SHA-256-PLUS\0R\0\0\0\6\0\0");
	end(&v);
}

/* Whether a client's message may go on, where a binding was hidden and where not. */
static bool passable(bool hid_plus, Span message, Fault *why)
{
	Login login = {.hid_plus = hid_plus};
	uint8_t *exact = malloc(message.n);
	bool may;

	memcpy(exact, message.at, message.n);
	may = pg_passable(&login, (Span){exact, message.n}, why);
	free(exact);
	return may;
}

#define FIRST(flag) "p\0\0\0\040SCRAM-SHA-256\0\0\0\0\012" flag ",,n=,r=ab"

TEST(a_client_that_could_bind_is_told_what_helps)
{
	Fault why = {0};

	assert_false(passable(true, BYTES(FIRST("y")), &why));
	assert_int_equal(why.code, FAULT_REFUSED);
	assert_contains(why.detail, "channel binding ends at the proxy");
	assert_contains(why.hint, "auth_type = scram-sha-256");
	assert_contains(why.hint, "channel_binding=disable");
	assert_contains(why.hint, "server_tls_sslmode = disable");
}

TEST(everything_else_may_go_on)
{
	Fault why = {0};

	assert_true(passable(false, BYTES(FIRST("y")), &why));
	assert_true(passable(true, BYTES(FIRST("n")), &why));
	assert_true(passable(true, BYTES("p\0\0\0\013pencil\0"), &why));
	assert_true(passable(true, BYTES("p\0\0\0\5y"), &why));
	assert_true(passable(true, BYTES("p\0\0\0\022SCRAM-SHA-256\0"), &why));
	assert_true(passable(true, BYTES("p\0\0\0\026SCRAM-SHA-256\0\0\0\0\1"), &why));
	assert_true(passable(true, BYTES("p\0\0\0\031SCRAM-SHA-1\0\0\0\0\012y,,n=,r=ab"), &why));
	assert_int_equal(why.code, FAULT_NONE);
}

TEST(a_login_that_begins_anew_has_asked_for_nothing)
{
	Visit v = begin_unbound();

	v.login.connect_query = "select 1";
	MESSAGE(&v.from_compute, 'R', "\0\0\0\012SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
	listen_to(&v);
	login_begin(&v.login);
	assert_int_equal(v.login.wanted, 0);
	assert_false(v.login.hid_plus);
	assert_true(v.login.no_binding);
	assert_true(v.login.heard);
	assert_int_equal(v.login.ours.pid, 77);
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
	static const uint8_t body[] = "\0\0\0\12SCRAM-SHA-256-PLUS\0B\0\0C57P03\0Mno\0\0\1\2\3\4";

	for (int i = rand_r(seed) % 12; i >= 0; i--) {
		char type = "RRSKKNvTDCEZ"[rand_r(seed) % 12];
		size_t skip = type == 'R' ? 0 : 26;

		put_message(out, type,
			    (Span){body + skip, (size_t)rand_r(seed) % (sizeof(body) - skip)});
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
		whole.login.no_binding = cut.login.no_binding = seed % 3;
		put_random_login(&whole.from_compute, &dice);
		hear_in_pieces(&cut, buf_span(&whole.from_compute), &dice);
		listen_to(&whole);
		assert_int_equal(whole.verdict, cut.verdict);
		assert_span(buf_span(&cut.to_client), buf_span(&whole.to_client));
		assert_span(buf_span(&cut.to_compute), buf_span(&whole.to_compute));
		assert_span(buf_span(&cut.from_compute), buf_span(&whole.from_compute));
		assert_string_equal(whole.login.refusal, cut.login.refusal);
		assert_int_equal(whole.login.theirs.pid, cut.login.theirs.pid);
		assert_int_equal(whole.login.wanted, cut.login.wanted);
		assert_int_equal(whole.login.hid_plus, cut.login.hid_plus);
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
		cmocka_unit_test(that_a_compute_speaks_less_is_no_word_for_the_client),
		cmocka_unit_test(a_client_is_heard_only_when_it_was_asked),
		cmocka_unit_test(a_client_is_heard_when_it_has_said_all_of_it),
		cmocka_unit_test(a_binding_that_would_end_with_us_is_not_offered),
		cmocka_unit_test(a_binding_that_holds_is_offered),
		cmocka_unit_test(other_mechanisms_are_passed_on),
		cmocka_unit_test(what_is_no_list_of_mechanisms_stays_as_it_is),
		cmocka_unit_test(a_client_that_could_bind_is_told_what_helps),
		cmocka_unit_test(everything_else_may_go_on),
		cmocka_unit_test(a_login_that_begins_anew_has_asked_for_nothing),
		cmocka_unit_test(a_length_that_cannot_be_ends_it),
		cmocka_unit_test(the_longest_message_is_passed_on),
		cmocka_unit_test(cuts_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
