/* SCRAM: the RFC's own conversation for both sides, and what is no conversation at all. */
#include "unit.h"

#include "proto/scram.h"

/* RFC 7677, section 3: user "user", password "pencil". */
#define RFC_SALT     "W22ZaJ0SNY7soEsUEjb6gQ=="
#define RFC_STORED   "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define RFC_SERVER   "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define RFC_SECRET   "SCRAM-SHA-256$4096:" RFC_SALT "$" RFC_STORED ":" RFC_SERVER
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define BARE         "n=user,r=" CLIENT_NONCE
#define CHALLENGE    "r=" CLIENT_NONCE SERVER_NONCE ",s=" RFC_SALT ",i=4096"
#define WITHOUT      "c=biws,r=" CLIENT_NONCE SERVER_NONCE
#define PROOF        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define FINAL        WITHOUT ",p=" PROOF
#define VERIFIER     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const ScramBinding no_binding;

static ScramServer rfc_server(void)
{
	ScramServer x = {.known = true};

	assert_true(scram_secret_parse(&x.secret, RFC_SECRET));
	return x;
}

static ScramKeys keys_of(const char *password, const ScramSecret *secret)
{
	ScramStretch s;
	ScramKeys keys;

	scram_stretch_begin(&s, password, secret->salt, secret->salt_size, secret->iterations);
	while (!scram_stretch_step(&s, 1000))
		;
	scram_stretch_keys(&s, &keys);
	scram_stretch_free(&s);
	return keys;
}

TEST(the_rfcs_conversation_as_the_server)
{
	ScramServer x = rfc_server();
	Buf out = {0};
	Fault why;

	assert_true(
		scram_server_first(&x, BYTES("n,," BARE), &no_binding, SERVER_NONCE, &out, &why));
	assert_bytes(buf_span(&out), CHALLENGE);
	buf_free(&out);
	assert_true(scram_server_final(&x, BYTES(FINAL), &no_binding, &out, &why));
	assert_bytes(buf_span(&out), VERIFIER);
	buf_free(&out);
	scram_server_free(&x);
}

/* The RFC's client says a name, and ours does not: what is signed begins with it. */
static ScramClient rfc_client(void)
{
	ScramClient x = {.nonce_at = strlen("n=user,r="), .nonce_size = strlen(CLIENT_NONCE)};

	buf_append(&x.auth, BYTES(BARE));
	return x;
}

TEST(the_rfcs_conversation_as_the_client)
{
	ScramServer server = rfc_server();
	ScramKeys keys = keys_of("pencil", &server.secret);
	ScramClient x = rfc_client();
	Buf out = {0};
	Fault why;

	assert_true(scram_client_challenge(&x, BYTES(CHALLENGE), &why));
	assert_int_equal(x.iterations, 4096);
	assert_span(((Span){x.salt, x.salt_size}), ((Span){server.secret.salt, 16}));
	scram_client_final(&x, &keys, &no_binding, &out);
	assert_bytes(buf_span(&out), FINAL);
	assert_true(scram_client_check(&x, &keys, BYTES(VERIFIER), &why));
	buf_free(&out);
	scram_client_free(&x);
	scram_server_free(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rfcs_conversation_as_the_server),
		cmocka_unit_test(the_rfcs_conversation_as_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
