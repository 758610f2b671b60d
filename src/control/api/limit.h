/*
 * How often the API may be asked: token buckets, for each token, and for each address
 * where there is no good one.
 *
 * Pure: now comes in.  A bucket is one number, the time at which it will be full again.
 * There are so many for each kind, and a flood of one kind forgets nothing of another;
 * the bucket that will be full soonest is forgotten first, which costs at most a burst.
 * What proxies ask (wakes, activity, access) is not limited: that is the service itself.
 */
#ifndef CONTROL_API_LIMIT_H
#define CONTROL_API_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#define LIMIT_KEYS     1024
#define LIMIT_KEY_SIZE 32

typedef enum LimitKind {
	LIMIT_TOKEN,   /* key: the id of the token */
	LIMIT_ADDRESS, /* key: the address of who asks what needs no token */
	LIMIT_GUESS,   /* key: the address of who showed no token, or a wrong one */
	LIMIT_KINDS
} LimitKind;

typedef struct LimitBucket {
	uint8_t key[LIMIT_KEY_SIZE];
	int64_t full_us; /* 0: nobody's */
} LimitBucket;

typedef struct Limits {
	LimitBucket buckets[LIMIT_KINDS][LIMIT_KEYS];
} Limits;

typedef struct LimitRate {
	int per_second, burst; /* per_second 0: no limit; burst 0: as per_second */
} LimitRate;

/* Takes one: 0 if there was one, else the microseconds until there will be. */
int64_t limit_take(Limits *l, LimitKind kind, const void *key, size_t key_size, LimitRate rate,
		   int64_t now_us);

#endif
