/* What a real PostgreSQL says of itself while things go on that must not be frozen or stopped. */
#include "pg_server.h"

#include "base/mem.h"
#include "src/control/probe.h"
#include "sys/pgconn.h"

#define LOOKS 300

/* ---- setup ------------------------------------------------------------- */

static void configure(void)
{
	char text[600];

	snprintf(text, sizeof(text),
		 "port = 5432\nlisten_addresses = ''\nunix_socket_directories = '%s'\n"
		 "fsync = off\nshared_buffers = 16MB\nwal_level = logical\n"
		 "max_prepared_transactions = 2\nautovacuum_naptime = 1s\n",
		 folder);
	write_file(in_folder("data/postgresql.auto.conf"), text, 0600);
}

/* ---- sessions ---------------------------------------------------------- */

typedef struct Session {
	PgConn *conn;
	bool answered;
	char failure[600];
} Session;

static void on_answer(void *arg, const PgRows *rows, const char *error)
{
	Session *s = arg;

	(void)rows;
	text_copy(s->failure, sizeof(s->failure), error ? error : "");
	s->answered = true;
	loop_stop(loop);
}

static Session *connect_as(const char *user, const char *application, const char *dbname)
{
	Session *s = NEW(Session);
	PgTarget target = {.host = folder,
			   .port = 5432,
			   .user = user,
			   .dbname = dbname,
			   .application_name = application};

	s->conn = pgconn_new(loop, &target, on_answer, s);
	return s;
}

static void leave(Session *s)
{
	pgconn_free(s->conn);
	free(s);
}

static void begin(Session *s, const char *sql)
{
	s->answered = false;
	pgconn_ask(s->conn, sql, PATIENCE_MS);
}

static void await(const Session *s)
{
	while (!s->answered)
		loop_run(loop);
}

static void say(Session *s, const char *sql)
{
	begin(s, sql);
	await(s);
	assert_string_equal(s->failure, "");
}

static void do_in(const char *dbname, const char *sql)
{
	Session *c = connect_as("postgres", "test", dbname);

	say(c, sql);
	leave(c);
}

static void do_sql(const char *sql)
{
	do_in("postgres", sql);
}

static int setup(void **state)
{
	(void)state;
	if (!find_server())
		return 0;
	make_folder("/tmp/reveille-probe-XXXXXX");
	if (!initdb())
		return -1;
	configure();
	launch();
	pgconn_forget_environment();
	do_sql("CREATE ROLE app LOGIN");
	do_sql("CREATE ROLE monitor LOGIN");
	do_sql("CREATE ROLE reveille_control LOGIN REPLICATION");
	do_sql("GRANT pg_monitor TO reveille_control");
	do_sql("CREATE DATABASE app OWNER app");
	do_in("app", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i");
	do_in("app", "GRANT ALL ON t TO app, monitor");
	return 0;
}

/* ---- probing ----------------------------------------------------------- */

static ServerFacts seen;

static void on_facts(void *arg, const ServerFacts *facts, const char *error)
{
	(void)arg;
	if (error)
		fail_msg("%s", error);
	seen = *facts;
	loop_stop(loop);
}

static Exempt exempt(void)
{
	Exempt e = {0};
	Fault why;

	assert_true(exempt_role(&e, "monitor", &why));
	assert_true(exempt_application(&e, "100%_*", &why));
	return e;
}

static ServerFacts look(void)
{
	Compute c = {0};
	Exempt e = exempt();
	Probe *p;

	seen = (ServerFacts){0};
	snprintf(c.address, sizeof(c.address), "%s/.s.PGSQL.5432", folder);
	p = probe_new(loop, &c, on_facts, NULL);
	probe_ask(p, &e);
	while (!seen.known)
		loop_run(loop);
	probe_free(p);
	return seen;
}

/* A server tells nobody that something has begun or ended. */
#define look_until(condition)                               \
	do {                                                \
		int left_ = LOOKS;                          \
                                                            \
		while (look(), !(condition) && left_-- > 0) \
			do_sql("SELECT pg_sleep(0.02)");    \
		assert_true(condition);                     \
	} while (0)

static bool is_quiet(void)
{
	return seen.sessions == 0 && seen.working == 0 && seen.in_transaction == 0 &&
	       seen.exempt_busy == 0 && seen.backups == 0 && seen.replicating == 0 &&
	       seen.maintaining == 0;
}

/* Each test begins and ends with nobody there: who has just left may still be seen. */
static int want_quiet(void **state)
{
	(void)state;
	if (server > 0)
		look_until(is_quiet());
	return 0;
}

/* ---- tests ------------------------------------------------------------- */

TEST(a_server_that_does_nothing_says_so)
{
	want_server();
	assert_true(look().known);
	assert_true(is_quiet());
	assert_int_equal(seen.prepared, 0);
	assert_false(seen.idle_timers);
	assert_int_equal(seen.idle_ms, -1);
}

TEST(sessions_are_idle_or_in_a_transaction_or_at_work)
{
	Session *c;

	want_server();
	c = connect_as("app", "psql", "app");
	say(c, "LISTEN news");
	look();
	assert_int_equal(seen.sessions, 1);
	assert_int_equal(seen.working + seen.in_transaction, 0);
	assert_in_range(seen.idle_ms, 0, PATIENCE_MS);
	say(c, "BEGIN");
	assert_int_equal(look().in_transaction, 1);
	say(c, "COMMIT");
	begin(c, "SELECT pg_sleep(600)");
	look_until(seen.working == 1);
	assert_int_equal(seen.in_transaction, 0);
	do_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%(600)'"
	       " AND usename = 'app'");
	await(c);
	leave(c);
}

TEST(exempt_ones_are_seen_apart)
{
	Session *role, *application, *other;

	want_server();
	role = connect_as("monitor", "psql", "app");
	application = connect_as("app", "100%_of it", "app");
	other = connect_as("app", "100%-of it", "app");
	say(role, "BEGIN");
	say(application, "BEGIN");
	look();
	assert_int_equal(seen.sessions, 2);
	assert_int_equal(seen.exempt_busy, 2);
	assert_int_equal(seen.in_transaction, 0);
	assert_int_equal(seen.idle_ms, -1);
	say(other, "BEGIN");
	assert_int_equal(look().in_transaction, 1);
	assert_int_equal(seen.exempt_busy, 2);
	leave(role);
	leave(application);
	leave(other);
}

TEST(an_index_that_is_built_counts_whoever_builds_it)
{
	Session *writer, *builder;

	want_server();
	writer = connect_as("monitor", "psql", "app");
	builder = connect_as("postgres", "100%_", "app");
	say(writer, "BEGIN; INSERT INTO t VALUES (0)");
	begin(builder, "CREATE INDEX CONCURRENTLY ON t (i)"); /* waits for the writer */
	look_until(seen.maintaining == 1);
	assert_int_equal(seen.working, 0);
	assert_int_equal(seen.exempt_busy, 2);
	say(writer, "ROLLBACK");
	await(builder);
	leave(writer);
	leave(builder);
}

TEST(autovacuum_counts)
{
	want_server();
	do_in("app", "CREATE TABLE v WITH (autovacuum_vacuum_threshold = 1,"
		     " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
		     " AS SELECT generate_series(1, 20000) AS i");
	do_in("app", "DELETE FROM v WHERE i % 2 = 0");
	look_until(seen.maintaining > 0);
	assert_int_equal(seen.working, 0);
	do_in("app", "DROP TABLE v"); /* which the worker gives way to */
}

TEST(a_base_backup_counts_until_it_ends)
{
	char bin_path[300];
	pid_t pid;
	int status;

	want_server();
	text_copy(bin_path, sizeof(bin_path), program("pg_basebackup"));
	if (access(bin_path, X_OK) == -1)
		skip();
	pid = start((const char *[]){bin_path, "-h", folder, "-p", "5432", "-U", "postgres", "-D",
				     in_folder("backup"), "-c", "fast", "-X", "stream",
				     "--max-rate=64k", NULL});
	look_until(seen.backups == 1 && seen.replicating == 1);
	assert_int_equal(seen.working, 0);
	do_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
	waitpid(pid, &status, 0);
}

TEST(a_backup_that_was_begun_by_sql_counts_until_its_session_says_otherwise)
{
	Session *c;

	want_server();
	c = connect_as("postgres", "snapshots", "app");
	say(c, "SELECT pg_backup_start('of a test', true)");
	assert_int_equal(look().backups, 1);
	assert_int_equal(seen.working + seen.in_transaction, 0);
	say(c, "SELECT pg_backup_stop()");
	assert_int_equal(look().backups, 0);
	leave(c);
}

TEST(a_prepared_transaction_is_counted_and_belongs_to_no_session)
{
	want_server();
	do_in("app", "BEGIN; INSERT INTO t VALUES (0); PREPARE TRANSACTION 'two'");
	look_until(is_quiet());
	assert_int_equal(seen.prepared, 1);
	do_in("app", "ROLLBACK PREPARED 'two'");
	assert_int_equal(look().prepared, 0);
}

TEST(a_subscription_counts_on_both_sides)
{
	char sql[300];

	want_server();
	do_in("app", "CREATE PUBLICATION p FOR TABLE t");
	do_in("app", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
	do_sql("CREATE TABLE t (i int)");
	snprintf(sql, sizeof(sql),
		 "CREATE SUBSCRIPTION s CONNECTION 'host=%s port=5432 dbname=app user=postgres'"
		 " PUBLICATION p WITH (create_slot = false, copy_data = false)",
		 folder);
	do_sql(sql);
	look_until(seen.replicating == 2); /* the walsender, and the worker that applies */
	assert_int_equal(seen.backups + seen.working, 0);
	do_sql("DROP SUBSCRIPTION s");
}

TEST(timers_of_idle_sessions_are_seen_wherever_they_are_set)
{
	want_server();
	do_sql("ALTER ROLE app SET idle_session_timeout = '1h'");
	assert_true(look().idle_timers);
	do_sql("ALTER ROLE app SET idle_session_timeout = 0");
	assert_false(look().idle_timers);
	do_sql("ALTER DATABASE app SET idle_session_timeout = 5000");
	assert_true(look().idle_timers);
	do_sql("ALTER DATABASE app RESET idle_session_timeout");
	assert_false(look().idle_timers);
	do_sql("ALTER SYSTEM SET idle_session_timeout = 7000");
	do_sql("SELECT pg_reload_conf()");
	look_until(seen.idle_timers);
	do_sql("ALTER SYSTEM RESET idle_session_timeout");
	do_sql("SELECT pg_reload_conf()");
	look_until(!seen.idle_timers);
}

#define quiet_test(name) cmocka_unit_test_setup(name, want_quiet)

int main(void)
{
	const struct CMUnitTest tests[] = {
		quiet_test(a_server_that_does_nothing_says_so),
		quiet_test(sessions_are_idle_or_in_a_transaction_or_at_work),
		quiet_test(exempt_ones_are_seen_apart),
		quiet_test(an_index_that_is_built_counts_whoever_builds_it),
		quiet_test(autovacuum_counts),
		quiet_test(a_base_backup_counts_until_it_ends),
		quiet_test(a_backup_that_was_begun_by_sql_counts_until_its_session_says_otherwise),
		quiet_test(a_prepared_transaction_is_counted_and_belongs_to_no_session),
		quiet_test(a_subscription_counts_on_both_sides),
		quiet_test(timers_of_idle_sessions_are_seen_wherever_they_are_set),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
