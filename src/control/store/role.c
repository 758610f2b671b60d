/* Roles and databases of computes in the store. */
#include "deed.h"
#include "shared.h"

#define ROLE_COLUMNS     "compute_id, name, verifier, mysql_hash, created_at, pending"
#define DATABASE_COLUMNS "compute_id, name, owner, created_at, pending"

/* ---- roles ------------------------------------------------------------- */

static void take_role(void *record, const Row *row)
{
	Role *r = record;

	row_text(row, 0, r->compute_id, sizeof(r->compute_id));
	row_text(row, 1, r->name, sizeof(r->name));
	row_text(row, 2, r->verifier, sizeof(r->verifier));
	row_text(row, 3, r->mysql_hash, sizeof(r->mysql_hash));
	r->created_at = row_int(row, 4);
	row_text(row, 5, r->pending, sizeof(r->pending));
}

static void say_role(Deed *d, const char *compute_id, const char *name)
{
	deed_say(d, "SELECT " ROLE_COLUMNS " FROM roles WHERE compute_id = $1 AND name = $2", "tt",
		 compute_id, name);
	deed_take(d, sizeof(Role), take_role);
}

static void say_compute_is_there(Deed *d, const char *compute_id)
{
	deed_say(d, "UPDATE computes SET id = id WHERE id = $1 AND state <> 'destroying'", "t",
		 compute_id);
	deed_expect(d, FAULT_NOT_FOUND, "there is no compute \"%s\"", compute_id);
}

void store_role_put(Store *s, const Role *r, bool must_be_new, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	say_compute_is_there(d, r->compute_id);
	if (must_be_new) {
		deed_say(d,
			 "INSERT INTO roles (" ROLE_COLUMNS ") VALUES ($1, $2, $3, $4, $5, 'put')"
			 " ON CONFLICT (compute_id, name) DO UPDATE SET verifier = "
			 "excluded.verifier,"
			 " mysql_hash = excluded.mysql_hash, created_at = excluded.created_at,"
			 " pending = 'put' WHERE roles.pending = 'drop'",
			 "tttti", r->compute_id, r->name, r->verifier, r->mysql_hash,
			 r->created_at);
		deed_expect(d, FAULT_EXISTS, "there is a role \"%s\" already", r->name);
	} else {
		deed_say(d,
			 "UPDATE roles SET verifier = $3, mysql_hash = $4, pending = 'put'"
			 " WHERE compute_id = $1 AND name = $2 AND pending <> 'drop'",
			 "tttt", r->compute_id, r->name, r->verifier, r->mysql_hash);
		deed_expect(d, FAULT_NOT_FOUND, "there is no role \"%s\"", r->name);
	}
	say_role(d, r->compute_id, r->name);
	deed_do(d);
}

void store_role_drop(Store *s, const char *compute_id, const char *name, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	deed_say(d,
		 "UPDATE roles SET pending = 'drop' WHERE compute_id = $1 AND name = $2"
		 " AND pending <> 'drop'",
		 "tt", compute_id, name);
	deed_expect(d, FAULT_NOT_FOUND, "there is no role \"%s\"", name);
	say_role(d, compute_id, name);
	deed_do(d);
}

void store_role_list(Store *s, const char *compute_id, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT " ROLE_COLUMNS " FROM roles WHERE $1 = '' OR compute_id = $1"
		 " ORDER BY compute_id, name",
		 "t", compute_id);
	deed_take(d, sizeof(Role), take_role);
	deed_do(d);
}

void store_role_settled(Store *s, const Role *told, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d,
		 "DELETE FROM roles WHERE compute_id = $1 AND name = $2 AND pending = 'drop'"
		 " AND $3 = 'drop'",
		 "ttt", told->compute_id, told->name, told->pending);
	deed_say(d,
		 "UPDATE roles SET pending = '' WHERE compute_id = $1 AND name = $2"
		 " AND pending = $3 AND verifier = $4",
		 "tttt", told->compute_id, told->name, told->pending, told->verifier);
	say_role(d, told->compute_id, told->name);
	deed_do(d);
}

/* ---- databases --------------------------------------------------------- */

static void take_database(void *record, const Row *row)
{
	OwnedDatabase *b = record;

	row_text(row, 0, b->compute_id, sizeof(b->compute_id));
	row_text(row, 1, b->name, sizeof(b->name));
	row_text(row, 2, b->owner, sizeof(b->owner));
	b->created_at = row_int(row, 3);
	row_text(row, 4, b->pending, sizeof(b->pending));
}

static void say_database(Deed *d, const char *compute_id, const char *name)
{
	deed_say(d,
		 "SELECT " DATABASE_COLUMNS " FROM databases WHERE compute_id = $1 AND name = $2",
		 "tt", compute_id, name);
	deed_take(d, sizeof(OwnedDatabase), take_database);
}

void store_database_put(Store *s, const OwnedDatabase *b, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	say_compute_is_there(d, b->compute_id);
	deed_say(d, "SELECT 1 FROM roles WHERE compute_id = $1 AND name = $2 AND pending <> 'drop'",
		 "tt", b->compute_id, b->owner);
	deed_expect(d, FAULT_BAD_VALUE, "owner must be a role of the compute, and \"%s\" is none",
		    b->owner);
	deed_say(d,
		 "INSERT INTO databases (" DATABASE_COLUMNS ") VALUES ($1, $2, $3, $4, 'put')"
		 " ON CONFLICT DO NOTHING",
		 "ttti", b->compute_id, b->name, b->owner, b->created_at);
	deed_expect(d, FAULT_EXISTS, "there is a database \"%s\" already", b->name);
	say_database(d, b->compute_id, b->name);
	deed_do(d);
}

void store_database_drop(Store *s, const char *compute_id, const char *name, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	deed_say(d,
		 "UPDATE databases SET pending = 'drop' WHERE compute_id = $1 AND name = $2"
		 " AND pending <> 'drop'",
		 "tt", compute_id, name);
	deed_expect(d, FAULT_NOT_FOUND, "there is no database \"%s\"", name);
	say_database(d, compute_id, name);
	deed_do(d);
}

void store_database_list(Store *s, const char *compute_id, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT " DATABASE_COLUMNS " FROM databases WHERE $1 = '' OR compute_id = $1"
		 " ORDER BY compute_id, name",
		 "t", compute_id);
	deed_take(d, sizeof(OwnedDatabase), take_database);
	deed_do(d);
}

void store_database_settled(Store *s, const OwnedDatabase *told, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d,
		 "DELETE FROM databases WHERE compute_id = $1 AND name = $2 AND pending = 'drop'"
		 " AND $3 = 'drop'",
		 "ttt", told->compute_id, told->name, told->pending);
	deed_say(d,
		 "UPDATE databases SET pending = '' WHERE compute_id = $1 AND name = $2"
		 " AND pending = $3",
		 "ttt", told->compute_id, told->name, told->pending);
	say_database(d, told->compute_id, told->name);
	deed_do(d);
}
