/*
 * PostgreSQL as an engine.
 *
 * The proxy runs as the same operating system user as the servers, so nobody
 * may log in for being that user: every role that may log in at all needs its
 * password, and the superuser may not.  All settings stand on the command line,
 * where they hold against what is in the data folder, and follow the compute's
 * configuration at each start.
 */
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "engine.h"
#include "sys/random.h"
#include "sys/scram_secret.h"
#include "tenant.h"
#include "title.h"

#define PORT      5432
#define SUPERUSER "postgres"
#define MEGABYTE  (INT64_C(1) << 20)
#define KILOBYTE  INT64_C(1024)

static const char hba[] = "local all         " SUPERUSER " reject\n"
			  "local replication " SUPERUSER " reject\n"
			  "local all         all      scram-sha-256\n"
			  "local replication all      scram-sha-256\n";

static const char *const environment[] = {"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", NULL};

/* ---- finding it -------------------------------------------------------- */

static bool has_server(const char *folder)
{
	char path[PATH_SIZE];

	path_set(path, "%s/postgres", folder);
	return access(path, X_OK) == 0;
}

static int version_number(const char *path)
{
	const char *digits = strpbrk(path, "0123456789");

	return digits ? atoi(digits) : 0;
}

static bool find_newest(const char *pattern, char *out, size_t size)
{
	glob_t found;
	int newest = -1;

	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int version = version_number(found.gl_pathv[i]);

		if (version > newest && has_server(found.gl_pathv[i])) {
			newest = version;
			text_copy(out, size, found.gl_pathv[i]);
		}
	}
	globfree(&found);
	return newest >= 0;
}

static bool find_in_search_path(char *out, size_t size)
{
	char path[4096], *save = NULL;

	text_copy(path, sizeof(path), getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	for (char *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		if (has_server(dir))
			return text_copy(out, size, dir);
	}
	return false;
}

static bool find(const char *folder, char *out, size_t size)
{
	if (*folder)
		return has_server(folder) && text_copy(out, size, folder);
	return find_newest("/usr/lib/postgresql/*/bin", out, size) ||
	       find_newest("/usr/pgsql-*/bin", out, size) || find_in_search_path(out, size);
}

/* "postgres (PostgreSQL) 15.4 (Debian 15.4-1)" */
static bool read_version(Program *p)
{
	char path[PATH_SIZE], line[200];
	const char *at;

	path_set(path, "%s/postgres", p->folder);
	if (!spawn_first_line((const char *[]){path, "--version", NULL}, line, sizeof(line)))
		return false;
	at = strpbrk(line, "0123456789");
	return at && text_copy_n(p->version, sizeof(p->version), at,
				 strspn(at, "0123456789.abcdefghijklmnopqrstuvwxyz"));
}

static bool locate(const char *folder, Program *out, Fault *why)
{
	*out = (Program){.engine = &engine_postgres};
	if (!find(folder, out->folder, sizeof(out->folder)))
		return fault_set(why, FAULT_BAD_SETTING,
				 "there is no postgres in \"%s\" (process.postgres_bin_dir)",
				 *folder ? folder : "/usr/lib/postgresql/*/bin");
	if (!read_version(out))
		return fault_set(why, FAULT_BAD_SETTING, "\"%s/postgres\" does not say its version",
				 out->folder);
	return true;
}

/* ---- making a data folder ---------------------------------------------- */

/* Runs statements without a server: nothing listens, nobody can get in between. */
static bool run_single(const Program *p, const char *data, const char *database, const char *sql)
{
	Command c = {0};

	command_add(&c, "%s/postgres", p->folder);
	command_add(&c, "--single");
	command_add(&c, "-D");
	command_add(&c, "%s", data);
	command_add(&c, "-c");
	command_add(&c, "exit_on_error=on");
	command_add(&c, "-c");
	command_add(&c, "shared_buffers=1MB");
	command_add(&c, "-c");
	command_add(&c, "log_checkpoints=off");
	command_add(&c, "%s", database);
	return spawn_and_wait(&(SpawnPlan){.argv = c.argv, .env = environment, .input = sql}) == 0;
}

static bool initdb(const Program *p, const char *data)
{
	Command c = {0};

	command_add(&c, "%s/initdb", p->folder);
	command_add(&c, "--pgdata=%s", data);
	command_add(&c, "--username=" SUPERUSER);
	command_add(&c, "--encoding=UTF8");
	command_add(&c, "--locale=C.UTF-8");
	command_add(&c, "--auth=reject");
	command_add(&c, "--wal-segsize=1");
	command_add(&c, "--no-sync");
	return spawn_and_wait(&(SpawnPlan){.argv = c.argv, .env = environment}) == 0;
}

/*
 * What each revision adds; never changed, only added to.  A statement is a line, and since
 * the second may be done twice.  A role with
 * REPLICATION may only be changed by the superuser, so the control role has a function for
 * its secret.
 */
static const char *const revisions[] = {
	"CREATE ROLE " CLIENT_ROLE " LOGIN REPLICATION;\n"
	"CREATE ROLE " CONTROL_ROLE " LOGIN;\n"
	"GRANT pg_monitor, pg_signal_backend TO " CONTROL_ROLE ";\n"
	"CREATE DATABASE " CLIENT_ROLE " OWNER " CLIENT_ROLE ";\n",

	"ALTER ROLE " CONTROL_ROLE " CREATEROLE CREATEDB;\n"
	"DO $$BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_checkpoint')"
	" THEN GRANT pg_checkpoint TO " CONTROL_ROLE "; END IF; END$$;\n"
	"CREATE SCHEMA IF NOT EXISTS reveille;\n"
	"CREATE OR REPLACE FUNCTION reveille.set_secret(role name, secret text) RETURNS void"
	" LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$BEGIN"
	" IF (SELECT rolsuper FROM pg_roles WHERE rolname = role) THEN"
	" RAISE insufficient_privilege; END IF;"
	" EXECUTE format('ALTER ROLE %I PASSWORD %L', role, secret); END$$;\n"
	"REVOKE ALL ON FUNCTION reveille.set_secret FROM PUBLIC;\n"
	"GRANT USAGE ON SCHEMA reveille TO " CONTROL_ROLE ";\n"
	"GRANT EXECUTE ON FUNCTION reveille.set_secret TO " CONTROL_ROLE ";\n",

	"ALTER ROLE " CONTROL_ROLE " REPLICATION;\n",
};

#define REVISION (int)(sizeof(revisions) / sizeof(revisions[0]))

static bool bring_up(const Program *p, const char *data, int from)
{
	char sql[4096] = "";

	for (int k = from; k < REVISION; k++)
		strncat(sql, revisions[k], sizeof(sql) - strlen(sql) - 1);
	return run_single(p, data, "postgres", sql);
}

static bool make_template(const Program *p, const char *data)
{
	return initdb(p, data) && bring_up(p, data, 0);
}

static bool set_secrets(const Program *p, const char *data, const ServerOrder *order)
{
	char sql[1024], control[SCRAM_SECRET_SIZE];
	uint8_t salt[SCRAM_SALT_BYTES];

	random_bytes(salt, sizeof(salt));
	scram_secret(control, order->control_password, salt, SCRAM_ITERATIONS);
	snprintf(sql, sizeof(sql),
		 "ALTER ROLE " CLIENT_ROLE " PASSWORD '%s';\n"
		 "ALTER ROLE " CONTROL_ROLE " PASSWORD '%s';\n",
		 order->verifier, control);
	return run_single(p, data, "postgres", sql);
}

/* ---- running it -------------------------------------------------------- */

static int64_t clamp(int64_t n, int64_t least, int64_t most)
{
	if (n < least)
		return least;
	return n < most ? n : most;
}

/*
 * Small, since every start has to make them: 128 MB cost 1 ms more than 16 MB, 256 MB cost 3.
 * The kernel's cache, which outlives the server, is the larger one.
 */
static int64_t buffers_of(const ServerOrder *order)
{
	return clamp(order->memory / 16, 16 * MEGABYTE, 256 * MEGABYTE);
}

static int cpus_of(const ServerOrder *order)
{
	return (order->size + 999) / 1000;
}

static void add_setting(Command *c, const char *name, const char *value)
{
	command_add(c, "-c");
	command_add(c, "%s=%s", name, value);
}

static void add_number(Command *c, const char *name, int64_t value, const char *unit)
{
	command_add(c, "-c");
	command_add(c, "%s=%lld%s", name, (long long)value, unit);
}

static bool write_shared(const Home *home, const char *path, const char *text)
{
	return file_replace(path, text) && (home->user == 0 || tenant_share(home->user, path));
}

/* What an initdb chose for the cluster comes first; words of the command line hold against all. */
static bool configure(const Home *home, const ServerOrder *order, Fault *why)
{
	int cpus = cpus_of(order);
	char text[1024];

	snprintf(text, sizeof(text),
		 "# Written by reveille at each start and each change of size.\n"
		 "include 'data/postgresql.conf'\n"
		 "work_mem = %" PRId64 "kB\n"
		 "maintenance_work_mem = %" PRId64 "kB\n"
		 "effective_cache_size = %" PRId64 "kB\n"
		 "max_parallel_workers = %d\n"
		 "max_parallel_workers_per_gather = %d\n"
		 "max_parallel_maintenance_workers = %d\n",
		 clamp(order->memory / 128, 4 * MEGABYTE, 256 * MEGABYTE) / KILOBYTE,
		 clamp(order->memory / 16, 16 * MEGABYTE, 1024 * MEGABYTE) / KILOBYTE,
		 clamp(order->memory / 4 * 3, 64 * MEGABYTE, INT64_C(1) << 40) / KILOBYTE, cpus,
		 cpus / 2, cpus / 2);
	return write_shared(home, home->settings, text) ||
	       fault_set(why, FAULT_WAKE_FAILED, "could not write \"%s\"", home->settings);
}

static bool prepare(const Program *p, const Home *home, const char *id, const ServerOrder *order,
		    Command *out, Fault *why)
{
	char hba_file[PATH_SIZE];

	path_set(hba_file, "%s/pg_hba.conf", home->folder);
	if (!write_shared(home, hba_file, hba))
		return fault_set(why, FAULT_WAKE_FAILED, "could not write \"%s\"", hba_file);
	if (!configure(home, order, why))
		return false;
	command_add(out, "%s/postgres", p->folder);
	command_add(out, "-D");
	command_add(out, "%s", home->data);
	add_setting(out, "config_file", home->settings);
	add_setting(out, "cluster_name", id);
	add_setting(out, "hba_file", hba_file);
	add_setting(out, "listen_addresses", "");
	add_setting(out, "unix_socket_directories", home->run);
	add_setting(out, "unix_socket_permissions", home->user ? "0770" : "0700");
	add_number(out, "port", PORT, "");
	add_number(out, "shared_buffers", buffers_of(order) / MEGABYTE, "MB");
	add_number(out, "max_connections", order->max_connections, "");
	add_setting(out, "superuser_reserved_connections", "0"); /* it may not connect */
	add_setting(out, "wal_level", "logical");                /* costs no time at start */
	add_setting(out, "max_wal_senders", "10");
	add_setting(out, "min_wal_size", "16MB");
	add_number(out, "max_slot_wal_keep_size", order->slot_wal / MEGABYTE, "MB");
	add_setting(out, "recovery_init_sync_method", "syncfs");
	add_setting(out, "huge_pages", "off");
	add_setting(out, "jit", "off");
	add_setting(out, "logging_collector", "off");
	add_setting(out, "log_destination", "stderr");
	return true;
}

static bool status(const char *data, PidFile *out)
{
	char path[PATH_SIZE], text[1024];

	path_set(path, "%s/postmaster.pid", data);
	file_read(path, 0, text, sizeof(text));
	return pidfile_parse(text, out);
}

const Engine engine_postgres = {
	.name = "postgres",
	.socket = ".s.PGSQL.5432",
	.close_signal = SIGTERM,
	.stop_signal = SIGINT,
	.kill_signal = SIGQUIT,
	.reload_signal = SIGHUP,
	.revision = REVISION,
	.locate = locate,
	.make_template = make_template,
	.bring_up = bring_up,
	.set_secrets = set_secrets,
	.configure = configure,
	.prepare = prepare,
	.status = status,
	.guest_of = title_guest,
};
