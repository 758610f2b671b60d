#include "model/repeat.h"

#include "model/shared.h"

#define COUNT_BITS 20
#define COUNT_MAX  ((1 << COUNT_BITS) - 1)

/* One number in the memo: until when there is silence, and how often it was kept. */
int repeat_say(Shared *sh, const void *key, size_t size, int64_t now_ms, int64_t interval_ms)
{
	_Atomic int64_t *at = memo_make(&sh->repeats, memo_tag(sh->hash_key, key, size));
	int64_t old = atomic_load(at), next;
	int kept;

	do {
		bool silent = old >> COUNT_BITS > now_ms;

		kept = (int)(old & COUNT_MAX);
		if (silent)
			next = old + (kept < COUNT_MAX);
		else
			next = (now_ms + interval_ms) << COUNT_BITS;
		if (silent)
			kept = REPEAT_SILENT;
	} while (!atomic_compare_exchange_weak(at, &old, next));
	return kept;
}
