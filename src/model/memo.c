#include "model/memo.h"

#include <stdbool.h>

#include "hash.h"

uint64_t memo_tag(const uint8_t hash_key[16], const void *key, size_t size)
{
	return siphash(hash_key, key, size) | 1;
}

static size_t set_of(uint64_t tag)
{
	return (size_t)(tag >> 32) % (MEMO_ROWS / MEMO_WAYS) * MEMO_WAYS;
}

_Atomic int64_t *memo_find(Memo *m, uint64_t tag)
{
	size_t set = set_of(tag);

	for (size_t i = set; i < set + MEMO_WAYS; i++) {
		if (atomic_load(&m->tag[i]) == tag)
			return &m->number[i];
	}
	return NULL;
}

static size_t lowest(const Memo *m, size_t set)
{
	size_t low = set;

	for (size_t i = set + 1; i < set + MEMO_WAYS; i++) {
		if (atomic_load(&m->number[i]) < atomic_load(&m->number[low]))
			low = i;
	}
	return low;
}

/* False if somebody else was quicker, who may have been after the same key. */
static bool take_over(Memo *m, size_t i, uint64_t tag)
{
	uint64_t old = atomic_load(&m->tag[i]);
	int64_t number = atomic_load(&m->number[i]);

	if (!atomic_compare_exchange_strong(&m->tag[i], &old, tag))
		return false;
	/* Who found the row by our tag may have begun with it already. */
	atomic_compare_exchange_strong(&m->number[i], &number, 0);
	return true;
}

/* Each time round somebody has got a row, so this ends. */
_Atomic int64_t *memo_make(Memo *m, uint64_t tag)
{
	for (;;) {
		_Atomic int64_t *found = memo_find(m, tag);
		size_t i;

		if (found)
			return found;
		i = lowest(m, set_of(tag));
		if (take_over(m, i, tag))
			return &m->number[i];
	}
}
