/*
 * A compute that says anything at all during a login: what is passed on and what
 * is kept does not depend on how it arrives.
 *
 * Input: how to cut (upper bits: there is a connect query, channel binding would
 * end with us), then the compute's bytes.
 */
#include "fuzz.h"

#include "src/proto/pg/pg.h"

typedef struct Visit {
	Login login;
	Buf from_compute, to_client, to_compute;
	Fault why;
	LoginVerdict verdict;
} Visit;

static void hear(Visit *v, Span bytes)
{
	buf_append(&v->from_compute, bytes);
	v->verdict = pg_login(&v->login, &v->from_compute, &v->to_client, &v->to_compute, &v->why);
}

static void end(Visit *v)
{
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
	CHECK(memcmp(&a->login.theirs, &b->login.theirs, sizeof(CancelKey)) == 0);
	CHECK(a->login.wanted == b->login.wanted && a->login.hid_plus == b->login.hid_plus);
	CHECK(memcmp(a->login.refusal, b->login.refusal, sizeof(a->login.refusal)) == 0);
	CHECK(strcmp(a->why.detail, b->why.detail) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	uint8_t how = take_byte(&in);
	Visit whole = {.login = {.ours = {.pid = 7, .secret = "ours", .secret_size = 4},
				 .connect_query = how & 0x80 ? "select 1" : NULL,
				 .no_binding = how & 0x40}};
	Visit cut = whole;

	hear(&whole, in);
	while (cut.verdict == LOGIN_MORE && in.n > 0)
		hear(&cut, take_bytes(&in, 1 + how % 7u));
	buf_append(&cut.from_compute, in);
	check_same(&whole, &cut);
	CHECK(whole.verdict != LOGIN_NOT_YET || buf_size(&whole.to_client) == 0);
	CHECK(!whole.login.hid_plus || whole.login.no_binding);
	end(&whole);
	end(&cut);
	return 0;
}
