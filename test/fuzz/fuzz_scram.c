/*
 * SCRAM with somebody who says anything at all: a client, a server, or whoever
 * wrote down a secret.  What is taken is within its bounds, and nobody is let in
 * who does not know a key.
 *
 * Input: which of the three, and for a client or server its flags and the length
 * of its first message (two bytes); then the bytes.
 */
#include "fuzz.h"

#include "proto/scram.h"
#include "src/proto/scram_message.h"

#define NONCE "rOprNGfwEbeRWgbNEkqO%hvY"

/* RFC 7677: password "pencil". */
#define SECRET                                          \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"  \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const uint8_t certificate[48];
static const ScramBinding binding = {certificate, sizeof(certificate)};

static Span take_first(Span *in)
{
	size_t n = (size_t)take_byte(in) << 8;

	n |= take_byte(in);
	return take_bytes(in, n);
}

static void check_secret(const ScramSecret *secret)
{
	CHECK(secret->iterations >= 1 && secret->iterations <= SCRAM_ITERATIONS_MAX);
	CHECK(secret->salt_size >= 1 && secret->salt_size <= SCRAM_SALT_MAX);
}

/* A right proof is one whose key has the hash that we keep. */
static void check_let_in(const ScramServer *x)
{
	uint8_t stored[SCRAM_KEY_SIZE];

	scram_hash(stored, (Span){x->client_key, SCRAM_KEY_SIZE});
	CHECK(x->known && memcmp(stored, x->secret.stored_key, SCRAM_KEY_SIZE) == 0);
}

static void hear_client(Span in)
{
	uint8_t flags = take_byte(&in);
	Span first = take_first(&in);
	ScramServer x = {.known = flags & 1, .offered_plus = flags & 2, .plus = flags & 4};
	Buf out = {0};
	Fault why = {0};

	CHECK(scram_secret_parse(&x.secret, SECRET));
	if (scram_server_first(&x, first, &binding, NONCE, &out, &why)) {
		CHECK(buf_size(&out) > 0 && buf_size(&out) < first.n + 128);
		CHECK(!x.plus || x.offered_plus);
		buf_free(&out);
		if (scram_server_final(&x, in, &binding, &out, &why))
			check_let_in(&x);
		else
			CHECK(buf_size(&out) == 0);
	}
	CHECK(why.code == FAULT_NONE || why.code == FAULT_BAD_MESSAGE ||
	      why.code == FAULT_WRONG_PASSWORD);
	buf_free(&out);
	scram_server_free(&x);
}

/* The one signature that is right, which nothing but its own text can be. */
static void check_signed(const ScramClient *x, const ScramKeys *keys, Span last)
{
	uint8_t signature[SCRAM_KEY_SIZE];
	Buf right = {0};

	scram_hmac(signature, keys->server_key, buf_span(&x->auth));
	scram_put(&right, "v=");
	scram_put_base64(&right, signature, SCRAM_KEY_SIZE);
	CHECK(last.n >= buf_size(&right));
	CHECK(memcmp(last.at, buf_span(&right).at, buf_size(&right)) == 0);
	buf_free(&right);
}

static void hear_server(Span in)
{
	static const ScramKeys keys = {.client_key = "client", .server_key = "server"};
	bool plus = take_byte(&in) & 1;
	Span first = take_first(&in);
	ScramClient x = {0};
	Buf out = {0};
	Fault why = {0};

	scram_client_first(&x, plus, NONCE, &out);
	buf_free(&out);
	if (scram_client_challenge(&x, first, &why)) {
		check_secret(&(ScramSecret){.iterations = x.iterations, .salt_size = x.salt_size});
		scram_client_final(&x, &keys, &binding, &out);
		CHECK(buf_size(&out) < first.n + 256);
		if (scram_client_check(&x, &keys, in, &why))
			check_signed(&x, &keys, in);
	}
	buf_free(&out);
	scram_client_free(&x);
}

/* Whatever is taken for a secret is written the same way again. */
static void check_written(const ScramSecret *secret, const char *text)
{
	Buf out = {0};
	char begin[32];

	snprintf(begin, sizeof(begin), "SCRAM-SHA-256$%d:", secret->iterations);
	scram_put(&out, begin);
	scram_put_base64(&out, secret->salt, secret->salt_size);
	scram_put(&out, "$");
	scram_put_base64(&out, secret->stored_key, SCRAM_KEY_SIZE);
	scram_put(&out, ":");
	scram_put_base64(&out, secret->server_key, SCRAM_KEY_SIZE);
	buf_append_u8(&out, 0);
	CHECK(strcmp((const char *)buf_span(&out).at, text) == 0);
	buf_free(&out);
}

static void read_secret(Span in)
{
	char *text = text_of_input(in);
	ScramSecret secret;

	if (scram_secret_parse(&secret, text)) {
		check_secret(&secret);
		check_written(&secret, text);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	uint8_t who = take_byte(&in);

	if (who % 3 == 0)
		hear_client(in);
	else if (who % 3 == 1)
		hear_server(in);
	else
		read_secret(in);
	return 0;
}
