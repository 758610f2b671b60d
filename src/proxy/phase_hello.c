/*
 * hello: the client says what it wants.
 *
 * It has until client_login_timeout, counted from its connection's beginning
 * and not from its last byte, and may say no more than a startup packet holds.
 */
#include "phases.h"
#include "worker.h"

void phase_hello_enter(Session *s)
{
	stream_read_on(&s->client.stream);
	session_deadline(s, s->arrival->login_left_ms);
}

static void answer(Session *s, Buf *reply)
{
	if (!stream_send(&s->client.stream, buf_span(reply)))
		session_hung_up(s);
}

/* True if the next packet may lie in what was received already. */
static bool step(Session *s)
{
	Buf reply = {0};
	Fault why;
	HelloVerdict verdict = s->proto->hello(&s->arrival->hello, &s->client.in, &reply, &why);

	switch (verdict) {
	case HELLO_MORE:
		break;
	case HELLO_ANSWER:
		answer(s, &reply);
		break;
	case HELLO_STARTUP:
		session_advance(s, PHASE_route);
		break;
	case HELLO_CANCEL:
		session_advance(s, PHASE_cancel);
		break;
	case HELLO_FAULT:
		session_refuse(s, &why);
		break;
	}
	buf_free(&reply);
	return verdict == HELLO_ANSWER && session_is_in(s, PHASE_hello);
}

static void read_packets(Session *s)
{
	while (step(s))
		;
}

void phase_hello_event(Session *s, Event e)
{
	Fault why;

	switch (e) {
	case EVENT_CLIENT_READABLE:
		if (session_receive(s))
			read_packets(s);
		break;
	case EVENT_DEADLINE:
		fault_set(&why, FAULT_LOGIN_TIMEOUT,
			  "no complete startup packet came within client_login_timeout");
		session_refuse(s, &why);
		break;
	case EVENT_CLIENT_BROKEN:
		session_hung_up(s);
		break;
	default:
		break;
	}
}

void phase_hello_leave(Session *s)
{
	(void)s;
}
