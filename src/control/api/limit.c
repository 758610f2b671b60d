#include "limit.h"

#include <stdbool.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* The key's own bucket, or the one that is worth least, emptied. */
static LimitBucket *find(LimitBucket *all, const uint8_t key[LIMIT_KEY_SIZE])
{
	LimitBucket *least = all;

	for (LimitBucket *b = all; b < all + LIMIT_KEYS; b++) {
		if (b->full_us > 0 && memcmp(b->key, key, LIMIT_KEY_SIZE) == 0)
			return b;
		if (b->full_us < least->full_us)
			least = b;
	}
	memcpy(least->key, key, LIMIT_KEY_SIZE);
	least->full_us = 0;
	return least;
}

/* What was taken and has not come back, as time; no more than the bucket holds. */
static int64_t debt_of(const LimitBucket *b, int64_t now_us, int64_t depth_us)
{
	int64_t debt = b->full_us > now_us ? b->full_us - now_us : 0;

	return debt < depth_us ? debt : depth_us;
}

int64_t limit_take(Limits *l, LimitKind kind, const void *key, size_t key_size, LimitRate rate,
		   int64_t now_us)
{
	uint8_t whole[LIMIT_KEY_SIZE] = {0};
	int64_t each, depth, debt;
	LimitBucket *b;

	if (rate.per_second == 0)
		return 0;
	memcpy(whole, key, key_size < sizeof(whole) ? key_size : sizeof(whole));
	each = rate.per_second < SECOND_US ? SECOND_US / rate.per_second : 1;
	depth = each * (rate.burst > 0 ? rate.burst : rate.per_second);
	b = find(l->buckets[kind], whole);
	debt = debt_of(b, now_us, depth);
	if (debt + each > depth)
		return debt + each - depth;
	b->full_us = now_us + debt + each;
	return 0;
}
