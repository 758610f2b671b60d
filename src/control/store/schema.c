#include "schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/span.h"
#include "base/text.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* Taken while the schema is changed, so that two who start at once do it one after the other. */
#define UPGRADE_LOCK "7305233541"

static const char *const steps[] = {
#include "src/control/store/steps.inc"
};

/* What each engine calls it. */
typedef struct Spelling {
	const char *word, *sqlite, *postgres;
} Spelling;

static const Spelling spellings[] = {
	{"@id@", "INTEGER PRIMARY KEY AUTOINCREMENT",
	 "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"},
	{"@int@", "INTEGER", "BIGINT"},
	{"@strict@", "STRICT", ""},
};

static const Spelling *spelling_at(const char *text)
{
	for (int i = 0; i < COUNT(spellings); i++) {
		if (text_starts(text, spellings[i].word))
			return &spellings[i];
	}
	return NULL;
}

static void add_text(Buf *out, const char *text)
{
	buf_append(out, span_of_text(text));
}

/* The step as one engine spells it, with a zero at the end. */
static void spell(Buf *out, const char *text, bool postgres)
{
	while (*text) {
		const Spelling *s = spelling_at(text);

		if (s) {
			add_text(out, postgres ? s->postgres : s->sqlite);
			text += strlen(s->word);
		} else {
			buf_append_u8(out, (uint8_t)*text++);
		}
	}
}

int schema_newest(void)
{
	return COUNT(steps);
}

bool schema_is_known(int64_t version, Fault *why)
{
	if (version <= COUNT(steps))
		return true;
	return fault_set(why, FAULT_BAD_SETTING,
			 "the store has version %lld, and this program knows %d at most",
			 (long long)version, COUNT(steps));
}

/* ---- SQLite ------------------------------------------------------------ */

static int version_of(sqlite3 *db)
{
	sqlite3_stmt *q;
	int version = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(q) == SQLITE_ROW)
		version = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	return version;
}

static bool run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool take_step(sqlite3 *db, int version)
{
	char done[64];
	Buf sql = {0};
	bool good;

	spell(&sql, steps[version], false);
	buf_append_u8(&sql, 0);
	snprintf(done, sizeof(done), "PRAGMA user_version = %d; COMMIT", version + 1);
	good = run(db, "BEGIN IMMEDIATE") && run(db, (const char *)buf_span(&sql).at) &&
	       run(db, done);
	buf_free(&sql);
	return good;
}

bool schema_upgrade_sqlite(sqlite3 *db, int to, Fault *why)
{
	int version = version_of(db);

	if (!schema_is_known(version, why))
		return false;
	if (version < 0)
		return fault_set(why, FAULT_BAD_SETTING, "the store cannot be read: %s",
				 sqlite3_errmsg(db));
	for (; version < to; version++) {
		if (!take_step(db, version))
			return fault_set(why, FAULT_BAD_SETTING,
					 "could not upgrade the store to version %d: %s",
					 version + 1, sqlite3_errmsg(db));
	}
	return true;
}

/* ---- PostgreSQL -------------------------------------------------------- */

static void take_version(void *record, const Row *row)
{
	((SchemaVersion *)record)->version = row_int(row, 0);
}

/* Only if it was not taken before, which the server itself finds out. */
static void say_step(Deed *d, int version)
{
	char head[200], tail[100];
	Buf sql = {0};

	snprintf(head, sizeof(head),
		 "DO $step$ BEGIN IF (SELECT coalesce(max(version), 0) FROM store_version) = %d"
		 " THEN\n",
		 version);
	snprintf(tail, sizeof(tail), "\nINSERT INTO store_version VALUES (%d); END IF; END $step$",
		 version + 1);
	add_text(&sql, head);
	spell(&sql, steps[version], true);
	add_text(&sql, tail);
	buf_append_u8(&sql, 0);
	deed_say(d, (const char *)buf_span(&sql).at, "");
	buf_free(&sql);
}

void schema_say_postgres(Deed *d)
{
	deed_say(d, "SELECT pg_advisory_xact_lock(" UPGRADE_LOCK ")", "");
	deed_say(d, "CREATE TABLE IF NOT EXISTS store_version (version BIGINT NOT NULL)", "");
	for (int i = 0; i < COUNT(steps); i++)
		say_step(d, i);
	deed_say(d, "SELECT max(version) FROM store_version", "");
	deed_take(d, sizeof(SchemaVersion), take_version);
}
