/*
 * A client's first packets, of any bytes: the same comes of them however they
 * arrive, and what is made of them for the compute is a good packet again.
 *
 * The one thing that does depend on arrival is what stands behind a request for
 * encryption: seen together with it, it is an attack.
 *
 * Each input is heard twice, with and without a certificate to show.
 */
#include "fuzz.h"

#include "src/proto/pg/pg.h"

typedef struct Visit {
	Hello hello;
	Buf in, reply;
	Fault why;
	HelloVerdict verdict;
} Visit;

static void hear(Visit *v, Span bytes)
{
	buf_append(&v->in, bytes);
	v->verdict = pg_hello(&v->hello, &v->in, &v->reply, &v->why);
}

static bool listens(const Visit *v)
{
	return v->verdict == HELLO_MORE || v->verdict == HELLO_ANSWER;
}

static void end(Visit *v)
{
	hello_free(&v->hello);
	buf_free(&v->in);
	buf_free(&v->reply);
}

/* First the length, then the rest of the packet. */
static void hear_packets(Visit *v, Span in)
{
	while (listens(v) && in.n > 0) {
		Span length = take_bytes(&in, 4);

		hear(v, length);
		if (v->verdict == HELLO_MORE && length.n == 4 && in.n > 0)
			hear(v, take_bytes(&in, get_u32(length.at) - 4));
	}
	buf_append(&v->in, in);
}

static void hear_bytes(Visit *v, Span in)
{
	while (listens(v) && in.n > 0)
		hear(v, take_bytes(&in, 1));
	buf_append(&v->in, in);
}

static void check_same(const Visit *a, const Visit *b)
{
	CHECK(a->verdict == b->verdict);
	CHECK(same_bytes(&a->in, &b->in) || a->verdict == HELLO_FAULT);
	CHECK(same_bytes(&a->reply, &b->reply));
	CHECK(same_bytes(&a->hello.startup.pairs, &b->hello.startup.pairs));
	CHECK(a->hello.startup.negotiate == b->hello.startup.negotiate);
	CHECK(memcmp(&a->hello.cancel, &b->hello.cancel, sizeof(CancelKey)) == 0);
	CHECK(strcmp(a->why.detail, b->why.detail) == 0);
}

static void check_whole(const Visit *whole, const Visit *packets)
{
	if (strncmp(whole->why.detail, "received unencrypted data", 25) != 0)
		check_same(whole, packets);
	else
		CHECK(buf_size(&whole->reply) == 0 && buf_size(&packets->reply) > 0);
}

/* What goes to the compute is read as the same wish, without the protocol's options. */
static void check_begun(Visit *v)
{
	Visit again = {.verdict = HELLO_MORE};
	Buf packet = {0}, note = {0};

	pg_begin(&v->hello.startup, &packet);
	pg_negotiate(&v->hello.startup, &note);
	CHECK(v->hello.startup.negotiate == (buf_size(&note) > 0));
	CHECK(buf_size(&note) == 0 || buf_size(&note) == 1 + get_u32(buf_span(&note).at + 1));
	hear(&again, buf_span(&packet));
	CHECK(again.verdict == HELLO_STARTUP && !again.hello.startup.negotiate);
	CHECK(again.hello.startup.minor == v->hello.startup.minor);
	CHECK(strcmp(startup_get(&again.hello.startup, "user"),
		     startup_get(&v->hello.startup, "user")) == 0);
	startup_set(&v->hello.startup, "user", "bob");
	CHECK(strcmp(startup_get(&v->hello.startup, "user"), "bob") == 0);
	startup_set(&v->hello.startup, "user", NULL);
	CHECK(!startup_get(&v->hello.startup, "user"));
	end(&again);
	buf_free(&packet);
	buf_free(&note);
}

static void check_security(const Visit *v)
{
	CHECK(v->verdict != HELLO_SECURE || (v->hello.may_secure && buf_size(&v->reply) > 0));
	CHECK(v->verdict != HELLO_DIRECT || (v->hello.may_secure && buf_size(&v->reply) == 0));
}

static void visit(Span in, bool may_secure)
{
	Visit whole = {.hello.may_secure = may_secure, .verdict = HELLO_MORE};
	Visit packets = whole, bytes = whole;

	hear_packets(&packets, in);
	hear_bytes(&bytes, in);
	check_same(&packets, &bytes);
	check_security(&packets);
	if (in.n > 0) {
		hear(&whole, in);
		if (whole.verdict != HELLO_ANSWER)
			check_whole(&whole, &packets);
	}
	if (packets.verdict == HELLO_STARTUP)
		check_begun(&packets);
	end(&whole);
	end(&packets);
	end(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	visit((Span){data, size}, false);
	visit((Span){data, size}, true);
	return 0;
}
