#include "model/bucket.h"

#include <assert.h>

#include "model/shared.h"

#define SECOND_US 1000000

/*
 * What was taken and has not come back, as time.  More than the bucket holds is
 * left from another rule, or from the key that had the row before.
 */
static int64_t debt_of(int64_t full_us, int64_t now_us, int64_t depth_us)
{
	if (full_us < now_us)
		return 0;
	return full_us - now_us < depth_us ? full_us - now_us : depth_us;
}

int64_t bucket_draw(_Atomic int64_t *full_us, int64_t now_us, int per_second, int burst)
{
	int64_t each = per_second < SECOND_US ? SECOND_US / per_second : 1, depth = each * burst;
	int64_t full = atomic_load(full_us), pause, next;

	assert(per_second > 0 && burst > 0);
	do {
		next = now_us + debt_of(full, now_us, depth);
		pause = next + each - now_us - depth;
		if (pause <= 0)
			next += each;
	} while (!atomic_compare_exchange_weak(full_us, &full, next));
	return pause > 0 ? pause : 0;
}

int64_t bucket_take(Shared *sh, BucketKind kind, const void *key, size_t key_size, int64_t now_us,
		    int per_second, int burst)
{
	uint64_t tag;

	if (per_second == 0)
		return 0;
	tag = memo_tag(sh->hash_key, key, key_size);
	return bucket_draw(memo_make(&sh->buckets[kind], tag), now_us, per_second,
			   burst ? burst : per_second);
}
