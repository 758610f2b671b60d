/*
 * A compute that says anything at all while we log in to it ourselves: the same
 * comes of it however it arrives, the client hears nothing of it, and a little is
 * the most that it can have us say or do.
 *
 * Input: what we know (bits: a password, keys, its certificate; the rest: how to
 * cut), then the compute's bytes.
 */
#include "fuzz.h"

#include "src/proto/pg/pg.h"

#define NONCE "0123456789abcdefghijklmn"

/* The password, our first words, and a proof behind the longest challenge. */
#define ANSWERS_MAX (2 * SCRAM_MESSAGE_MAX)

static const uint8_t certificate[32];
static const ScramKeys keys = {.client_key = "client", .server_key = "server"};

typedef struct Visit {
	Login login;
	Buf from_compute, to_client, to_compute;
	Fault why;
	LoginVerdict verdict;
	int stretched;
} Visit;

static Visit begin(uint8_t how)
{
	Visit v = {.login.own = {.on = true, .user = "bob", .nonce = NONCE, .keys = keys}};
	OwnLogin *own = &v.login.own;

	own->password = how & 1 ? "pencil" : NULL;
	own->has_keys = how & 2;
	own->binding = (ScramBinding){certificate, how & 4 ? sizeof(certificate) : 0};
	scram_secret_of_keys(&own->of, &keys, (const uint8_t *)"salt", 4, 4096);
	return v;
}

static void stretch(Visit *v)
{
	const ScramClient *x = &v->login.own.scram;

	CHECK(v->login.own.password);
	CHECK(x->iterations >= 1 && x->iterations <= SCRAM_ITERATIONS_MAX);
	CHECK(x->salt_size >= 1 && x->salt_size <= SCRAM_SALT_MAX);
	pg_stretched(&v->login, &keys, &v->to_compute);
	v->stretched++;
}

static void hear(Visit *v, Span bytes)
{
	buf_append(&v->from_compute, bytes);
	do {
		v->verdict = pg_login(&v->login, &v->from_compute, &v->to_client, &v->to_compute,
				      &v->why);
		if (v->verdict == LOGIN_STRETCH)
			stretch(v);
	} while (v->verdict == LOGIN_STRETCH);
}

static void end(Visit *v)
{
	login_free(&v->login);
	buf_free(&v->from_compute);
	buf_free(&v->to_client);
	buf_free(&v->to_compute);
}

static void check_same(const Visit *a, const Visit *b)
{
	CHECK(a->verdict == b->verdict);
	CHECK(same_bytes(&a->from_compute, &b->from_compute));
	CHECK(same_bytes(&a->to_client, &b->to_client));
	CHECK(same_bytes(&a->to_compute, &b->to_compute));
	CHECK(strcmp(a->why.detail, b->why.detail) == 0);
}

/* Whole messages, and none about what is between us and the compute. */
static void check_heard(Span out)
{
	while (out.n > 0) {
		CHECK(out.n >= PG_FRAME_HEAD && out.at[0] != PG_AUTHENTICATION &&
		      out.at[0] != PG_NEGOTIATE_PROTOCOL_VERSION);
		CHECK(out.n > get_u32(out.at + 1));
		out = span_skip(out, 1 + get_u32(out.at + 1));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	uint8_t how = take_byte(&in);
	Visit whole = begin(how), cut = begin(how);

	hear(&whole, in);
	while (cut.verdict == LOGIN_MORE && in.n > 0)
		hear(&cut, take_bytes(&in, 1 + how / 8u));
	buf_append(&cut.from_compute, in);
	check_same(&whole, &cut);
	check_heard(buf_span(&whole.to_client));
	CHECK(buf_size(&whole.to_compute) <= ANSWERS_MAX && whole.stretched <= 1);
	CHECK(whole.verdict != LOGIN_FAULT || *whole.why.detail);
	end(&whole);
	end(&cut);
	return 0;
}
