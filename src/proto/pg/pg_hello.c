/*
 * The first packets of a client: SSLRequest, GSSENCRequest, CancelRequest, StartupMessage.
 *
 * They have no type byte, only a length that counts itself and a code.  The
 * length is checked before anything is kept, and nothing may stand behind a
 * request for encryption until it has been answered: bytes that do were sent by
 * somebody in between (CVE-2021-23222 and its kin).
 */
#include "pg.h"

#define LENGTH_SIZE 4
#define HEAD_SIZE   8 /* length and code */

static HelloVerdict bad_layout(Fault *why)
{
	fault_set(why, FAULT_BAD_MESSAGE,
		  "invalid startup packet layout: expected terminator as last byte");
	return HELLO_FAULT;
}

/* Each request for encryption is allowed once. */
static HelloVerdict answer_encryption(Buf *in, bool *asked, bool yes, const char *what, Buf *reply,
				      Fault *why)
{
	if (*asked) {
		fault_set(why, FAULT_BAD_MESSAGE, "a second %s", what);
		return HELLO_FAULT;
	}
	if (buf_size(in) > HEAD_SIZE) {
		fault_set(why, FAULT_BAD_MESSAGE, "received unencrypted data after %s", what);
		return HELLO_FAULT;
	}
	*asked = true;
	buf_take(in, HEAD_SIZE);
	buf_append_u8(reply, yes ? 'S' : 'N');
	return yes ? HELLO_SECURE : HELLO_ANSWER;
}

/* The secret is whatever follows the process id: 4 bytes, or up to 256 in 3.2. */
static HelloVerdict read_cancel(Hello *hello, Span packet, Fault *why)
{
	size_t size = packet.n - HEAD_SIZE - 4;

	if (packet.n < HEAD_SIZE + 5 || size > CANCEL_MARKED_MAX) {
		fault_set(why, FAULT_BAD_MESSAGE, "invalid length of cancel request");
		return HELLO_FAULT;
	}
	hello->cancel.pid = get_u32(packet.at + HEAD_SIZE);
	hello->cancel.secret_size = (uint8_t)size;
	memcpy(hello->cancel.secret, packet.at + HEAD_SIZE + 4, size);
	return HELLO_CANCEL;
}

/* Whether the bytes are texts, each with its zero, then one more zero, and an even number. */
static bool is_pairs(Span pairs)
{
	size_t texts = 0;
	const uint8_t *end;

	if (pairs.n == 0 || pairs.at[pairs.n - 1] != 0)
		return false;
	end = pairs.at + pairs.n - 1;
	for (const uint8_t *p = pairs.at; p < end; texts++) {
		const uint8_t *zero = memchr(p, 0, (size_t)(end - p));

		if (!zero)
			return false;
		/* An empty name ends the list; the server says so too. */
		if (texts % 2 == 0 && zero == p)
			return false;
		p = zero + 1;
	}
	return texts % 2 == 0;
}

static bool is_protocol_option(const char *name)
{
	return strncmp(name, "_pq_.", 5) == 0;
}

/* Takes the next name and value off the pairs; false at the end. */
static bool next_pair(Span *pairs, const char **name, const char **value)
{
	if (pairs->n == 0)
		return false;
	*name = (const char *)pairs->at;
	*value = *name + strlen(*name) + 1;
	*pairs = span_skip(*pairs, strlen(*name) + strlen(*value) + 2);
	return true;
}

static void note_negotiation(Startup *s)
{
	Span rest = buf_span(&s->pairs);
	const char *name, *value;

	s->negotiate = s->minor > PG_MINOR_MAX;
	if (s->negotiate)
		s->minor = PG_MINOR_MAX;
	while (next_pair(&rest, &name, &value))
		s->negotiate |= is_protocol_option(name);
}

static HelloVerdict read_startup(Hello *hello, Span packet, uint32_t version, Fault *why)
{
	Span pairs = span_skip(packet, HEAD_SIZE);
	const char *user;

	if (PG_MAJOR(version) != 3) {
		fault_set(why, FAULT_BAD_VERSION,
			  "unsupported frontend protocol %u.%u: server supports 3.0 to 3.2",
			  PG_MAJOR(version), PG_MINOR(version));
		return HELLO_FAULT;
	}
	if (!is_pairs(pairs))
		return bad_layout(why);
	hello->startup.minor = PG_MINOR(version);
	buf_append(&hello->startup.pairs, (Span){pairs.at, pairs.n - 1});
	note_negotiation(&hello->startup);
	user = startup_get(&hello->startup, "user");
	if (!user || !*user) {
		fault_set(why, FAULT_NO_USER,
			  "no PostgreSQL user name specified in startup packet");
		return HELLO_FAULT;
	}
	return HELLO_STARTUP;
}

static HelloVerdict read_packet(Hello *hello, Buf *in, uint32_t length, Buf *reply, Fault *why)
{
	Span packet = {buf_span(in).at, length};
	uint32_t code = get_u32(packet.at + LENGTH_SIZE);
	HelloVerdict verdict;

	if (code == PG_SSL_REQUEST && length == HEAD_SIZE)
		return answer_encryption(in, &hello->asked_ssl, hello->may_secure, "SSL request",
					 reply, why);
	if (code == PG_GSSENC_REQUEST && length == HEAD_SIZE)
		return answer_encryption(in, &hello->asked_gss, false, "GSSAPI encryption request",
					 reply, why);
	verdict = code == PG_CANCEL_REQUEST ? read_cancel(hello, packet, why)
					    : read_startup(hello, packet, code, why);
	buf_take(in, length);
	return verdict;
}

/* A TLS record of a handshake begins with this, and no length that we accept does. */
static bool is_direct_tls(const Hello *hello, const Buf *in)
{
	return hello->may_secure && !hello->asked_ssl && !hello->asked_gss && buf_size(in) > 0 &&
	       buf_span(in).at[0] == 0x16;
}

HelloVerdict pg_hello(Hello *hello, Buf *in, Buf *reply, Fault *why)
{
	uint32_t length;

	if (is_direct_tls(hello, in)) {
		hello->asked_ssl = true;
		return HELLO_DIRECT;
	}
	if (buf_size(in) < LENGTH_SIZE)
		return HELLO_MORE;
	length = get_u32(buf_span(in).at);
	if (length < HEAD_SIZE || length > PG_STARTUP_MAX) {
		fault_set(why, FAULT_BAD_MESSAGE, "invalid length of startup packet");
		return HELLO_FAULT;
	}
	if (buf_size(in) < length)
		return HELLO_MORE;
	return read_packet(hello, in, length, reply, why);
}

void pg_ask_tls(Buf *to_server)
{
	buf_append_u32(to_server, HEAD_SIZE);
	buf_append_u32(to_server, PG_SSL_REQUEST);
}

TlsAnswer pg_tls_answer(uint8_t answer)
{
	return answer == 'S' ? TLS_AGREED : answer == 'N' ? TLS_DECLINED : TLS_NO_ANSWER;
}

void hello_free(Hello *hello)
{
	buf_free(&hello->startup.pairs);
}

/* Of a parameter that stands twice the last one counts, as it does for the server. */
const char *startup_get(const Startup *s, const char *wanted)
{
	Span rest = buf_span(&s->pairs);
	const char *name, *value, *found = NULL;

	while (next_pair(&rest, &name, &value)) {
		if (strcmp(name, wanted) == 0)
			found = value;
	}
	return found;
}

static void put_pair(Buf *out, const char *name, const char *value)
{
	buf_append_text(out, name);
	buf_append_text(out, value);
}

void startup_set(Startup *s, const char *wanted, const char *replacement)
{
	Buf next = {0};
	Span rest = buf_span(&s->pairs);
	const char *name, *value;

	while (next_pair(&rest, &name, &value)) {
		if (strcmp(name, wanted) != 0)
			put_pair(&next, name, value);
	}
	if (replacement)
		put_pair(&next, wanted, replacement);
	buf_free(&s->pairs);
	s->pairs = next;
}

/*
 * NegotiateProtocolVersion: the newest minor version that we speak, and the
 * names of the protocol options that we do not.
 */
void pg_negotiate(const Startup *s, Buf *to_client)
{
	Span rest = buf_span(&s->pairs);
	const char *name, *value;
	size_t start = buf_size(to_client);
	uint32_t options = 0;

	if (!s->negotiate)
		return;
	buf_append_u8(to_client, PG_NEGOTIATE_PROTOCOL_VERSION);
	buf_append_u32(to_client, 0);
	buf_append_u32(to_client, 3u << 16 | s->minor);
	buf_append_u32(to_client, 0);
	while (next_pair(&rest, &name, &value)) {
		if (!is_protocol_option(name))
			continue;
		buf_append_text(to_client, name);
		options++;
	}
	buf_put_u32(to_client, start + 1, (uint32_t)(buf_size(to_client) - start - 1));
	buf_put_u32(to_client, start + 9, options);
}

/* StartupMessage, with every parameter but the protocol options that we refused. */
void pg_begin(const Startup *s, Buf *to_compute)
{
	Span rest = buf_span(&s->pairs);
	const char *name, *value;
	size_t start = buf_size(to_compute);

	buf_append_u32(to_compute, 0);
	buf_append_u32(to_compute, 3u << 16 | s->minor);
	while (next_pair(&rest, &name, &value)) {
		if (!is_protocol_option(name))
			put_pair(to_compute, name, value);
	}
	buf_append_u8(to_compute, 0);
	buf_put_u32(to_compute, start, (uint32_t)(buf_size(to_compute) - start));
}
