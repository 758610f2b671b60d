/*
 * Two things must never happen here: that a name has two rows at once, for then
 * each would be counted up to the limit, and that a word is mended that was right.
 *
 * A name gets its row in three steps: mark a row as being made, look at all others
 * that the name may lie in, and only then let it be found.  Who sees somebody else's
 * mark for the same name wipes it away, so that the last step of the other fails and
 * he looks again.  Of two who make a row for one name the later one to mark sees the
 * mark of the other, or the row; so one of them at most gets through.
 *
 * A worker says in its cell that it is at a row, and counts the change, before it
 * touches the word.  So if no cell said so and the count stood still while all were
 * read, word and cells were read as if at one moment.  What the word had too much
 * then it has as long as nobody mends it: if the word is still the same, whatever has
 * happened meanwhile, it has the same amount too much.
 */
#include "model/tally.h"

#include <assert.h>
#include <string.h>

#include "hash.h"
#include "model/shared.h"

#define WAYS  32 /* rows that a name may lie in */
#define TRIES 1000
#define NONE  SIZE_MAX

/*
 * The word: being made (1 bit), tag (33), waiting (12), held (18).  A cell: busy (1),
 * none (1), waiting (12), held (18).  While it is being made the counts are the maker.
 */
#define MAKING      ((uint64_t)1 << 63)
#define TAG_SHIFT   30
#define ONE_HELD    1u
#define ONE_WAITING (TALLY_HELD_MAX + 1)
#define COUNTS      ((1u << TAG_SHIFT) - 1)
#define BUSY        (1u << 31)

/* A name as it is looked for: what its row has in front, and where its ways begin. */
typedef struct Key {
	uint64_t tag;
	size_t first;
} Key;

static Key key_of(const Shared *sh, TallyKind kind, const char *name)
{
	uint64_t parts[] = {kind, siphash(sh->hash_key, name, strlen(name))};
	uint64_t hash = siphash(sh->hash_key, parts, sizeof(parts));
	Key key = {.tag = (hash & ~MAKING) >> TAG_SHIFT, .first = (size_t)hash % TALLIES_MAX};

	key.tag += key.tag == 0;
	return key;
}

static size_t row_of(const Key *key, size_t way)
{
	return (key->first + way) % TALLIES_MAX;
}

static uint32_t held_of(uint64_t word)
{
	return word & TALLY_HELD_MAX;
}

static uint32_t waiting_of(uint64_t word)
{
	return (word & COUNTS) / ONE_WAITING;
}

static size_t find(const Shared *sh, const Key *key)
{
	for (size_t way = 0; way < WAYS; way++) {
		size_t i = row_of(key, way);

		if (atomic_load(&sh->tally_word[i]) >> TAG_SHIFT == key->tag)
			return i;
	}
	return NONE;
}

/* How ready a row is to be another name's: 0 is not at all. */
static int readiness(uint64_t word)
{
	if (word == 0)
		return 3;
	if (word & MAKING)
		return 1; /* its maker may be dead, or will look again */
	return (word & COUNTS) == 0 ? 2 : 0;
}

/* The readiest of a name's rows and what stood in it, or NONE. */
static size_t find_room(const Shared *sh, const Key *key, uint64_t *seen)
{
	size_t best = NONE;

	*seen = COUNTS;
	for (size_t way = 0; way < WAYS; way++) {
		uint64_t word = atomic_load(&sh->tally_word[row_of(key, way)]);

		if (readiness(word) > readiness(*seen)) {
			best = row_of(key, way);
			*seen = word;
		}
	}
	return best;
}

/* Wipes away others' marks for the name; false if it has a row. */
static bool is_alone(Shared *sh, const Key *key, size_t mine)
{
	for (size_t way = 0; way < WAYS; way++) {
		size_t i = row_of(key, way);
		uint64_t word = atomic_load(&sh->tally_word[i]);

		if (i == mine)
			continue;
		while (word >> TAG_SHIFT == (key->tag | MAKING >> TAG_SHIFT) &&
		       !atomic_compare_exchange_weak(&sh->tally_word[i], &word, 0))
			;
		if (word >> TAG_SHIFT == key->tag)
			return false;
	}
	return true;
}

/* False if there is no room; else look whether the name has a row now. */
static bool make(Shared *sh, const Key *key, int worker)
{
	uint64_t seen, mark = MAKING | key->tag << TAG_SHIFT | (uint64_t)worker;
	size_t i = find_room(sh, key, &seen);

	if (i == NONE)
		return false;
	if (atomic_compare_exchange_strong(&sh->tally_word[i], &seen, mark)) {
		uint64_t next = is_alone(sh, key, i) ? key->tag << TAG_SHIFT : 0;

		atomic_compare_exchange_strong(&sh->tally_word[i], &mark, next);
	}
	return true;
}

/* Before and after a worker changes a row: what its cell says then. */
static uint32_t begin_change(Tally *t, int worker)
{
	uint32_t cell = atomic_load(&t->cell[worker]);

	atomic_store(&t->cell[worker], cell | BUSY);
	atomic_fetch_add(&t->changes, 1);
	return cell;
}

static void end_change(Tally *t, int worker, uint32_t cell)
{
	atomic_store(&t->cell[worker], cell);
}

typedef enum Outcome { ADDED, NO_PLACE, NOT_ITS_ROW } Outcome;

static Outcome outcome(uint64_t word, uint64_t tag, uint32_t unit, uint32_t limit)
{
	uint32_t count = unit == ONE_HELD ? held_of(word) : waiting_of(word);

	if (word >> TAG_SHIFT != tag)
		return NOT_ITS_ROW;
	return count < limit ? ADDED : NO_PLACE;
}

static Outcome add(Shared *sh, size_t i, uint64_t tag, uint32_t unit, uint32_t limit, int worker)
{
	Tally *t = &sh->tallies[i];
	uint32_t cell = begin_change(t, worker);
	uint64_t word = atomic_load(&sh->tally_word[i]);
	Outcome o;

	do {
		o = outcome(word, tag, unit, limit);
	} while (o == ADDED &&
		 !atomic_compare_exchange_weak(&sh->tally_word[i], &word, word + unit));
	end_change(t, worker, o == ADDED ? cell + unit : cell);
	return o;
}

static void subtract(Shared *sh, Tally *t, uint32_t unit, int worker)
{
	uint32_t cell = begin_change(t, worker);

	assert(unit == ONE_HELD ? held_of(cell) > 0 : waiting_of(cell) > 0);
	atomic_fetch_sub(&sh->tally_word[t - sh->tallies], unit);
	end_change(t, worker, cell - unit);
}

/* Others can keep us from a row only by getting one themselves, so tries do not run out. */
static Tally *add_to_name(Shared *sh, const Key *key, uint32_t unit, uint32_t limit, int worker,
			  bool *full)
{
	*full = true;
	for (int tries = 0; tries < TRIES; tries++) {
		size_t i = find(sh, key);

		if (i == NONE) {
			if (!make(sh, key, worker))
				return NULL;
			continue;
		}
		switch (add(sh, i, key->tag, unit, limit, worker)) {
		case ADDED:
			return &sh->tallies[i];
		case NO_PLACE:
			*full = false;
			return NULL;
		case NOT_ITS_ROW:
			break;
		}
	}
	return NULL;
}

Tally *tally_take(Shared *sh, TallyKind kind, const char *name, uint32_t limit, int worker,
		  bool *full)
{
	Key key = key_of(sh, kind, name);

	return add_to_name(sh, &key, ONE_HELD, limit < TALLY_HELD_MAX ? limit : TALLY_HELD_MAX,
			   worker, full);
}

void tally_give(Shared *sh, Tally *t, int worker)
{
	subtract(sh, t, ONE_HELD, worker);
}

Tally *tally_wait(Shared *sh, TallyKind kind, const char *name, int worker)
{
	Key key = key_of(sh, kind, name);
	bool full;

	return add_to_name(sh, &key, ONE_WAITING, TALLY_WAITING_MAX, worker, &full);
}

void tally_stop_waiting(Shared *sh, Tally *t, int worker)
{
	subtract(sh, t, ONE_WAITING, worker);
}

uint32_t tally_waiting(const Shared *sh, const Tally *t)
{
	return waiting_of(atomic_load(&sh->tally_word[t - sh->tallies]));
}

/* False if somebody is at the row. */
static bool add_cells(const Shared *sh, const Tally *t, uint32_t *sum)
{
	*sum = 0;
	for (int i = 0; i < sh->n_workers; i++) {
		uint32_t cell = atomic_load(&t->cell[i]);

		if (cell & BUSY)
			return false;
		*sum += cell;
	}
	return true;
}

static void mend(Shared *sh, size_t i)
{
	const Tally *t = &sh->tallies[i];
	uint32_t changes = atomic_load(&t->changes), sum;
	uint64_t word;

	if (!add_cells(sh, t, &sum))
		return;
	word = atomic_load(&sh->tally_word[i]);
	if (word & MAKING || (word & COUNTS) == sum || changes != atomic_load(&t->changes))
		return;
	atomic_compare_exchange_strong(&sh->tally_word[i], &word, word - (word & COUNTS) + sum);
}

void tally_repair(Shared *sh)
{
	for (size_t i = 0; i < TALLIES_MAX; i++) {
		uint64_t word = atomic_load(&sh->tally_word[i]);

		if (!(word & MAKING) && (word & COUNTS) != 0)
			mend(sh, i);
	}
}

/* With its cells gone, all that it held is what the words have too much. */
void tally_release(Shared *sh, int dead)
{
	for (size_t i = 0; i < TALLIES_MAX; i++)
		atomic_store(&sh->tallies[i].cell[dead], 0);
	tally_repair(sh);
}
