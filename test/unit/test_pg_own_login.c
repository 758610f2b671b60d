/* Logging in to a compute ourselves: one that asks as it should, and many that do not. */
#include "proof.h"
#include "wire.h"

#define MECHANISMS      "SCRAM-SHA-256\0\0"
#define MECHANISMS_PLUS "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"

/* One login, with the compute's half of SCRAM, and what became of it. */
typedef struct Visit {
	Login login;
	ScramServer server;
	ScramBinding servers_binding;
	Buf from_compute, to_client, to_compute;
	Fault why;
	LoginVerdict verdict;
} Visit;

static Visit begin(void)
{
	Visit v = {.login.own = {
			   .on = true, .private_leg = true, .user = "bob", .nonce = CLIENTS_NONCE}};

	v.server = (ScramServer){.secret = rfc_secret(), .known = true};
	return v;
}

static Visit begin_with_password(const char *password)
{
	Visit v = begin();

	v.login.own.password = password;
	return v;
}

static Visit begin_with_keys(void)
{
	Visit v = begin();
	const ScramSecret *secret = &v.server.secret;

	v.login.own.has_keys = true;
	v.login.own.of = *secret;
	v.login.own.keys = keys_of("pencil", secret->salt, secret->salt_size, secret->iterations);
	return v;
}

static void end(Visit *v)
{
	login_free(&v->login);
	scram_server_free(&v->server);
	buf_free(&v->from_compute);
	buf_free(&v->to_client);
	buf_free(&v->to_compute);
}

static LoginVerdict listen_to(Visit *v)
{
	v->verdict = pg_login(&v->login, &v->from_compute, &v->to_client, &v->to_compute, &v->why);
	return v->verdict;
}

static LoginVerdict asks(Visit *v, uint32_t kind, Span data)
{
	buf_append_u8(&v->from_compute, 'R');
	buf_append_u32(&v->from_compute, (uint32_t)data.n + 8);
	buf_append_u32(&v->from_compute, kind);
	buf_append(&v->from_compute, data);
	return listen_to(v);
}

#define ASKS(v, kind, literal) asks((v), (kind), BYTES(literal))

static void faults(Visit v, FaultCode code, const char *detail)
{
	assert_int_equal(v.verdict, LOGIN_FAULT);
	assert_string_equal(v.why.detail, detail);
	assert_int_equal(v.why.code, code);
	assert_int_equal(buf_size(&v.to_client), 0);
	end(&v);
}

/* The body of the one message that is on its way to the compute; it stays there. */
static Span sent(const Visit *v)
{
	Span out = buf_span(&v->to_compute);

	assert_true(out.n >= 5);
	assert_int_equal(out.at[0], 'p');
	assert_int_equal(get_u32(out.at + 1), out.n - 1);
	return span_skip(out, 5);
}

/* The compute's half of SCRAM, up to one of its messages. */

static LoginVerdict offer(Visit *v, bool plus)
{
	v->server.offered_plus = plus;
	return plus ? ASKS(v, AUTH_SASL, MECHANISMS_PLUS) : ASKS(v, AUTH_SASL, MECHANISMS);
}

static LoginVerdict challenge(Visit *v)
{
	Span first = sent(v);
	size_t name = strlen((const char *)first.at) + 1;
	LoginVerdict verdict;
	Buf answer = {0};

	v->server.plus = strcmp((const char *)first.at, PG_SCRAM_PLUS) == 0;
	assert_int_equal(get_u32(first.at + name), first.n - name - 4);
	assert_true(scram_server_first(&v->server, span_skip(first, name + 4), &v->servers_binding,
				       SERVERS_NONCE, &answer, &v->why));
	buf_free(&v->to_compute);
	verdict = asks(v, AUTH_SASL_CONTINUE, buf_span(&answer));
	buf_free(&answer);
	return verdict;
}

static bool prove(Visit *v, Buf *answer)
{
	bool right = scram_server_final(&v->server, sent(v), &v->servers_binding, answer, &v->why);

	buf_free(&v->to_compute);
	return right;
}

static LoginVerdict confirm(Visit *v)
{
	LoginVerdict verdict;
	Buf answer = {0};

	assert_true(prove(v, &answer));
	verdict = asks(v, AUTH_SASL_FINAL, buf_span(&answer));
	buf_free(&answer);
	return verdict;
}

static void stretch(Visit *v)
{
	const OwnLogin *own = &v->login.own;
	ScramKeys keys = keys_of(own->password, own->scram.salt, own->scram.salt_size,
				 own->scram.iterations);

	pg_stretched(&v->login, &keys, &v->to_compute);
}

/* What follows a login, of which the client hears. */
static void is_let_in(Visit *v)
{
	assert_int_equal(buf_size(&v->to_client), 0);
	assert_int_equal(ASKS(v, AUTH_OK, ""), LOGIN_MORE);
	MESSAGE(&v->from_compute, 'S', "TimeZone\0UTC\0");
	MESSAGE(&v->from_compute, 'Z', "I");
	assert_int_equal(listen_to(v), LOGIN_READY);
	assert_bytes(buf_span(&v->to_client), "S\0\0\0\021TimeZone\0UTC\0Z\0\0\0\5I");
	assert_int_equal(buf_size(&v->to_compute), 0);
	end(v);
}

TEST(a_compute_that_trusts_is_told_nothing)
{
	Visit v = begin();

	is_let_in(&v);
}

TEST(a_password_is_said_in_clear_to_who_asks_for_it)
{
	Visit v = begin_with_password("pencil");

	assert_int_equal(ASKS(&v, AUTH_PASSWORD, ""), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_compute), "p\0\0\0\013pencil\0");
	buf_free(&v.to_compute);
	is_let_in(&v);
}

TEST(who_has_not_let_us_in_is_not_ready)
{
	Visit v = begin_with_password("pencil");

	ASKS(&v, AUTH_SASL, "SCRAM-SHA-256\0");
	MESSAGE(&v.from_compute, 'Z', "I");
	assert_int_equal(listen_to(&v), LOGIN_FAULT);
	assert_int_equal(v.why.code, FAULT_BAD_MESSAGE);
	end(&v);
}

TEST(a_password_is_not_said_where_somebody_may_listen)
{
	Visit v = begin_with_password("pencil");

	v.login.own.private_leg = false;
	assert_int_equal(ASKS(&v, AUTH_PASSWORD, ""), LOGIN_FAULT);
	assert_int_equal(v.why.code, FAULT_MISCONFIGURED);
	assert_int_equal(buf_size(&v.to_compute), 0);
	end(&v);
}

TEST(a_password_is_hashed_with_the_user_and_the_salt)
{
	Visit v = begin_with_password("secret");

	assert_int_equal(ASKS(&v, AUTH_MD5, "\1\2\3\4"), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_compute), "p\0\0\0\050md5f21dfe33ff3a9e03dbc3e008251fe5cc\0");
	buf_free(&v.to_compute);
	is_let_in(&v);
}

TEST(a_salt_for_md5_has_four_bytes)
{
	static const char detail[] = "the compute's request for a password is malformed";
	Visit v = begin_with_password("secret");

	ASKS(&v, AUTH_MD5, "\1\2\3");
	faults(v, FAULT_MISCONFIGURED, detail);
	v = begin_with_password("secret");
	ASKS(&v, AUTH_MD5, "\1\2\3\4\5");
	faults(v, FAULT_MISCONFIGURED, detail);
	v = begin_with_password("secret");
	ASKS(&v, AUTH_MD5, "");
	faults(v, FAULT_MISCONFIGURED, detail);
}

TEST(who_has_no_password_says_so)
{
	static const char detail[] =
		"the compute asks for a password, and none is known for this user";
	Visit v = begin();

	ASKS(&v, AUTH_PASSWORD, "");
	assert_contains(v.why.hint, "auth_file");
	faults(v, FAULT_MISCONFIGURED, detail);
	v = begin_with_keys();
	ASKS(&v, AUTH_PASSWORD, "");
	faults(v, FAULT_MISCONFIGURED, detail);
	v = begin_with_keys();
	ASKS(&v, AUTH_MD5, "\1\2\3\4");
	faults(v, FAULT_MISCONFIGURED, detail);
	v = begin();
	ASKS(&v, AUTH_SASL, MECHANISMS);
	faults(v, FAULT_MISCONFIGURED, detail);
}

/* SCRAM. */

TEST(with_the_keys_of_the_same_secret_no_password_is_needed)
{
	Visit v = begin_with_keys();

	assert_int_equal(offer(&v, false), LOGIN_MORE);
	assert_bytes(sent(&v), "SCRAM-SHA-256\0\0\0\0\040n,,n=,r=" CLIENTS_NONCE);
	assert_int_equal(challenge(&v), LOGIN_MORE);
	assert_int_equal(confirm(&v), LOGIN_MORE);
	is_let_in(&v);
}

TEST(a_password_is_stretched_with_the_computes_salt)
{
	Visit v = begin_with_password("pencil");

	assert_int_equal(offer(&v, false), LOGIN_MORE);
	assert_int_equal(challenge(&v), LOGIN_STRETCH);
	assert_int_equal(buf_size(&v.to_compute), 0);
	stretch(&v);
	assert_int_equal(confirm(&v), LOGIN_MORE);
	is_let_in(&v);
}

TEST(keys_that_were_made_once_serve_again)
{
	Visit v = begin_with_password("pencil");

	offer(&v, false);
	challenge(&v);
	stretch(&v);
	confirm(&v);
	login_begin(&v.login);
	scram_server_free(&v.server);
	v.server = (ScramServer){.secret = rfc_secret(), .known = true};
	assert_int_equal(offer(&v, false), LOGIN_MORE);
	assert_int_equal(challenge(&v), LOGIN_MORE);
	assert_int_equal(confirm(&v), LOGIN_MORE);
	is_let_in(&v);
}

/* Each of the three that make a secret may be another. */
static Visit met_by_another_secret(Visit v, int which)
{
	if (which == 0)
		v.server.secret.iterations++;
	else if (which == 1)
		v.server.secret.salt[0] ^= 1;
	else
		v.server.secret.salt_size--;
	offer(&v, false);
	challenge(&v);
	return v;
}

TEST(keys_of_another_secret_are_of_no_use)
{
	for (int which = 0; which < 3; which++) {
		Visit v = begin_with_keys();

		v = met_by_another_secret(v, which);
		assert_contains(v.why.hint, "set the role's password anew");
		faults(v, FAULT_MISCONFIGURED,
		       "the compute keeps another secret for this user than the proxy");
		v = begin_with_keys();
		v.login.own.password = "pencil";
		v = met_by_another_secret(v, which);
		assert_int_equal(v.verdict, LOGIN_STRETCH);
		end(&v);
	}
}

TEST(scram_is_bound_to_the_computes_certificate)
{
	Visit v = begin_with_keys();

	v.login.own.binding = v.servers_binding = bound;
	assert_int_equal(offer(&v, true), LOGIN_MORE);
	assert_string_equal((const char *)sent(&v).at, PG_SCRAM_PLUS);
	assert_int_equal(challenge(&v), LOGIN_MORE);
	assert_int_equal(confirm(&v), LOGIN_MORE);
	is_let_in(&v);
}

/* There is somebody in between, with a certificate of his own. */
TEST(a_proof_for_another_certificate_is_worth_nothing)
{
	static const uint8_t other[32] = "another certificate";
	Visit v = begin_with_keys();
	Buf answer = {0};

	v.login.own.binding = (ScramBinding){other, sizeof(other)};
	v.servers_binding = bound;
	offer(&v, true);
	challenge(&v);
	assert_false(prove(&v, &answer));
	assert_string_equal(v.why.detail, "SCRAM channel binding check failed");
	end(&v);
}

TEST(without_a_binding_on_both_sides_there_is_none)
{
	Visit v = begin_with_keys();

	offer(&v, true);
	assert_string_equal((const char *)sent(&v).at, PG_SCRAM);
	end(&v);
	v = begin_with_keys();
	v.login.own.binding = bound;
	offer(&v, false);
	assert_string_equal((const char *)sent(&v).at, PG_SCRAM);
	assert_int_equal(challenge(&v), LOGIN_MORE);
	assert_int_equal(confirm(&v), LOGIN_MORE);
	is_let_in(&v);
}

TEST(a_wrong_password_is_the_computes_to_refuse)
{
	Visit v = begin_with_password("pen");
	Buf answer = {0};

	offer(&v, false);
	challenge(&v);
	stretch(&v);
	assert_false(prove(&v, &answer));
	MESSAGE(&v.from_compute, 'E', "SFATAL\0C28P01\0Mno\0\0");
	assert_int_equal(listen_to(&v), LOGIN_ENDED);
	assert_string_equal(v.login.refusal, "28P01");
	assert_true(buf_size(&v.to_client) > 0);
	end(&v);
}

/* Computes that do not do as they should. */

static const char not_begun[] = "the compute goes on with SASL that was not begun";
static const char not_ended[] = "the compute ends SASL that was not begun";
static const char second[] = "the compute asks for a second proof";

TEST(scram_goes_on_only_where_it_was_begun)
{
	Visit v = begin_with_keys();

	ASKS(&v, AUTH_SASL_CONTINUE, "r=x,s=QQ==,i=1");
	faults(v, FAULT_MISCONFIGURED, not_begun);
	v = begin_with_password("pencil");
	ASKS(&v, AUTH_PASSWORD, "");
	ASKS(&v, AUTH_SASL_CONTINUE, "r=x,s=QQ==,i=1");
	faults(v, FAULT_MISCONFIGURED, not_begun);
	v = begin_with_keys();
	ASKS(&v, AUTH_SASL_FINAL, "v=x");
	faults(v, FAULT_MISCONFIGURED, not_ended);
	v = begin_with_keys();
	offer(&v, false);
	ASKS(&v, AUTH_SASL_FINAL, "v=x");
	faults(v, FAULT_MISCONFIGURED, not_ended);
	v = begin_with_password("pencil");
	offer(&v, false);
	challenge(&v);
	ASKS(&v, AUTH_SASL_FINAL, "v=x");
	faults(v, FAULT_MISCONFIGURED, not_ended);
}

/* Or it could have us make keys for ever, and learn a proof for every salt. */
TEST(there_is_one_challenge)
{
	Visit v = begin_with_password("pencil");

	offer(&v, false);
	challenge(&v);
	ASKS(&v, AUTH_SASL_CONTINUE, "r=" CLIENTS_NONCE SERVERS_NONCE "x,s=QQ==,i=1");
	faults(v, FAULT_MISCONFIGURED, not_begun);
	v = begin_with_keys();
	offer(&v, false);
	challenge(&v);
	ASKS(&v, AUTH_SASL_CONTINUE, "r=" CLIENTS_NONCE SERVERS_NONCE "x,s=QQ==,i=1");
	faults(v, FAULT_MISCONFIGURED, not_begun);
}

TEST(there_is_one_proof)
{
	static const struct {
		uint32_t kind;
		const char *data;
		size_t n;
	} requests[] = {{AUTH_PASSWORD, "", 0},
			{AUTH_MD5, "\1\2\3\4", 4},
			{AUTH_SASL, MECHANISMS, sizeof(MECHANISMS) - 1}};

	for (size_t i = 0; i < 9; i++) {
		size_t one = i / 3, two = i % 3;
		Visit v = begin_with_password("pencil");

		assert_int_equal(asks(&v, requests[one].kind,
				      (Span){(const uint8_t *)requests[one].data, requests[one].n}),
				 LOGIN_MORE);
		asks(&v, requests[two].kind,
		     (Span){(const uint8_t *)requests[two].data, requests[two].n});
		faults(v, FAULT_MISCONFIGURED, second);
	}
}

TEST(a_password_is_not_said_to_who_was_shown_a_proof)
{
	Visit v = begin_with_password("pencil");

	offer(&v, false);
	challenge(&v);
	stretch(&v);
	confirm(&v);
	ASKS(&v, AUTH_PASSWORD, "");
	assert_int_equal(buf_size(&v.to_compute), 0);
	faults(v, FAULT_MISCONFIGURED, second);
}

/* Whoever begins SCRAM has to show that he knows the secret too. */
TEST(who_does_not_prove_himself_does_not_let_us_in)
{
	static const char detail[] = "the compute did not prove that it knows the password";
	Visit v = begin_with_keys();

	offer(&v, false);
	ASKS(&v, AUTH_OK, "");
	faults(v, FAULT_MISCONFIGURED, detail);
	v = begin_with_keys();
	offer(&v, false);
	challenge(&v);
	ASKS(&v, AUTH_OK, "");
	faults(v, FAULT_MISCONFIGURED, detail);
	v = begin_with_password("pencil");
	offer(&v, false);
	challenge(&v);
	stretch(&v);
	ASKS(&v, AUTH_OK, "");
	faults(v, FAULT_MISCONFIGURED, detail);
}

static Visit with_a_proof_sent(void)
{
	Visit v = begin_with_keys();

	offer(&v, false);
	challenge(&v);
	return v;
}

TEST(a_computes_proof_may_be_wrong)
{
	Visit v = with_a_proof_sent();

	ASKS(&v, AUTH_SASL_FINAL, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	faults(v, FAULT_BAD_MESSAGE, "incorrect server signature");
	v = with_a_proof_sent();
	ASKS(&v, AUTH_SASL_FINAL, "v=QQ==");
	faults(v, FAULT_BAD_MESSAGE, "malformed SCRAM message: invalid server signature");
	v = with_a_proof_sent();
	ASKS(&v, AUTH_SASL_FINAL, "");
	faults(v, FAULT_BAD_MESSAGE, "malformed SCRAM message: the message is empty");
	v = with_a_proof_sent();
	ASKS(&v, AUTH_SASL_FINAL, "e=invalid-proof");
	faults(v, FAULT_WRONG_PASSWORD,
	       "error received from server in SCRAM exchange: invalid-proof");
}

TEST(a_computes_proof_is_said_once)
{
	Visit v = with_a_proof_sent();

	confirm(&v);
	ASKS(&v, AUTH_SASL_FINAL, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	faults(v, FAULT_MISCONFIGURED, not_ended);
}

TEST(a_challenge_has_its_bounds)
{
#define OURS "r=" CLIENTS_NONCE SERVERS_NONCE
	static const struct {
		const char *challenge, *detail;
	} table[] = {
		{"", "malformed SCRAM message: the message is empty"},
		{"r=" CLIENTS_NONCE ",s=QQ==,i=4096", "invalid SCRAM response: nonce mismatch"},
		{"r=" SERVERS_NONCE ",s=QQ==,i=4096", "invalid SCRAM response: nonce mismatch"},
		{OURS ",s=,i=4096", "malformed SCRAM message: invalid salt"},
		{OURS ",s=QQ=,i=4096", "malformed SCRAM message: invalid salt"},
		{OURS ",s=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		      "AAAAAAAAAAAAAAAAAAAAAA,i=4096",
		 "malformed SCRAM message: invalid salt"},
		{OURS ",s=QQ==,i=0", "malformed SCRAM message: invalid iteration count"},
		{OURS ",s=QQ==,i=-1", "malformed SCRAM message: invalid iteration count"},
		{OURS ",s=QQ==,i=4096 ", "malformed SCRAM message: invalid iteration count"},
		{OURS ",s=QQ==,i=600001", "malformed SCRAM message: invalid iteration count"},
		{OURS ",s=QQ==,i=4294967297", "malformed SCRAM message: invalid iteration count"},
		{OURS ",s=QQ==,i=4096,x=y",
		 "malformed SCRAM message: garbage at end of server-first-message"},
		{OURS, "malformed SCRAM message: expected attribute \"s\" but found the end"},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		Visit v = begin_with_password("pencil");

		offer(&v, false);
		asks(&v, AUTH_SASL_CONTINUE, span_of_text(table[i].challenge));
		faults(v, FAULT_BAD_MESSAGE, table[i].detail);
	}
}

TEST(the_most_iterations_are_still_done)
{
	Visit v = begin_with_password("pencil");

	offer(&v, false);
	assert_int_equal(ASKS(&v, AUTH_SASL_CONTINUE, OURS ",s=QQ==,i=600000"), LOGIN_STRETCH);
	assert_int_equal(v.login.own.scram.iterations, SCRAM_ITERATIONS_MAX);
	end(&v);
}

TEST(a_challenge_that_is_very_long_is_refused)
{
	static char text[60000];
	Visit v = begin_with_password("pencil");

	memset(text, 'x', sizeof(text));
	offer(&v, false);
	asks(&v, AUTH_SASL_CONTINUE, (Span){(const uint8_t *)text, sizeof(text)});
	faults(v, FAULT_BAD_MESSAGE, "malformed SCRAM message: the message is too long");
}

TEST(mechanisms_are_names_that_end)
{
	static const struct {
		const char *list;
		size_t n;
	} lists[] = {
		{"", 0},
		{"\0", 1},
		{"SCRAM-SHA-256", 13},
		{"SCRAM-SHA-25\0\0", 14},
		{"SCRAM-SHA-256x\0\0", 16},
		{"scram-sha-256\0\0", 15},
		{"OAUTHBEARER\0\0", 13},
		{"OAUTHBEARER\0SCRAM-SHA-256", 25},
		{"\0SCRAM-SHA-256\0\0", 16},
		{"SCRAM-SHA-256-PLUS\0\0", 20},
	};

	for (size_t i = 0; i < N_OF(lists); i++) {
		Visit v = begin_with_keys();

		asks(&v, AUTH_SASL, (Span){(const uint8_t *)lists[i].list, lists[i].n});
		faults(v, FAULT_MISCONFIGURED,
		       "the compute offers no SASL mechanism that is known here");
	}
}

TEST(what_we_know_may_stand_anywhere_in_the_list)
{
	Visit v = begin_with_keys();

	assert_int_equal(ASKS(&v, AUTH_SASL, "OAUTHBEARER\0X\0SCRAM-SHA-256\0\0"), LOGIN_MORE);
	assert_string_equal((const char *)sent(&v).at, PG_SCRAM);
	end(&v);
}

TEST(other_kinds_of_authentication_cannot_be_done)
{
	static const uint32_t kinds[] = {1, 2, 4, 6, 7, 8, 9, 13, 256, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < N_OF(kinds); i++) {
		Visit v = begin_with_password("pencil");

		ASKS(&v, kinds[i], "data");
		assert_string_equal(v.why.hint, "let it ask for scram-sha-256");
		assert_int_equal(buf_size(&v.to_compute), 0);
		faults(v, FAULT_MISCONFIGURED,
		       "the compute asks for a kind of authentication that the proxy cannot do");
	}
}

TEST(a_request_has_a_kind)
{
	static const uint8_t zeros[3];

	for (size_t n = 0; n < 4; n++) {
		Visit v = begin_with_password("pencil");

		put_message(&v.from_compute, 'R', (Span){zeros, n});
		listen_to(&v);
		faults(v, FAULT_MISCONFIGURED,
		       "the compute's request for authentication is malformed");
	}
}

TEST(what_is_not_yet_may_become_so)
{
	Visit v = begin_with_keys();

	offer(&v, false);
	MESSAGE(&v.from_compute, 'E', "SFATAL\0C57P03\0\0");
	assert_int_equal(listen_to(&v), LOGIN_NOT_YET);
	login_begin(&v.login);
	buf_free(&v.to_compute);
	assert_int_equal(offer(&v, false), LOGIN_MORE);
	assert_int_equal(challenge(&v), LOGIN_MORE);
	assert_int_equal(confirm(&v), LOGIN_MORE);
	is_let_in(&v);
}

/* It was stopped while our connect query ran: the next one runs it again. */
TEST(a_login_that_begins_anew_runs_its_query_anew)
{
	Visit v = begin();

	v.login.connect_query = "select 1";
	ASKS(&v, AUTH_OK, "");
	MESSAGE(&v.from_compute, 'Z', "I");
	MESSAGE(&v.from_compute, 'E', "SFATAL\0C57P01\0\0");
	assert_int_equal(listen_to(&v), LOGIN_NOT_YET);
	login_begin(&v.login);
	buf_free(&v.to_compute);
	ASKS(&v, AUTH_OK, "");
	MESSAGE(&v.from_compute, 'Z', "I");
	assert_int_equal(listen_to(&v), LOGIN_MORE);
	assert_bytes(buf_span(&v.to_compute), "Q\0\0\0\015select 1\0");
	end(&v);
}

/* Cuts: a compute's words come in pieces, and mean the same. */

static LoginVerdict hear_in_pieces(Visit *v, size_t size)
{
	Buf words = v->from_compute;
	Span left = buf_span(&words);

	v->from_compute = (Buf){0};
	v->verdict = LOGIN_MORE;
	while (left.n > 0 && v->verdict == LOGIN_MORE) {
		size_t n = size < left.n ? size : left.n;

		buf_append(&v->from_compute, (Span){left.at, n});
		left = span_skip(left, n);
		listen_to(v);
	}
	buf_append(&v->from_compute, left);
	buf_free(&words);
	return v->verdict;
}

TEST(cuts_do_not_matter)
{
	for (size_t size = 1; size < 60; size++) {
		Visit v = begin_with_keys();

		MESSAGE(&v.from_compute, 'R', "\0\0\0\012" MECHANISMS);
		assert_int_equal(hear_in_pieces(&v, size), LOGIN_MORE);
		assert_bytes(sent(&v), "SCRAM-SHA-256\0\0\0\0\040n,,n=,r=" CLIENTS_NONCE);
		buf_free(&v.to_compute);
		MESSAGE(&v.from_compute, 'R', "\0\0\0\013" OURS ",s=" RFC_SALT ",i=4096");
		assert_int_equal(hear_in_pieces(&v, size), LOGIN_MORE);
		assert_memory_equal(sent(&v).at, "c=biws," OURS ",p=", 60);
		MESSAGE(&v.from_compute, 'R', "\0\0\0\014e=invalid-proof");
		hear_in_pieces(&v, size);
		faults(v, FAULT_WRONG_PASSWORD,
		       "error received from server in SCRAM exchange: invalid-proof");
	}
}

TEST(nothing_secret_is_left)
{
	static const OwnLogin nothing;
	Visit v = with_a_proof_sent();

	login_free(&v.login);
	assert_memory_equal(&v.login.own, &nothing, sizeof(nothing));
	end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_compute_that_trusts_is_told_nothing),
		cmocka_unit_test(a_password_is_said_in_clear_to_who_asks_for_it),
		cmocka_unit_test(who_has_not_let_us_in_is_not_ready),
		cmocka_unit_test(a_password_is_not_said_where_somebody_may_listen),
		cmocka_unit_test(a_password_is_hashed_with_the_user_and_the_salt),
		cmocka_unit_test(a_salt_for_md5_has_four_bytes),
		cmocka_unit_test(who_has_no_password_says_so),
		cmocka_unit_test(with_the_keys_of_the_same_secret_no_password_is_needed),
		cmocka_unit_test(a_password_is_stretched_with_the_computes_salt),
		cmocka_unit_test(keys_that_were_made_once_serve_again),
		cmocka_unit_test(keys_of_another_secret_are_of_no_use),
		cmocka_unit_test(scram_is_bound_to_the_computes_certificate),
		cmocka_unit_test(a_proof_for_another_certificate_is_worth_nothing),
		cmocka_unit_test(without_a_binding_on_both_sides_there_is_none),
		cmocka_unit_test(a_wrong_password_is_the_computes_to_refuse),
		cmocka_unit_test(scram_goes_on_only_where_it_was_begun),
		cmocka_unit_test(there_is_one_challenge),
		cmocka_unit_test(there_is_one_proof),
		cmocka_unit_test(a_password_is_not_said_to_who_was_shown_a_proof),
		cmocka_unit_test(who_does_not_prove_himself_does_not_let_us_in),
		cmocka_unit_test(a_computes_proof_may_be_wrong),
		cmocka_unit_test(a_computes_proof_is_said_once),
		cmocka_unit_test(a_challenge_has_its_bounds),
		cmocka_unit_test(the_most_iterations_are_still_done),
		cmocka_unit_test(a_challenge_that_is_very_long_is_refused),
		cmocka_unit_test(mechanisms_are_names_that_end),
		cmocka_unit_test(what_we_know_may_stand_anywhere_in_the_list),
		cmocka_unit_test(other_kinds_of_authentication_cannot_be_done),
		cmocka_unit_test(a_request_has_a_kind),
		cmocka_unit_test(what_is_not_yet_may_become_so),
		cmocka_unit_test(a_login_that_begins_anew_runs_its_query_anew),
		cmocka_unit_test(cuts_do_not_matter),
		cmocka_unit_test(nothing_secret_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
