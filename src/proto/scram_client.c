/*
 * The client's half of SCRAM: it logs in with keys, and makes sure that the
 * server knows the secret too.
 *
 * The keys do not depend on what the server says here, so a hostile one costs
 * nothing; but who makes keys from a password stretches it as often as the
 * server wants, and therefore the challenge is bounded.
 */
#include "scram_message.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "base/text.h"

static char flag_of(const ScramClient *x)
{
	return x->plus ? 'p' : 'n';
}

void scram_client_first(ScramClient *x, bool plus, const char *nonce, Buf *out)
{
	assert(buf_size(&x->auth) == 0 && scram_is_nonce(span_of_text(nonce)));
	x->plus = plus;
	scram_put(&x->auth, "n=,r=");
	x->nonce_at = buf_size(&x->auth);
	x->nonce_size = strlen(nonce);
	scram_put(&x->auth, nonce);
	scram_put(out, plus ? SCRAM_BOUND : "n,,");
	buf_append(out, buf_span(&x->auth));
}

static Span nonce_of(const ScramClient *x)
{
	return (Span){buf_span(&x->auth).at + x->nonce_at, x->nonce_size};
}

/* The server's nonce begins with ours, and adds to it. */
static bool is_answer(const ScramClient *x, Span nonce)
{
	return scram_is_nonce(nonce) && nonce.n > x->nonce_size &&
	       scram_equal((Span){nonce.at, x->nonce_size}, nonce_of(x));
}

bool scram_client_challenge(ScramClient *x, Span server_first, Fault *why)
{
	Span in = server_first, nonce, salt, iterations;
	size_t n;

	if (!scram_message_check(in, why) || !scram_take(&in, 'r', &nonce, why))
		return false;
	if (!is_answer(x, nonce))
		return fault_set(why, FAULT_BAD_MESSAGE, "invalid SCRAM response: nonce mismatch");
	if (!scram_take(&in, 's', &salt, why))
		return false;
	if (!scram_get_base64(salt, x->salt, SCRAM_SALT_MAX, &n))
		return scram_malformed(why, "invalid salt");
	if (!scram_take(&in, 'i', &iterations, why))
		return false;
	if (!scram_get_iterations(iterations, &x->iterations))
		return scram_malformed(why, "invalid iteration count");
	if (in.n > 0)
		return scram_malformed(why, "garbage at end of server-first-message");
	x->salt_size = (uint8_t)n;
	scram_put(&x->auth, ",");
	x->nonce_at = buf_size(&x->auth) + strlen("r=");
	x->nonce_size = nonce.n;
	buf_append(&x->auth, server_first);
	return true;
}

static void put_proof(const ScramClient *x, const ScramKeys *keys, Buf *out)
{
	uint8_t stored[SCRAM_KEY_SIZE], proof[SCRAM_KEY_SIZE];

	scram_hash(stored, (Span){keys->client_key, SCRAM_KEY_SIZE});
	scram_hmac(proof, stored, buf_span(&x->auth));
	scram_xor(proof, keys->client_key);
	scram_put_base64(out, proof, SCRAM_KEY_SIZE);
}

void scram_client_final(ScramClient *x, const ScramKeys *keys, const ScramBinding *binding,
			Buf *out)
{
	Buf message = {0};

	assert(x->iterations > 0);
	scram_put(&message, "c=");
	scram_put_binding(&message, flag_of(x), binding);
	scram_put(&message, ",r=");
	buf_append(&message, nonce_of(x));
	scram_put(&x->auth, ",");
	buf_append(&x->auth, buf_span(&message));
	scram_put(&message, ",p=");
	put_proof(x, keys, &message);
	buf_append(out, buf_span(&message));
	buf_free(&message);
}

static bool refused(Span in, Fault *why)
{
	char said[64];
	Span error;

	if (!scram_take(&in, 'e', &error, why))
		return false;
	text_copy_n(said, sizeof(said), (const char *)error.at, error.n);
	text_printable(said);
	return fault_set(why, FAULT_WRONG_PASSWORD,
			 "error received from server in SCRAM exchange: %s", said);
}

bool scram_client_check(const ScramClient *x, const ScramKeys *keys, Span server_final, Fault *why)
{
	Span in = server_final, value;
	uint8_t expected[SCRAM_KEY_SIZE], given[SCRAM_KEY_SIZE];
	size_t n;

	if (!scram_message_check(in, why))
		return false;
	if (*in.at == 'e')
		return refused(in, why);
	if (!scram_take(&in, 'v', &value, why))
		return false;
	if (!scram_get_base64(value, given, SCRAM_KEY_SIZE, &n) || n != SCRAM_KEY_SIZE)
		return scram_malformed(why, "invalid server signature");
	if (in.n > 0)
		return scram_malformed(why, "garbage at end of server-final-message");
	scram_hmac(expected, keys->server_key, buf_span(&x->auth));
	if (!bytes_equal_in_constant_time(given, expected, SCRAM_KEY_SIZE))
		return fault_set(why, FAULT_BAD_MESSAGE, "incorrect server signature");
	return true;
}

void scram_client_free(ScramClient *x)
{
	buf_free(&x->auth);
	OPENSSL_cleanse(x, sizeof(*x));
}
