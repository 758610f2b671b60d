/*
 * Logging in to a compute ourselves, for a client that has proved to us who it is.
 *
 * With the keys that came out of its proof where the compute keeps the same
 * secret, else with a password, if one is known.  Everything that the compute
 * says is a stranger's: lengths and iterations are bounded, and who cannot show
 * that it knows the secret is not logged in to.
 */
#include <openssl/evp.h>
#include <stdio.h>

#include "pg.h"

static LoginVerdict fault(Fault *why, const char *detail, const char *hint)
{
	fault_set(why, FAULT_MISCONFIGURED, "%s", detail);
	fault_hint(why, "%s", hint);
	return LOGIN_FAULT;
}

static LoginVerdict no_password(Fault *why)
{
	return fault(why, "the compute asks for a password, and none is known for this user",
		     "put the user's secret into auth_file, or user and password into the entry of "
		     "[databases]");
}

static void put_message(Buf *out, Span body)
{
	buf_append_u8(out, PG_PASSWORD);
	buf_append_u32(out, (uint32_t)(4 + body.n));
	buf_append(out, body);
}

static LoginVerdict answer_in_clear(const OwnLogin *own, Buf *out, Fault *why)
{
	if (!own->password)
		return no_password(why);
	if (!own->private_leg)
		return fault(
			why,
			"the compute asks for a password in clear, and the way to it is not secret",
			"set server_tls_sslmode = require, or let the compute ask for "
			"scram-sha-256");
	put_message(out, (Span){(const uint8_t *)own->password, strlen(own->password) + 1});
	return LOGIN_MORE;
}

static void md5_hex(char hex[33], Span a, Span b)
{
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	uint8_t digest[16] = {0};

	EVP_DigestInit_ex(sum, EVP_md5(), NULL);
	EVP_DigestUpdate(sum, a.at, a.n);
	EVP_DigestUpdate(sum, b.at, b.n);
	EVP_DigestFinal_ex(sum, digest, NULL);
	EVP_MD_CTX_free(sum);
	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* "md5" and the hash of (the hash of password and user) and the compute's salt. */
static LoginVerdict answer_md5(const OwnLogin *own, Span salt, Buf *out, Fault *why)
{
	char inner[33], outer[36] = "md5";

	if (!own->password)
		return no_password(why);
	if (salt.n != 4)
		return fault(why, "the compute's request for a password is malformed", "");
	md5_hex(inner, span_of_text(own->password), span_of_text(own->user));
	md5_hex(outer + 3, span_of_text(inner), salt);
	put_message(out, (Span){(const uint8_t *)outer, sizeof(outer)});
	return LOGIN_MORE;
}

/* Names, each with its zero, and an empty one at the end. */
static bool offers(Span list, const char *wanted)
{
	while (list.n > 0 && list.at[0] != 0) {
		const uint8_t *zero = memchr(list.at, 0, list.n);

		if (!zero)
			return false;
		if (strcmp((const char *)list.at, wanted) == 0)
			return true;
		list = span_skip(list, (size_t)(zero - list.at) + 1);
	}
	return false;
}

static LoginVerdict begin_scram(OwnLogin *own, Span mechanisms, Buf *out, Fault *why)
{
	bool plus = own->binding.size > 0 && offers(mechanisms, PG_SCRAM_PLUS);
	Buf first = {0}, body = {0};

	if (!plus && !offers(mechanisms, PG_SCRAM))
		return fault(why, "the compute offers no SASL mechanism that is known here", "");
	if (!own->has_keys && !own->password)
		return no_password(why);
	scram_client_first(&own->scram, plus, own->nonce, &first);
	buf_append_text(&body, plus ? PG_SCRAM_PLUS : PG_SCRAM);
	buf_append_u32(&body, (uint32_t)buf_size(&first));
	buf_append(&body, buf_span(&first));
	put_message(out, buf_span(&body));
	buf_free(&first);
	buf_free(&body);
	return LOGIN_MORE;
}

static bool fits(const OwnLogin *own)
{
	return own->has_keys && own->of.iterations == own->scram.iterations &&
	       own->of.salt_size == own->scram.salt_size &&
	       memcmp(own->of.salt, own->scram.salt, own->of.salt_size) == 0;
}

static void answer_scram(OwnLogin *own, const ScramKeys *keys, Buf *out)
{
	Buf final = {0};

	own->proving = true;
	scram_client_final(&own->scram, keys, &own->binding, &final);
	put_message(out, buf_span(&final));
	buf_free(&final);
}

static bool is_in_scram(const OwnLogin *own)
{
	return buf_size(&own->scram.auth) > 0;
}

static LoginVerdict take_challenge(OwnLogin *own, Span data, Buf *out, Fault *why)
{
	if (!is_in_scram(own) || own->scram.iterations > 0)
		return fault(why, "the compute goes on with SASL that was not begun", "");
	if (!scram_client_challenge(&own->scram, data, why))
		return LOGIN_FAULT;
	if (fits(own)) {
		answer_scram(own, &own->keys, out);
		return LOGIN_MORE;
	}
	if (own->password)
		return LOGIN_STRETCH;
	return fault(why, "the compute keeps another secret for this user than the proxy",
		     "set the role's password anew, or give the proxy the compute's SCRAM secret");
}

void pg_stretched(Login *login, const ScramKeys *keys, Buf *to_compute)
{
	OwnLogin *own = &login->own;

	own->keys = *keys;
	own->has_keys = true;
	scram_secret_of_keys(&own->of, keys, own->scram.salt, own->scram.salt_size,
			     own->scram.iterations);
	answer_scram(own, keys, to_compute);
}

/* The compute's own proof: with it, SCRAM is over. */
static LoginVerdict take_final(OwnLogin *own, Span data, Fault *why)
{
	if (!own->proving)
		return fault(why, "the compute ends SASL that was not begun", "");
	if (!scram_client_check(&own->scram, &own->keys, data, why))
		return LOGIN_FAULT;
	own->proving = false;
	scram_client_free(&own->scram);
	return LOGIN_MORE;
}

static LoginVerdict take_ok(OwnLogin *own, Fault *why)
{
	own->let_in = !is_in_scram(own);
	if (own->let_in)
		return LOGIN_MORE;
	return fault(why, "the compute did not prove that it knows the password",
		     "it may be another server than it should be: see server_tls_sslmode");
}

/* One proof is enough: who asks for more wants a password after all, or work without end. */
static LoginVerdict give_proof(OwnLogin *own, uint32_t kind, Span data, Buf *out, Fault *why)
{
	if (own->asked)
		return fault(why, "the compute asks for a second proof", "");
	own->asked = true;
	switch (kind) {
	case AUTH_PASSWORD:
		return answer_in_clear(own, out, why);
	case AUTH_MD5:
		return answer_md5(own, data, out, why);
	case AUTH_SASL:
		return begin_scram(own, data, out, why);
	}
	return fault(why, "the compute asks for a kind of authentication that the proxy cannot do",
		     "let it ask for scram-sha-256");
}

LoginVerdict pg_own_login(Login *login, Span frame, Buf *out, Fault *why)
{
	OwnLogin *own = &login->own;
	Span body = span_skip(frame, PG_FRAME_HEAD), data;

	if (body.n < 4)
		return fault(why, "the compute's request for authentication is malformed", "");
	data = span_skip(body, 4);
	switch (get_u32(body.at)) {
	case AUTH_OK:
		return take_ok(own, why);
	case AUTH_SASL_CONTINUE:
		return take_challenge(own, data, out, why);
	case AUTH_SASL_FINAL:
		return take_final(own, data, why);
	default:
		return give_proof(own, get_u32(body.at), data, out, why);
	}
}

void login_begin(Login *login)
{
	login->wanted = 0;
	login->asking = login->hid_plus = false;
	login->own.asked = login->own.proving = login->own.let_in = false;
	scram_client_free(&login->own.scram);
}

void login_free(Login *login)
{
	scram_client_free(&login->own.scram);
	explicit_bzero(&login->own, sizeof(login->own));
}
