/*
 * Tallies: how many places each name has taken, over all workers, so that limits
 * such as max_user_connections hold exactly: never one too many, and no place lost
 * when a worker is killed, wherever that may be.
 *
 * A row is one word, changed by compare-and-swap: whose it is, how many places are
 * held and how many wait for one.  So a place is taken, and a row given to another
 * name, in one step that looks at everything.  Beside it each worker has a cell of
 * its own that says what it has of this; and that it is just changing both.  What
 * the word has more than all cells together is what a dead worker was about to
 * take or had not quite given back.
 *
 * A row that nobody holds or waits for may be given to another name.
 */
#ifndef MODEL_TALLY_H
#define MODEL_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TALLIES_MAX       4096
#define TALLY_WORKERS     64
#define TALLY_HELD_MAX    ((1u << 18) - 1)
#define TALLY_WAITING_MAX ((1u << 12) - 1)

typedef struct Shared Shared;

typedef enum TallyKind {
	TALLY_DB_CLIENTS,   /* max_db_client_connections */
	TALLY_USER_CLIENTS, /* max_user_client_connections */
	TALLY_DB_SERVERS,   /* max_db_connections */
	TALLY_USER_SERVERS, /* max_user_connections */
	TALLY_KINDS
} TallyKind;

/* The row's word is apart (Shared.tally_word), so that a search touches few pages. */
typedef struct Tally {
	_Atomic uint32_t changes; /* how many were begun; a look that saw two values saw nothing */
	_Atomic uint32_t cell[TALLY_WORKERS]; /* each worker writes its own */
} Tally;

/*
 * Takes one of `limit` places of a name: undo with tally_give().  NULL if all are
 * taken, or, which *full tells, if there is no row left to count in.  Use it only
 * for names that have a limit.
 */
Tally *tally_take(Shared *sh, TallyKind kind, const char *name, uint32_t limit, int worker,
		  bool *full);

/* Then look at tally_waiting(), and if somebody does, nudge. */
void tally_give(Shared *sh, Tally *t, int worker);

/*
 * Counts one more that waits for a place of the name: undo with tally_stop_waiting().
 * Try tally_take() again afterwards, and only then sleep, because a place that was
 * given back before you were counted has nudged nobody.  NULL if TALLY_WAITING_MAX
 * wait already, or if there is no row left to count in.
 */
Tally *tally_wait(Shared *sh, TallyKind kind, const char *name, int worker);
void tally_stop_waiting(Shared *sh, Tally *t, int worker);

/* How many wait, over all workers. */
uint32_t tally_waiting(const Shared *sh, const Tally *t);

/* Gives back what a worker held that is no more; see shared_release(). */
void tally_release(Shared *sh, int dead);

/* Mends rows in which a dead worker left a place that nobody holds; see shared_repair(). */
void tally_repair(Shared *sh);

#endif
