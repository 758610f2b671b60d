/*
 * Values that are lists of key=value, as libpq and PgBouncer write them: the
 * entries of [databases], [users] and [peers].
 *
 * What keys there are is a table.  A key's function fills the field at an offset
 * of the record, or refuses with the reason, so that an admin who comes from
 * PgBouncer is told what each word means here.
 */
#ifndef CONF_PAIRS_H
#define CONF_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

#define PAIR_VALUE_MAX 1024 /* with its zero */

/* Takes a value into a field of that size; false and *why if it is not right. */
typedef bool PairTake(void *field, size_t size, const char *key, const char *value, Fault *why);

typedef struct PairKey {
	const char *name;
	PairTake *take;
	size_t offset, size;
} PairKey;

/* A key whose function is given a field, and one whose function is given the record. */
#define PAIR_FIELD(name, take, Record, field)                                     \
	{                                                                         \
		name, take, offsetof(Record, field), sizeof(((Record *)0)->field) \
	}
#define PAIR_RECORD(name, take, Record)       \
	{                                     \
		name, take, 0, sizeof(Record) \
	}

typedef struct PairTable {
	const PairKey *keys;
	size_t n;
	const char *unknown; /* what is said of other keys, behind the key */
} PairTable;

bool pairs_parse(const PairTable *table, void *record, const char *text, Fault *why);

bool pair_bad(Fault *why, const char *key, const char *value, const char *right);

PairTake pair_text;     /* char[] */
PairTake pair_query;    /* char *, NULL if empty, which is freed */
PairTake pair_port;     /* int */
PairTake pair_limit;    /* int, of connections */
PairTake pair_networks; /* NetworkList */
PairTake pair_needs_pool, pair_needs_guard;

/*
 * Copies the name in front of the = of an entry; in double quotes, which are
 * doubled inside, it may hold any character.
 */
bool pair_name(char *out, size_t size, const char *name, Fault *why);

#endif
