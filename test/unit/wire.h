/*
 * Messages of PostgreSQL's protocol, put together as a test reads them.
 */
#ifndef UNIT_WIRE_H
#define UNIT_WIRE_H

#include "unit.h"

#include "src/proto/pg/pg.h"

/* A message: type, length, body. */
static inline void put_message(Buf *out, char type, Span body)
{
	buf_append_u8(out, (uint8_t)type);
	buf_append_u32(out, (uint32_t)body.n + 4);
	buf_append(out, body);
}

#define MESSAGE(out, type, literal) put_message((out), (type), BYTES(literal))

/* A first packet: length, code, body. */
static inline void put_packet(Buf *out, uint32_t code, Span body)
{
	buf_append_u32(out, (uint32_t)body.n + 8);
	buf_append_u32(out, code);
	buf_append(out, body);
}

#define PACKET(out, code, literal) put_packet((out), (code), BYTES(literal))
#define VERSION(minor)             ((3u << 16) + (minor))

#endif
