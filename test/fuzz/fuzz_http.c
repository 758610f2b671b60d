/*
 * Any bytes as a request: the verdict on its head and on its body does not depend on
 * how they arrive, and nothing is read beyond what was taken.
 *
 * Input: how to cut, then the bytes.
 */
#include "fuzz.h"

#include "proto/http.h"

#define BODY_MAX 1000

static HttpVerdict head_in_steps(HttpHead *h, Span in, size_t step, HttpProblem *why)
{
	HttpVerdict verdict = HTTP_MORE;

	for (size_t n = 0; verdict == HTTP_MORE && n < in.n;) {
		n = n + step < in.n ? n + step : in.n;
		verdict = http_head_read(h, (Span){in.at, n}, why);
	}
	return verdict;
}

static HttpVerdict body_in_steps(const HttpHead *h, Span in, size_t step, Buf *out, size_t *used,
				 HttpProblem *why)
{
	HttpVerdict verdict = HTTP_MORE;
	HttpBody b;

	http_body_begin(&b, h);
	*used = 0;
	for (bool more = true; verdict == HTTP_MORE && more;) {
		size_t n = in.n - *used < step ? in.n - *used : step, took;

		more = n > 0;
		verdict = http_body_read(&b, (Span){in.at + *used, n}, &took, BODY_MAX, out, why);
		CHECK(took <= n && buf_size(out) <= BODY_MAX);
		*used += took;
	}
	return verdict;
}

static void check_body(const HttpHead *h, Span in, size_t step)
{
	HttpProblem why = {0}, why_cut = {0};
	Buf whole = {0}, cut = {0};
	size_t used, used_cut;
	HttpVerdict verdict = body_in_steps(h, in, in.n + 1, &whole, &used, &why);

	CHECK(body_in_steps(h, in, step, &cut, &used_cut, &why_cut) == verdict);
	CHECK(why.status == why_cut.status);
	if (verdict == HTTP_DONE)
		CHECK(used == used_cut && same_bytes(&whole, &cut));
	buf_free(&whole);
	buf_free(&cut);
}

static void check_head(const HttpHead *h, Span in)
{
	CHECK(h->size <= in.n && h->size <= HTTP_HEAD_MAX);
	CHECK(*h->method && (*h->path == '/' || strcmp(h->path, "*") == 0));
	CHECK(h->n_fields <= HTTP_FIELDS_MAX);
	CHECK(h->length >= 0 && !(h->chunked && h->length > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	size_t step = 1 + take_byte(&in) % 7u;
	HttpHead whole = {0}, cut = {0};
	HttpProblem why = {0}, why_cut = {0};
	HttpVerdict verdict = http_head_read(&whole, in, &why);

	CHECK(head_in_steps(&cut, in, step, &why_cut) == verdict);
	CHECK(why.status == why_cut.status);
	if (verdict == HTTP_DONE) {
		CHECK(whole.size == cut.size);
		check_head(&whole, in);
		check_body(&whole, span_skip(in, whole.size), step);
	}
	http_head_free(&whole);
	http_head_free(&cut);
	return 0;
}
