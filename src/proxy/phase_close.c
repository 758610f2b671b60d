/*
 * close: the last bytes leave.
 *
 * A socket that is closed while something unread lies in it sends a reset, and
 * a reset can overtake our error message.  So what is left is sent, then our
 * side is ended, and what still comes is thrown away until the client has ended
 * its side too, or its patience is ours no longer.
 */
#include "phases.h"
#include "places.h"
#include "worker.h"

#define LINGER_MS 2000

static void end_our_side(Session *s)
{
	if (!stream_is_blocked(&s->client.stream))
		stream_end(&s->client.stream);
}

static void throw_away(Session *s)
{
	ssize_t n = stream_recv(&s->client.stream, s->worker->buf, s->worker->buf_size);

	if (n == 0 || n == STREAM_ERROR)
		session_gone(s);
}

void phase_close_enter(Session *s)
{
	stream_close(&s->compute.stream);
	places_give(s);
	if (s->client_left) {
		session_gone(s);
		return;
	}
	session_deadline(s, LINGER_MS);
	stream_read_on(&s->client.stream);
	end_our_side(s);
	throw_away(s);
}

void phase_close_event(Session *s, Event e)
{
	switch (e) {
	case EVENT_CLIENT_READABLE:
		throw_away(s);
		break;
	case EVENT_CLIENT_DRAINED:
		end_our_side(s);
		break;
	case EVENT_CLIENT_BROKEN:
	case EVENT_DEADLINE:
		session_gone(s);
		break;
	default:
		break;
	}
}

void phase_close_leave(Session *s)
{
	(void)s;
}
