/*
 * Questions to a real PostgreSQL server of our own, over its Unix socket and over
 * TLS.  Skipped where there is no server to start.
 */
#include "pg_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/pgconn.h"

static char home[128];
static int port;
static bool with_tls;

/* ---- a server of our own ----------------------------------------------- */

/* One certificate that is its own authority; the client shows the same. */
static bool make_certificate(void)
{
	return run((const char *[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
				    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
				    "/CN=bob", "-addext", "subjectAltName=DNS:db.example.com",
				    "-keyout", in_folder("key"), "-out", in_folder("cert"), NULL});
}

static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	getsockname(fd, (struct sockaddr *)&at, &n);
	close(fd);
	return ntohs(at.sin_port);
}

static void configure(void)
{
	char text[1000];

	snprintf(text, sizeof(text),
		 "port = %d\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '%s'\n"
		 "fsync = off\nshared_buffers = 16MB\ntimezone = 'GMT'\nssl = %s\nssl_cert_file = "
		 "'%s'\n"
		 "ssl_key_file = '%s'\nssl_ca_file = '%s'\n",
		 port, folder, with_tls ? "on" : "off", in_folder("cert"), in_folder("key"),
		 in_folder("cert"));
	write_file(in_folder("data/postgresql.auto.conf"), text, 0600);
	write_file(in_folder("data/pg_hba.conf"),
		   "local all secret scram-sha-256\nlocal all all trust\nhostssl all bob all cert\n"
		   "hostssl all all all trust\n",
		   0600);
}

/* ---- asking ------------------------------------------------------------ */

static char said[4][200], failure[600];
static bool was_null[4];
static int n_rows;

static void on_answer(void *arg, const PgRows *rows, const char *error)
{
	(void)arg;
	n_rows = rows ? pg_rows_count(rows) : -1;
	text_copy(failure, sizeof(failure), error ? error : "");
	for (int i = 0; i < 4 && n_rows > 0; i++) {
		was_null[i] = pg_rows_is_null(rows, 0, i);
		text_copy(said[i], sizeof(said[i]), was_null[i] ? "" : pg_rows_text(rows, 0, i));
	}
	loop_stop(loop);
}

static PgTarget target_as(const char *user)
{
	return (PgTarget){
		.host = folder, .port = port, .user = user, .password = "", .dbname = "postgres"};
}

static bool ask_target(const PgTarget *target, const char *sql, const char *param, int64_t ms)
{
	PgConn *c = pgconn_new(loop, target, on_answer, NULL);

	if (param)
		pgconn_ask_with(c, sql, param, ms);
	else
		pgconn_ask(c, sql, ms);
	loop_run(loop);
	pgconn_free(c);
	return n_rows >= 0;
}

static bool ask(const char *sql, const char *param)
{
	PgTarget target = target_as("postgres");

	return ask_target(&target, sql, param, PATIENCE_MS);
}

static void ask_for(const char *setting, const char *expected)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SHOW %s", setting);
	assert_true(ask(sql, NULL));
	assert_string_equal(said[0], expected);
}

/* ---- setup ------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	if (!find_server())
		return 0;
	make_folder("/tmp/reveille-pgconn-XXXXXX");
	text_copy(home, sizeof(home), in_folder("home"));
	port = free_port();
	if (!initdb())
		return -1;
	with_tls = make_certificate();
	configure();
	launch();
	pgconn_forget_environment();
	return ask("CREATE ROLE bob LOGIN", NULL) &&
			       ask("CREATE ROLE secret LOGIN PASSWORD 'secret'", NULL)
		       ? 0
		       : -1;
}

static void want_tls(void)
{
	want_server();
	if (!with_tls)
		skip();
}

/* ---- tests ------------------------------------------------------------- */

TEST(a_question_is_answered)
{
	want_server();
	assert_true(ask("SELECT current_user, 6 * 7", NULL));
	assert_int_equal(n_rows, 1);
	assert_string_equal(said[0], "postgres");
	assert_string_equal(said[1], "42");
	assert_true(ask("SELECT 1 WHERE false", NULL));
	assert_int_equal(n_rows, 0);
	ask_for("application_name", "reveille");
}

TEST(a_parameter_is_a_value_and_never_a_part_of_the_statement)
{
	static const char *const values[] = {"",    "bob", "'; DROP ROLE bob; --", "$1",
					     "\\'", "%s",  "caf\xc3\xa9"};

	want_server();
	for (size_t i = 0; i < N_OF(values); i++) {
		assert_true(ask("SELECT $1::text, (SELECT count(*) FROM pg_roles WHERE rolname = "
				"$1)",
				values[i]));
		assert_string_equal(said[0], values[i]);
		assert_string_equal(said[1], strcmp(values[i], "bob") == 0 ? "1" : "0");
	}
	assert_false(ask("SELECT $1::text", "\xff"));
	assert_contains(failure, "invalid byte sequence");
	assert_false(ask("SELECT $1::text; SELECT 1", "x"));
	assert_contains(failure, "multiple commands");
}

TEST(null_is_told_from_an_empty_text_and_from_no_column)
{
	want_server();
	assert_true(ask("SELECT NULL, '', $1::text", ""));
	assert_true(was_null[0]);
	assert_false(was_null[1]);
	assert_false(was_null[2]);
	assert_true(was_null[3]);
}

TEST(a_failure_is_one_line)
{
	PgTarget target = target_as("nobody_here");

	want_server();
	assert_false(ask("SELECT 1 / 0", NULL));
	assert_string_equal(failure, "ERROR:  division by zero");
	assert_false(ask_target(&target, "SELECT 1", NULL, PATIENCE_MS));
	assert_contains(failure, "role \"nobody_here\" does not exist");
	assert_null(strchr(failure, '\n'));
	target = target_as("postgres");
	assert_false(ask_target(&target, "SELECT pg_sleep(60)", NULL, 50));
	assert_string_equal(failure, "no answer in time");
}

TEST(options_and_application_name_are_the_targets)
{
	PgTarget target = target_as("postgres");

	want_server();
	target.options = "-c search_path=pg_catalog -c statement_timeout=7s";
	target.application_name = "auth query";
	assert_true(ask_target(&target,
			       "SELECT current_setting('search_path'), "
			       "current_setting('statement_timeout'), "
			       "current_setting('application_name')",
			       NULL, PATIENCE_MS));
	assert_string_equal(said[0], "pg_catalog");
	assert_string_equal(said[1], "7s");
	assert_string_equal(said[2], "auth query");
}

/* PGSERVICE, PGHOSTADDR and the like hold where a keyword is given, too, or has no value. */
TEST(the_environment_says_nothing)
{
	static const char *const table[][2] = {
		{"PGSERVICE", "nowhere"},        {"PGHOSTADDR", "192.0.2.1"},
		{"PGOPTIONS", "-c geqo=off"},    {"PGTZ", "Asia/Tokyo"},
		{"PGDATESTYLE", "German"},       {"PGCLIENTENCODING", "LATIN1"},
		{"PGREQUIREPEER", "nobody"},     {"PGTARGETSESSIONATTRS", "read-only"},
		{"PGSSLMODE", "verify-full"},    {"PGPASSWORD", "wrong"},
		{"PGCHANNELBINDING", "require"}, {"PGAPPNAME", "other"},
	};

	want_server();
	setenv("PGSERVICE", "nowhere", 1);
	assert_false(ask("SELECT 1", NULL)); /* libpq does listen to it */
	for (size_t i = 0; i < N_OF(table); i++)
		setenv(table[i][0], table[i][1], 1);
	pgconn_forget_environment();
	for (size_t i = 0; i < N_OF(table); i++)
		assert_null(getenv(table[i][0]));
	assert_non_null(getenv("PATH"));
	ask_for("geqo", "on");
	ask_for("timezone", "GMT");
	ask_for("datestyle", "ISO, MDY");
	ask_for("client_encoding", "UTF8");
	ask_for("application_name", "reveille");
}

TEST(no_password_is_found_in_the_users_home)
{
	PgTarget target = target_as("secret");

	want_server();
	mkdir(home, 0700);
	setenv("HOME", home, 1);
	write_file(in_folder("home/.pgpass"), "*:*:*:*:secret\n", 0600);
	assert_false(ask_target(&target, "SELECT 1", NULL, PATIENCE_MS));
	assert_contains(failure, "no password supplied");
	target.password = "secret";
	assert_true(ask_target(&target, "SELECT current_user", NULL, PATIENCE_MS));
	assert_string_equal(said[0], "secret");
}

static const char *encryption(const PgTarget *target)
{
	if (!ask_target(target,
			"SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL,
			PATIENCE_MS))
		return "refused";
	return said[0];
}

static PgTarget target_over_tls(const char *user, const char *mode)
{
	PgTarget target = target_as(user);

	target.host = "db.example.com";
	target.hostaddr = "127.0.0.1";
	target.sslmode = mode;
	return target;
}

TEST(tls_is_used_as_the_mode_says)
{
	static const char *const modes[] = {"allow", "prefer", "require"};
	PgTarget target = target_over_tls("postgres", NULL);

	want_tls();
	assert_string_equal(encryption(&target), "refused");
	assert_contains(failure, "no encryption");
	for (size_t i = 0; i < N_OF(modes); i++) {
		target.sslmode = modes[i];
		assert_string_equal(encryption(&target), "t");
	}
}

TEST(a_server_is_verified_by_the_file_that_is_named_and_no_other)
{
	PgTarget target = target_over_tls("postgres", "verify-full");

	want_tls();
	mkdir(home, 0700);
	mkdir(in_folder("home/.postgresql"), 0700);
	setenv("HOME", home, 1);
	write_file(in_folder("home/.postgresql/root.crt"), "no certificate", 0600);
	assert_string_equal(encryption(&target), "refused");
	assert_contains(failure, "/dev/null/nowhere");
	target.sslmode = "require"; /* with a root.crt at home libpq would verify, too */
	assert_string_equal(encryption(&target), "t");
	target.sslmode = "verify-full";
	target.sslrootcert = in_folder("cert");
	assert_string_equal(encryption(&target), "t");
	target.host = "other.example.com";
	assert_string_equal(encryption(&target), "refused");
	assert_contains(failure, "does not match host name");
	target.sslmode = "verify-ca";
	assert_string_equal(encryption(&target), "t");
}

TEST(a_certificate_is_shown_only_if_it_is_named)
{
	PgTarget target = target_over_tls("bob", "require");

	want_tls();
	assert_string_equal(encryption(&target), "refused");
	target.sslcert = in_folder("cert");
	target.sslkey = in_folder("key");
	assert_string_equal(encryption(&target), "t");
	assert_string_equal(said[1], "/CN=bob");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_answered),
		cmocka_unit_test(a_parameter_is_a_value_and_never_a_part_of_the_statement),
		cmocka_unit_test(null_is_told_from_an_empty_text_and_from_no_column),
		cmocka_unit_test(a_failure_is_one_line),
		cmocka_unit_test(options_and_application_name_are_the_targets),
		cmocka_unit_test(the_environment_says_nothing),
		cmocka_unit_test(no_password_is_found_in_the_users_home),
		cmocka_unit_test(tls_is_used_as_the_mode_says),
		cmocka_unit_test(a_server_is_verified_by_the_file_that_is_named_and_no_other),
		cmocka_unit_test(a_certificate_is_shown_only_if_it_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
