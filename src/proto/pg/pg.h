/* PostgreSQL's frontend/backend protocol, version 3: what its files share. */
#ifndef PROTO_PG_H
#define PROTO_PG_H

#include "base/bytes.h"
#include "proto/proto.h"

/* Codes that stand where a startup packet has its version (1234 in the upper half). */
#define PG_SSL_REQUEST    80877103
#define PG_GSSENC_REQUEST 80877104
#define PG_CANCEL_REQUEST 80877102

#define PG_MAJOR(version) ((version) >> 16)
#define PG_MINOR(version) ((uint16_t)((version)&0xffff))

/* As the server's own MAX_STARTUP_PACKET_LENGTH. */
#define PG_STARTUP_MAX 10000

/* No message of a login is longer; a compute that sends one is not spoken with. */
#define PG_LOGIN_MESSAGE_MAX 65536

typedef enum PgMessage {
	/* from the client */
	PG_QUERY = 'Q',
	PG_FUNCTION_CALL = 'F',
	PG_PARSE = 'P',
	PG_BIND = 'B',
	PG_DESCRIBE = 'D',
	PG_EXECUTE = 'E',
	PG_CLOSE = 'C',
	PG_SYNC = 'S',
	PG_COPY_DONE = 'c',
	PG_COPY_FAIL = 'f',
	PG_TERMINATE = 'X',
	/* from the compute */
	PG_AUTHENTICATION = 'R',
	PG_READY_FOR_QUERY = 'Z',
	PG_COPY_IN_RESPONSE = 'G',
	PG_DATA_ROW = 'D', /* as Describe: the direction tells them apart */
	PG_ERROR_RESPONSE = 'E',
	PG_BACKEND_KEY_DATA = 'K',
	PG_NEGOTIATE_PROTOCOL_VERSION = 'v',
} PgMessage;

HelloVerdict pg_hello(Hello *hello, Buf *in, Buf *reply, Fault *why);
void pg_negotiate(const Startup *startup, Buf *to_client);
void pg_begin(const Startup *startup, Buf *to_compute);
LoginVerdict pg_login(Login *login, Buf *from_compute, Buf *to_client, Buf *to_compute, Fault *why);
size_t pg_wanted(const Login *login, const Buf *from_client);
bool pg_watch(Watch *w, Side from, Span bytes, Fault *why);
void pg_refuse(const Fault *fault, Buf *to_client);
void pg_cancel(const CancelKey *key, Buf *to_compute);

#endif
