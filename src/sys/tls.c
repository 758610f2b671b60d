/*
 * One connection's TLS.
 *
 * OpenSSL reads from the socket itself, as much as there is, and what it wants
 * to send is gathered in the stream's buffer: the records of one turn leave
 * together, and the ticket that follows a handshake leaves with our first words.
 */
#include "sys/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "sys/stream.h"
#include "tls_context.h"

#define RECEIVES_MAX 2     /* of the read buffer's size, in one turn of the loop */
#define ANSWERS_MAX  16384 /* bytes that nobody has read yet: of alerts, of key updates */

static int take_early(Tls *tls, char *to, int n)
{
	Span early = buf_span(&tls->early);
	size_t k = early.n < (size_t)n ? early.n : (size_t)n;

	memcpy(to, early.at, k);
	buf_take(&tls->early, k);
	return (int)k;
}

static int bio_read(BIO *bio, char *to, int n)
{
	Tls *tls = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (buf_size(&tls->early) > 0)
		return take_early(tls, to, n);
	if (tls->drained) {
		BIO_set_retry_read(bio);
		return -1;
	}
	do
		got = recv(tls->fd, to, (size_t)n, 0);
	while (got == -1 && errno == EINTR);
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(bio);
	tls->drained = got < n || ++tls->receives == RECEIVES_MAX;
	tls->ended = got == 0;
	return (int)got;
}

static int bio_write(BIO *bio, const char *from, int n)
{
	Tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_append(tls->out, (Span){(const uint8_t *)from, (size_t)n});
	return n;
}

static long bio_control(BIO *bio, int what, long n, void *arg)
{
	const Tls *tls = BIO_get_data(bio);

	(void)n, (void)arg;
	if (what == BIO_CTRL_EOF)
		return tls->ended;
	return what == BIO_CTRL_FLUSH;
}

/* Made at the first use and kept to the end of the process. */
static BIO *new_bio(Tls *tls)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_control);
	}
	bio = BIO_new(method);
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	return bio;
}

static Tls *new_tls(TlsContext *ctx)
{
	Tls *tls = NEW(Tls);
	BIO *bio = new_bio(tls);

	tls->ctx = tls_context_hold(ctx);
	tls->fd = -1;
	tls->ssl = SSL_new(ctx->ssl);
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_bio(tls->ssl, bio, bio);
	return tls;
}

Tls *tls_from_client(TlsContext *ctx, bool direct)
{
	Tls *tls = new_tls(ctx);

	tls->direct = direct;
	SSL_set_accept_state(tls->ssl);
	return tls;
}

static bool is_ip(const char *name)
{
	uint8_t ignored[16];

	return inet_pton(AF_INET, name, ignored) == 1 || inet_pton(AF_INET6, name, ignored) == 1;
}

/*
 * Sets the name that the certificate has to be for.  OpenSSL takes an empty one
 * for no wish at all, and one that begins with a dot for a whole domain: to these
 * no certificate is given.
 */
static void expect_name(Tls *tls, const char *name)
{
	if (is_ip(name)) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), name);
		return;
	}
	SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set1_host(tls->ssl, *name && *name != '.' ? name : "no-name.invalid");
}

/* An address is no server name (RFC 6066 §3), but a certificate may be for one. */
Tls *tls_to_server(TlsContext *ctx, const char *name)
{
	Tls *tls = new_tls(ctx);

	if (*name && !is_ip(name))
		SSL_set_tlsext_host_name(tls->ssl, name);
	if (ctx->verify == TLS_VERIFY_NAME)
		expect_name(tls, name);
	if (ctx->alpn) {
		uint8_t list[64];
		size_t n = strlen(ctx->alpn);

		list[0] = (uint8_t)n;
		memcpy(list + 1, ctx->alpn, n);
		SSL_set_alpn_protos(tls->ssl, list, (unsigned int)n + 1);
	}
	SSL_set_connect_state(tls->ssl);
	return tls;
}

void tls_free(Tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	tls_context_release(tls->ctx);
	buf_free(&tls->early);
	free(tls->server_name);
	free(tls);
	ERR_clear_error();
}

void tls_feed(Tls *tls, Span early)
{
	buf_append(&tls->early, early);
}

void tls_attach(Tls *tls, int fd, Buf *out)
{
	tls->fd = fd;
	tls->out = out;
}

/* What helps with the failures that admins meet. */
static const struct Advice {
	int reason;
	const char *hint;
} advices[] = {
	{SSL_R_HTTP_REQUEST, "this is an HTTP client"},
	{SSL_R_WRONG_VERSION_NUMBER, "the other side does not speak TLS here"},
	{SSL_R_UNSUPPORTED_PROTOCOL,
	 "the TLS versions do not meet: see client_tls_protocols and server_tls_protocols"},
	{SSL_R_NO_SHARED_CIPHER,
	 "the ciphers do not meet: see client_tls_ciphers and server_tls_ciphers"},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA,
	 "the other side does not trust the authority of our certificate"},
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the other side does not accept our certificate"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our certificate has expired"},
	{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "versions, ciphers or certificates do not meet"},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
	 "the TLS versions do not meet: see client_tls_protocols and server_tls_protocols"},
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
	 "client_tls_sslmode asks for a client certificate, and there was none"},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
	 "the other side asks for a certificate: see server_tls_cert_file"},
	{SSL_R_NO_APPLICATION_PROTOCOL,
	 "TLS without a request for it before needs ALPN \"postgresql\""},
	{SSL_R_CERTIFICATE_VERIFY_FAILED,
	 "the certificate is checked against client_tls_ca_file or server_tls_ca_file"},
};

static const char *advice_for(int reason)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		if (advices[i].reason == reason)
			return advices[i].hint;
	}
	return "";
}

/* Only the first failure is told: what follows comes of it. */
static void fail(Tls *tls, const char *what)
{
	unsigned long code = ERR_peek_error();
	long verdict = SSL_get_verify_result(tls->ssl);
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (!tls->failed) {
		if (!reason)
			reason = tls->ended ? "the connection was closed" : strerror(errno);
		fault_set(&tls->why, FAULT_TLS, "%s: %s%s%s", what, reason,
			  verdict == X509_V_OK ? "" : ": ",
			  verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict));
		fault_hint(&tls->why, "%s", advice_for(ERR_GET_REASON(code)));
	}
	tls->failed = true;
	ERR_clear_error();
}

/*
 * Records that carry nothing for us (key updates) cost time and fill no room, so
 * who sends them without end is left for the next turn.
 */
static void begin_turn(Tls *tls)
{
	ERR_clear_error();
	tls->drained = false;
	tls->receives = 0;
}

TlsStep tls_handshake(Tls *tls)
{
	int done;

	begin_turn(tls);
	done = SSL_do_handshake(tls->ssl);
	if (done == 1)
		return TLS_DONE;
	if (SSL_get_error(tls->ssl, done) == SSL_ERROR_WANT_READ)
		return TLS_MORE;
	fail(tls, "the TLS handshake failed");
	return TLS_FAILED;
}

/* The last word of a full handshake is the server's in TLS 1.2, and the client's in 1.3. */
bool tls_is_awaited(const Tls *tls)
{
	return SSL_is_server(tls->ssl) && SSL_version(tls->ssl) < TLS1_3_VERSION;
}

bool tls_has_more(const Tls *tls)
{
	return SSL_has_pending(tls->ssl);
}

/* What SSL_read_ex() said instead of giving bytes. */
static ssize_t nothing_read(Tls *tls)
{
	switch (SSL_get_error(tls->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		fail(tls, "the TLS connection failed");
		return STREAM_ERROR;
	}
}

/* What still comes after a failure is read, or a reset would overtake our alert. */
static ssize_t throw_away(const Tls *tls, void *to, size_t n)
{
	ssize_t got = recv(tls->fd, to, n, 0);

	if (got == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_ERROR;
	return got;
}

static ssize_t receive(Tls *tls, void *to, size_t n, bool *more)
{
	size_t got = 0, k;

	do {
		if (SSL_read_ex(tls->ssl, (char *)to + got, n - got, &k) != 1) {
			ssize_t why = nothing_read(tls);

			*more = got > 0 && why != STREAM_AGAIN;
			return got > 0 ? (ssize_t)got : why;
		}
		got += k;
		*more = SSL_has_pending(tls->ssl);
	} while (*more && got < n);
	return (ssize_t)got;
}

/* Records may ask for answers, which are kept as long as the other side does not read. */
static bool answers_too_much(Tls *tls, size_t kept)
{
	if (kept == 0)
		tls->answers = 0;
	tls->answers += buf_size(tls->out) - kept;
	return tls->answers > ANSWERS_MAX;
}

/*
 * Until the room is full or OpenSSL holds nothing more.  An end or error that
 * comes behind bytes is found again by the next call, for which *more asks.
 */
ssize_t tls_recv(Tls *tls, void *to, size_t n, bool *more)
{
	size_t kept = buf_size(tls->out);
	ssize_t got;

	begin_turn(tls);
	*more = false;
	if (tls->failed)
		return throw_away(tls, to, n);
	got = receive(tls, to, n, more);
	if (!answers_too_much(tls, kept))
		return got;
	errno = ENOBUFS;
	fail(tls, "the TLS connection asks for answers and does not read them");
	return STREAM_ERROR;
}

bool tls_send(Tls *tls, Span bytes)
{
	size_t sent;

	ERR_clear_error();
	while (bytes.n > 0) {
		if (SSL_write_ex(tls->ssl, bytes.at, bytes.n, &sent) != 1) {
			fail(tls, "the TLS connection failed");
			return false;
		}
		bytes = span_skip(bytes, sent);
	}
	return true;
}

void tls_end(Tls *tls)
{
	if (!tls->failed && SSL_is_init_finished(tls->ssl))
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

const char *tls_server_name(const Tls *tls)
{
	return tls->server_name ? tls->server_name : "";
}

bool tls_is_resumed(const Tls *tls)
{
	return SSL_session_reused(tls->ssl);
}

const char *tls_version(const Tls *tls)
{
	return SSL_get_version(tls->ssl);
}

/* A name with a zero in it is somebody's trick (CVE-2009-2408 and its kin): it is none. */
bool tls_peer(const Tls *tls, char name[TLS_NAME_MAX])
{
	const X509 *cert = SSL_get0_peer_certificate(tls->ssl);
	X509_NAME *subject;
	ASN1_STRING *text;
	int at;

	*name = 0;
	if (!cert || SSL_get_verify_result(tls->ssl) != X509_V_OK ||
	    tls->ctx->verify == TLS_VERIFY_NONE)
		return false;
	subject = X509_get_subject_name(cert);
	at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at < 0)
		return true;
	text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	if (ASN1_STRING_length(text) < TLS_NAME_MAX &&
	    !memchr(ASN1_STRING_get0_data(text), 0, (size_t)ASN1_STRING_length(text))) {
		memcpy(name, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
		name[ASN1_STRING_length(text)] = 0;
	}
	return true;
}

size_t tls_own_binding(const Tls *tls, uint8_t hash[TLS_HASH_MAX])
{
	memcpy(hash, tls->ctx->binding, tls->ctx->binding_size);
	return tls->ctx->binding_size;
}

size_t tls_peer_binding(const Tls *tls, uint8_t hash[TLS_HASH_MAX])
{
	return tls_hash_of(SSL_get0_peer_certificate(tls->ssl), hash);
}

/* Without a failure of its own it was the socket below that could not send. */
void tls_why(const Tls *tls, Fault *why)
{
	*why = tls->why;
	if (!tls->failed)
		fault_set(why, FAULT_TLS, "the TLS %s failed: the connection was closed",
			  SSL_is_init_finished(tls->ssl) ? "connection" : "handshake");
}
