/* SCRAM: the RFC's own conversation for both sides, and what is no conversation at all. */
#include "unit.h"

#include <openssl/evp.h>

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

#define OUR_NONCE   "0123456789abcdefghijklmn"
#define THEIR_NONCE "nmlkjihgfedcba9876543210"
_Static_assert(sizeof(OUR_NONCE) == SCRAM_NONCE_SIZE + 1, "a nonce as callers make it");

static const ScramBinding no_binding;
static const uint8_t certificate[32] = "sha-256 of the certificate";
static const ScramBinding binding = {certificate, sizeof(certificate)};
static Fault fault;

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

	assert_true(
		scram_server_first(&x, BYTES("n,," BARE), &no_binding, SERVER_NONCE, &out, &fault));
	assert_bytes(buf_span(&out), CHALLENGE);
	buf_free(&out);
	assert_true(scram_server_final(&x, BYTES(FINAL), &no_binding, &out, &fault));
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

	assert_true(scram_client_challenge(&x, BYTES(CHALLENGE), &fault));
	assert_int_equal(x.iterations, 4096);
	assert_span(((Span){x.salt, x.salt_size}), ((Span){server.secret.salt, 16}));
	scram_client_final(&x, &keys, &no_binding, &out);
	assert_bytes(buf_span(&out), FINAL);
	assert_true(scram_client_check(&x, &keys, BYTES(VERIFIER), &fault));
	buf_free(&out);
	scram_client_free(&x);
	scram_server_free(&server);
}

/* A copy of exact size, so that a sanitizer sees a read behind the end. */
static Span exact(Span bytes)
{
	uint8_t *copy = malloc(bytes.n ? bytes.n : 1);

	if (bytes.n > 0)
		memcpy(copy, bytes.at, bytes.n);
	return (Span){copy, bytes.n};
}

/* Secrets. */

TEST(a_secret_is_read_as_the_server_writes_it)
{
	ScramSecret secret;

	assert_true(scram_secret_parse(&secret, RFC_SECRET));
	assert_int_equal(secret.iterations, 4096);
	assert_int_equal(secret.salt_size, 16);
	assert_memory_equal(secret.salt, "\x5b\x6d\x99\x68", 4);
	assert_memory_equal(secret.stored_key, "\x58\x6e\x5d\xf2", 4);
	assert_memory_equal(secret.server_key, "\xc1\xf3\xcb\xc1", 4);
}

TEST(the_bounds_of_a_secret_are_inside)
{
	ScramSecret secret;

	assert_true(scram_secret_parse(&secret, "SCRAM-SHA-256$1:QQ==$" RFC_STORED ":" RFC_SERVER));
	assert_int_equal(secret.salt_size, 1);
	assert_true(scram_secret_parse(
		&secret, "SCRAM-SHA-256$600000:"
			 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==$" RFC_STORED ":" RFC_SERVER));
	assert_int_equal(secret.salt_size, 64);
	assert_int_equal(secret.iterations, SCRAM_ITERATIONS_MAX);
}

TEST(what_is_not_exactly_a_secret_is_refused)
{
#define KEYS RFC_STORED ":" RFC_SERVER
	static const char *texts[] = {
		"",
		"pencil",
		"md5c4c6a5b5bd0e4e2fd3a16d3ae0ef1ed1",
		"SCRAM-SHA-256",
		"SCRAM-SHA-256$",
		"SCRAM-SHA-1$4096:" RFC_SALT "$" KEYS,
		"scram-sha-256$4096:" RFC_SALT "$" KEYS,
		" " RFC_SECRET,
		RFC_SECRET " ",
		RFC_SECRET ":",
		"SCRAM-SHA-256$$4096:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$0:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$-1:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$+1:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$04096:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$4096x:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$600001:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$4294971392:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$99999999999999999999999999:" RFC_SALT "$" KEYS,
		"SCRAM-SHA-256$4096:$" KEYS,
		"SCRAM-SHA-256$4096:AAAA=$" KEYS,
		"SCRAM-SHA-256$4096:====$" KEYS,
		"SCRAM-SHA-256$4096:AA=A$" KEYS,
		"SCRAM-SHA-256$4096:A===$" KEYS,
		"SCRAM-SHA-256$4096:QR==$" KEYS,
		"SCRAM-SHA-256$4096: QQ=$" KEYS,
		"SCRAM-SHA-256$4096:QQ \n$" KEYS,
		"SCRAM-SHA-256$4096:QQ-_$" KEYS,
		"SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$" KEYS,
		"SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=$" KEYS,
		"SCRAM-SHA-256$4096:" RFC_SALT "$" RFC_STORED,
		"SCRAM-SHA-256$4096:" RFC_SALT "$" RFC_STORED ":",
		"SCRAM-SHA-256$4096:" RFC_SALT "$:" RFC_SERVER,
		"SCRAM-SHA-256$4096:" RFC_SALT "$" RFC_SALT ":" RFC_SERVER,
		"SCRAM-SHA-256$4096:" RFC_SALT "$" RFC_STORED ":" RFC_SALT,
		"SCRAM-SHA-256$4096:" RFC_SALT ":" RFC_STORED "$" RFC_SERVER,
		"SCRAM-SHA-256$4096:" RFC_SALT "$" RFC_STORED ":" RFC_SERVER "AAAA",
	};
	ScramSecret secret;

	for (size_t i = 0; i < N_OF(texts); i++) {
		if (scram_secret_parse(&secret, texts[i]))
			fail_msg("accepted: %s", texts[i]);
	}
}

TEST(a_secret_is_made_of_keys)
{
	ScramSecret expected, secret;
	ScramKeys keys;

	assert_true(scram_secret_parse(&expected, RFC_SECRET));
	keys = keys_of("pencil", &expected);
	scram_secret_of_keys(&secret, &keys, expected.salt, expected.salt_size, 4096);
	assert_int_equal(secret.iterations, 4096);
	assert_span(((Span){secret.salt, secret.salt_size}), ((Span){expected.salt, 16}));
	assert_memory_equal(secret.stored_key, expected.stored_key, SCRAM_KEY_SIZE);
	assert_memory_equal(secret.server_key, expected.server_key, SCRAM_KEY_SIZE);
}

TEST(a_mock_is_the_same_each_time_for_one_user_and_key)
{
	static const uint8_t key[SCRAM_KEY_SIZE] = {1}, other_key[SCRAM_KEY_SIZE] = {2};
	ScramSecret one, again, other, elsewhere;

	scram_secret_mock(&one, key, "bob");
	scram_secret_mock(&again, key, "bob");
	scram_secret_mock(&other, key, "eve");
	scram_secret_mock(&elsewhere, other_key, "bob");
	assert_int_equal(one.iterations, 4096);
	assert_int_equal(one.salt_size, 16);
	assert_memory_equal(one.salt, again.salt, 16);
	assert_memory_equal(one.stored_key, again.stored_key, SCRAM_KEY_SIZE);
	assert_memory_not_equal(one.salt, other.salt, 16);
	assert_memory_not_equal(one.salt, elsewhere.salt, 16);
	assert_memory_not_equal(one.salt, one.stored_key, 16);
	assert_memory_not_equal(one.stored_key, other.stored_key, SCRAM_KEY_SIZE);
}

/* Stretching. */

/* What libcrypto's PBKDF2 makes of the same, and the keys of that. */
static void assert_stretched(const char *password, size_t salt_size, int iterations, int slice)
{
	static const uint8_t salt[SCRAM_SALT_MAX] = "salt";
	uint8_t salted[SCRAM_KEY_SIZE];
	ScramStretch s;
	int slices = 0;

	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)salt_size, iterations,
			  EVP_sha256(), SCRAM_KEY_SIZE, salted);
	scram_stretch_begin(&s, password, salt, salt_size, iterations);
	while (!scram_stretch_step(&s, slice))
		slices++;
	assert_int_equal(slices, iterations == 1 ? 0 : (iterations - 2) / slice);
	assert_true(scram_stretch_step(&s, slice));
	assert_memory_equal(s.salted, salted, SCRAM_KEY_SIZE);
	scram_stretch_free(&s);
	assert_null(s.inner);
}

TEST(a_password_of_any_length_is_stretched_as_by_libcrypto)
{
	char password[150];

	for (size_t n = 0; n < sizeof(password); n++) {
		memset(password, 'x', n);
		password[n] = 0;
		assert_stretched(password, n % (SCRAM_SALT_MAX + 1), 3, 100);
	}
}

TEST(slices_make_no_difference)
{
	static const int slices[] = {1, 2, 3, 7, 100, 1000};

	for (size_t i = 0; i < N_OF(slices); i++) {
		assert_stretched("pencil", 16, 1, slices[i]);
		assert_stretched("pencil", 16, 2, slices[i]);
		assert_stretched("pencil", 16, 101, slices[i]);
	}
}

TEST(what_was_never_begun_may_be_freed)
{
	ScramStretch s = {0};
	ScramServer server = {0};
	ScramClient client = {0};

	scram_stretch_free(&s);
	scram_server_free(&server);
	scram_client_free(&client);
}

/* Both sides together. */

typedef struct Talk {
	ScramServer server;
	ScramClient client;
	ScramKeys keys;
	Buf sent;
} Talk;

static Talk talk_begin(bool plus, const char *password)
{
	Talk t = {.server = rfc_server()};

	t.server.offered_plus = t.server.plus = plus;
	t.keys = keys_of(password, &t.server.secret);
	scram_client_first(&t.client, plus, OUR_NONCE, &t.sent);
	return t;
}

/* What was sent, taken out of *sent as whoever receives it holds it; free its bytes. */
static Span received(Buf *sent)
{
	Span bytes = exact(buf_span(sent));

	buf_free(sent);
	return bytes;
}

/* Up to the client's proof, which is then in t->sent. */
static void talk_to_proof(Talk *t, const ScramBinding *clients, const ScramBinding *servers)
{
	Span message = received(&t->sent);

	assert_true(
		scram_server_first(&t->server, message, servers, THEIR_NONCE, &t->sent, &fault));
	free((void *)message.at);
	message = received(&t->sent);
	assert_true(scram_client_challenge(&t->client, message, &fault));
	free((void *)message.at);
	scram_client_final(&t->client, &t->keys, clients, &t->sent);
}

static bool talk_prove(Talk *t, const ScramBinding *servers)
{
	Span message = received(&t->sent);
	bool right = scram_server_final(&t->server, message, servers, &t->sent, &fault);

	free((void *)message.at);
	return right;
}

static void talk_end(Talk *t)
{
	scram_server_free(&t->server);
	scram_client_free(&t->client);
	buf_free(&t->sent);
}

TEST(both_sides_understand_each_other)
{
	for (int plus = 0; plus < 2; plus++) {
		Talk t = talk_begin(plus, "pencil");

		talk_to_proof(&t, &binding, &binding);
		assert_true(talk_prove(&t, &binding));
		assert_true(scram_client_check(&t.client, &t.keys, buf_span(&t.sent), &fault));
		assert_memory_equal(t.server.client_key, t.keys.client_key, SCRAM_KEY_SIZE);
		talk_end(&t);
	}
}

/* What the proof told the server is enough to log in where the same secret is kept. */
TEST(a_recovered_key_logs_in_elsewhere)
{
	Talk first = talk_begin(false, "pencil"), second = talk_begin(true, "wrong");

	talk_to_proof(&first, &no_binding, &no_binding);
	assert_true(talk_prove(&first, &no_binding));
	memcpy(second.keys.client_key, first.server.client_key, SCRAM_KEY_SIZE);
	memcpy(second.keys.server_key, first.server.secret.server_key, SCRAM_KEY_SIZE);
	talk_to_proof(&second, &binding, &binding);
	assert_true(talk_prove(&second, &binding));
	assert_true(
		scram_client_check(&second.client, &second.keys, buf_span(&second.sent), &fault));
	talk_end(&first);
	talk_end(&second);
}

TEST(a_wrong_password_is_one)
{
	static const uint8_t nothing[SCRAM_KEY_SIZE];
	Talk t = talk_begin(false, "pencils");

	talk_to_proof(&t, &no_binding, &no_binding);
	assert_false(talk_prove(&t, &no_binding));
	assert_int_equal(fault.code, FAULT_WRONG_PASSWORD);
	assert_int_equal(buf_size(&t.sent), 0);
	assert_memory_equal(t.server.client_key, nothing, SCRAM_KEY_SIZE);
	talk_end(&t);
}

/* Even if somebody guessed what the mock is made of. */
TEST(no_proof_is_right_for_a_user_who_does_not_exist)
{
	Talk t = talk_begin(false, "pencil");
	Fault wrong;

	t.server.known = false;
	talk_to_proof(&t, &no_binding, &no_binding);
	assert_false(talk_prove(&t, &no_binding));
	wrong = fault;
	talk_end(&t);
	t = talk_begin(false, "wrong");
	talk_to_proof(&t, &no_binding, &no_binding);
	assert_false(talk_prove(&t, &no_binding));
	assert_memory_equal(&wrong, &fault, sizeof(Fault));
	talk_end(&t);
}

TEST(who_sees_another_certificate_talks_to_somebody_in_between)
{
	static const uint8_t forged[32] = "another";
	const ScramBinding others[] = {{forged, 32}, {certificate, 31}};

	for (size_t i = 0; i < N_OF(others); i++) {
		Talk t = talk_begin(true, "pencil");

		talk_to_proof(&t, &others[i], &binding);
		assert_false(talk_prove(&t, &binding));
		assert_int_equal(fault.code, FAULT_BAD_MESSAGE);
		assert_string_equal(fault.detail, "SCRAM channel binding check failed");
		talk_end(&t);
	}
}

TEST(a_server_that_does_not_know_the_secret_is_found_out)
{
	Talk t = talk_begin(false, "pencil");

	talk_to_proof(&t, &no_binding, &no_binding);
	t.server.secret.server_key[0] ^= 1;
	assert_true(talk_prove(&t, &no_binding));
	assert_false(scram_client_check(&t.client, &t.keys, buf_span(&t.sent), &fault));
	assert_int_equal(fault.code, FAULT_BAD_MESSAGE);
	assert_string_equal(fault.detail, "incorrect server signature");
	talk_end(&t);
}

/* Whatever bit somebody in between turns in any message, nobody is let in. */
TEST(no_bit_of_a_proof_can_be_changed)
{
	Talk t = talk_begin(true, "pencil");
	size_t bits;

	talk_to_proof(&t, &binding, &binding);
	bits = buf_size(&t.sent) * 8;
	talk_end(&t);
	for (size_t bit = 0; bit < bits; bit++) {
		t = talk_begin(true, "pencil");
		talk_to_proof(&t, &binding, &binding);
		t.sent.bytes[t.sent.start + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(talk_prove(&t, &binding));
		talk_end(&t);
	}
}

/* The client's first message. */

typedef struct Said {
	const char *text, *words;
} Said;

static bool server_hears(ScramServer *x, Span message)
{
	Buf out = {0};
	Span copy = exact(message);
	bool ok = scram_server_first(x, copy, &binding, THEIR_NONCE, &out, &fault);

	assert_int_equal(buf_size(&out) > 0, ok);
	buf_free(&out);
	free((void *)copy.at);
	return ok;
}

static void assert_first_refused(bool offered, bool plus, Said said)
{
	ScramServer x = {.offered_plus = offered, .plus = plus};

	if (server_hears(&x, span_of_text(said.text)))
		fail_msg("accepted: %s", said.text);
	assert_int_equal(fault.code, FAULT_BAD_MESSAGE);
	assert_contains(fault.detail, said.words);
	scram_server_free(&x);
}

TEST(what_is_no_first_message_is_refused_in_the_servers_words)
{
	static const Said table[] = {
		{"", "malformed SCRAM message: the message is empty"},
		{"x,,n=,r=a", "unexpected channel-binding flag 'x'"},
		{"\1,,n=,r=a", "unexpected channel-binding flag 0x01"},
		{"n", "comma expected, but found the end"},
		{"nn,,n=,r=a", "comma expected, but found 'n'"},
		{"n,", "unexpected attribute the end in client-first-message"},
		{"n,a=admin,n=,r=a", "client uses authorization identity, but it is not supported"},
		{"n,x,n=,r=a", "unexpected attribute 'x' in client-first-message"},
		{"n,,", "expected attribute \"n\" but found the end"},
		{"n,,m=x,n=,r=a", "client requires an unsupported SCRAM extension"},
		{"n,,r=a", "expected attribute \"n\" but found 'r'"},
		{"n,,n", "expected character \"=\" for attribute \"n\""},
		{"n,,n,r=a", "expected character \"=\" for attribute \"n\""},
		{"n,,n=", "expected attribute \"r\" but found the end"},
		{"n,,n=,r", "expected character \"=\" for attribute \"r\""},
		{"n,,n=,r=", "non-printable characters in SCRAM nonce"},
		{"n,,n=,r=a b", "non-printable characters in SCRAM nonce"},
		{"n,,n=,r=a\x7f", "non-printable characters in SCRAM nonce"},
		{"n,,n=,r=a\xc3\xa4", "non-printable characters in SCRAM nonce"},
		{"n,,n=,r=a,1=x", "attribute expected, but found '1'"},
		{"n,,n=,r=a,x", "expected character \"=\" for attribute \"x\""},
		{"n,,n=,r=a,x=y,,", "attribute expected, but found ','"},
		{"p=tls-server-end-point,,n=,r=a", "the client selected SCRAM-SHA-256 without"},
	};

	for (size_t i = 0; i < N_OF(table); i++)
		assert_first_refused(false, false, table[i]);
}

TEST(a_bound_first_message_says_to_what)
{
	static const Said table[] = {
		{"n,,n=,r=a", "the client selected SCRAM-SHA-256-PLUS, but"},
		{"y,,n=,r=a", "the client selected SCRAM-SHA-256-PLUS, but"},
		{"p", "expected character \"=\" for attribute \"p\""},
		{"p=", "unsupported SCRAM channel-binding type"},
		{"p=tls-unique,,n=,r=a", "unsupported SCRAM channel-binding type"},
		{"p=tls-server-end-pointy,,n=,r=a", "unsupported SCRAM channel-binding type"},
		{"p=tls-server-end-point", "unexpected attribute the end"},
		{"p=tls-server-end-point,a=b,n=,r=a", "authorization identity"},
	};

	for (size_t i = 0; i < N_OF(table); i++)
		assert_first_refused(true, true, table[i]);
}

/* Somebody in between took SCRAM-SHA-256-PLUS off the list that the client saw. */
TEST(who_was_not_told_of_channel_binding_was_lied_to)
{
	ScramServer x = {.known = true};

	assert_first_refused(true, false,
			     (Said){"y,,n=,r=a", "SCRAM channel binding negotiation error"});
	assert_true(server_hears(&x, BYTES("y,,n=,r=a")));
	scram_server_free(&x);
}

TEST(nobody_chooses_what_was_not_offered)
{
	ScramServer x = {.plus = true};

	assert_false(server_hears(&x, BYTES("p=tls-server-end-point,,n=,r=a")));
	assert_string_equal(fault.detail,
			    "client selected an invalid SASL authentication mechanism");
}

TEST(a_zero_in_a_message_does_not_end_it)
{
	ScramServer x = {0};

	assert_false(server_hears(&x, BYTES("n,,n=,r=a\0b")));
	assert_contains(fault.detail, "message length does not match input length");
}

TEST(a_name_and_unknown_extensions_are_ignored)
{
	static const char *said[] = {"n,,n=admin,r=a", "n,,n=,r=a,x=y,Z=", "n,,n=a=b,r=a"};

	for (size_t i = 0; i < N_OF(said); i++) {
		ScramServer x = {0};

		assert_true(server_hears(&x, span_of_text(said[i])));
		scram_server_free(&x);
	}
}

TEST(the_longest_message_is_taken_and_no_longer_one)
{
	char message[SCRAM_MESSAGE_MAX + 1];
	ScramServer x = {0};

	memset(message, 'a', sizeof(message));
	memcpy(message, "n,,n=,r=", 8);
	assert_false(server_hears(&x, (Span){(uint8_t *)message, sizeof(message)}));
	assert_contains(fault.detail, "the message is too long");
	assert_true(server_hears(&x, (Span){(uint8_t *)message, SCRAM_MESSAGE_MAX}));
	scram_server_free(&x);
}

/* The client's proof. */

static bool server_is_told(const char *text)
{
	ScramServer x = rfc_server();
	Buf out = {0};
	Span copy = exact(span_of_text(text));
	bool ok;

	assert_true(
		scram_server_first(&x, BYTES("n,," BARE), &no_binding, SERVER_NONCE, &out, &fault));
	ok = scram_server_final(&x, copy, &no_binding, &out, &fault);
	free((void *)copy.at);
	buf_free(&out);
	scram_server_free(&x);
	return ok;
}

TEST(what_is_no_proof_is_refused_in_the_servers_words)
{
#define NONCE CLIENT_NONCE SERVER_NONCE
	static const Said table[] = {
		{"", "the message is empty"},
		{"r=" NONCE, "expected attribute \"c\" but found 'r'"},
		{"c=", "unexpected SCRAM channel-binding attribute in client-final-message"},
		{"c=eSws,r=" NONCE ",p=" PROOF, "unexpected SCRAM channel-binding attribute"},
		{"c=biwsAAAA,r=" NONCE ",p=" PROOF, "unexpected SCRAM channel-binding attribute"},
		{"c=biws", "expected attribute \"r\" but found the end"},
		{WITHOUT, "attribute expected, but found the end"},
		{WITHOUT ",x=y", "attribute expected, but found the end"},
		{WITHOUT ",p", "expected character \"=\" for attribute \"p\""},
		{WITHOUT ",p=", "malformed proof in client-final-message"},
		{WITHOUT ",p=AAAA", "malformed proof in client-final-message"},
		{WITHOUT ",p=" PROOF "AAAA", "malformed proof in client-final-message"},
		{FINAL ",x=y", "garbage found at the end of client-final-message"},
		{"c=biws,r=" CLIENT_NONCE ",p=" PROOF, "nonce does not match"},
		{"c=biws,r=,p=" PROOF, "nonce does not match"},
		{"c=biws,r=" NONCE "x,p=" PROOF, "nonce does not match"},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		if (server_is_told(table[i].text))
			fail_msg("accepted: %s", table[i].text);
		assert_int_equal(fault.code, FAULT_BAD_MESSAGE);
		assert_contains(fault.detail, table[i].words);
	}
}

TEST(every_shorter_proof_is_refused)
{
	char text[] = FINAL;

	assert_true(server_is_told(text));
	for (size_t n = strlen(FINAL); n-- > 0;) {
		text[n] = 0;
		assert_false(server_is_told(text));
		assert_int_equal(fault.code, FAULT_BAD_MESSAGE);
	}
}

/* It is signed like all the rest, so that this one is wrong and not malformed. */
TEST(an_extension_may_stand_before_the_proof)
{
	assert_false(server_is_told(WITHOUT ",x=y,p=" PROOF));
	assert_int_equal(fault.code, FAULT_WRONG_PASSWORD);
}

/* The server's challenge, and its last word. */

static bool client_is_told(const char *text)
{
	ScramClient x = rfc_client();
	Span copy = exact(span_of_text(text));
	bool ok = scram_client_challenge(&x, copy, &fault);

	free((void *)copy.at);
	scram_client_free(&x);
	return ok;
}

TEST(a_hostile_challenge_is_refused)
{
#define SALT64 \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	static const Said table[] = {
		{"", "the message is empty"},
		{"e=other-error", "expected attribute \"r\" but found 'e'"},
		{"m=x,r=" NONCE ",s=QQ==,i=1", "expected attribute \"r\" but found 'm'"},
		{"r=,s=QQ==,i=1", "invalid SCRAM response: nonce mismatch"},
		{"r=" CLIENT_NONCE ",s=QQ==,i=1", "nonce mismatch"},
		{"r=x" CLIENT_NONCE ",s=QQ==,i=1", "nonce mismatch"},
		{"r=" NONCE " ,s=QQ==,i=1", "nonce mismatch"},
		{"r=" NONCE, "expected attribute \"s\" but found the end"},
		{"r=" NONCE ",s=,i=1", "invalid salt"},
		{"r=" NONCE ",s=QQ=,i=1", "invalid salt"},
		{"r=" NONCE ",s=****,i=1", "invalid salt"},
		{"r=" NONCE ",s=" SALT64 "A=,i=1", "invalid salt"},
		{"r=" NONCE ",s=" SALT64 SALT64 "AAAA,i=1", "invalid salt"},
		{"r=" NONCE ",s=QQ==", "expected attribute \"i\" but found the end"},
		{"r=" NONCE ",s=QQ==,i=", "invalid iteration count"},
		{"r=" NONCE ",s=QQ==,i=0", "invalid iteration count"},
		{"r=" NONCE ",s=QQ==,i=-1", "invalid iteration count"},
		{"r=" NONCE ",s=QQ==,i=600001", "invalid iteration count"},
		{"r=" NONCE ",s=QQ==,i=4294967297", "invalid iteration count"},
		{"r=" NONCE ",s=QQ==,i=1 ", "invalid iteration count"},
		{"r=" NONCE ",s=QQ==,i=1,x=y", "garbage at end of server-first-message"},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		if (client_is_told(table[i].text))
			fail_msg("accepted: %s", table[i].text);
		assert_int_equal(fault.code, FAULT_BAD_MESSAGE);
		assert_contains(fault.detail, table[i].words);
	}
	assert_true(client_is_told("r=" NONCE ",s=" SALT64 "==,i=600000"));
}

static bool client_hears_last(const char *text)
{
	ScramServer server = rfc_server();
	ScramKeys keys = keys_of("pencil", &server.secret);
	ScramClient x = rfc_client();
	Buf out = {0};
	Span copy = exact(span_of_text(text));
	bool ok;

	assert_true(scram_client_challenge(&x, BYTES(CHALLENGE), &fault));
	scram_client_final(&x, &keys, &no_binding, &out);
	ok = scram_client_check(&x, &keys, copy, &fault);
	free((void *)copy.at);
	buf_free(&out);
	scram_client_free(&x);
	return ok;
}

TEST(a_last_word_that_is_no_signature_is_refused)
{
	static const Said table[] = {
		{"", "the message is empty"},
		{"v", "expected character \"=\" for attribute \"v\""},
		{"x=y", "expected attribute \"v\" but found 'x'"},
		{"v=", "invalid server signature"},
		{"v=AAAA", "invalid server signature"},
		{VERIFIER "AAAA", "invalid server signature"},
		{VERIFIER ",x=y", "garbage at end of server-final-message"},
		{"v=" PROOF, "incorrect server signature"},
		{"e", "expected character \"=\" for attribute \"e\""},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		if (client_hears_last(table[i].text))
			fail_msg("accepted: %s", table[i].text);
		assert_int_equal(fault.code, FAULT_BAD_MESSAGE);
		assert_contains(fault.detail, table[i].words);
	}
}

TEST(a_server_that_refuses_says_why)
{
	assert_false(client_hears_last("e=invalid-proof"));
	assert_int_equal(fault.code, FAULT_WRONG_PASSWORD);
	assert_string_equal(fault.detail,
			    "error received from server in SCRAM exchange: invalid-proof");
	assert_false(client_hears_last("e=a\nforged=line,x=y"));
	assert_contains(fault.detail, ": a?forged=line");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rfcs_conversation_as_the_server),
		cmocka_unit_test(the_rfcs_conversation_as_the_client),
		cmocka_unit_test(a_secret_is_read_as_the_server_writes_it),
		cmocka_unit_test(the_bounds_of_a_secret_are_inside),
		cmocka_unit_test(what_is_not_exactly_a_secret_is_refused),
		cmocka_unit_test(a_secret_is_made_of_keys),
		cmocka_unit_test(a_mock_is_the_same_each_time_for_one_user_and_key),
		cmocka_unit_test(a_password_of_any_length_is_stretched_as_by_libcrypto),
		cmocka_unit_test(slices_make_no_difference),
		cmocka_unit_test(what_was_never_begun_may_be_freed),
		cmocka_unit_test(both_sides_understand_each_other),
		cmocka_unit_test(a_recovered_key_logs_in_elsewhere),
		cmocka_unit_test(a_wrong_password_is_one),
		cmocka_unit_test(no_proof_is_right_for_a_user_who_does_not_exist),
		cmocka_unit_test(who_sees_another_certificate_talks_to_somebody_in_between),
		cmocka_unit_test(a_server_that_does_not_know_the_secret_is_found_out),
		cmocka_unit_test(no_bit_of_a_proof_can_be_changed),
		cmocka_unit_test(what_is_no_first_message_is_refused_in_the_servers_words),
		cmocka_unit_test(a_bound_first_message_says_to_what),
		cmocka_unit_test(who_was_not_told_of_channel_binding_was_lied_to),
		cmocka_unit_test(nobody_chooses_what_was_not_offered),
		cmocka_unit_test(a_zero_in_a_message_does_not_end_it),
		cmocka_unit_test(a_name_and_unknown_extensions_are_ignored),
		cmocka_unit_test(the_longest_message_is_taken_and_no_longer_one),
		cmocka_unit_test(what_is_no_proof_is_refused_in_the_servers_words),
		cmocka_unit_test(every_shorter_proof_is_refused),
		cmocka_unit_test(an_extension_may_stand_before_the_proof),
		cmocka_unit_test(a_hostile_challenge_is_refused),
		cmocka_unit_test(a_last_word_that_is_no_signature_is_refused),
		cmocka_unit_test(a_server_that_refuses_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
