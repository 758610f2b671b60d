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

/* Of Authentication messages: what they ask for or tell. */
typedef enum PgAuth {
	AUTH_OK = 0,
	AUTH_PASSWORD = 3,
	AUTH_MD5 = 5,
	AUTH_SASL = 10,
	AUTH_SASL_CONTINUE = 11,
	AUTH_SASL_FINAL = 12,
} PgAuth;

#define PG_SCRAM      "SCRAM-SHA-256"
#define PG_SCRAM_PLUS "SCRAM-SHA-256-PLUS"

/* The newest minor version of the protocol that we speak. */
#define PG_MINOR_MAX 2

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
	PG_PASSWORD = 'p', /* and what SASL says */
	/* from the compute */
	PG_AUTHENTICATION = 'R',
	PG_READY_FOR_QUERY = 'Z',
	PG_COMMAND_COMPLETE = 'C', /* as Close */
	PG_COPY_IN_RESPONSE = 'G',
	PG_DATA_ROW = 'D', /* as Describe: the direction tells them apart */
	PG_ERROR_RESPONSE = 'E',
	PG_BACKEND_KEY_DATA = 'K',
	PG_NEGOTIATE_PROTOCOL_VERSION = 'v',
} PgMessage;

#define PG_FRAME_HEAD 5

/* An Authentication message with data behind its kind; the caller appends n bytes of it. */
void pg_begin_auth(PgAuth kind, size_t n, Buf *to_client);

/* Answers an Authentication message of the compute ourselves; the frame is whole. */
LoginVerdict pg_own_login(Login *login, Span frame, Buf *to_compute, Fault *why);

HelloVerdict pg_hello(Hello *hello, Buf *in, Buf *reply, Fault *why);
void pg_ask_tls(Buf *to_server);
TlsAnswer pg_tls_answer(uint8_t answer);
void pg_negotiate(const Startup *startup, Buf *to_client);
void pg_begin(const Startup *startup, Buf *to_compute);
void pg_ask_proof(const Proof *proof, Buf *to_client);
ProofVerdict pg_prove(Proof *proof, Buf *from_client, Buf *to_client, Fault *why);
void pg_welcome(Buf *to_client);
LoginVerdict pg_login(Login *login, Buf *from_compute, Buf *to_client, Buf *to_compute, Fault *why);
void pg_stretched(Login *login, const ScramKeys *keys, Buf *to_compute);
bool pg_passable(const Login *login, Span message, Fault *why);
size_t pg_wanted(const Login *login, const Buf *from_client);
bool pg_watch(Watch *w, Side from, Span bytes, Fault *why);
void pg_refuse(const Fault *fault, Buf *to_client);
void pg_cancel(const CancelKey *key, Buf *to_compute);

#endif
