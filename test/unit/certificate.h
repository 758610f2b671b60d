/*
 * Authorities, and certificates that they sign, made anew for each run.
 */
#ifndef UNIT_CERTIFICATE_H
#define UNIT_CERTIFICATE_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "unit.h"

/* A key and what is said of it. */
typedef struct Certificate {
	EVP_PKEY *key;
	X509 *x509;
} Certificate;

static char certificate_folder[] = "/tmp/reveille-unit-XXXXXX";

static inline void certificate_extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x509, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* Names with a dot are servers', on loopback too; issuer NULL: it signs others and itself. */
static inline X509 *certificate_fill(const char *name, EVP_PKEY *key, const Certificate *issuer)
{
	static long serial = 1;
	X509 *x509 = X509_new();
	X509_NAME *subject = X509_get_subject_name(x509);
	char names[200];

	X509_set_version(x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer->x509) : subject);
	X509_set_pubkey(x509, key);
	if (!issuer)
		certificate_extend(x509, NID_basic_constraints, "critical,CA:TRUE");
	snprintf(names, sizeof(names), "DNS:%s,IP:127.0.0.1", name);
	if (strchr(name, '.'))
		certificate_extend(x509, NID_subject_alt_name, names);
	return x509;
}

static inline Certificate certificate_make(const char *name, bool rsa, const EVP_MD *md,
					   const Certificate *issuer)
{
	Certificate c = {.key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")};

	assert_non_null(c.key);
	c.x509 = certificate_fill(name, c.key, issuer);
	assert_true(X509_sign(c.x509, issuer ? issuer->key : c.key, md) > 0);
	return c;
}

static inline void certificate_free(Certificate *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->x509);
}

/* Where a file of the folder is: one of sixteen texts, in turn. */
static inline const char *certificate_path(const char *file)
{
	static char paths[16][300];
	static int turn;
	char *path = paths[turn++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", certificate_folder, file);
	return path;
}

static inline void certificate_write(const Certificate *c, const char *cert, const char *key)
{
	FILE *file = fopen(certificate_path(cert), "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, c->x509), 1);
	fclose(file);
	file = fopen(certificate_path(key), "w");
	assert_int_equal(PEM_write_PrivateKey(file, c->key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

#endif
