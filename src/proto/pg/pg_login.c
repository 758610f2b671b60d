/*
 * Passing on a login: whatever the compute asks the client is between the two.
 *
 * Messages are taken whole, because three of them are ours to handle: the
 * compute's cancel key is replaced with one that names our session; an error
 * that says "not yet" (57P03) before anything else is kept from the client and
 * the login tried again; and ReadyForQuery waits until the entry's connect
 * query has run.
 */
#include "base/text.h"
#include "pg.h"

#define FRAME_HEAD 5

#define AUTH_OK         0
#define AUTH_SASL_FINAL 12

/* A field of an ErrorResponse as text, or "" (some servers leave fields out). */
static const char *find_field(Span body, char type)
{
	while (body.n > 1 && body.at[0] != 0) {
		const uint8_t *zero = memchr(body.at + 1, 0, body.n - 1);

		if (!zero)
			break;
		if (body.at[0] == type)
			return (const char *)body.at + 1;
		body = span_skip(body, (size_t)(zero - body.at) + 1);
	}
	return "";
}

static void put_key(const CancelKey *key, Buf *out)
{
	buf_append_u8(out, PG_BACKEND_KEY_DATA);
	buf_append_u32(out, 8u + key->secret_size);
	buf_append_u32(out, key->pid);
	buf_append(out, (Span){key->secret, key->secret_size});
}

/*
 * The process id stays the compute's, which clients name to it; the secret
 * becomes ours.  A key longer than can be kept makes a session that cannot be
 * cancelled, no more.
 */
static void take_key(Login *login, Span body, Buf *to_client)
{
	if (body.n >= 4)
		login->theirs.pid = get_u32(body.at);
	if (body.n > 4 && body.n - 4 <= CANCEL_SECRET_MAX) {
		login->theirs.secret_size = (uint8_t)(body.n - 4);
		memcpy(login->theirs.secret, body.at + 4, body.n - 4);
	}
	login->ours.pid = login->theirs.pid;
	login->heard = true;
	put_key(&login->ours, to_client);
}

/* It is starting (57P03), or was just told to stop (57P01). */
static bool is_not_yet(const char *sqlstate)
{
	return strcmp(sqlstate, "57P03") == 0 || strcmp(sqlstate, "57P01") == 0;
}

static LoginVerdict take_error(Login *login, Span frame, Buf *to_client, Fault *why)
{
	Span body = span_skip(frame, FRAME_HEAD);
	const char *sqlstate = find_field(body, 'C');

	if (!login->heard && is_not_yet(sqlstate)) {
		fault_set(why, FAULT_DIAL_FAILED, "the compute does not take connections yet");
		return LOGIN_NOT_YET;
	}
	if (login->asking) {
		fault_set(why, FAULT_MISCONFIGURED, "connect_query failed: %s",
			  find_field(body, 'M'));
		return LOGIN_FAULT;
	}
	text_copy(login->refusal, sizeof(login->refusal), sqlstate);
	buf_append(to_client, frame);
	return LOGIN_ENDED;
}

static void ask(Login *login, Buf *to_compute)
{
	login->asking = true;
	buf_append_u8(to_compute, PG_QUERY);
	buf_append_u32(to_compute, (uint32_t)(4 + strlen(login->connect_query) + 1));
	buf_append_text(to_compute, login->connect_query);
}

static LoginVerdict take_ready(Login *login, Span frame, Buf *to_client, Buf *to_compute)
{
	if (login->connect_query && !login->asking) {
		ask(login, to_compute);
		return LOGIN_MORE;
	}
	buf_append(to_client, frame);
	return LOGIN_READY;
}

/* Every request wants one answer, but AuthenticationOk and AuthenticationSASLFinal none. */
static void count_wanted(Login *login, Span body)
{
	uint32_t kind = body.n >= 4 ? get_u32(body.at) : AUTH_OK;

	login->wanted += kind != AUTH_OK && kind != AUTH_SASL_FINAL;
}

static LoginVerdict take_message(Login *login, Span frame, Buf *to_client, Buf *to_compute,
				 Fault *why)
{
	switch (frame.at[0]) {
	case PG_ERROR_RESPONSE:
		return take_error(login, frame, to_client, why);
	case PG_READY_FOR_QUERY:
		return take_ready(login, frame, to_client, to_compute);
	case PG_BACKEND_KEY_DATA:
		take_key(login, span_skip(frame, FRAME_HEAD), to_client);
		return LOGIN_MORE;
	case PG_AUTHENTICATION:
		count_wanted(login, span_skip(frame, FRAME_HEAD));
		break;
	case 'N': /* a notice, a parameter: the client's, also from the connect query */
	case 'S':
		break;
	default:
		/* The answers to the connect query are nobody's. */
		if (login->asking)
			return LOGIN_MORE;
	}
	buf_append(to_client, frame);
	login->heard = true;
	return LOGIN_MORE;
}

LoginVerdict pg_login(Login *login, Buf *in, Buf *to_client, Buf *to_compute, Fault *why)
{
	while (buf_size(in) >= FRAME_HEAD) {
		const uint8_t *at = buf_span(in).at;
		uint32_t length = get_u32(at + 1);
		LoginVerdict verdict;

		if (length < 4 || length >= PG_LOGIN_MESSAGE_MAX) {
			fault_set(why, FAULT_BAD_MESSAGE,
				  "the compute's message 0x%02x claims a length of %u", at[0],
				  length);
			return LOGIN_FAULT;
		}
		if (buf_size(in) < length + 1)
			return LOGIN_MORE;
		verdict = take_message(login, (Span){at, length + 1}, to_client, to_compute, why);
		buf_take(in, length + 1);
		if (verdict != LOGIN_MORE)
			return verdict;
	}
	return LOGIN_MORE;
}

size_t pg_wanted(const Login *login, const Buf *from_client)
{
	Span in = buf_span(from_client);
	uint32_t length = in.n >= FRAME_HEAD ? get_u32(in.at + 1) : 0;

	if (login->wanted == 0 || length < 4 || in.n - 1 < length)
		return 0;
	return (size_t)length + 1;
}
