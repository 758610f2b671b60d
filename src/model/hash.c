#include "hash.h"

#include <string.h>

typedef struct Sip {
	uint64_t v0, v1, v2, v3;
} Sip;

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void rounds(Sip *s, int n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

/* Little-endian, of up to eight bytes. */
static uint64_t word_of(const uint8_t *at, size_t n)
{
	uint64_t w = 0;

	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)at[i] << (8 * i);
	return w;
}

static void mix(Sip *s, uint64_t word)
{
	s->v3 ^= word;
	rounds(s, 2);
	s->v0 ^= word;
}

uint64_t siphash(const uint8_t key[16], const void *data, size_t n)
{
	const uint8_t *at = data;
	uint64_t k0 = word_of(key, 8), k1 = word_of(key + 8, 8);
	Sip s = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		 k1 ^ 0x7465646279746573};
	size_t left = n;

	for (; left >= 8; left -= 8, at += 8)
		mix(&s, word_of(at, 8));
	mix(&s, (uint64_t)n << 56 | word_of(at, left));
	s.v2 ^= 0xff;
	rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
