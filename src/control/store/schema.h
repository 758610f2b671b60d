/*
 * The shape of the store, as numbered steps from one version to the next
 * (schema/NNN.sql), and how each engine takes them.
 *
 * SQLite says in PRAGMA user_version how far it has come, PostgreSQL in a table
 * store_version.  Both refuse a store that is newer than we are.
 */
#ifndef CONTROL_STORE_SCHEMA_H
#define CONTROL_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>

#include "deed.h"

/* How many steps there are. */
int schema_newest(void);

/* Brings the file to that version, if it has an earlier one; *why tells why it cannot be used. */
bool schema_upgrade_sqlite(sqlite3 *db, int to, Fault *why);

/* Adds to the deed what brings the database to the newest version, and says the version it has. */
void schema_say_postgres(Deed *d);

/* What schema_say_postgres() found, which may be newer than we are. */
bool schema_is_known(int64_t version, Fault *why);

typedef struct SchemaVersion {
	int64_t version;
} SchemaVersion;

#endif
