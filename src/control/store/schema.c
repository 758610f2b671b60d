#include "schema.h"

#include <stdio.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/*
 * Usage and operations name projects and computes without referring to them:
 * they outlive both.  At most one interval of a compute is open.
 */
static const char *const steps[] = {
	"CREATE TABLE projects ("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL, config TEXT NOT NULL,"
	" created_at INTEGER NOT NULL, deleting INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE computes ("
	" id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects(id),"
	" engine TEXT NOT NULL, state TEXT NOT NULL, generation INTEGER NOT NULL,"
	" size INTEGER NOT NULL, config TEXT NOT NULL, incarnation TEXT NOT NULL DEFAULT '',"
	" address TEXT NOT NULL DEFAULT '', failure TEXT NOT NULL DEFAULT '',"
	" verifier TEXT NOT NULL, control_password TEXT NOT NULL,"
	" created_at INTEGER NOT NULL, last_activity INTEGER NOT NULL) STRICT;"
	"CREATE INDEX computes_of_project ON computes (project_id, id);"
	"CREATE TABLE operations ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, project_id TEXT NOT NULL,"
	" compute_id TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,"
	" generation INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX operations_of_compute ON operations (compute_id, id);"
	"CREATE TABLE compute_usage ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, project_id TEXT NOT NULL,"
	" compute_id TEXT NOT NULL, incarnation TEXT NOT NULL, size INTEGER NOT NULL,"
	" boot_id TEXT NOT NULL, started_boot INTEGER NOT NULL, started_at INTEGER NOT NULL,"
	" last_seen INTEGER NOT NULL, ended_at INTEGER) STRICT;"
	"CREATE UNIQUE INDEX usage_open ON compute_usage (compute_id) WHERE ended_at IS NULL;"
	"CREATE INDEX usage_of_compute ON compute_usage (compute_id, started_at);"
	"CREATE INDEX usage_of_project ON compute_usage (project_id, started_at);",
};

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

static bool take_step(sqlite3 *db, int version)
{
	char done[64];

	snprintf(done, sizeof(done), "PRAGMA user_version = %d; COMMIT", version + 1);
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, steps[version], NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, done, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return false;
}

bool schema_upgrade(sqlite3 *db, Fault *why)
{
	int version = version_of(db);

	if (version > COUNT(steps))
		return fault_set(why, FAULT_BAD_SETTING,
				 "the store has version %d, and this program knows %d at most",
				 version, COUNT(steps));
	if (version < 0)
		return fault_set(why, FAULT_BAD_SETTING, "the store cannot be read: %s",
				 sqlite3_errmsg(db));
	for (; version < COUNT(steps); version++) {
		if (!take_step(db, version))
			return fault_set(why, FAULT_BAD_SETTING,
					 "could not upgrade the store to version %d: %s",
					 version + 1, sqlite3_errmsg(db));
	}
	return true;
}
