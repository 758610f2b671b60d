/*
 * The server's half of SCRAM: it learns whether the client knows the password,
 * and the client's key if it does.
 *
 * What a stranger sends is checked in PostgreSQL's order and refused in its
 * words, so that a client cannot tell us from the server by its mistakes.  A
 * proof for a user whom nobody knows is worked on like any other.
 */
#include "scram_message.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "base/text.h"

static bool take_comma(Span *in, Fault *why)
{
	char byte[SCRAM_BYTE_SIZE];

	if (in->n == 0 || *in->at != ',')
		return scram_malformed(why, "comma expected, but found %s", scram_byte(byte, *in));
	*in = span_skip(*in, 1);
	return true;
}

/* 'n': the client cannot bind to the channel; 'y': it could, but was not offered to. */
static bool take_unbound(const ScramServer *x, Span *in, Fault *why)
{
	if (x->plus)
		return scram_malformed(why, "the client selected SCRAM-SHA-256-PLUS, but the "
					    "message does not include channel binding data");
	if (x->flag == 'y' && x->offered_plus)
		return fault_set(why, FAULT_BAD_MESSAGE,
				 "SCRAM channel binding negotiation error: the client supports "
				 "channel binding but thinks the server does not; however, this "
				 "server does support channel binding");
	*in = span_skip(*in, 1);
	return take_comma(in, why);
}

static bool take_bound(const ScramServer *x, Span *in, Fault *why)
{
	Span type;

	if (!x->plus)
		return scram_malformed(why,
				       "the client selected SCRAM-SHA-256 without channel "
				       "binding, but the message includes channel binding data");
	if (!scram_take(in, 'p', &type, why))
		return false;
	if (!scram_equal(type, span_of_text(SCRAM_BINDING_TYPE)))
		return fault_set(why, FAULT_BAD_MESSAGE, "unsupported SCRAM channel-binding type");
	return true;
}

/* Everything before the part that is signed: the flag, and an identity that nobody may claim. */
static bool take_header(ScramServer *x, Span *in, Fault *why)
{
	char byte[SCRAM_BYTE_SIZE];

	x->flag = (char)*in->at;
	if (x->flag != 'n' && x->flag != 'y' && x->flag != 'p')
		return scram_malformed(why, "unexpected channel-binding flag %s",
				       scram_byte(byte, *in));
	if (x->flag == 'p' ? !take_bound(x, in, why) : !take_unbound(x, in, why))
		return false;
	if (in->n > 0 && *in->at == 'a')
		return fault_set(why, FAULT_BAD_MESSAGE,
				 "client uses authorization identity, but it is not supported");
	if (in->n == 0 || *in->at != ',')
		return scram_malformed(why, "unexpected attribute %s in client-first-message",
				       scram_byte(byte, *in));
	*in = span_skip(*in, 1);
	return true;
}

static bool read_bare(Span bare, Span *nonce, Fault *why)
{
	Span user;

	if (bare.n > 0 && *bare.at == 'm')
		return fault_set(why, FAULT_BAD_MESSAGE,
				 "client requires an unsupported SCRAM extension");
	if (!scram_take(&bare, 'n', &user, why) || !scram_take(&bare, 'r', nonce, why))
		return false;
	if (!scram_is_nonce(*nonce))
		return fault_set(why, FAULT_BAD_MESSAGE, "non-printable characters in SCRAM nonce");
	return scram_take_extensions(&bare, why);
}

/* Appends server-first to what is signed, where it stands between commas. */
static void challenge(ScramServer *x, Span client_nonce, Span nonce, Buf *out)
{
	size_t start;
	char iterations[16];

	scram_put(&x->auth, ",");
	start = buf_size(&x->auth);
	x->nonce_at = start + strlen("r=");
	x->nonce_size = client_nonce.n + nonce.n;
	scram_put(&x->auth, "r=");
	buf_append(&x->auth, client_nonce);
	buf_append(&x->auth, nonce);
	scram_put(&x->auth, ",s=");
	scram_put_base64(&x->auth, x->secret.salt, x->secret.salt_size);
	snprintf(iterations, sizeof(iterations), ",i=%d", x->secret.iterations);
	scram_put(&x->auth, iterations);
	buf_append(out, span_skip(buf_span(&x->auth), start));
	scram_put(&x->auth, ",");
}

bool scram_server_first(ScramServer *x, Span client_first, const ScramBinding *binding,
			const char *nonce, Buf *out, Fault *why)
{
	Span in = client_first, client_nonce;

	assert(buf_size(&x->auth) == 0 && scram_is_nonce(span_of_text(nonce)));
	if (x->plus && (!x->offered_plus || binding->size == 0))
		return fault_set(why, FAULT_BAD_MESSAGE,
				 "client selected an invalid SASL authentication mechanism");
	if (!scram_message_check(in, why) || !take_header(x, &in, why) ||
	    !read_bare(in, &client_nonce, why))
		return false;
	buf_append(&x->auth, in);
	challenge(x, client_nonce, span_of_text(nonce), out);
	return true;
}

/* The client repeats its first words, and adds what it takes for our certificate. */
static bool check_binding(const ScramServer *x, Span given, const ScramBinding *binding, Fault *why)
{
	Buf expected = {0};
	bool same;

	scram_put_binding(&expected, x->flag, binding);
	same = scram_equal(given, buf_span(&expected));
	buf_free(&expected);
	if (same)
		return true;
	return fault_set(why, FAULT_BAD_MESSAGE,
			 x->plus ? "SCRAM channel binding check failed"
				 : "unexpected SCRAM channel-binding attribute in "
				   "client-final-message");
}

/* Reads client-final; *without_proof is what of it is signed. */
static bool read_final(const ScramServer *x, Span message, const ScramBinding *binding,
		       uint8_t proof[SCRAM_KEY_SIZE], Span *without_proof, Fault *why)
{
	Span in = message, cbind, nonce, value;
	size_t n;
	char name = 0;

	if (!scram_message_check(in, why) || !scram_take(&in, 'c', &cbind, why) ||
	    !check_binding(x, cbind, binding, why) || !scram_take(&in, 'r', &nonce, why))
		return false;
	while (name != 'p') {
		*without_proof = (Span){message.at, message.n - in.n - 1};
		if (!scram_take_any(&in, &name, &value, why))
			return false;
	}
	if (!scram_get_base64(value, proof, SCRAM_KEY_SIZE, &n) || n != SCRAM_KEY_SIZE)
		return scram_malformed(why, "malformed proof in client-final-message");
	if (in.n > 0)
		return scram_malformed(why, "garbage found at the end of client-final-message");
	if (!scram_equal(nonce, (Span){buf_span(&x->auth).at + x->nonce_at, x->nonce_size}))
		return fault_set(why, FAULT_BAD_MESSAGE,
				 "invalid SCRAM response: nonce does not match");
	return true;
}

/*
 * Takes the client's key out of its proof, and compares its hash.  All of the
 * work is done before anything is decided.
 */
static bool is_right(ScramServer *x, const uint8_t proof[SCRAM_KEY_SIZE])
{
	uint8_t stored[SCRAM_KEY_SIZE];
	bool equal;

	scram_hmac(x->client_key, x->secret.stored_key, buf_span(&x->auth));
	scram_xor(x->client_key, proof);
	scram_hash(stored, (Span){x->client_key, SCRAM_KEY_SIZE});
	equal = bytes_equal_in_constant_time(stored, x->secret.stored_key, SCRAM_KEY_SIZE);
	return equal & x->known;
}

bool scram_server_final(ScramServer *x, Span client_final, const ScramBinding *binding, Buf *out,
			Fault *why)
{
	uint8_t proof[SCRAM_KEY_SIZE], signature[SCRAM_KEY_SIZE];
	Span without_proof;

	assert(x->nonce_size > 0);
	if (!read_final(x, client_final, binding, proof, &without_proof, why))
		return false;
	buf_append(&x->auth, without_proof);
	if (!is_right(x, proof)) {
		OPENSSL_cleanse(x->client_key, SCRAM_KEY_SIZE);
		return fault_set(why, FAULT_WRONG_PASSWORD, "password authentication failed");
	}
	scram_hmac(signature, x->secret.server_key, buf_span(&x->auth));
	scram_put(out, "v=");
	scram_put_base64(out, signature, SCRAM_KEY_SIZE);
	return true;
}

void scram_server_free(ScramServer *x)
{
	buf_free(&x->auth);
	OPENSSL_cleanse(x, sizeof(*x));
}
