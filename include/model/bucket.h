/*
 * Token buckets: how often somebody may do something, over all workers.
 *
 * A bucket is one number, the time at which it will be full again (the generic
 * cell rate algorithm, as ATM's traffic shapers have it), changed by
 * compare-and-swap.  Buckets of keys that strangers choose lie in a memo; the one
 * that has been full for longest, or will be full soonest, is forgotten first,
 * which costs at most a burst.
 */
#ifndef MODEL_BUCKET_H
#define MODEL_BUCKET_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Shared Shared;

/* Each kind has a memo of its own, so that a flood of one forgets nothing of the others. */
typedef enum BucketKind {
	BUCKET_CLIENT_CONNECTS,  /* key: the client's address */
	BUCKET_COMPUTE_CONNECTS, /* key: the compute's name */
	BUCKET_CLIENT_WAKES,     /* key: the client's address */
	BUCKET_CLIENT_CANCELS,   /* key: the client's address */
	BUCKET_KINDS
} BucketKind;

/*
 * Takes one token out of the key's bucket: 0 if there was one, else the
 * microseconds until there will be (and nothing is taken).  now_us is the
 * machine's monotonic clock.  per_second 0 is no limit; burst 0 is per_second.
 */
int64_t bucket_take(Shared *sh, BucketKind kind, const void *key, size_t key_size, int64_t now_us,
		    int per_second, int burst);

/* The same out of a bucket that somebody keeps himself; both numbers are above 0. */
int64_t bucket_draw(_Atomic int64_t *full_us, int64_t now_us, int per_second, int burst);

#endif
