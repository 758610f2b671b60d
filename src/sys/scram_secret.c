#include "sys/scram_secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "sys/log.h"

#define KEY_BYTES   SHA256_DIGEST_LENGTH
#define BASE64_SIZE 48 /* of a key: 44 characters and a zero */

static void key_of(uint8_t out[KEY_BYTES], const uint8_t salted[KEY_BYTES], const char *what)
{
	unsigned int n;

	if (!HMAC(EVP_sha256(), salted, KEY_BYTES, (const uint8_t *)what, strlen(what), out, &n))
		die("HMAC-SHA-256 is not available");
}

static void base64(char out[BASE64_SIZE], const uint8_t *bytes, int n)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, n);
}

void scram_secret(char out[SCRAM_SECRET_SIZE], const char *password,
		  const uint8_t salt[SCRAM_SALT_BYTES], int iterations)
{
	uint8_t salted[KEY_BYTES], client_key[KEY_BYTES], stored_key[KEY_BYTES],
		server_key[KEY_BYTES];
	char salt64[BASE64_SIZE], stored64[BASE64_SIZE], server64[BASE64_SIZE];

	if (!PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, SCRAM_SALT_BYTES, iterations,
			       EVP_sha256(), KEY_BYTES, salted))
		die("PBKDF2 with SHA-256 is not available");
	key_of(client_key, salted, "Client Key");
	key_of(server_key, salted, "Server Key");
	SHA256(client_key, KEY_BYTES, stored_key);
	base64(salt64, salt, SCRAM_SALT_BYTES);
	base64(stored64, stored_key, KEY_BYTES);
	base64(server64, server_key, KEY_BYTES);
	snprintf(out, SCRAM_SECRET_SIZE, "SCRAM-SHA-256$%d:%s$%s:%s", iterations, salt64, stored64,
		 server64);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client_key, sizeof(client_key));
}
