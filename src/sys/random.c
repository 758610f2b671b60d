#include "sys/random.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "sys/log.h"

void random_bytes(void *out, size_t n)
{
	uint8_t *at = out;

	while (n > 0) {
		ssize_t k = getrandom(at, n, 0);

		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			die("there are no random numbers: error=\"%s\"", strerror(errno));
		at += k;
		n -= (size_t)k;
	}
}

void random_hex(char *out, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t byte;

	for (size_t i = 0; i < n; i++) {
		random_bytes(&byte, 1);
		out[2 * i] = digits[byte >> 4];
		out[2 * i + 1] = digits[byte & 15];
	}
	out[2 * n] = 0;
}

void random_printable(char *out, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t bytes[64];

	assert(n <= sizeof(bytes));
	random_bytes(bytes, n);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[bytes[i] & 63];
	out[n] = 0;
}

uint32_t random_below(uint32_t below)
{
	uint32_t v;

	random_bytes(&v, sizeof(v));
	return (uint32_t)((uint64_t)v * below >> 32);
}
