/*
 * Any first bytes of a connection: the verdict does not depend on how they
 * arrive, is never taken back, and what was read can be written and read again.
 *
 * Input: how to cut, then the bytes.
 */
#include "fuzz.h"

#include "proto/proxy_header.h"

static void check_bounds(const ProxyHeader *h, Span in)
{
	CHECK(h->size >= 15 && h->size <= PROXY_HEADER_MAX && h->size <= in.n);
	CHECK(h->family == 0 || h->family == 4 || h->family == 6);
	CHECK(!h->local || h->family == 0);
	CHECK(in.at[0] == 'P' || in.at[0] == '\r');
}

static void check_same(const ProxyHeader *a, const ProxyHeader *b)
{
	CHECK(a->family == b->family && a->port == b->port && a->to_port == b->to_port);
	CHECK(memcmp(a->address, b->address, sizeof(a->address)) == 0);
	CHECK(memcmp(a->to_address, b->to_address, sizeof(a->to_address)) == 0);
}

static void check_written(const ProxyHeader *h)
{
	Buf out = {0};
	ProxyHeader again;
	Fault why;

	proxy_header_write(h->family, h->address, h->port, h->to_address, h->to_port, &out);
	CHECK(proxy_header_read(&again, buf_span(&out), &why) == PROXY_DONE);
	CHECK(again.size == buf_size(&out));
	check_same(&again, h);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	size_t step = 1 + take_byte(&in) % 7u;
	ProxyHeader whole, cut;
	Fault why = {0}, why_cut = {0};
	ProxyVerdict verdict = proxy_header_read(&whole, in, &why), at_cut = PROXY_MORE;

	for (size_t n = 0; at_cut == PROXY_MORE && n < in.n;) {
		n = n + step < in.n ? n + step : in.n;
		at_cut = proxy_header_read(&cut, (Span){in.at, n}, &why_cut);
	}
	CHECK(at_cut == verdict);
	CHECK(strcmp(why.detail, why_cut.detail) == 0);
	if (verdict != PROXY_DONE)
		return 0;
	CHECK(whole.local == cut.local && whole.size == cut.size);
	check_same(&whole, &cut);
	check_bounds(&whole, in);
	check_written(&whole);
	return 0;
}
