/* A client proves to us who it is, or says its password, or neither. */
#include "proof.h"
#include "wire.h"

/* One client, and how far it has come. */
typedef struct Visit {
	Proof proof;
	ScramClient client;
	ScramBinding clients_binding;
	ScramKeys keys;
	Buf in, to_client;
	Fault why;
	ProofVerdict verdict;
} Visit;

static Visit begin(ProofKind kind)
{
	Visit v = {.proof = {.kind = kind, .nonce = SERVERS_NONCE}, .verdict = PROOF_MORE};

	v.proof.scram.secret = rfc_secret();
	v.proof.scram.known = true;
	return v;
}

static Visit begin_bound(void)
{
	Visit v = begin(PROOF_SCRAM);

	v.proof.binding = v.clients_binding = bound;
	return v;
}

static void end(Visit *v)
{
	proof_free(&v->proof);
	scram_client_free(&v->client);
	buf_free(&v->in);
	buf_free(&v->to_client);
}

static ProofVerdict listen_to(Visit *v)
{
	v->verdict = pg_prove(&v->proof, &v->in, &v->to_client, &v->why);
	return v->verdict;
}

static ProofVerdict says(Visit *v, Span body)
{
	put_message(&v->in, 'p', body);
	return listen_to(v);
}

#define SAYS(v, literal) says((v), BYTES(literal))

static void refused(Visit v, FaultCode code, const char *detail)
{
	assert_int_equal(v.verdict, PROOF_FAULT);
	assert_string_equal(v.why.detail, detail);
	assert_int_equal(v.why.code, code);
	assert_int_equal(buf_size(&v.to_client), 0);
	end(&v);
}

TEST(who_may_come_in_is_told)
{
	Buf out = {0};

	pg_welcome(&out);
	assert_bytes(buf_span(&out), "R\0\0\0\010\0\0\0\0");
	buf_free(&out);
}

/* A password. */

TEST(a_password_is_asked_for)
{
	Visit v = begin(PROOF_PASSWORD);

	pg_ask_proof(&v.proof, &v.to_client);
	assert_bytes(buf_span(&v.to_client), "R\0\0\0\010\0\0\0\3");
	end(&v);
}

TEST(a_password_is_what_the_client_says)
{
	Visit v = begin(PROOF_PASSWORD);

	MESSAGE(&v.in, 'p', "pencil\0");
	MESSAGE(&v.in, 'Q', "select 1\0");
	assert_int_equal(listen_to(&v), PROOF_SAID);
	assert_string_equal(v.proof.password, "pencil");
	assert_bytes(buf_span(&v.in), "Q\0\0\0\015select 1\0");
	assert_int_equal(buf_size(&v.to_client), 0);
	proof_free(&v.proof);
	assert_null(v.proof.password);
	end(&v);
}

TEST(a_password_is_one_text)
{
	static const char detail[] = "invalid password packet size";
	Visit v = begin(PROOF_PASSWORD);

	SAYS(&v, "");
	refused(v, FAULT_BAD_MESSAGE, detail);
	v = begin(PROOF_PASSWORD);
	SAYS(&v, "pencil");
	refused(v, FAULT_BAD_MESSAGE, detail);
	v = begin(PROOF_PASSWORD);
	SAYS(&v, "pen\0cil\0");
	refused(v, FAULT_BAD_MESSAGE, detail);
	v = begin(PROOF_PASSWORD);
	SAYS(&v, "pencil\0\0");
	refused(v, FAULT_BAD_MESSAGE, detail);
}

TEST(no_password_is_none)
{
	Visit v = begin(PROOF_PASSWORD);

	SAYS(&v, "\0");
	refused(v, FAULT_BAD_MESSAGE, "empty password returned by client");
}

/* The frame, whatever is in it. */

TEST(nothing_but_an_answer_is_expected)
{
	Visit v = begin(PROOF_SCRAM);

	buf_append_u8(&v.in, 'Q');
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE,
		"expected an answer to the request for authentication, got message type 0x51");
	v = begin(PROOF_PASSWORD);
	buf_append_u8(&v.in, 0);
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE,
		"expected an answer to the request for authentication, got message type 0x00");
}

TEST(a_length_that_cannot_be_is_refused_at_once)
{
	static const uint32_t lengths[] = {0, 1, 3, 8193, 0x7fffffff, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < 2 * N_OF(lengths); i++) {
		Visit v = begin(i % 2 ? PROOF_SCRAM : PROOF_PASSWORD);

		buf_append_u8(&v.in, 'p');
		buf_append_u32(&v.in, lengths[i / 2]);
		listen_to(&v);
		refused(v, FAULT_BAD_MESSAGE, "invalid length of an authentication message");
	}
}

TEST(the_longest_message_is_read)
{
	static uint8_t body[8192 - 4];
	Visit v = begin(PROOF_PASSWORD);

	memset(body, 'x', sizeof(body) - 1);
	assert_int_equal(says(&v, (Span){body, sizeof(body)}), PROOF_SAID);
	assert_int_equal(strlen(v.proof.password), sizeof(body) - 1);
	end(&v);
}

/* SCRAM. */

TEST(scram_is_offered)
{
	Visit v = begin(PROOF_SCRAM);

	pg_ask_proof(&v.proof, &v.to_client);
	assert_bytes(buf_span(&v.to_client), "R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0");
	end(&v);
}

TEST(with_tls_channel_binding_is_offered_first)
{
	Visit v = begin_bound();

	pg_ask_proof(&v.proof, &v.to_client);
	assert_bytes(buf_span(&v.to_client),
		     "R\0\0\0\052\0\0\0\012SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
	end(&v);
}

static void put_initial(Buf *out, const char *mechanism, Span first)
{
	buf_append_text(out, mechanism);
	buf_append_u32(out, (uint32_t)first.n);
	buf_append(out, first);
}

static ProofVerdict says_first(Visit *v, bool plus)
{
	Buf first = {0}, body = {0};

	scram_client_first(&v->client, plus, CLIENTS_NONCE, &first);
	put_initial(&body, plus ? PG_SCRAM_PLUS : PG_SCRAM, buf_span(&first));
	says(v, buf_span(&body));
	buf_free(&first);
	buf_free(&body);
	return v->verdict;
}

/* What was sent to the client: one Authentication message of that kind; it stays there. */
static Span heard(const Visit *v, uint32_t kind)
{
	Span out = buf_span(&v->to_client);

	assert_true(out.n >= 9);
	assert_int_equal(out.at[0], 'R');
	assert_int_equal(get_u32(out.at + 1), out.n - 1);
	assert_int_equal(get_u32(out.at + 5), kind);
	return span_skip(out, 9);
}

static void put_proof(Visit *v, const char *password, Buf *out)
{
	assert_true(scram_client_challenge(&v->client, heard(v, AUTH_SASL_CONTINUE), &v->why));
	v->keys = keys_of(password, v->client.salt, v->client.salt_size, v->client.iterations);
	scram_client_final(&v->client, &v->keys, &v->clients_binding, out);
	buf_free(&v->to_client);
}

static ProofVerdict says_proof(Visit *v, const char *password)
{
	Buf proof = {0};

	put_proof(v, password, &proof);
	says(v, buf_span(&proof));
	buf_free(&proof);
	return v->verdict;
}

static void is_let_in(Visit *v)
{
	assert_true(scram_client_check(&v->client, &v->keys, heard(v, AUTH_SASL_FINAL), &v->why));
	assert_memory_equal(v->proof.scram.client_key, v->keys.client_key, SCRAM_KEY_SIZE);
	end(v);
}

TEST(a_right_proof_lets_in_and_leaves_the_clients_key)
{
	Visit v = begin(PROOF_SCRAM);

	assert_int_equal(says_first(&v, false), PROOF_MORE);
	assert_int_equal(says_proof(&v, "pencil"), PROOF_RIGHT);
	assert_int_equal(buf_size(&v.in), 0);
	is_let_in(&v);
}

TEST(a_right_proof_may_be_bound)
{
	Visit v = begin_bound();

	assert_int_equal(says_first(&v, true), PROOF_MORE);
	assert_int_equal(says_proof(&v, "pencil"), PROOF_RIGHT);
	is_let_in(&v);
	v = begin_bound();
	assert_int_equal(says_first(&v, false), PROOF_MORE);
	assert_int_equal(says_proof(&v, "pencil"), PROOF_RIGHT);
	is_let_in(&v);
}

TEST(a_wrong_password_does_not_let_in)
{
	static const uint8_t nothing[SCRAM_KEY_SIZE];
	Visit v = begin(PROOF_SCRAM);

	says_first(&v, false);
	says_proof(&v, "pen");
	assert_memory_equal(v.proof.scram.client_key, nothing, SCRAM_KEY_SIZE);
	refused(v, FAULT_WRONG_PASSWORD, "password authentication failed");
}

/* His secret is a mock: even who knew its password would be refused, in the same words. */
TEST(a_user_whom_nobody_knows_does_not_get_in)
{
	Visit v = begin(PROOF_SCRAM);

	v.proof.scram.known = false;
	assert_int_equal(says_first(&v, false), PROOF_MORE);
	says_proof(&v, "pencil");
	refused(v, FAULT_WRONG_PASSWORD, "password authentication failed");
}

/* Somebody in between has a certificate of his own. */
TEST(a_proof_for_another_certificate_does_not_let_in)
{
	static const uint8_t other[32] = "another certificate";
	Visit v = begin_bound();

	v.clients_binding = (ScramBinding){other, sizeof(other)};
	says_first(&v, true);
	says_proof(&v, "pencil");
	refused(v, FAULT_BAD_MESSAGE, "SCRAM channel binding check failed");
}

/* What a client may begin with, and why it does not get further. */
static void begins_badly(bool with_tls, Span body, const char *detail)
{
	Visit v = with_tls ? begin_bound() : begin(PROOF_SCRAM);

	says(&v, body);
	refused(v, FAULT_BAD_MESSAGE, detail);
}

#define BEGINS_BADLY(with_tls, literal, detail) begins_badly((with_tls), BYTES(literal), (detail))

TEST(a_mechanism_that_was_not_offered_is_not_taken)
{
	static const char detail[] = "client selected an invalid SASL authentication mechanism";

	BEGINS_BADLY(false, "SCRAM-SHA-256-PLUS\0\0\0\0\1x", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-1\0\0\0\0\1x", detail);
	BEGINS_BADLY(false, "scram-sha-256\0\0\0\0\1x", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256 \0\0\0\0\1x", detail);
	BEGINS_BADLY(false, "\0\0\0\0\1x", detail);
	BEGINS_BADLY(true, "SCRAM-SHA-256-PLU\0\0\0\0\1x", detail);
	BEGINS_BADLY(true, "PLAIN\0\0\0\0\1x", detail);
}

TEST(the_first_words_have_a_name_and_a_length)
{
	static const char detail[] = "malformed SASL message";

	BEGINS_BADLY(false, "", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0\0\0\0", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0\0\0\0\2x", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0\0\0\0\0x", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0\377\377\377\377", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0\377\377\377\377n,,n=,r=abc", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0\177\377\377\377n,,n=,r=abc", detail);
	BEGINS_BADLY(false, "SCRAM-SHA-256\0\0\0\0\0",
		     "malformed SCRAM message: the message is empty");
}

/* Whoever took the offer of channel binding away is still there. */
TEST(a_client_that_was_lied_to_is_told)
{
	BEGINS_BADLY(true, "SCRAM-SHA-256\0\0\0\0\012y,,n=,r=ab",
		     "SCRAM channel binding negotiation error: the client supports channel "
		     "binding but thinks the server does not; however, this server does support "
		     "channel binding");
}

TEST(a_client_that_could_bind_where_nothing_is_offered_may_come_in)
{
	Visit v = begin(PROOF_SCRAM);

	assert_int_equal(SAYS(&v, "SCRAM-SHA-256\0\0\0\0\012y,,n=,r=ab"), PROOF_MORE);
	heard(&v, AUTH_SASL_CONTINUE);
	end(&v);
}

TEST(the_name_of_the_mechanism_has_to_be_the_message_s)
{
	BEGINS_BADLY(true, "SCRAM-SHA-256-PLUS\0\0\0\0\012n,,n=,r=ab",
		     "malformed SCRAM message: the client selected SCRAM-SHA-256-PLUS, but the "
		     "message does not include channel binding data");
	BEGINS_BADLY(true, "SCRAM-SHA-256\0\0\0\0\040p=tls-server-end-point,,n=,r=abc",
		     "malformed SCRAM message: the client selected SCRAM-SHA-256 without channel "
		     "binding, but the message includes channel binding data");
	BEGINS_BADLY(true, "SCRAM-SHA-256-PLUS\0\0\0\0\027p=tls-unique,,n=,r=abcd",
		     "unsupported SCRAM channel-binding type");
}

TEST(a_first_message_that_is_very_long_is_refused)
{
	static uint8_t text[5000];
	Visit v = begin(PROOF_SCRAM);
	Buf body = {0};

	memset(text, 'x', sizeof(text));
	put_initial(&body, PG_SCRAM, (Span){text, sizeof(text)});
	says(&v, buf_span(&body));
	buf_free(&body);
	refused(v, FAULT_BAD_MESSAGE, "malformed SCRAM message: the message is too long");
}

TEST(a_proof_has_a_form)
{
	static const struct {
		const char *final, *detail;
	} table[] = {
		{"", "malformed SCRAM message: the message is empty"},
		{"p=QQ==", "malformed SCRAM message: expected attribute \"c\" but found 'p'"},
		{"c=biws", "malformed SCRAM message: expected attribute \"r\" but found the end"},
		{"c=eSws,r=" CLIENTS_NONCE SERVERS_NONCE ",p=QQ==",
		 "unexpected SCRAM channel-binding attribute in client-final-message"},
		{"c=biws,r=" CLIENTS_NONCE SERVERS_NONCE ",p=QQ==",
		 "malformed SCRAM message: malformed proof in client-final-message"},
		{"c=biws,r=" CLIENTS_NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		 "invalid SCRAM response: nonce does not match"},
		{"c=biws,r=" CLIENTS_NONCE SERVERS_NONCE,
		 "malformed SCRAM message: attribute expected, but found the end"},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		Visit v = begin(PROOF_SCRAM);

		says_first(&v, false);
		buf_free(&v.to_client);
		says(&v, span_of_text(table[i].final));
		refused(v, FAULT_BAD_MESSAGE, table[i].detail);
	}
}

/* A client answers what it was asked, so nothing can stand behind its first words yet. */
TEST(a_proof_that_comes_before_its_challenge_is_wrong)
{
	Visit v = begin(PROOF_SCRAM);
	Buf first = {0};

	put_initial(&first, PG_SCRAM, BYTES("n,,n=,r=" CLIENTS_NONCE));
	put_message(&v.in, 'p', buf_span(&first));
	put_message(&v.in, 'p', buf_span(&first));
	assert_int_equal(listen_to(&v), PROOF_MORE);
	buf_free(&v.to_client);
	listen_to(&v);
	buf_free(&first);
	refused(v, FAULT_BAD_MESSAGE,
		"malformed SCRAM message: message length does not match input length");
}

/* Cuts. */

static ProofVerdict says_in_pieces(Visit *v, Span body, size_t size)
{
	Buf message = {0};
	Span left;

	put_message(&message, 'p', body);
	left = buf_span(&message);
	while (left.n > 0) {
		size_t n = size < left.n ? size : left.n;

		assert_int_equal(v->verdict, PROOF_MORE);
		assert_int_equal(buf_size(&v->to_client), 0);
		buf_append(&v->in, (Span){left.at, n});
		left = span_skip(left, n);
		listen_to(v);
	}
	buf_free(&message);
	return v->verdict;
}

static void prove_in_pieces(Visit *v, size_t size)
{
	Buf first = {0}, body = {0}, proof = {0};

	scram_client_first(&v->client, false, CLIENTS_NONCE, &first);
	put_initial(&body, PG_SCRAM, buf_span(&first));
	assert_int_equal(says_in_pieces(v, buf_span(&body), size), PROOF_MORE);
	put_proof(v, "pencil", &proof);
	assert_int_equal(says_in_pieces(v, buf_span(&proof), size), PROOF_RIGHT);
	buf_free(&first);
	buf_free(&body);
	buf_free(&proof);
}

TEST(cuts_do_not_matter)
{
	for (size_t size = 1; size < 70; size++) {
		Visit v = begin(PROOF_SCRAM);

		prove_in_pieces(&v, size);
		is_let_in(&v);
		v = begin(PROOF_PASSWORD);
		assert_int_equal(says_in_pieces(&v, BYTES("a long password\0"), size), PROOF_SAID);
		assert_string_equal(v.proof.password, "a long password");
		end(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_come_in_is_told),
		cmocka_unit_test(a_password_is_asked_for),
		cmocka_unit_test(a_password_is_what_the_client_says),
		cmocka_unit_test(a_password_is_one_text),
		cmocka_unit_test(no_password_is_none),
		cmocka_unit_test(nothing_but_an_answer_is_expected),
		cmocka_unit_test(a_length_that_cannot_be_is_refused_at_once),
		cmocka_unit_test(the_longest_message_is_read),
		cmocka_unit_test(scram_is_offered),
		cmocka_unit_test(with_tls_channel_binding_is_offered_first),
		cmocka_unit_test(a_right_proof_lets_in_and_leaves_the_clients_key),
		cmocka_unit_test(a_right_proof_may_be_bound),
		cmocka_unit_test(a_wrong_password_does_not_let_in),
		cmocka_unit_test(a_user_whom_nobody_knows_does_not_get_in),
		cmocka_unit_test(a_proof_for_another_certificate_does_not_let_in),
		cmocka_unit_test(a_mechanism_that_was_not_offered_is_not_taken),
		cmocka_unit_test(the_first_words_have_a_name_and_a_length),
		cmocka_unit_test(a_client_that_was_lied_to_is_told),
		cmocka_unit_test(a_client_that_could_bind_where_nothing_is_offered_may_come_in),
		cmocka_unit_test(the_name_of_the_mechanism_has_to_be_the_message_s),
		cmocka_unit_test(a_first_message_that_is_very_long_is_refused),
		cmocka_unit_test(a_proof_has_a_form),
		cmocka_unit_test(a_proof_that_comes_before_its_challenge_is_wrong),
		cmocka_unit_test(cuts_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
