#include "model/throttle.h"

#include "model/shared.h"

#define FAILURES_BITS 16
#define FAILURES_MAX  ((1 << FAILURES_BITS) - 1)
#define FORGET_MS     60000
#define FORGET_PAUSES 10

static int64_t pack(int64_t until_ms, int failures)
{
	return until_ms << FAILURES_BITS | failures;
}

static int64_t until_ms_of(int64_t number)
{
	return number >> FAILURES_BITS;
}

static int failures_of(int64_t number)
{
	return (int)(number & FAILURES_MAX);
}

static int64_t pause_ms(int failures, const ThrottleRule *rule)
{
	int64_t pause = rule->first_us;

	while (--failures > 0 && pause > 0 && pause < rule->most_us)
		pause = pause <= rule->most_us / 2 ? pause * 2 : rule->most_us;
	return ((pause < rule->most_us ? pause : rule->most_us) + 999) / 1000;
}

static bool is_long_past(int64_t number, int64_t now_ms, const ThrottleRule *rule)
{
	int64_t keep = FORGET_PAUSES * pause_ms(failures_of(number), rule);

	return now_ms - until_ms_of(number) > (keep > FORGET_MS ? keep : FORGET_MS);
}

int64_t throttle_wait(Shared *sh, const void *key, size_t size, int64_t now_us)
{
	const _Atomic int64_t *at = memo_find(&sh->throttles, memo_tag(sh->hash_key, key, size));
	int64_t until_us = at ? until_ms_of(atomic_load(at)) * 1000 : 0;

	return until_us > now_us ? until_us - now_us : 0;
}

void throttle_failed(Shared *sh, const void *key, size_t size, int64_t now_us,
		     const ThrottleRule *rule)
{
	_Atomic int64_t *at = memo_make(&sh->throttles, memo_tag(sh->hash_key, key, size));
	int64_t now_ms = (now_us + 999) / 1000, old = atomic_load(at), next;

	do {
		int failures = is_long_past(old, now_ms, rule) ? 0 : failures_of(old);

		failures += failures < FAILURES_MAX;
		next = pack(now_ms + pause_ms(failures, rule), failures);
	} while (!atomic_compare_exchange_weak(at, &old, next));
}

int64_t throttle_enter(Shared *sh, const void *key, size_t size, int64_t now_us,
		       const ThrottleRule *rule, bool *charged)
{
	_Atomic int64_t *at = memo_find(&sh->throttles, memo_tag(sh->hash_key, key, size));
	int64_t now_ms = (now_us + 999) / 1000, old = at ? atomic_load(at) : 0, next;

	*charged = false;
	do {
		int failures = failures_of(old);

		if (failures == 0 || is_long_past(old, now_ms, rule))
			return 0;
		if (until_ms_of(old) > now_ms)
			return until_ms_of(old) * 1000 - now_us;
		failures += failures < FAILURES_MAX;
		next = pack(now_ms + pause_ms(failures, rule), failures);
	} while (!atomic_compare_exchange_weak(at, &old, next));
	*charged = true;
	return 0;
}

/* Should the row be another key's by now, that one is lucky. */
void throttle_passed(Shared *sh, const void *key, size_t size)
{
	_Atomic int64_t *at = memo_find(&sh->throttles, memo_tag(sh->hash_key, key, size));

	if (at)
		atomic_store(at, 0);
}
