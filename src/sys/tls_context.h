/* What tls.c and tls_context.c share of OpenSSL. */
#ifndef SYS_TLS_CONTEXT_H
#define SYS_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "sys/tls.h"

struct TlsContext {
	SSL_CTX *ssl;
	TlsVerify verify;
	const char *alpn;
	bool (*ticket_keys)(void *arg, TicketKeys *out);
	void *arg;
	EVP_CIPHER *cipher; /* of tickets */
	uint8_t binding[TLS_HASH_MAX];
	size_t binding_size;
	int refs;
};

struct Tls {
	SSL *ssl;
	TlsContext *ctx;
	int fd;
	Buf *out;          /* the stream's: what is to be sent */
	Buf early;         /* received before the handshake began */
	char *server_name; /* that a client said, or NULL */
	bool drained;      /* the last receive took all there was or may be, until the next event */
	int receives;      /* since the last event */
	size_t answers;    /* bytes in *out that were not sent by us, but asked for by records */
	bool direct, ended, failed;
	Fault why;
};

/* The hash for channel binding of a certificate; 0 if it has none. */
size_t tls_hash_of(const X509 *cert, uint8_t hash[TLS_HASH_MAX]);

#endif
