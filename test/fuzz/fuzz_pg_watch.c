/*
 * A relayed conversation of any bytes: the watch reaches the same state and the
 * same verdict however they are cut.
 *
 * Input: how to cut, then pieces.  A piece begins with a byte whose upper bit
 * says which side speaks, and the rest how many bytes.
 */
#include "fuzz.h"

#include "src/proto/pg/pg.h"

static void check_same(const Watch *a, const Watch *b)
{
	CHECK(a->unanswered_queries == b->unanswered_queries);
	CHECK(a->unanswered_syncs == b->unanswered_syncs);
	CHECK(a->syncs_after_copy == b->syncs_after_copy);
	CHECK(a->copy_in == b->copy_in && a->copy_ended == b->copy_ended);
	CHECK(a->in_transaction == b->in_transaction && a->terminated == b->terminated);
	CHECK(a->requests == b->requests && a->rows == b->rows);
	CHECK(a->transactions == b->transactions);
	CHECK(a->refused == b->refused && a->listening == b->listening);
	CHECK(watch_at_rest(a) == watch_at_rest(b));
	for (int side = 0; side < 2; side++) {
		CHECK(a->cursor[side].left == b->cursor[side].left);
		CHECK(a->cursor[side].have == b->cursor[side].have);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	size_t cut_size = 1 + take_byte(&in) % 7u;
	Watch whole = {0}, cut = {0};

	while (in.n > 0) {
		uint8_t head = take_byte(&in);
		Side side = head & 0x80 ? SIDE_COMPUTE : SIDE_CLIENT;
		Span piece = take_bytes(&in, head & 0x7f);
		Fault why_whole = {0}, why_cut = {0};
		bool ok = pg_watch(&whole, side, piece, &why_whole), still = true;

		while (still && piece.n > 0)
			still = pg_watch(&cut, side, take_bytes(&piece, cut_size), &why_cut);
		CHECK(ok == still);
		CHECK(strcmp(why_whole.detail, why_cut.detail) == 0);
		if (!ok)
			return 0;
		check_same(&whole, &cut);
	}
	return 0;
}
