/*
 * A PROXY header, read from the first bytes of a connection and written before
 * the first bytes of another.
 *
 * Both versions are known by how they begin, and a connection that begins
 * otherwise is told apart at its first other byte.  From then on the header must
 * be right to its last byte: nothing is guessed from half an address, and a line
 * of version 1 ends in CR LF or not at all.
 */
#include "proto/proxy_header.h"

#include <arpa/inet.h>
#include <assert.h>

#include "base/text.h"

#define LINE_BEGIN "PROXY"
#define LINE_MAX   107 /* with its CR LF */

#define SIGNATURE   "\r\n\r\n\0\r\nQUIT\n"
#define HEAD_SIZE   16 /* signature, version and command, family and transport, length */
#define TLV_HEAD    3  /* type, length */
#define VERSION     0x20
#define CMD_LOCAL   0
#define CMD_PROXY   1
#define FAMILY_UNIX 3
#define STREAM      1

typedef enum Beginning { IS_ONE, MAY_BE_ONE, IS_NONE } Beginning;

static Beginning begins(Span in, Span with)
{
	size_t n = in.n < with.n ? in.n : with.n;

	if (n > 0 && memcmp(in.at, with.at, n) != 0)
		return IS_NONE;
	return n == with.n ? IS_ONE : MAY_BE_ONE;
}

static ProxyVerdict bad(Fault *why, const char *what)
{
	fault_set(why, FAULT_BAD_MESSAGE, "invalid PROXY header: %s", what);
	return PROXY_BAD;
}

/* A port as the specification writes it: decimal, no sign, no zeros in front. */
static bool read_port(const char *text, uint16_t *port)
{
	uint32_t v = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (uint32_t)(*text - '0');
		if (v > UINT16_MAX)
			return false;
	}
	*port = (uint16_t)v;
	return true;
}

/* Cuts a line at single blanks, in place; returns how many fields it has, or max + 1. */
static size_t split(char *line, char *fields[], size_t max)
{
	size_t n = 0;

	for (char *next = line; next; n++) {
		if (n == max)
			return max + 1;
		fields[n] = strsep(&next, " ");
	}
	return n;
}

/* "PROXY", TCP4 or TCP6, both addresses, both ports; of UNKNOWN nothing else counts. */
static ProxyVerdict read_fields(ProxyHeader *out, char *line, Fault *why)
{
	enum { BEGIN, PROTOCOL, FROM, TO, FROM_PORT, TO_PORT, FIELDS };
	char *field[FIELDS];
	size_t n = split(line, field, FIELDS);
	int af;

	if (n > PROTOCOL && strcmp(field[PROTOCOL], "UNKNOWN") == 0) {
		out->local = true;
		return PROXY_DONE;
	}
	if (n != FIELDS || strcmp(field[BEGIN], LINE_BEGIN) != 0)
		return bad(why, "it is not six words with single blanks between them");
	if (strcmp(field[PROTOCOL], "TCP4") != 0 && strcmp(field[PROTOCOL], "TCP6") != 0)
		return bad(why, "its protocol is neither TCP4 nor TCP6 nor UNKNOWN");
	out->family = field[PROTOCOL][3] == '4' ? 4 : 6;
	af = out->family == 4 ? AF_INET : AF_INET6;
	if (inet_pton(af, field[FROM], out->address) != 1 ||
	    inet_pton(af, field[TO], out->to_address) != 1)
		return bad(why, "an address is not one");
	if (!read_port(field[FROM_PORT], &out->port) || !read_port(field[TO_PORT], &out->to_port))
		return bad(why, "a port is not one");
	return PROXY_DONE;
}

static ProxyVerdict read_line(ProxyHeader *out, Span in, Fault *why)
{
	char line[LINE_MAX + 1];
	size_t n = 0;

	while (n < in.n && n < LINE_MAX - 1 && in.at[n] != '\r' && in.at[n] != '\n' && in.at[n])
		n++;
	if (n == LINE_MAX - 1)
		return bad(why, "its line is too long");
	if (n == in.n)
		return PROXY_MORE;
	if (in.at[n] != '\r')
		return bad(why, "its line does not end in CR LF");
	if (n + 1 == in.n)
		return PROXY_MORE;
	if (in.at[n + 1] != '\n')
		return bad(why, "its line does not end in CR LF");
	text_copy_n(line, sizeof(line), (const char *)in.at, n);
	out->size = n + 2;
	return read_fields(out, line, why);
}

static uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool are_tlvs(Span in)
{
	while (in.n > 0) {
		if (in.n < TLV_HEAD || in.n - TLV_HEAD < get_u16(in.at + 1))
			return false;
		in = span_skip(in, TLV_HEAD + get_u16(in.at + 1));
	}
	return true;
}

/* Both addresses, then both ports. */
static void read_addresses(ProxyHeader *out, int family, const uint8_t *at)
{
	size_t size = family == 4 ? 4 : 16;

	out->family = family;
	memcpy(out->address, at, size);
	memcpy(out->to_address, at + size, size);
	out->port = get_u16(at + 2 * size);
	out->to_port = get_u16(at + 2 * size + 2);
}

/*
 * What a proxied connection's header says.  A datagram is none of ours, and like
 * what has no family or transport counts as if nothing had been said.
 */
static ProxyVerdict read_body(ProxyHeader *out, uint8_t how, Span body, Fault *why)
{
	static const uint8_t size_of[] = {0, 12, 36, 216};
	static const uint8_t family_of[] = {0, 4, 6, 0};
	uint8_t family = how >> 4, transport = how & 0x0f;

	if (family > FAMILY_UNIX || transport > STREAM + 1)
		return bad(why, "its address family or transport is unknown");
	out->local = family == 0 || transport != STREAM;
	if (family == 0)
		return PROXY_DONE;
	if (body.n < size_of[family])
		return bad(why, "it is too short for its addresses");
	if (!are_tlvs(span_skip(body, size_of[family])))
		return bad(why, "what follows the addresses is not type, length and value");
	if (!out->local && family != FAMILY_UNIX)
		read_addresses(out, family_of[family], body.at);
	return PROXY_DONE;
}

static ProxyVerdict read_binary(ProxyHeader *out, Span in, Fault *why)
{
	uint8_t command;
	Span body;

	if (in.n < HEAD_SIZE)
		return PROXY_MORE;
	command = in.at[12] ^ VERSION;
	if (command != CMD_LOCAL && command != CMD_PROXY)
		return bad(why, "its version or command is unknown");
	out->size = HEAD_SIZE + (size_t)get_u16(in.at + 14);
	if (out->size > PROXY_HEADER_MAX)
		return bad(why, "it is too long");
	if (in.n < out->size)
		return PROXY_MORE;
	out->local = command == CMD_LOCAL;
	if (out->local)
		return PROXY_DONE;
	body = (Span){in.at + HEAD_SIZE, out->size - HEAD_SIZE};
	return read_body(out, in.at[13], body, why);
}

ProxyVerdict proxy_header_read(ProxyHeader *out, Span in, Fault *why)
{
	Beginning line = begins(in, span_of_text(LINE_BEGIN));
	Beginning binary = begins(in, (Span){(const uint8_t *)SIGNATURE, sizeof(SIGNATURE) - 1});

	*out = (ProxyHeader){0};
	if (line == IS_ONE)
		return read_line(out, in, why);
	if (binary == IS_ONE)
		return read_binary(out, in, why);
	return line == MAY_BE_ONE || binary == MAY_BE_ONE ? PROXY_MORE : PROXY_NONE;
}

static void put_u16(Buf *out, uint16_t v)
{
	buf_append_u8(out, (uint8_t)(v >> 8));
	buf_append_u8(out, (uint8_t)v);
}

static void put_head(Buf *out, uint8_t command, uint8_t how, uint16_t length)
{
	buf_append(out, (Span){(const uint8_t *)SIGNATURE, sizeof(SIGNATURE) - 1});
	buf_append_u8(out, VERSION | command);
	buf_append_u8(out, how);
	put_u16(out, length);
}

void proxy_header_write(int family, const uint8_t *from, uint16_t from_port, const uint8_t *to,
			uint16_t to_port, Buf *out)
{
	uint8_t size = family == 4 ? 4 : 16;

	assert(family == 0 || family == 4 || family == 6);
	if (family == 0) {
		put_head(out, CMD_LOCAL, 0, 0);
		return;
	}
	put_head(out, CMD_PROXY, (uint8_t)((family == 4 ? 1 : 2) << 4 | STREAM),
		 (uint16_t)(2 * size + 4));
	buf_append(out, (Span){from, size});
	buf_append(out, (Span){to, size});
	put_u16(out, from_port);
	put_u16(out, to_port);
}
