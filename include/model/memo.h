/*
 * A memo: what is remembered of keys that strangers choose, in memory that does
 * not grow with their number.
 *
 * A key's keyed hash names a set of a few rows; the key has one of them, found
 * by the hash kept beside it, or takes over the one with the lowest number.  So
 * that number has to say until when the row is worth keeping; 0 is a fresh row.
 *
 * Nobody waits for anybody, and there is no atomic step from one key to the next:
 * who races for a row may lose a little of what was remembered, or find a number
 * that was another key's.  Users must be able to live with either.
 */
#ifndef MODEL_MEMO_H
#define MODEL_MEMO_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MEMO_ROWS 8192
#define MEMO_WAYS 16

typedef struct Memo {
	_Atomic uint64_t tag[MEMO_ROWS]; /* keyed hash; 0: free */
	_Atomic int64_t number[MEMO_ROWS];
} Memo;

/* The tag of a key: SipHash with the key of the shared memory. */
uint64_t memo_tag(const uint8_t hash_key[16], const void *key, size_t size);

/* The key's number, or NULL if nothing is remembered. */
_Atomic int64_t *memo_find(Memo *m, uint64_t tag);

/* The key's number, found or made. */
_Atomic int64_t *memo_make(Memo *m, uint64_t tag);

#endif
