/*
 * What connections have in common: certificates, versions, ciphers, ticket keys.
 */
#include "tls_context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/mem.h"
#include "conf/tls.h"

#define READ_BUFFER 32768 /* so that two records are received at once */

/* Says what OpenSSL's oldest error is, and forgets them all. */
static void take_error(Fault *why, const char *what)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	fault_set(why, FAULT_BAD_SETTING, "%s: %s", what, reason ? reason : "unknown TLS error");
	ERR_clear_error();
}

/* What OpenSSL's words for common mistakes mean. */
static const char *meaning_of(unsigned long code)
{
	switch (ERR_GET_REASON(code)) {
	case PEM_R_NO_START_LINE:
		return "there is nothing of the kind in it in PEM form";
	case X509_R_KEY_VALUES_MISMATCH:
	case X509_R_KEY_TYPE_MISMATCH:
	case SSL_R_NO_CERTIFICATE_ASSIGNED:
		return "it is not the key of the certificate";
	case PEM_R_BAD_PASSWORD_READ:
	case PEM_R_PROBLEMS_GETTING_PASSWORD:
	case ERR_R_INTERRUPTED_OR_CANCELLED:
		return "the key is encrypted; take the passphrase off";
	}
	return NULL;
}

static bool bad(Fault *why, const TlsSetup *setup, const char *name, const char *value)
{
	unsigned long code = ERR_peek_error();
	const char *meaning = ERR_SYSTEM_ERROR(code) ? NULL : meaning_of(code);
	char what[200];

	if (meaning) {
		ERR_clear_error();
		return fault_set(why, FAULT_BAD_SETTING, "%s%s \"%.120s\" cannot be used: %s",
				 setup->names, name, value, meaning);
	}
	snprintf(what, sizeof(what), "%s%s \"%.120s\" cannot be used", setup->names, name, value);
	take_error(why, what);
	return false;
}

/* Nobody is there to be asked: a terminal may be, but the program must not wait for it. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
	(void)to, (void)size, (void)writing, (void)arg;
	return -1;
}

static const struct Version {
	unsigned bit;
	uint64_t forbids;
} versions[] = {
	{CONF_TLS_1_0, SSL_OP_NO_TLSv1},
	{CONF_TLS_1_1, SSL_OP_NO_TLSv1_1},
	{CONF_TLS_1_2, SSL_OP_NO_TLSv1_2},
	{CONF_TLS_1_3, SSL_OP_NO_TLSv1_3},
};

/* OpenSSL's own configuration may set a higher least version; what we are told counts. */
static void set_protocols(TlsContext *ctx, const char *words)
{
	unsigned allowed = conf_tls_versions(words);

	SSL_CTX_set_min_proto_version(ctx->ssl, 0);
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (!(allowed & versions[i].bit))
			SSL_CTX_set_options(ctx->ssl, versions[i].forbids);
	}
}

static bool is_default(const char *word)
{
	return !*word || strcmp(word, "default") == 0 || strcmp(word, "auto") == 0;
}

/*
 * AES-128 with SHA-256 first: processors have instructions for both, and a
 * handshake hashes some fifty times.
 */
#define CIPHERS                                                      \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"HIGH+AESGCM+ECDHE:HIGH+CHACHA20+ECDHE:HIGH+AESGCM+DHE:HIGH+CHACHA20+DHE"
#define CIPHERS_13                                       \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:" \
	"TLS_CHACHA20_POLY1305_SHA256"

static bool set_ciphers(TlsContext *ctx, const TlsSetup *setup, Fault *why)
{
	const char *list = setup->ciphers;

	if (is_default(list) || strcmp(list, "secure") == 0)
		list = CIPHERS;
	else if (strcmp(list, "all") == 0 || strcmp(list, "legacy") == 0)
		list = "ALL:!aNULL:!eNULL";
	if (SSL_CTX_set_cipher_list(ctx->ssl, list) != 1)
		return bad(why, setup, "_ciphers", setup->ciphers);
	if (SSL_CTX_set_ciphersuites(
		    ctx->ssl, is_default(setup->ciphers13) ? CIPHERS_13 : setup->ciphers13) != 1)
		return bad(why, setup, "13_ciphers", setup->ciphers13);
	if (!is_default(setup->curve) && strcmp(setup->curve, "none") != 0 &&
	    SSL_CTX_set1_groups_list(ctx->ssl, setup->curve) != 1)
		return bad(why, setup, "_ecdhcurve", setup->curve);
	return true;
}

/* MD5 and SHA-1 are replaced with SHA-256, as RFC 5929 says. */
size_t tls_hash_of(const X509 *cert, uint8_t hash[TLS_HASH_MAX])
{
	const EVP_MD *md;
	unsigned int size = 0;
	int digest = NID_undef;

	if (!cert || !X509_get_signature_info((X509 *)(uintptr_t)cert, &digest, NULL, NULL, NULL))
		return 0;
	if (digest == NID_md5 || digest == NID_sha1)
		digest = NID_sha256;
	md = EVP_get_digestbynid(digest);
	if (!md || EVP_MD_get_size(md) > TLS_HASH_MAX || X509_digest(cert, md, hash, &size) != 1)
		return 0;
	return size;
}

static bool set_certificate(TlsContext *ctx, const TlsSetup *setup, Fault *why)
{
	if (!*setup->cert_file)
		return true;
	if (SSL_CTX_use_certificate_chain_file(ctx->ssl, setup->cert_file) != 1)
		return bad(why, setup, "_cert_file", setup->cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx->ssl, setup->key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx->ssl) != 1)
		return bad(why, setup, "_key_file", setup->key_file);
	ctx->binding_size = tls_hash_of(SSL_CTX_get0_certificate(ctx->ssl), ctx->binding);
	return true;
}

static bool set_authorities(TlsContext *ctx, const TlsSetup *setup, Fault *why)
{
	if (*setup->ca_file && SSL_CTX_load_verify_file(ctx->ssl, setup->ca_file) != 1)
		return bad(why, setup, "_ca_file", setup->ca_file);
	if (!*setup->ca_file && setup->verify > TLS_VERIFY_ASK)
		SSL_CTX_set_default_verify_paths(ctx->ssl);
	return true;
}

/* Goes on with a certificate that is no good; tls_peer() will say so. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static TlsContext *new_context(const SSL_METHOD *method, const TlsSetup *setup, Fault *why)
{
	TlsContext *ctx = NEW(TlsContext);

	ctx->refs = 1;
	ctx->verify = setup->verify;
	ctx->alpn = setup->alpn;
	ctx->ssl = SSL_CTX_new(method);
	if (!ctx->ssl) {
		take_error(why, "OpenSSL does not work");
		free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					      SSL_OP_IGNORE_UNEXPECTED_EOF |
					      SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_default_passwd_cb(ctx->ssl, no_passphrase);
	SSL_CTX_set_read_ahead(ctx->ssl, 1);
	SSL_CTX_set_default_read_buffer_len(ctx->ssl, READ_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	set_protocols(ctx, setup->protocols);
	if (set_ciphers(ctx, setup, why) && set_certificate(ctx, setup, why) &&
	    set_authorities(ctx, setup, why))
		return ctx;
	tls_context_release(ctx);
	return NULL;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
		       const unsigned char *in, unsigned int in_size, void *arg)
{
	const TlsContext *ctx = arg;
	size_t n = strlen(ctx->alpn);

	(void)ssl;
	for (unsigned int at = 0; at < in_size; at += 1u + in[at]) {
		if (in[at] == n && at + 1 + n <= in_size &&
		    memcmp(in + at + 1, ctx->alpn, n) == 0) {
			*out = in + at + 1;
			*out_size = (unsigned char)n;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/*
 * What the client says now.  Of a session that is resumed with TLS 1.2 OpenSSL
 * would tell the name that it was begun with, and that may be another compute's.
 */
static void note_server_name(SSL *ssl, Tls *tls)
{
	enum { HEAD = 5 }; /* length of the list, type and length of its first name (RFC 6066 §3) */
	const unsigned char *at;
	size_t n, size;

	free(tls->server_name);
	tls->server_name = NULL;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &n) != 1 || n <= HEAD ||
	    at[2] != TLSEXT_NAMETYPE_host_name)
		return;
	size = (size_t)at[3] << 8 | at[4];
	if (size > n - HEAD || size >= TLS_NAME_MAX || memchr(at + HEAD, 0, size))
		return;
	tls->server_name = mem_new(size + 1, 1);
	memcpy(tls->server_name, at + HEAD, size);
}

/*
 * TLS that was not asked for in PostgreSQL's own words might have been meant for
 * another server (ALPACA): such a client has to name our protocol.
 */
static int hear_hello(SSL *ssl, int *alert, void *arg)
{
	Tls *tls = SSL_get_app_data(ssl);
	const unsigned char *at;
	size_t n;

	(void)arg;
	note_server_name(ssl, tls);
	if (!tls->direct ||
	    SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &at,
				      &n) == 1)
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_NO_APPLICATION_PROTOCOL;
	ERR_raise(ERR_LIB_SSL, SSL_R_NO_APPLICATION_PROTOCOL);
	return SSL_CLIENT_HELLO_ERROR;
}

static bool set_mac(EVP_MAC_CTX *mac, const TicketKey *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac_key, sizeof(key->mac_key)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)(uintptr_t) "sha256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const TlsContext *ctx, const TicketKeys *keys, unsigned char *name,
		unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const TicketKey *key = &keys->at[0];

	if (keys->n == 0)
		return 0;
	memcpy(name, key->name, sizeof(key->name));
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ctx->cipher)) != 1 ||
	    EVP_EncryptInit_ex2(cipher, ctx->cipher, key->cipher_key, iv, NULL) != 1 ||
	    !set_mac(mac, key))
		return -1;
	return 1;
}

/*
 * 2: opened, and the client is to have a new one: the key is old, or the ticket is
 * of TLS 1.3, whose clients use each only once (RFC 8446 appendix C.4).
 */
static int open_ticket(const TlsContext *ctx, bool once, const TicketKeys *keys,
		       const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
		       EVP_MAC_CTX *mac)
{
	for (int i = 0; i < keys->n; i++) {
		const TicketKey *key = &keys->at[i];

		if (memcmp(name, key->name, sizeof(key->name)) != 0)
			continue;
		if (!set_mac(mac, key) ||
		    EVP_DecryptInit_ex2(cipher, ctx->cipher, key->cipher_key, iv, NULL) != 1)
			return -1;
		return i == 0 && !once ? 1 : 2;
	}
	return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int sealing)
{
	const TlsContext *ctx = ((const Tls *)SSL_get_app_data(ssl))->ctx;
	TicketKeys keys;
	int result;

	if (!ctx->ticket_keys(ctx->arg, &keys))
		return 0;
	result = sealing ? seal(ctx, &keys, name, iv, cipher, mac)
			 : open_ticket(ctx, SSL_version(ssl) >= TLS1_3_VERSION, &keys, name, iv,
				       cipher, mac);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return result;
}

/*
 * A ticket remembers that its client's certificate was good.  It may serve only
 * where the same rules and authorities hold, and those are what names its context.
 */
static void name_sessions(TlsContext *ctx, const TlsSetup *setup)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx->ssl));
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	uint8_t one[EVP_MAX_MD_SIZE], name[EVP_MAX_MD_SIZE];
	unsigned int n;

	EVP_DigestInit_ex(sum, EVP_sha256(), NULL);
	EVP_DigestUpdate(sum, &setup->verify, sizeof(setup->verify));
	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (cert && X509_digest(cert, EVP_sha256(), one, &n) == 1)
			EVP_DigestUpdate(sum, one, n);
	}
	EVP_DigestFinal_ex(sum, name, &n);
	EVP_MD_CTX_free(sum);
	SSL_CTX_set_session_id_context(ctx->ssl, name, SSL_MAX_SID_CTX_LENGTH);
}

static void set_tickets(TlsContext *ctx, const TlsSetup *setup)
{
	if (!setup->ticket_keys) {
		SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx->ssl, 0);
		return;
	}
	ctx->ticket_keys = setup->ticket_keys;
	ctx->arg = setup->arg;
	ctx->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	SSL_CTX_set_num_tickets(ctx->ssl, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, on_ticket);
}

static void ask_for_certificates(TlsContext *ctx, const TlsSetup *setup)
{
	if (setup->verify == TLS_VERIFY_NONE)
		return;
	SSL_CTX_set_client_CA_list(ctx->ssl, SSL_load_client_CA_file(setup->ca_file));
	if (setup->verify == TLS_VERIFY_ASK)
		SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, accept_any);
	else
		SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
}

TlsContext *tls_server_context(const TlsSetup *setup, Fault *why)
{
	TlsContext *ctx = new_context(TLS_server_method(), setup, why);

	if (!ctx)
		return NULL;
	SSL_CTX_set_dh_auto(ctx->ssl, setup->dhe);
	name_sessions(ctx, setup);
	set_tickets(ctx, setup);
	ask_for_certificates(ctx, setup);
	SSL_CTX_set_client_hello_cb(ctx->ssl, hear_hello, NULL);
	if (ctx->alpn)
		SSL_CTX_set_alpn_select_cb(ctx->ssl, choose_alpn, ctx);
	return ctx;
}

TlsContext *tls_client_context(const TlsSetup *setup, Fault *why)
{
	TlsContext *ctx = new_context(TLS_client_method(), setup, why);

	if (ctx)
		SSL_CTX_set_verify(
			ctx->ssl,
			setup->verify > TLS_VERIFY_ASK ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return ctx;
}

TlsContext *tls_context_hold(TlsContext *ctx)
{
	ctx->refs++;
	return ctx;
}

void tls_context_release(TlsContext *ctx)
{
	if (!ctx || --ctx->refs > 0)
		return;
	SSL_CTX_free(ctx->ssl);
	EVP_CIPHER_free(ctx->cipher);
	free(ctx);
}
