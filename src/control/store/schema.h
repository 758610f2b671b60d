/*
 * The shape of the SQLite store, as numbered steps from one version to the next.
 * The file says in PRAGMA user_version how far it has come.
 */
#ifndef CONTROL_STORE_SCHEMA_H
#define CONTROL_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/fault.h"

/* Brings the file to the newest version; refuses one that is newer than we are. */
bool schema_upgrade(sqlite3 *db, Fault *why);

#endif
