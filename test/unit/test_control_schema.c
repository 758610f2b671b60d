/* A store of any earlier version is brought up to date, with what is in it. */
#include "unit.h"

#include <sqlite3.h>

#include "src/control/store/schema.h"

/* What a store of the first version may have. */
static const char rows[] =
	"INSERT INTO projects VALUES ('p', 'a project', '{}', 1, 0);"
	"INSERT INTO computes (id, project_id, engine, state, generation, size, config, verifier,"
	" control_password, created_at, last_activity)"
	" VALUES ('c', 'p', 'postgres', 'active', 4, 250, '{}', 'SCRAM', 'x', 1, 2);"
	"INSERT INTO operations (project_id, compute_id, from_state, to_state, generation, reason,"
	" at) VALUES ('p', 'c', 'resuming', 'active', 4, 'why', 3);"
	"INSERT INTO compute_usage (project_id, compute_id, incarnation, size, boot_id,"
	" started_boot, started_at, last_seen) VALUES ('p', 'c', '1-2', 250, 'b', 5, 6, 7);";

/* And one of the second. */
static const char more_rows[] =
	"INSERT INTO traffic_seen (compute_id, epoch, received, sent) VALUES ('c', 'e', 1, 2);"
	"INSERT INTO traffic_hours VALUES ('p', 'c', 3600, 1, 2);"
	"INSERT INTO usage_hours (project_id, compute_id, hour, active_us, frozen_us, compute_us,"
	" storage_byte_seconds, proxied_bytes, revision) VALUES ('p', 'c', 3600, 1, 2, 3, 4, 5, "
	"1);";

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
}

static void upgrade(sqlite3 *db, int to)
{
	Fault why;

	if (!schema_upgrade_sqlite(db, to, &why))
		fail_msg("%s", why.detail);
}

static void expect(sqlite3 *db, const char *question, const char *answer)
{
	sqlite3_stmt *q;

	assert_int_equal(sqlite3_prepare_v2(db, question, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(q, 0), answer);
	sqlite3_finalize(q);
}

TEST(a_store_of_any_version_goes_on_with_what_is_in_it)
{
	for (int version = 1; version < schema_newest(); version++) {
		sqlite3 *db;

		assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
		upgrade(db, 1);
		run(db, rows);
		upgrade(db, version);
		if (version >= 2)
			run(db, more_rows);
		upgrade(db, schema_newest());
		expect(db, "SELECT name || verifier FROM roles WHERE compute_id = 'c'", "appSCRAM");
		expect(db, "SELECT kind || cpu_start || cpu_us FROM compute_usage", "active-10");
		expect(db, "SELECT to_state || reason FROM operations", "activewhy");
		if (version >= 2) {
			expect(db, "SELECT seen_at FROM traffic_seen", "3600");
			expect(db, "SELECT active_us || cpu_us FROM usage_hours", "10");
		}
		sqlite3_close(db);
	}
}

TEST(one_that_is_up_to_date_is_left_alone)
{
	char newest[16];
	sqlite3 *db;

	snprintf(newest, sizeof(newest), "%d", schema_newest());
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	upgrade(db, schema_newest());
	upgrade(db, schema_newest());
	expect(db, "PRAGMA user_version", newest);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_of_any_version_goes_on_with_what_is_in_it),
		cmocka_unit_test(one_that_is_up_to_date_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
