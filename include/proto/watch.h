/*
 * A Watch follows a relayed conversation without touching it.
 *
 * The relay copies bytes and knows nothing else.  It shows every byte to a
 * Watch, which finds the frames in them and learns three things: where whole
 * frames end, whether the session is at rest (no request unanswered, no
 * transaction open), and how much work was done.  A Watch does no I/O and
 * allocates nothing, and must reach the same state however the bytes are cut.
 */
#ifndef PROTO_WATCH_H
#define PROTO_WATCH_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/span.h"

typedef enum Side { SIDE_CLIENT, SIDE_COMPUTE } Side;

static inline Side side_other(Side side)
{
	return side == SIDE_CLIENT ? SIDE_COMPUTE : SIDE_CLIENT;
}

/* One direction's place in its stream of frames. */
typedef struct FrameCursor {
	uint8_t head[16]; /* the part of a frame's head seen so far */
	uint8_t have;
	uint32_t left; /* bytes of the current frame still to come */
} FrameCursor;

typedef struct Watch {
	FrameCursor cursor[2];
	uint32_t unanswered_queries; /* Query and FunctionCall, each to be answered once */
	uint32_t unanswered_syncs;
	uint32_t syncs_after_copy; /* of those, sent behind the end of the client's copy data */
	bool unsynced;             /* extended messages were sent, and no Sync behind them yet */
	bool copy_in;              /* the compute reads copy data, and swallows Syncs */
	bool copy_ended;           /* the client ended its copy data before that began */
	bool in_transaction;
	bool terminated; /* the client said goodbye */
	bool refused;    /* the compute's last word was an error */
	bool listening;  /* it has executed LISTEN, and may wait for a notification */
	uint64_t requests, transactions, rows;
} Watch;

static inline uint32_t watch_unanswered(const Watch *w)
{
	return w->unanswered_queries + w->unanswered_syncs;
}

/* Whether the compute has been asked for something and has not finished with it. */
static inline bool watch_is_asked(const Watch *w)
{
	return watch_unanswered(w) > 0 || w->unsynced || w->copy_in;
}

static inline bool watch_at_frame_end(const Watch *w, Side side)
{
	return w->cursor[side].left == 0 && w->cursor[side].have == 0;
}

static inline bool watch_at_rest(const Watch *w)
{
	return !watch_is_asked(w) && !w->in_transaction && watch_at_frame_end(w, SIDE_CLIENT) &&
	       watch_at_frame_end(w, SIDE_COMPUTE);
}

#endif
