/*
 * Following a logged-in PostgreSQL conversation.
 *
 * A frame is a type byte, a length that counts itself, and a body (PostgreSQL
 * documentation, "Message Formats").  Exactly one ReadyForQuery answers every
 * Query, FunctionCall and Sync, and its one byte of body is the transaction
 * status, so counting those four messages tells when the session is at rest,
 * however requests are pipelined.
 *
 * COPY FROM STDIN is the one exception: a compute that reads copy data swallows
 * Syncs ("ignored, for the convenience of clients that do not know that the
 * command was COPY").  CopyInResponse therefore takes back the Syncs that are
 * already on their way, and none is counted until the client ends its data, or
 * the compute fails.  A client that pipelined the end of its data too is followed as well.
 *
 * A LISTEN is known by its command tag.  That it was rolled back, or taken back by an
 * UNLISTEN of the one channel there was, is not followed: who has listened once counts as
 * listening until DISCARD ALL.
 */
#include <string.h>

#include "pg.h"

#define HEAD_SIZE        5
#define READY_FRAME_SIZE 6
#define TAG_SIZE         9 /* as much of a command tag as tells what is asked for here */

/* Without a request under way, the data of a COPY that failed has come to its end. */
static void saw_copy_end(Watch *w)
{
	w->copy_ended = !w->copy_in && (watch_unanswered(w) > 0 || w->unsynced);
	w->copy_in = false;
	w->syncs_after_copy = 0;
}

static void saw_request(Watch *w, uint8_t type)
{
	switch (type) {
	case PG_QUERY:
	case PG_FUNCTION_CALL:
		w->unsynced = false; /* its answer ends what came before, too */
		w->unanswered_queries++;
		w->requests++;
		break;
	case PG_PARSE:
	case PG_BIND:
	case PG_DESCRIBE:
	case PG_EXECUTE:
	case PG_CLOSE:
		w->unsynced = true;
		break;
	case PG_SYNC:
		if (w->copy_in)
			break;
		w->unsynced = false;
		w->unanswered_syncs++;
		w->syncs_after_copy += w->copy_ended;
		w->requests++;
		break;
	case PG_COPY_DONE:
	case PG_COPY_FAIL:
		saw_copy_end(w);
		break;
	case PG_TERMINATE:
		w->terminated = true;
		break;
	}
}

static void saw_ready(Watch *w, uint8_t status)
{
	/* Requests are answered in order; which kind was first matters to nobody. */
	if (w->unanswered_queries > 0)
		w->unanswered_queries--;
	else if (w->unanswered_syncs > 0)
		w->unanswered_syncs--;
	if (watch_unanswered(w) == 0)
		w->copy_ended = false;
	w->copy_in = false;
	w->in_transaction = status != 'I';
	if (!w->in_transaction)
		w->transactions++;
}

static void saw_copy_in(Watch *w)
{
	/* An Execute that began it wants a Sync of its own, behind the data. */
	w->unsynced |= w->unanswered_queries == 0 && !w->copy_ended;
	w->unanswered_syncs = w->copy_ended ? w->syncs_after_copy : 0;
	w->copy_in = !w->copy_ended;
	w->copy_ended = false;
}

static void saw_tag(Watch *w, Span tag)
{
	if (tag.n >= sizeof("LISTEN") && memcmp(tag.at, "LISTEN", sizeof("LISTEN")) == 0)
		w->listening = true;
	else if (tag.n == TAG_SIZE && memcmp(tag.at, "DISCARD A", TAG_SIZE) == 0)
		w->listening = false;
}

static void saw_answer(Watch *w, const uint8_t *head, uint8_t size)
{
	w->refused = head[0] == PG_ERROR_RESPONSE;
	switch (head[0]) {
	case PG_READY_FOR_QUERY:
		saw_ready(w, head[HEAD_SIZE]);
		break;
	case PG_COMMAND_COMPLETE:
		saw_tag(w, (Span){head + HEAD_SIZE, size - HEAD_SIZE});
		break;
	case PG_COPY_IN_RESPONSE:
		saw_copy_in(w);
		break;
	case PG_ERROR_RESPONSE:
		w->copy_in = false;
		break;
	case PG_DATA_ROW:
		w->rows++;
		break;
	}
}

/* ReadyForQuery's status byte is wanted, and the beginning of a tag, so they count as head. */
static uint8_t head_size(Side from, const uint8_t *head)
{
	uint32_t length = get_u32(head + 1);

	if (from == SIDE_COMPUTE && head[0] == PG_READY_FOR_QUERY)
		return READY_FRAME_SIZE;
	if (from != SIDE_COMPUTE || head[0] != PG_COMMAND_COMPLETE || length < 4)
		return HEAD_SIZE;
	return (uint8_t)(HEAD_SIZE + (length - 4 < TAG_SIZE ? length - 4 : TAG_SIZE));
}

static bool begin_frame(Watch *w, Side from, const uint8_t *head, uint8_t size, Fault *why)
{
	uint32_t length = get_u32(head + 1);

	if (length < 4 || length > INT32_MAX || length + 1 < size)
		return fault_set(why, FAULT_BAD_MESSAGE, "message 0x%02x claims a length of %u",
				 head[0], length);
	w->cursor[from].left = length + 1 - size;
	w->cursor[from].have = 0;
	if (from == SIDE_CLIENT)
		saw_request(w, head[0]);
	else
		saw_answer(w, head, size);
	return true;
}

/* A head that lies whole in the bytes is read where it is; others are gathered. */
static bool read_head(Watch *w, Side from, Span *bytes, Fault *why)
{
	FrameCursor *c = &w->cursor[from];
	const uint8_t *head = bytes->at;

	if (c->have == 0 && bytes->n >= HEAD_SIZE && bytes->n >= head_size(from, head)) {
		*bytes = span_skip(*bytes, head_size(from, head));
		return begin_frame(w, from, head, head_size(from, head), why);
	}
	c->head[c->have++] = *bytes->at;
	*bytes = span_skip(*bytes, 1);
	return c->have < HEAD_SIZE || c->have < head_size(from, c->head) ||
	       begin_frame(w, from, c->head, c->have, why);
}

bool pg_watch(Watch *w, Side from, Span bytes, Fault *why)
{
	FrameCursor *c = &w->cursor[from];

	while (bytes.n > 0) {
		size_t n = bytes.n < c->left ? bytes.n : c->left;

		c->left -= (uint32_t)n;
		bytes = span_skip(bytes, n);
		if (bytes.n > 0 && !read_head(w, from, &bytes, why))
			return false;
	}
	return true;
}
