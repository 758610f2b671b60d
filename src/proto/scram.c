/*
 * What a server keeps of a password, as text and made of keys, and what it shows
 * of a password that it has not.
 */
#include "scram_message.h"

#include <assert.h>
#include <openssl/evp.h>

#define SCHEME          "SCRAM-SHA-256$"
#define MOCK_SALT_SIZE  16 /* PostgreSQL's own */
#define MOCK_ITERATIONS 4096

/* Takes what stands before a character, and the character. */
static bool take_until(Span *in, char end, Span *taken)
{
	const uint8_t *at = memchr(in->at, end, in->n);

	if (!at)
		return false;
	*taken = (Span){in->at, (size_t)(at - in->at)};
	*in = span_skip(*in, taken->n + 1);
	return true;
}

static bool get_key(Span text, uint8_t key[SCRAM_KEY_SIZE])
{
	size_t n;

	return scram_get_base64(text, key, SCRAM_KEY_SIZE, &n) && n == SCRAM_KEY_SIZE;
}

bool scram_secret_parse(ScramSecret *out, const char *text)
{
	Span in = span_of_text(text), iterations, salt, stored;
	size_t salt_size;

	if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
		return false;
	in = span_skip(in, strlen(SCHEME));
	if (!take_until(&in, ':', &iterations) || !take_until(&in, '$', &salt) ||
	    !take_until(&in, ':', &stored))
		return false;
	if (!scram_get_iterations(iterations, &out->iterations) ||
	    !scram_get_base64(salt, out->salt, SCRAM_SALT_MAX, &salt_size))
		return false;
	out->salt_size = (uint8_t)salt_size;
	return get_key(stored, out->stored_key) && get_key(in, out->server_key);
}

void scram_secret_of_keys(ScramSecret *out, const ScramKeys *keys, const uint8_t *salt,
			  size_t salt_size, int iterations)
{
	assert(salt_size <= SCRAM_SALT_MAX);
	*out = (ScramSecret){.iterations = iterations, .salt_size = (uint8_t)salt_size};
	memcpy(out->salt, salt, salt_size);
	scram_hash(out->stored_key, (Span){keys->client_key, SCRAM_KEY_SIZE});
	memcpy(out->server_key, keys->server_key, SCRAM_KEY_SIZE);
}

/* The salt is shown, and must not tell the keys, which are what it is made of. */
void scram_secret_mock(ScramSecret *out, const uint8_t key[SCRAM_KEY_SIZE], const char *user)
{
	uint8_t salt[SCRAM_KEY_SIZE];

	*out = (ScramSecret){.iterations = MOCK_ITERATIONS, .salt_size = MOCK_SALT_SIZE};
	scram_hmac(out->stored_key, key, span_of_text(user));
	memcpy(out->server_key, out->stored_key, SCRAM_KEY_SIZE);
	scram_hmac(salt, out->stored_key, span_of_text("Salt"));
	memcpy(out->salt, salt, MOCK_SALT_SIZE);
}

void scram_mock_key(uint8_t key[SCRAM_KEY_SIZE], Span seed)
{
	unsigned int n;

	EVP_Digest(seed.at, seed.n, key, &n, EVP_sha256(), NULL);
}
