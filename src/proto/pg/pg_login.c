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
	Span body = span_skip(frame, PG_FRAME_HEAD);
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

static LoginVerdict take_ready(Login *login, Span frame, Buf *to_client, Buf *to_compute,
			       Fault *why)
{
	if (login->own.on && !login->own.let_in) {
		fault_set(why, FAULT_BAD_MESSAGE,
			  "the compute is ready before it has let the session in");
		return LOGIN_FAULT;
	}
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

/*
 * The list of mechanisms without SCRAM-SHA-256-PLUS: it binds to the client's
 * TLS connection, which is with us, and the compute would take us for an attacker.
 */
static void pass_mechanisms(Login *login, Span frame, Buf *to_client)
{
	Span list = span_skip(frame, PG_FRAME_HEAD + 4);
	Buf kept = {0};

	while (list.n > 0 && list.at[0] != 0) {
		const uint8_t *zero = memchr(list.at, 0, list.n);

		if (!zero)
			break;
		if (strcmp((const char *)list.at, PG_SCRAM_PLUS) == 0)
			login->hid_plus = true;
		else
			buf_append_text(&kept, (const char *)list.at);
		list = span_skip(list, (size_t)(zero - list.at) + 1);
	}
	buf_append_u8(&kept, 0);
	pg_begin_auth(AUTH_SASL, buf_size(&kept), to_client);
	buf_append(to_client, buf_span(&kept));
	buf_free(&kept);
	login->heard = true;
}

static LoginVerdict take_auth(Login *login, Span frame, Buf *to_client, Buf *to_compute, Fault *why)
{
	Span body = span_skip(frame, PG_FRAME_HEAD);

	if (login->own.on)
		return pg_own_login(login, frame, to_compute, why);
	count_wanted(login, body);
	if (login->no_binding && body.n >= 4 && get_u32(body.at) == AUTH_SASL) {
		pass_mechanisms(login, frame, to_client);
		return LOGIN_MORE;
	}
	buf_append(to_client, frame);
	login->heard = true;
	return LOGIN_MORE;
}

static LoginVerdict take_message(Login *login, Span frame, Buf *to_client, Buf *to_compute,
				 Fault *why)
{
	switch (frame.at[0]) {
	case PG_ERROR_RESPONSE:
		return take_error(login, frame, to_client, why);
	case PG_READY_FOR_QUERY:
		return take_ready(login, frame, to_client, to_compute, why);
	case PG_BACKEND_KEY_DATA:
		take_key(login, span_skip(frame, PG_FRAME_HEAD), to_client);
		return LOGIN_MORE;
	case PG_AUTHENTICATION:
		return take_auth(login, frame, to_client, to_compute, why);
	case PG_NEGOTIATE_PROTOCOL_VERSION:
		/* That the compute speaks less is no matter: the client's version is spoken with
		 * us. */
		return LOGIN_MORE;
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
	while (buf_size(in) >= PG_FRAME_HEAD) {
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
	uint32_t length = in.n >= PG_FRAME_HEAD ? get_u32(in.at + 1) : 0;

	if (login->wanted == 0 || length < 4 || in.n - 1 < length)
		return 0;
	return (size_t)length + 1;
}

/*
 * A client that could bind to its TLS connection, and was not offered it, says so
 * ('y'), and a compute that offers it takes that for an attack.  The flag is
 * signed, so it cannot be changed on the way.
 */
bool pg_passable(const Login *login, Span message, Fault *why)
{
	static const char begins[] = PG_SCRAM;
	size_t flag = PG_FRAME_HEAD + sizeof(begins) + 4;

	if (!login->hid_plus || message.n <= flag || message.at[0] != PG_PASSWORD ||
	    memcmp(message.at + PG_FRAME_HEAD, begins, sizeof(begins)) != 0 ||
	    message.at[flag] != 'y')
		return true;
	fault_set(why, FAULT_REFUSED,
		  "SCRAM with TLS to the proxy and TLS to the compute cannot be passed through: "
		  "channel binding ends at the proxy");
	return fault_hint(why,
			  "set auth_type = scram-sha-256 in the proxy, or channel_binding=disable "
			  "in the client, or server_tls_sslmode = disable");
}
