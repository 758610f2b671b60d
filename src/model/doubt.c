#include "model/doubt.h"

#include <string.h>

#include "hash.h"
#include "model/shared.h"

static size_t place_of(const Shared *sh, const char *compute)
{
	return siphash(sh->hash_key, compute, strlen(compute)) % DOUBT_PLACES;
}

void doubt_compute(Shared *sh, const char *compute, int64_t now_ms)
{
	atomic_store(&sh->doubts.since_ms[place_of(sh, compute)], now_ms);
}

void doubt_all(Shared *sh, int64_t now_ms)
{
	atomic_store(&sh->doubts.of_all_ms, now_ms);
}

int64_t doubt_since(const Shared *sh, const char *compute)
{
	int64_t all = atomic_load(&sh->doubts.of_all_ms);
	int64_t own = atomic_load(&sh->doubts.since_ms[place_of(sh, compute)]);

	return own > all ? own : all;
}
