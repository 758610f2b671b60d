#include "scram_message.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BASE64_OF(n) (((n) + 2) / 3 * 4)

bool scram_malformed(Fault *why, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return fault_set(why, FAULT_BAD_MESSAGE, "malformed SCRAM message: %s", what);
}

bool scram_message_check(Span message, Fault *why)
{
	if (message.n == 0)
		return scram_malformed(why, "the message is empty");
	if (message.n > SCRAM_MESSAGE_MAX)
		return scram_malformed(why, "the message is too long");
	if (memchr(message.at, 0, message.n))
		return scram_malformed(why, "message length does not match input length");
	return true;
}

const char *scram_byte(char out[SCRAM_BYTE_SIZE], Span in)
{
	const char *fmt = "0x%02x";

	if (in.n == 0)
		return "the end";
	if (*in.at >= 0x21 && *in.at <= 0x7e)
		fmt = "'%c'";
	snprintf(out, SCRAM_BYTE_SIZE, fmt, *in.at);
	return out;
}

/* The equals sign and the value behind an attribute's name. */
static bool take_value(Span *in, Span *value, Fault *why)
{
	char name = (char)*in->at;
	const uint8_t *comma;

	if (in->n < 2 || in->at[1] != '=')
		return scram_malformed(why, "expected character \"=\" for attribute \"%c\"", name);
	*in = span_skip(*in, 2);
	comma = memchr(in->at, ',', in->n);
	*value = (Span){in->at, comma ? (size_t)(comma - in->at) : in->n};
	*in = span_skip(*in, value->n + (comma != NULL));
	return true;
}

bool scram_take(Span *in, char name, Span *value, Fault *why)
{
	char byte[SCRAM_BYTE_SIZE];

	if (in->n == 0 || *in->at != (uint8_t)name)
		return scram_malformed(why, "expected attribute \"%c\" but found %s", name,
				       scram_byte(byte, *in));
	return take_value(in, value, why);
}

static bool is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool scram_take_any(Span *in, char *name, Span *value, Fault *why)
{
	char byte[SCRAM_BYTE_SIZE];

	if (in->n == 0 || !is_letter(*in->at))
		return scram_malformed(why, "attribute expected, but found %s",
				       scram_byte(byte, *in));
	*name = (char)*in->at;
	return take_value(in, value, why);
}

bool scram_take_extensions(Span *in, Fault *why)
{
	char name;
	Span value;

	while (in->n > 0) {
		if (!scram_take_any(in, &name, &value, why))
			return false;
	}
	return true;
}

bool scram_is_nonce(Span nonce)
{
	for (size_t i = 0; i < nonce.n; i++) {
		if (nonce.at[i] < 0x21 || nonce.at[i] > 0x7e || nonce.at[i] == ',')
			return false;
	}
	return nonce.n > 0;
}

bool scram_equal(Span a, Span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

void scram_put(Buf *out, const char *text)
{
	buf_append(out, span_of_text(text));
}

void scram_put_base64(Buf *out, const uint8_t *bytes, size_t n)
{
	uint8_t *room = buf_room(out, BASE64_OF(n) + 1); /* libcrypto adds a zero */

	buf_added(out, (size_t)EVP_EncodeBlock(room, bytes, (int)n));
}

/*
 * libcrypto's decoder lets pass what it should not: blanks around the text, stray
 * bits, padding in the middle.  So what it read is written again, and compared.
 */
bool scram_get_base64(Span text, uint8_t *out, size_t max, size_t *n)
{
	uint8_t bytes[SCRAM_SALT_MAX + 3], again[BASE64_OF(SCRAM_SALT_MAX) + 1];
	size_t padding;

	assert(max <= SCRAM_SALT_MAX);
	if (text.n == 0 || text.n % 4 != 0 || text.n > BASE64_OF(max))
		return false;
	padding = (size_t)(text.at[text.n - 1] == '=') + (text.at[text.n - 2] == '=');
	*n = text.n / 4 * 3 - padding;
	if (*n > max || EVP_DecodeBlock(bytes, text.at, (int)text.n) != (int)(text.n / 4 * 3))
		return false;
	EVP_EncodeBlock(again, bytes, (int)*n);
	if (memcmp(again, text.at, text.n) != 0)
		return false;
	memcpy(out, bytes, *n);
	return true;
}

bool scram_get_iterations(Span text, int *out)
{
	if (text.n == 0 || text.at[0] == '0')
		return false;
	*out = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*out = *out * 10 + (text.at[i] - '0');
		if (*out > SCRAM_ITERATIONS_MAX)
			return false;
	}
	return true;
}

void scram_put_binding(Buf *out, char flag, const ScramBinding *binding)
{
	const char *header = flag == 'p' ? SCRAM_BOUND : flag == 'y' ? "y,," : "n,,";
	uint8_t bytes[32 + SCRAM_HASH_MAX];
	size_t n = strlen(header);

	memcpy(bytes, header, n);
	if (flag == 'p') {
		assert(binding->size > 0 && binding->size <= SCRAM_HASH_MAX);
		memcpy(bytes + n, binding->hash, binding->size);
		n += binding->size;
	}
	scram_put_base64(out, bytes, n);
}

void scram_need(bool worked)
{
	if (!worked) {
		fprintf(stderr, "libcrypto has no SHA-256\n");
		abort();
	}
}

void scram_hmac(uint8_t out[SCRAM_KEY_SIZE], const uint8_t key[SCRAM_KEY_SIZE], Span bytes)
{
	unsigned int n;

	scram_need(HMAC(EVP_sha256(), key, SCRAM_KEY_SIZE, bytes.at, bytes.n, out, &n) != NULL);
}

void scram_hash(uint8_t out[SCRAM_KEY_SIZE], Span bytes)
{
	scram_need(EVP_Digest(bytes.at, bytes.n, out, NULL, EVP_sha256(), NULL) == 1);
}

void scram_xor(uint8_t to[SCRAM_KEY_SIZE], const uint8_t with[SCRAM_KEY_SIZE])
{
	for (size_t i = 0; i < SCRAM_KEY_SIZE; i++)
		to[i] ^= with[i];
}
