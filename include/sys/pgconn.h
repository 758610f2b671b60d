/*
 * A connection to a PostgreSQL server that never blocks the loop: libpq, driven
 * by events, one question at a time.
 *
 * What libpq does is what a PgTarget says: nothing in the user's home counts, and
 * nothing in the environment once pgconn_forget_environment() was called.
 */
#ifndef SYS_PGCONN_H
#define SYS_PGCONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "sys/loop.h"

typedef struct PgConn PgConn;
typedef struct PgRows PgRows;

/* Texts for which a default is given may be NULL or empty. */
typedef struct PgTarget {
	const char *host;     /* a name, an address or the folder of a Unix socket */
	const char *hostaddr; /* where a name leads; else it is looked up, which blocks */
	int port;
	const char *user, *password, *dbname;
	const char *sslmode;          /* libpq's words; else "disable" */
	const char *sslrootcert;      /* whom to trust; else nobody: sslmode must not verify */
	const char *sslcert, *sslkey; /* who we are; else we do not say */
	const char *options;          /* "-c search_path=pg_catalog"; else none */
	const char *application_name; /* else "reveille" */
	const char *replication;      /* "database" for one of the places of those who replicate */
} PgTarget;

/* Exactly one of rows and error is given; rows are borrowed until the callback returns. */
typedef void (*PgAnswer)(void *arg, const PgRows *rows, const char *error);

/*
 * Takes libpq's settings (PGOPTIONS, PGSERVICE, PGSSLMODE, …) out of the environment,
 * since many of them cannot be overridden.  For main(), before there are threads.
 */
void pgconn_forget_environment(void);

/* Connects when first asked something. The texts of the target are copied. */
PgConn *pgconn_new(Loop *loop, const PgTarget *target, PgAnswer on_answer, void *arg);

/* The same for "postgresql://…", of which libpq understands every part. */
PgConn *pgconn_new_url(Loop *loop, const char *url, PgAnswer on_answer, void *arg);
bool pgconn_url_is_good(const char *url, Fault *why);

/*
 * Asks; on_answer() is called once, later, at the latest after timeout_ms (0: ever).
 * After an error without an SQLSTATE the connection is useless.
 */
void pgconn_ask(PgConn *c, const char *sql, int64_t timeout_ms);

/* Of the last answer, if it was an error that the server told; else "". */
const char *pgconn_sqlstate(const PgConn *c);

/* Tells, while nothing is asked, that the connection is lost. */
void pgconn_watch(PgConn *c, void (*on_lost)(void *arg));

/* The same with a value for $1, which travels beside the statement and never becomes part of it. */
void pgconn_ask_with(PgConn *c, const char *sql, const char *param, int64_t timeout_ms);

#define PG_PARAMS 16

typedef enum PgType { PG_UNKNOWN = 0, PG_INT8 = 20, PG_TEXT = 25 } PgType; /* pg_type's oid */

/* Values for $1, $2, …; borrowed until the question was answered. */
typedef struct PgParams {
	int n;
	PgType types[PG_PARAMS];
	const char *values[PG_PARAMS];
} PgParams;

void pgconn_ask_params(PgConn *c, const char *sql, const PgParams *params, int64_t timeout_ms);

/* Silence from here on; allowed from within on_answer(). */
void pgconn_free(PgConn *c);

int pg_rows_count(const PgRows *rows);
int pg_rows_columns(const PgRows *rows);

/* How many rows a statement found or changed. */
int pg_rows_touched(const PgRows *rows);

/* As PostgreSQL writes it; "" for NULL, and for a column that there is not. */
const char *pg_rows_text(const PgRows *rows, int row, int column);
int64_t pg_rows_int(const PgRows *rows, int row, int column);

/* Also true of a column that is not there. */
bool pg_rows_is_null(const PgRows *rows, int row, int column);

#endif
