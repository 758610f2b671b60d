/*
 * A deed: one transaction of the store, as a list of statements.
 *
 * Operations are written once, in the SQL that SQLite and PostgreSQL share, and
 * an engine only runs them: SQLite at once, PostgreSQL one answer after the
 * other.  So a deed decides nothing on its way; a statement that must find or
 * change something, and does not, ends it and undoes all of it.
 *
 * Parameters are $1, $2, … of each statement alone: texts and 64-bit integers.
 * What the two do not have in common, SQLite is taught (greatest) or the schema
 * spells for each (@int@).
 */
#ifndef CONTROL_STORE_DEED_H
#define CONTROL_STORE_DEED_H

#include "store.h"

#define DEED_PARAMS 16

typedef enum DeedKind {
	DEED_READ,
	DEED_WRITE,   /* survives our death */
	DEED_PROMISE, /* survives the machine's, for what a client was told is done */
} DeedKind;

/* One row of an answer: as text, NULL for SQL's NULL. */
typedef struct Row {
	int n;
	const char *const *cells;
} Row;

void row_text(const Row *row, int column, char *out, size_t size);
int64_t row_int(const Row *row, int column); /* 0 for NULL */

typedef void (*RowTake)(void *record, const Row *row);

typedef struct Statement {
	char *sql;
	int n_params;
	bool is_text[DEED_PARAMS];
	char *texts[DEED_PARAMS]; /* numbers, too, as they are written */
	int64_t numbers[DEED_PARAMS];
	Fault otherwise; /* if it finds and changes nothing; FAULT_NONE: then that is all right */
	RowTake take;    /* what its rows are made into, or NULL */
	size_t size;     /* of such a record */
	struct Statement *next;
} Statement;

typedef struct Deed {
	Store *store;
	DeedKind kind;
	Statement *first, *last;
	StoreCall call;
	void *found;
	int n_found;
	struct Deed *next; /* in the engine's queue */
} Deed;

/* ---- for operations ---------------------------------------------------- */

Deed *deed_new(Store *s, DeedKind kind, StoreCall call);

/* Adds a statement.  types has one letter for each argument: 't' text, 'i' int64_t. */
void deed_say(Deed *d, const char *sql, const char *types, ...);

/* About the last statement: what is wrong if it finds and changes nothing. */
void deed_expect(Deed *d, FaultCode code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* About the last statement: its rows are what the deed answers. */
void deed_take(Deed *d, size_t size, RowTake take);

/* Hands the deed to the engine, which ends it in a later turn. */
void deed_do(Deed *d);

/* ---- for engines ------------------------------------------------------- */

void deed_found(Deed *d, const Statement *s, const Row *row);

/* Whether the statement did what it had to; fills *why if not. */
bool deed_satisfies(const Statement *s, int touched, Fault *why);

/* Something that must be unique is there already. */
void deed_not_unique(Fault *why);

/* Answers, with why NULL if all was done, and frees the deed. */
void deed_end(Deed *d, const Fault *why);
void deed_free(Deed *d);

#endif
