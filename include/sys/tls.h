/*
 * TLS: contexts, and what is known of a secured connection (OpenSSL).
 *
 * A TlsContext is made once from settings and files and shared by connections,
 * which hold it: a reload makes a new one and leaves the old to those that use it.
 * A Tls is one connection's; sys/stream.h runs it, and nobody else touches bytes.
 */
#ifndef SYS_TLS_H
#define SYS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/ticket_key.h"

typedef struct TlsContext TlsContext;
typedef struct Tls Tls;

#define TLS_NAME_MAX 256
#define TLS_HASH_MAX 64

typedef enum TlsVerify {
	TLS_VERIFY_NONE, /* a certificate of the other side is not looked at */
	TLS_VERIFY_ASK,  /* a client may show one; tls_peer() says whether it is good */
	TLS_VERIFY_CA,   /* it must be there and come from an authority of ca_file */
	TLS_VERIFY_NAME, /* and, of a server, be for the name that was dialled */
} TlsVerify;

/* Texts as PgBouncer's settings of those names have them; "" or "default" is our own choice. */
typedef struct TlsSetup {
	const char *names; /* "client_tls" or "server_tls": how the settings are called */
	const char *key_file, *cert_file, *ca_file;
	const char *protocols, *ciphers, *ciphers13, *curve;
	bool dhe; /* finite-field Diffie-Hellman may be used; servers only */
	TlsVerify verify;
	const char *alpn; /* the protocol we speak, or NULL */
	/* Fills in the keys of session tickets; NULL: there are no tickets. Servers only. */
	bool (*ticket_keys)(void *arg, TicketKeys *out);
	void *arg;
} TlsSetup;

/* For connections from clients, or to servers. NULL and *why if a file or word is no good. */
TlsContext *tls_server_context(const TlsSetup *setup, Fault *why);
TlsContext *tls_client_context(const TlsSetup *setup, Fault *why);
TlsContext *tls_context_hold(TlsContext *ctx);
void tls_context_release(TlsContext *ctx); /* NULL is harmless */

/*
 * One connection: from a client (direct: TLS began without being asked for, so it
 * must name our protocol), or to a server of that name ("" if it has none).
 */
Tls *tls_from_client(TlsContext *ctx, bool direct);
Tls *tls_to_server(TlsContext *ctx, const char *name);
void tls_free(Tls *tls);

/* The server name that the client asked for (SNI), or "". */
const char *tls_server_name(const Tls *tls);
bool tls_is_resumed(const Tls *tls);
const char *tls_version(const Tls *tls);

/* Whether the other side showed a certificate that is good, and its common name. */
bool tls_peer(const Tls *tls, char name[TLS_NAME_MAX]);

/*
 * The hash of the certificate that this connection's other side was shown, for channel
 * binding "tls-server-end-point" (RFC 5929 §4.1); returns its size, 0 if there is none.
 */
size_t tls_own_binding(const Tls *tls, uint8_t hash[TLS_HASH_MAX]);

/* The same of the certificate that the server showed. */
size_t tls_peer_binding(const Tls *tls, uint8_t hash[TLS_HASH_MAX]);

/* Why the handshake or the connection failed, in words, and what would help. */
void tls_why(const Tls *tls, Fault *why);

/* Below: what sys/stream.c runs a Tls with. Bytes to be sent are left in *out. */
typedef enum TlsStep { TLS_DONE, TLS_MORE, TLS_FAILED } TlsStep;

/* Bytes that were received before it was known that TLS begins. */
void tls_feed(Tls *tls, Span early);
void tls_attach(Tls *tls, int fd, Buf *out);
TlsStep tls_handshake(Tls *tls);

/* After TLS_DONE: the other side says nothing before it has what was left in *out. */
bool tls_is_awaited(const Tls *tls);

/* As stream_recv(). *more: there is something left that the socket will not announce. */
ssize_t tls_recv(Tls *tls, void *to, size_t n, bool *more);
bool tls_has_more(const Tls *tls);
bool tls_send(Tls *tls, Span bytes);
void tls_end(Tls *tls); /* close_notify */

#endif
