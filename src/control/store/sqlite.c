/*
 * The embedded store: one SQLite file, for one control process.
 *
 * SQLite answers at once, but callers may rely on never being answered from
 * within their own call; so a deed waits in a queue for the next turn.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "deed.h"
#include "schema.h"

#define BUSY_MS 5000
#define COLUMNS 32

typedef struct Sqlite {
	Store store; /* first, so that a Store * is one of these */
	sqlite3 *db;
	int lock; /* held while the process lives */
	Deed *first, **last;
	Timer turn, lead;
} Sqlite;

/* ---- statements -------------------------------------------------------- */

static void broken(Sqlite *s, Fault *why)
{
	if (sqlite3_errcode(s->db) == SQLITE_CONSTRAINT)
		deed_not_unique(why);
	else
		fault_set(why, FAULT_STORE, "the store failed: %s", sqlite3_errmsg(s->db));
}

/* Each statement names its parameters $1, $2, … and need not use all of them. */
static void bind_all(sqlite3_stmt *q, const Statement *st)
{
	static const char *const names[DEED_PARAMS] = {"$1",  "$2",  "$3",  "$4",  "$5",  "$6",
						       "$7",  "$8",  "$9",  "$10", "$11", "$12",
						       "$13", "$14", "$15", "$16"};

	for (int i = 0; i < st->n_params; i++) {
		int at = sqlite3_bind_parameter_index(q, names[i]);

		if (at == 0)
			continue;
		if (st->is_text[i])
			sqlite3_bind_text(q, at, st->texts[i], -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(q, at, st->numbers[i]);
	}
}

static void found_row(Deed *d, const Statement *st, sqlite3_stmt *q)
{
	const char *cells[COLUMNS];
	Row row = {.n = sqlite3_column_count(q), .cells = cells};

	assert(row.n <= COLUMNS);
	for (int i = 0; i < row.n; i++)
		cells[i] = (const char *)sqlite3_column_text(q, i);
	deed_found(d, st, &row);
}

/* How many rows it found or changed, or -1. */
static int step_through(Sqlite *s, Deed *d, const Statement *st, sqlite3_stmt *q)
{
	int before = sqlite3_total_changes(s->db), found = 0, rc;

	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		found_row(d, st, q);
		found++;
	}
	if (rc != SQLITE_DONE)
		return -1;
	return found + sqlite3_total_changes(s->db) - before;
}

static bool run_statement(Sqlite *s, Deed *d, const Statement *st, Fault *why)
{
	sqlite3_stmt *q;
	int touched = -1;

	if (sqlite3_prepare_v2(s->db, st->sql, -1, &q, NULL) == SQLITE_OK) {
		bind_all(q, st);
		touched = step_through(s, d, st, q);
	}
	if (touched == -1)
		broken(s, why);
	sqlite3_finalize(q);
	return touched != -1 && deed_satisfies(st, touched, why);
}

static bool run_statements(Sqlite *s, Deed *d, Fault *why)
{
	for (const Statement *st = d->first; st; st = st->next) {
		if (!run_statement(s, d, st, why))
			return false;
	}
	return true;
}

/* ---- deeds ------------------------------------------------------------- */

static bool command(Sqlite *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool transact(Sqlite *s, Deed *d, Fault *why)
{
	/* FULL syncs the write-ahead log at each commit, NORMAL when it is folded in. */
	command(s, d->kind == DEED_PROMISE ? "PRAGMA synchronous = FULL"
					   : "PRAGMA synchronous = NORMAL");
	if (!command(s, "BEGIN IMMEDIATE")) {
		broken(s, why);
		return false;
	}
	if (!run_statements(s, d, why)) {
		command(s, "ROLLBACK");
		return false;
	}
	if (command(s, "COMMIT"))
		return true;
	broken(s, why);
	command(s, "ROLLBACK");
	return false;
}

/* Only what was there when the turn began, so that nobody is answered in his own turn. */
static void on_turn(void *arg)
{
	Sqlite *s = arg;
	Deed *d = s->first;

	s->first = NULL;
	s->last = &s->first;
	while (d) {
		Deed *next = d->next;
		Fault why = {0};
		bool good =
			d->kind == DEED_READ ? run_statements(s, d, &why) : transact(s, d, &why);

		deed_end(d, good ? NULL : &why);
		d = next;
	}
}

static void run(Store *store, Deed *d)
{
	Sqlite *s = (Sqlite *)store;

	*s->last = d;
	s->last = &d->next;
	timer_arm(&s->turn, 0);
}

/* ---- the store --------------------------------------------------------- */

static void on_lead_turn(void *arg)
{
	Sqlite *s = arg;

	s->store.on_lead(s->store.lead_arg, LEAD_WON);
}

/* Nobody else can have opened the file. */
static void lead(Store *store)
{
	timer_arm(&((Sqlite *)store)->lead, 0);
}

static void close_store(Store *store)
{
	Sqlite *s = (Sqlite *)store;

	while (s->first) {
		Deed *next = s->first->next;

		deed_free(s->first);
		s->first = next;
	}
	timer_stop(&s->turn);
	timer_stop(&s->lead);
	sqlite3_close(s->db);
	close(s->lock);
	loop_bury(store->loop, s, free);
}

static const StoreOps ops = {.run = run, .lead = lead, .close = close_store};

static void make_folder_of(const char *path)
{
	char folder[512];
	char *slash;

	text_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = 0;
	mkdir(folder, 0700);
}

/* Two control processes that each believe to be alone would start everything twice. */
static int lock_file(const char *path, Fault *why)
{
	char name[600];
	int fd;

	snprintf(name, sizeof(name), "%s.lock", path);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		fault_set(why, FAULT_BAD_SETTING,
			  "another control plane uses the store \"%s\"; several can share a "
			  "PostgreSQL database",
			  path);
	else
		fault_set(why, FAULT_BAD_SETTING, "could not lock \"%s\": %s", name,
			  strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* The file holds passwords of the servers' control role, so nobody else may read it. */
static sqlite3 *open_file(const char *path, Fault *why)
{
	mode_t before = umask(077);
	sqlite3 *db = NULL;
	int rc = sqlite3_open(path, &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON", NULL,
				  NULL, NULL);
	umask(before);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(db, BUSY_MS);
		return db;
	}
	fault_set(why, FAULT_BAD_SETTING, "could not open the store \"%s\": %s", path,
		  sqlite3_errmsg(db));
	sqlite3_close(db);
	return NULL;
}

/* PostgreSQL's word for what SQLite calls max() when it has several arguments. */
static void greatest(sqlite3_context *c, int n, sqlite3_value **v)
{
	sqlite3_int64 best = sqlite3_value_int64(v[0]);

	for (int i = 1; i < n; i++) {
		if (sqlite3_value_int64(v[i]) > best)
			best = sqlite3_value_int64(v[i]);
	}
	sqlite3_result_int64(c, best);
}

static bool prepare_db(sqlite3 *db, Fault *why)
{
	sqlite3_create_function(db, "greatest", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
				greatest, NULL, NULL);
	return schema_upgrade_sqlite(db, schema_newest(), why);
}

Store *store_sqlite_open(Loop *loop, const char *path, Fault *why)
{
	Sqlite *s;
	sqlite3 *db;
	int lock;

	make_folder_of(path);
	lock = lock_file(path, why);
	if (lock == -1)
		return NULL;
	db = open_file(path, why);
	if (!db || !prepare_db(db, why)) {
		sqlite3_close(db);
		close(lock);
		return NULL;
	}
	s = NEW(Sqlite);
	*s = (Sqlite){.store = {.ops = &ops, .loop = loop}, .db = db, .lock = lock};
	s->last = &s->first;
	timer_init(&s->turn, loop, on_turn, s);
	timer_init(&s->lead, loop, on_lead_turn, s);
	machine_boot_id(s->store.boot_id);
	return &s->store;
}
