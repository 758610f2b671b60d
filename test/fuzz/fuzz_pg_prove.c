/*
 * A client that says anything at all when it is asked for a proof: the same comes
 * of it however it arrives, and nobody is let in who does not know a key.
 *
 * Input: how it is asked (bits: password, TLS, known user; the rest: how to cut),
 * then the client's bytes.
 */
#include "fuzz.h"

#include "src/proto/pg/pg.h"
#include "src/proto/scram_message.h"

#define NONCE "nmlkjihgfedcba9876543210"

/* RFC 7677: password "pencil". */
#define SECRET                                          \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"  \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const uint8_t certificate[32];

typedef struct Visit {
	Proof proof;
	Buf in, to_client;
	Fault why;
	ProofVerdict verdict;
} Visit;

static Visit begin(uint8_t how)
{
	Visit v = {.proof = {.kind = how & 1 ? PROOF_PASSWORD : PROOF_SCRAM, .nonce = NONCE}};

	v.proof.binding = (ScramBinding){certificate, how & 2 ? sizeof(certificate) : 0};
	v.proof.scram.known = how & 4;
	CHECK(scram_secret_parse(&v.proof.scram.secret, SECRET));
	return v;
}

/* Until it has nothing more to do with what is there. */
static void hear(Visit *v, Span bytes)
{
	size_t left;

	buf_append(&v->in, bytes);
	do {
		left = buf_size(&v->in);
		v->verdict = pg_prove(&v->proof, &v->in, &v->to_client, &v->why);
	} while (v->verdict == PROOF_MORE && buf_size(&v->in) < left);
}

static void end(Visit *v)
{
	proof_free(&v->proof);
	buf_free(&v->in);
	buf_free(&v->to_client);
}

static void check_same(const Visit *a, const Visit *b)
{
	CHECK(a->verdict == b->verdict);
	CHECK(same_bytes(&a->in, &b->in));
	CHECK(same_bytes(&a->to_client, &b->to_client));
	CHECK(strcmp(a->why.detail, b->why.detail) == 0);
	CHECK(!a->proof.password == !b->proof.password);
	CHECK(!a->proof.password || strcmp(a->proof.password, b->proof.password) == 0);
}

/* A right proof is one whose key has the hash that we keep. */
static void check_verdict(const Visit *v)
{
	const ScramServer *x = &v->proof.scram;
	uint8_t stored[SCRAM_KEY_SIZE];

	CHECK((v->verdict == PROOF_SAID) == (v->proof.password != NULL));
	CHECK(v->verdict != PROOF_SAID || *v->proof.password);
	CHECK(v->verdict != PROOF_FAULT || v->why.code == FAULT_BAD_MESSAGE ||
	      v->why.code == FAULT_WRONG_PASSWORD);
	if (v->verdict != PROOF_RIGHT)
		return;
	scram_hash(stored, (Span){x->client_key, SCRAM_KEY_SIZE});
	CHECK(x->known && memcmp(stored, x->secret.stored_key, SCRAM_KEY_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	uint8_t how = take_byte(&in);
	Visit whole = begin(how), cut = begin(how);

	hear(&whole, in);
	while (cut.verdict == PROOF_MORE && in.n > 0)
		hear(&cut, take_bytes(&in, 1 + how / 8u));
	buf_append(&cut.in, in);
	check_same(&whole, &cut);
	check_verdict(&whole);
	end(&whole);
	end(&cut);
	return 0;
}
