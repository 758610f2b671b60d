#include "sys/seal.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sys/log.h"
#include "sys/random.h"

#define NONCE 12
#define TAG   16

SealKey seal_key(const char *const *texts, int n)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	SealKey key;

	if (!EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
		die("SHA-256 is not available");
	for (int i = 0; i < n; i++)
		EVP_DigestUpdate(hash, texts[i], strlen(texts[i]) + 1);
	EVP_DigestFinal_ex(hash, key.bytes, NULL);
	EVP_MD_CTX_free(hash);
	return key;
}

/* nonce | what was sealed | tag */
static void encrypt(uint8_t *out, const SealKey *key, const char *text, int n)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int done;

	random_bytes(out, NONCE);
	if (!EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->bytes, out) ||
	    !EVP_EncryptUpdate(c, out + NONCE, &done, (const uint8_t *)text, n) ||
	    !EVP_EncryptFinal_ex(c, out + NONCE + done, &done) ||
	    !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + n))
		die("AES-256-GCM is not available");
	EVP_CIPHER_CTX_free(c);
}

bool seal_text(char *out, size_t size, const SealKey *key, const char *text)
{
	size_t n = strlen(text), all = NONCE + n + TAG;
	uint8_t *bytes;

	out[0] = 0;
	if (4 * ((all + 2) / 3) + 1 > size)
		return false;
	bytes = mem_new(all, 1);
	encrypt(bytes, key, text, (int)n);
	EVP_EncodeBlock((uint8_t *)out, bytes, (int)all);
	free(bytes);
	return true;
}

static bool decrypt(char *out, const SealKey *key, uint8_t *bytes, int n)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int done;
	bool good = EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->bytes, bytes) &&
		    EVP_DecryptUpdate(c, (uint8_t *)out, &done, bytes + NONCE, n) &&
		    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, bytes + NONCE + n) &&
		    EVP_DecryptFinal_ex(c, (uint8_t *)out + done, &done) > 0;

	EVP_CIPHER_CTX_free(c);
	return good;
}

/* How many bytes base64 stands for; -1 if it is none. */
static int decode(uint8_t *out, const char *text, size_t n)
{
	int bytes = EVP_DecodeBlock(out, (const uint8_t *)text, (int)n);

	for (size_t i = n; bytes > 0 && i > 0 && n - i < 2 && text[i - 1] == '='; i--)
		bytes--;
	return bytes;
}

char *seal_open(const SealKey *key, const char *sealed)
{
	size_t n = strlen(sealed);
	uint8_t *bytes = mem_new(n + 4, 1);
	int all = decode(bytes, sealed, n);
	char *text = NULL;

	if (all >= NONCE + TAG) {
		text = mem_new((size_t)(all - NONCE - TAG) + 1, 1);
		if (!decrypt(text, key, bytes, all - NONCE - TAG)) {
			mem_wipe_text(text);
			text = NULL;
		}
	}
	free(bytes);
	return text;
}
