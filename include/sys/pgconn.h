/*
 * A connection to a PostgreSQL server that never blocks the loop: libpq, driven
 * by events, one question at a time.
 */
#ifndef SYS_PGCONN_H
#define SYS_PGCONN_H

#include <stdint.h>

#include "sys/loop.h"

typedef struct PgConn PgConn;
typedef struct PgRows PgRows;

typedef struct PgTarget {
	const char *host; /* a name, an address or the folder of a Unix socket */
	int port;
	const char *user, *password, *dbname;
} PgTarget;

/* Exactly one of rows and error is given; rows are borrowed until the callback returns. */
typedef void (*PgAnswer)(void *arg, const PgRows *rows, const char *error);

/* Connects when first asked something. The texts of the target are copied. */
PgConn *pgconn_new(Loop *loop, const PgTarget *target, PgAnswer on_answer, void *arg);

/*
 * Asks; on_answer() is called once, later, at the latest after timeout_ms.
 * After an error the connection is useless.
 */
void pgconn_ask(PgConn *c, const char *sql, int64_t timeout_ms);

/* Silence from here on; allowed from within on_answer(). */
void pgconn_free(PgConn *c);

int pg_rows_count(const PgRows *rows);

/* As PostgreSQL writes it; "" for NULL. */
const char *pg_rows_text(const PgRows *rows, int row, int column);
int64_t pg_rows_int(const PgRows *rows, int row, int column);

#endif
