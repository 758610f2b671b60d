/*
 * A client proves to us who it is: SCRAM-SHA-256, with channel binding where it
 * has TLS, or a password in clear.
 *
 * https://www.postgresql.org/docs/current/sasl-authentication.html
 */
#include <stdlib.h>

#include "base/mem.h"
#include "pg.h"

/* More than a password or a SCRAM message needs; before anybody has proved anything. */
#define PROOF_MAX 8192

void pg_begin_auth(PgAuth kind, size_t n, Buf *to_client)
{
	buf_append_u8(to_client, PG_AUTHENTICATION);
	buf_append_u32(to_client, (uint32_t)(8 + n));
	buf_append_u32(to_client, kind);
}

void pg_welcome(Buf *to_client)
{
	pg_begin_auth(AUTH_OK, 0, to_client);
}

void pg_ask_proof(const Proof *proof, Buf *to_client)
{
	bool plus = proof->binding.size > 0;

	if (proof->kind == PROOF_PASSWORD) {
		pg_begin_auth(AUTH_PASSWORD, 0, to_client);
		return;
	}
	pg_begin_auth(AUTH_SASL, (plus ? sizeof(PG_SCRAM_PLUS) : 0) + sizeof(PG_SCRAM) + 1,
		      to_client);
	if (plus)
		buf_append_text(to_client, PG_SCRAM_PLUS);
	buf_append_text(to_client, PG_SCRAM);
	buf_append_u8(to_client, 0);
}

static ProofVerdict bad(Fault *why, const char *what)
{
	fault_set(why, FAULT_BAD_MESSAGE, "%s", what);
	return PROOF_FAULT;
}

static ProofVerdict take_password(Proof *proof, Span body, Fault *why)
{
	if (body.n == 0 || body.at[body.n - 1] != 0 || strlen((const char *)body.at) != body.n - 1)
		return bad(why, "invalid password packet size");
	if (body.n == 1)
		return bad(why, "empty password returned by client");
	proof->password = mem_text((const char *)body.at);
	return PROOF_SAID;
}

/* The name of the mechanism, a length, and the client's first words. */
static bool read_initial(Proof *proof, Span body, Span *data, Fault *why)
{
	const uint8_t *zero = memchr(body.at, 0, body.n);
	const char *mechanism = (const char *)body.at;

	if (!zero || body.n - (size_t)(zero - body.at) < 5) {
		bad(why, "malformed SASL message");
		return false;
	}
	proof->scram.plus = strcmp(mechanism, PG_SCRAM_PLUS) == 0;
	if (proof->scram.plus ? proof->binding.size == 0 : strcmp(mechanism, PG_SCRAM) != 0) {
		bad(why, "client selected an invalid SASL authentication mechanism");
		return false;
	}
	*data = span_skip(body, (size_t)(zero - body.at) + 5);
	if (get_u32(zero + 1) != data->n) {
		bad(why, "malformed SASL message");
		return false;
	}
	return true;
}

static void append_auth(PgAuth kind, Buf *data, Buf *to_client)
{
	pg_begin_auth(kind, buf_size(data), to_client);
	buf_append(to_client, buf_span(data));
	buf_free(data);
}

static ProofVerdict begin_scram(Proof *proof, Span body, Buf *to_client, Fault *why)
{
	Buf answer = {0};
	Span data;

	proof->scram.offered_plus = proof->binding.size > 0;
	if (!read_initial(proof, body, &data, why) ||
	    !scram_server_first(&proof->scram, data, &proof->binding, proof->nonce, &answer, why)) {
		buf_free(&answer);
		return PROOF_FAULT;
	}
	append_auth(AUTH_SASL_CONTINUE, &answer, to_client);
	proof->begun = true;
	return PROOF_MORE;
}

static ProofVerdict end_scram(Proof *proof, Span body, Buf *to_client, Fault *why)
{
	Buf answer = {0};

	if (!scram_server_final(&proof->scram, body, &proof->binding, &answer, why)) {
		buf_free(&answer);
		return PROOF_FAULT;
	}
	append_auth(AUTH_SASL_FINAL, &answer, to_client);
	return PROOF_RIGHT;
}

static ProofVerdict take(Proof *proof, Span body, Buf *to_client, Fault *why)
{
	if (proof->kind == PROOF_PASSWORD)
		return take_password(proof, body, why);
	return proof->begun ? end_scram(proof, body, to_client, why)
			    : begin_scram(proof, body, to_client, why);
}

ProofVerdict pg_prove(Proof *proof, Buf *in, Buf *to_client, Fault *why)
{
	const uint8_t *at = buf_span(in).at;
	ProofVerdict verdict;
	uint32_t length;

	if (buf_size(in) > 0 && at[0] != PG_PASSWORD) {
		fault_set(why, FAULT_BAD_MESSAGE,
			  "expected an answer to the request for authentication, got message type "
			  "0x%02x",
			  at[0]);
		return PROOF_FAULT;
	}
	if (buf_size(in) < PG_FRAME_HEAD)
		return PROOF_MORE;
	length = get_u32(at + 1);
	if (length < 4 || length > PROOF_MAX)
		return bad(why, "invalid length of an authentication message");
	if (buf_size(in) < length + 1)
		return PROOF_MORE;
	verdict = take(proof, (Span){at + PG_FRAME_HEAD, length - 4}, to_client, why);
	buf_take(in, length + 1);
	return verdict;
}

void proof_free(Proof *proof)
{
	scram_server_free(&proof->scram);
	mem_wipe_text(proof->password);
	proof->password = NULL;
}
