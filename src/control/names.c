#include "names.h"

#include <assert.h>
#include <stdio.h>

#include "sys/random.h"

#define ID_BYTES 12

static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz023456789";

static char letter(uint8_t byte)
{
	return alphabet[byte & 31];
}

void name_of_bytes(char *out, size_t size, const char *prefix, const uint8_t *bytes, size_t n)
{
	int k = snprintf(out, size, "%s-", prefix);

	assert((size_t)k + n < size);
	for (size_t i = 0; i < n; i++)
		out[(size_t)k + i] = letter(bytes[i]);
	out[(size_t)k + n] = 0;
}

void name_make(char out[ID_SIZE], const char *prefix)
{
	uint8_t bytes[ID_BYTES];

	random_bytes(bytes, sizeof(bytes));
	name_of_bytes(out, ID_SIZE, prefix, bytes, sizeof(bytes));
}

void password_make(char out[PASSWORD_SIZE])
{
	uint8_t bytes[PASSWORD_SIZE - 1];

	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		out[i] = letter(bytes[i]);
	out[sizeof(bytes)] = 0;
}
