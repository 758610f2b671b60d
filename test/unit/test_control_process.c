/*
 * The process driver with real servers: what it promises to the reconciler.
 *
 * Servers do not run as root.  Where these tests do, they go on as another user, once
 * without any privilege (servers are frozen by signals) and once with those that the
 * control process may keep (control groups, if there are some to write to).
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "src/control/driver/process.h"
#include "src/control/driver/title.h"
#include "src/control/driver/tree.h"
#include "sys/log.h"
#include "sys/pgconn.h"
#include "sys/scram_secret.h"
#include "sys/user.h"

#define PASSWORD "secret"

static char folder[PATH_SIZE];
static Loop *loop;
static const Config *defaults;
static Config conf;
static bool may_have_tenants;
static Driver *driver;
static Instance *instance;
static char id[ID_SIZE];
static int64_t generation;

/* ---- asking and being answered ------------------------------------------ */

static Sight sight;
static char failure[REASON_SIZE];
static int answers, expected;

static void on_answer(void *arg, const Sight *seen, const char *why)
{
	(void)arg;
	sight = *seen;
	text_copy(failure, sizeof(failure), why ? why : "");
	answers++;
	loop_stop(loop);
}

static char last_words[REASON_SIZE];

static void on_end(void *arg, const char *words)
{
	(void)arg;
	text_copy(last_words, sizeof(last_words), words);
	loop_stop(loop);
}

/* Waits for one answer more than there were when this was called last. */
static const char *answered(void)
{
	assert_true(answers <= expected); /* it never comes from within the call */
	expected++;
	while (answers < expected)
		loop_run(loop);
	return failure;
}

static ServerOrder order_of(int64_t of_generation)
{
	ServerOrder order = {.generation = of_generation,
			     .size = 1000,
			     .max_connections = 20,
			     .start_timeout_ms = 60000,
			     .control_password = PASSWORD};
	uint8_t salt[SCRAM_SALT_BYTES] = {0};

	scram_secret(order.verifier, PASSWORD, salt, SCRAM_ITERATIONS);
	return order;
}

static const char *create(void)
{
	ServerOrder order = order_of(generation);

	driver->ops->create(instance, &order, on_answer);
	return answered();
}

static const char *start(int64_t of_generation)
{
	ServerOrder order = order_of(of_generation);

	driver->ops->start(instance, &order, on_answer);
	return answered();
}

static const char *stop(int64_t of_generation)
{
	driver->ops->stop(instance, STOP_FAST, of_generation, on_answer);
	return answered();
}

static const char *freeze(void)
{
	driver->ops->freeze(instance, ++generation, on_answer);
	return answered();
}

static const char *thaw(void)
{
	driver->ops->thaw(instance, ++generation, on_answer);
	return answered();
}

static const char *observe(void)
{
	driver->ops->observe(instance, on_answer);
	return answered();
}

static const char *destroy(void)
{
	driver->ops->destroy(instance, ++generation, on_answer);
	return answered();
}

/* ---- a control plane that starts anew ------------------------------------ */

/* A driver is there as long as its process, so all of them stay where they can be found. */
static Driver *drivers[32];
static int n_drivers;

static Driver *open_driver(void)
{
	Fault why;
	Driver *d = driver_process_open(loop, &conf, &why);

	if (!d)
		fail_msg("%s", why.detail);
	assert_in_range(n_drivers, 0, N_OF(drivers) - 1);
	drivers[n_drivers++] = d;
	return d;
}

static Instance *attach_to(Driver *d)
{
	return d->ops->attach(d, id, "postgres", on_end, NULL);
}

/* The one before goes on unseen; what it knew is forgotten. */
static void restart_control(void)
{
	driver->ops->detach(instance);
	driver = open_driver();
	instance = attach_to(driver);
}

static int group_setup(void **state)
{
	(void)state;
	loop = loop_new();
	defaults = conf_defaults();
	conf = *defaults;
	text_copy(conf.process.data_dir.s, sizeof(conf.process.data_dir.s), folder);
	if (may_have_tenants) {
		conf.first_user = 100000000 + 50 * getpid(); /* nobody else's: they are killed */
		conf.last_user = conf.first_user + 49;
	}
	driver = open_driver();
	assert_int_equal(driver->can.own_users, may_have_tenants);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	for (int n = 0; n < n_drivers; n++) {
		for (CgroupKind k = 0; k < CGROUP_KINDS; k++)
			rmdir(((ProcessDriver *)drivers[n])->cgroups.place[k]);
	}
	conf_release(defaults);
	return 0;
}

/* Each test has a compute of its own, which has not been made yet. */
static int setup(void **state)
{
	static int n;

	(void)state;
	generation = 1;
	snprintf(id, sizeof(id), "shop-%d", ++n);
	instance = attach_to(driver);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_string_equal(destroy(), "");
	driver->ops->detach(instance);
	return 0;
}

/* ---- a client of the server ---------------------------------------------- */

static char value[256];
static bool has_value;
static PgConn *conn;

static void on_rows(void *arg, const PgRows *rows, const char *error)
{
	(void)arg;
	text_copy(value, sizeof(value),
		  error                 ? error
		  : pg_rows_count(rows) ? pg_rows_text(rows, 0, 0)
					: "");
	has_value = true;
	loop_stop(loop);
}

static void ask(const char *sql)
{
	has_value = false;
	pgconn_ask(conn, sql, 20000);
}

static const char *told(void)
{
	while (!has_value)
		loop_run(loop);
	return value;
}

static const char *asked(const char *sql)
{
	ask(sql);
	return told();
}

static void connect_as_control(void)
{
	char at[PATH_SIZE];
	PgTarget target = {.host = at,
			   .port = 5432,
			   .user = CONTROL_ROLE,
			   .password = PASSWORD,
			   .dbname = "postgres"};

	path_set(at, "%s", sight.address);
	*strrchr(at, '/') = 0;
	conn = pgconn_new(loop, &target, on_rows, NULL);
}

static const char *asked_anew(const char *sql)
{
	connect_as_control();
	asked(sql);
	pgconn_free(conn);
	return value;
}

static void begin(void)
{
	assert_string_equal(create(), "");
	assert_string_equal(start(++generation), "");
	assert_true(sight.running);
}

static pid_t server_pid(void)
{
	return (pid_t)atoi(sight.incarnation);
}

static bool uses_groups(void)
{
	return *instance->group;
}

/* ---- the tests ------------------------------------------------------------ */

TEST(a_compute_is_made_and_runs)
{
	begin();
	assert_string_equal(asked_anew("select 'row'"), "row");
	assert_string_equal(stop(++generation), "");
	assert_false(sight.there);
	assert_string_equal(stop(++generation), ""); /* again */
	assert_string_equal(start(++generation), "");
	assert_string_equal(start(generation), ""); /* again */
	assert_string_equal(asked_anew("show wal_level"), "logical");
	assert_string_equal(asked_anew("show max_slot_wal_keep_size"), "1GB");
}

TEST(the_address_of_an_earlier_life_leads_nowhere)
{
	char before[ADDRESS_SIZE];
	struct stat st;

	begin();
	text_copy(before, sizeof(before), sight.address);
	assert_contains(before, "/2/");
	driver->ops->stop(instance, STOP_IMMEDIATE, ++generation, on_answer);
	assert_string_equal(answered(), "");
	assert_string_equal(start(++generation), "");
	assert_string_not_equal(sight.address, before);
	assert_int_equal(stat(before, &st), -1);
	assert_int_equal(errno, ENOENT);
	restart_control();
	text_copy(before, sizeof(before), sight.address);
	observe();
	assert_string_equal(sight.address, before);
	assert_string_equal(asked_anew("select 'row'"), "row");
}

TEST(a_server_that_is_killed_leaves_no_socket)
{
	char at[ADDRESS_SIZE], lock[PATH_SIZE];

	begin();
	text_copy(at, sizeof(at), sight.address);
	path_set(lock, "%s.lock", at);
	assert_int_equal(access(at, F_OK) | access(lock, F_OK), 0);
	kill(server_pid(), SIGKILL);
	loop_run(loop);
	assert_contains(last_words, "ended by itself");
	assert_int_equal(access(at, F_OK), -1);
	assert_int_equal(access(lock, F_OK), -1);
	assert_string_equal(start(++generation), "");
	assert_string_equal(asked_anew("select 'row'"), "row");
}

TEST(a_frozen_server_stands_still_and_goes_on_where_it_was)
{
	begin();
	connect_as_control();
	asked("create temp table kept as select 'row' as x");
	assert_string_equal(freeze(), "");
	assert_true(sight.running && sight.frozen);
	assert_int_not_equal(uses_groups(), tree_is_stopped(server_pid()));
	assert_string_equal(freeze(), ""); /* again */
	ask("select x from kept");
	assert_string_equal(thaw(), "");
	assert_false(sight.frozen);
	assert_string_equal(told(), "row");
	assert_string_equal(thaw(), ""); /* again */
	pgconn_free(conn);
	assert_string_equal(asked_anew("select 'row'"), "row");
}

TEST(a_frozen_server_is_found_frozen_by_a_new_control_plane)
{
	char before[INCARNATION_SIZE];

	begin();
	text_copy(before, sizeof(before), sight.incarnation);
	assert_string_equal(freeze(), "");
	restart_control();
	observe();
	assert_true(sight.running && sight.frozen);
	assert_string_equal(sight.incarnation, before);
	assert_string_equal(thaw(), "");
	observe();
	assert_false(sight.frozen);
	assert_string_equal(asked_anew("select 'row'"), "row");
}

TEST(what_was_frozen_by_signals_goes_on_whatever_else_there_is)
{
	begin();
	while (!tree_stop(server_pid()))
		continue;
	restart_control();
	observe();
	assert_true(sight.frozen);
	assert_string_equal(start(++generation), ""); /* as good as a thaw */
	assert_false(sight.frozen);
	assert_string_equal(asked_anew("select 'row'"), "row");
}

TEST(a_frozen_server_can_be_stopped)
{
	begin();
	assert_string_equal(freeze(), "");
	assert_string_equal(stop(++generation), "");
	assert_false(sight.there || sight.frozen);
	assert_string_equal(start(++generation), "");
	assert_false(sight.frozen);
	assert_string_equal(asked_anew("select 'row'"), "row");
}

TEST(a_frozen_server_can_be_destroyed)
{
	char path[PATH_SIZE];
	pid_t pid;

	begin();
	assert_string_equal(freeze(), "");
	pid = server_pid();
	restart_control();
	assert_string_equal(destroy(), "");
	assert_int_equal(machine_process_start(pid), 0);
	path_set(path, "%s/postgres/%s", folder, id);
	assert_int_equal(access(path, F_OK), -1);
	path_set(path, "%s/run/%s", folder, id);
	assert_int_equal(access(path, F_OK), -1);
}

TEST(a_server_that_dies_while_frozen_is_noticed)
{
	begin();
	assert_string_equal(freeze(), "");
	kill(server_pid(), SIGKILL);
	loop_run(loop);
	assert_contains(last_words, "ended by itself");
	observe();
	assert_false(sight.there || sight.frozen);
	assert_contains(freeze(), "no server");
	assert_string_equal(thaw(), "");
	assert_false(sight.there);
	assert_string_equal(start(++generation), "");
	assert_string_equal(asked_anew("select 'row'"), "row");
}

TEST(who_is_behind_cannot_undo_what_was_done_since)
{
	ServerOrder old;

	begin();
	generation = 7;
	assert_string_equal(start(generation), "");
	old = order_of(6);
	assert_contains(start(6), "fenced: ");
	assert_contains(stop(6), "fenced: ");
	driver->ops->freeze(instance, 6, on_answer);
	assert_contains(answered(), "fenced: ");
	driver->ops->thaw(instance, 6, on_answer);
	assert_contains(answered(), "fenced: ");
	driver->ops->resize(instance, &old, on_answer);
	assert_contains(answered(), "fenced: ");
	driver->ops->destroy(instance, 6, on_answer);
	assert_contains(answered(), "fenced: ");
	restart_control();
	assert_contains(stop(6), "fenced: generation 6 is over, generation 7 was here");
	observe();
	assert_true(sight.running);
}

TEST(what_a_server_uses_is_known)
{
	ServerStat before, after;

	assert_false(driver->ops->stat(instance, &before));
	begin();
	connect_as_control();
	assert_true(driver->ops->stat(instance, &before));
	assert_true(before.processes >= 4);
	assert_in_range(before.memory, 4 << 20, 1 << 30);
	asked("select count(*) from generate_series(1, 2000000)");
	assert_true(driver->ops->stat(instance, &after));
	assert_true(after.cpu_us > before.cpu_us + 50000);
	assert_int_equal(after.processes, before.processes + 1);
	assert_true(uses_groups() ? after.cpu_pressure >= 0 : after.cpu_pressure == -1);
	pgconn_free(conn);
}

TEST(a_running_server_can_be_resized)
{
	ServerOrder order = order_of(0);
	char path[PATH_SIZE], limit[32];

	begin();
	connect_as_control();
	assert_string_equal(asked("show work_mem"), "8MB");
	assert_string_equal(asked("show max_parallel_workers"), "1");
	order.generation = ++generation;
	order.size = 4000;
	driver->ops->resize(instance, &order, on_answer);
	answered();
	if (driver->can.limit_cpu) {
		const Cgroups *c = &((ProcessDriver *)driver)->cgroups;
		bool v1 = *c->place[CGROUP_CPU];

		assert_string_equal(failure, "");
		path_set(path, "%s/%s/%s", c->place[v1 ? CGROUP_CPU : CGROUP_UNIFIED],
			 instance->group, v1 ? "cpu.cfs_quota_us" : "cpu.max");
		file_read(path, 0, limit, sizeof(limit));
		assert_int_equal(atoi(limit), 400000);
	} else {
		assert_string_equal(failure, "no control group limits CPU here");
	}
	while (strcmp(asked("show work_mem"), "32MB") != 0) /* once it has heard */
		assert_string_equal(value, "8MB");
	assert_string_equal(asked("show max_parallel_workers"), "4");
	pgconn_free(conn);
	assert_string_equal(stop(++generation), "");
	order.generation = ++generation;
	driver->ops->start(instance, &order, on_answer);
	assert_string_equal(answered(), "");
	assert_string_equal(asked_anew("show shared_buffers"), "256MB");
}

static int64_t measured;

static void on_measured(void *arg, int64_t bytes)
{
	(void)arg;
	measured = bytes;
	loop_stop(loop);
}

TEST(the_end_of_a_file_that_is_cut_is_kept)
{
	char file[PATH_SIZE], old[PATH_SIZE], text[64];

	path_set(file, "%s/a-log", folder);
	path_set(old, "%s.1", file);
	assert_true(file_write(file, "the first line\nthe last line\n"));
	assert_true(file_cut(file, old, 14));
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(file_size(file), 0);
	file_read(old, 0, text, sizeof(text));
	assert_string_equal(text, "the last line\n");
	assert_true(file_write(file, "short\n"));
	assert_true(file_cut(file, old, 14));
	file_read(old, 0, text, sizeof(text));
	assert_string_equal(text, "short\n");
	assert_false(file_cut("/nowhere/at/all", old, 14));
	unlink(file);
	unlink(old);
}

TEST(what_a_server_prints_is_kept_short_while_it_runs)
{
	char old[PATH_SIZE], tail[4096];

	begin();
	path_set(old, "%s.1", instance->home.log);
	connect_as_control();
	for (int n = 0; n < 3; n++) {
		asked("DO $$BEGIN FOR i IN 1..120 LOOP RAISE LOG '%', repeat('x', 100000);"
		      " END LOOP; END$$");
		while (file_size(instance->home.log) > 10 << 20)
			asked("SELECT pg_sleep(0.02)");
		assert_in_range(file_size(old), 1 << 19, 1 << 20);
	}
	asked("DO $$BEGIN RAISE LOG 'the very last'; END$$");
	file_tail(instance->home.log, 0, tail, sizeof(tail));
	assert_contains(tail, "the very last");
	pgconn_free(conn);
}

TEST(what_a_compute_takes_on_disk_is_measured)
{
	driver->ops->measure(instance, on_measured);
	loop_run(loop);
	assert_int_equal(measured, -1);
	assert_string_equal(create(), "");
	driver->ops->measure(instance, on_measured);
	loop_run(loop);
	assert_in_range(measured, 10 << 20, 100 << 20);
}

/* Calls back for each that is whole; how many there are. */
static int spares(void (*visit)(const char *path))
{
	char path[PATH_SIZE];
	const struct dirent *e;
	DIR *dir;
	int n = 0;

	path_set(path, "%s/spare", folder);
	dir = opendir(path);
	while ((e = readdir(dir)) != NULL) {
		if (*e->d_name == '.' || strstr(e->d_name, MARK_MAKING))
			continue;
		path_set(path, "%s/spare/%s", folder, e->d_name);
		if (visit)
			visit(path);
		n++;
	}
	closedir(dir);
	return n;
}

static ino_t known[16];
static int n_known;

static void learn(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && n_known < 16)
		known[n_known++] = st.st_ino;
}

static bool was_a_spare(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	for (int k = 0; k < n_known; k++) {
		if (known[k] == st.st_ino)
			return true;
	}
	return false;
}

static void on_tick(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void await_spares(int n)
{
	Timer tick;

	timer_init(&tick, loop, on_tick, NULL);
	while (spares(NULL) < n) {
		timer_arm(&tick, 10);
		loop_run(loop);
	}
	timer_stop(&tick);
}

TEST(a_compute_is_made_of_a_spare_and_another_is_made_later)
{
	char path[PATH_SIZE];

	observe();
	await_spares(conf.process.spares);
	spares(learn);
	assert_string_equal(create(), "");
	path_set(path, "%s/postgres/%s", folder, id);
	assert_true(was_a_spare(path));
	assert_string_equal(start(++generation), "");
	assert_string_equal(asked_anew("select 'row'"), "row");
	await_spares(conf.process.spares);
}

TEST(what_is_left_of_spares_is_swept)
{
	char old[PATH_SIZE], half[PATH_SIZE];
	Timer tick;

	path_set(old, "%s/spare/postgres-0-1-old", folder);
	path_set(half, "%s/spare/postgres-0-1" MARK_MAKING "1-2-3", folder);
	assert_true(folder_make(old) && folder_make(half));
	restart_control();
	timer_init(&tick, loop, on_tick, NULL);
	while (access(old, F_OK) == 0 || access(half, F_OK) == 0) {
		timer_arm(&tick, 10);
		loop_run(loop);
	}
}

TEST(a_compute_of_an_earlier_revision_is_brought_up_to_date)
{
	char path[PATH_SIZE], text[16];

	assert_string_equal(create(), "");
	path_set(path, "%s/postgres/%s/revision", folder, id);
	assert_int_equal(unlink(path), 0);
	assert_string_equal(start(++generation), "");
	file_read(path, 0, text, sizeof(text));
	assert_int_equal(atoi(text), engine_postgres.revision);
	assert_string_equal(asked_anew("checkpoint"), "");
	assert_string_equal(asked_anew("create role clerk login password 'x'"), "");
	assert_string_equal(asked_anew("select reveille.set_secret('clerk', 'y')"), "");
	assert_string_equal(asked_anew("select reveille.set_secret('app', 'y')"), "");
	asked_anew("select reveille.set_secret('postgres', 'y')");
	assert_contains(value, "ERROR");
}

/* ---- tenants -------------------------------------------------------------- */

static bool can_open(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

static bool can_connect(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(to.sun_path, path);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

/* What somebody of that user could do to the compute of the test: the first thing, or 0. */
static int intrude(uid_t user)
{
	const Home *h = &instance->home;
	char version[PATH_SIZE], fence[PATH_SIZE], hba[PATH_SIZE];
	int status, k = 0;
	pid_t pid = fork();

	if (pid == 0) {
		path_set(version, "%s/PG_VERSION", h->data);
		path_set(fence, "%s/fence", h->folder);
		path_set(hba, "%s/pg_hba.conf", h->folder);
		_exit(!user_switch(user)                  ? 99
		      : ++k && can_open(version)          ? k
		      : ++k && can_open(fence)            ? k
		      : ++k && can_open(hba)              ? k
		      : ++k && can_open(h->log)           ? k
		      : ++k && can_open(folder)           ? k
		      : ++k && can_open(h->sockets)       ? k
		      : ++k && can_connect(sight.address) ? k
		      : ++k && kill(server_pid(), 0) == 0 ? k
							  : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static uid_t owner(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_uid;
}

TEST(a_tenant_reaches_neither_files_nor_sockets_nor_processes_of_another)
{
	char path[PATH_SIZE], link[PATH_SIZE];
	uid_t user;

	if (!driver->can.own_users)
		skip();
	begin();
	user = owner(instance->home.data);
	assert_in_range(user, conf.first_user, conf.last_user);
	path_set(path, "/proc/%d", server_pid());
	assert_int_equal(owner(path), user);
	assert_int_equal(intrude(user), 1); /* so trying works */
	assert_int_equal(intrude((uid_t)conf.last_user), 0);
	path_set(link, "%s/users/%u", folder, user);
	assert_int_equal(readlink(link, path, sizeof(path)), strlen(id));
	assert_string_equal(asked_anew("select 'row'"), "row");
	assert_string_equal(destroy(), "");
	assert_int_equal(readlink(link, path, sizeof(path)), -1);
}

TEST(what_a_tenant_puts_in_place_of_a_pid_file_misleads_nobody)
{
	char pid_file[PATH_SIZE], text[PATH_SIZE];

	if (!driver->can.own_users)
		skip();
	assert_string_equal(create(), "");
	path_set(pid_file, "%s/postmaster.pid", instance->home.data);
	assert_int_equal(mkfifo(pid_file, 0666), 0);
	observe();
	assert_false(sight.there);
	assert_int_equal(unlink(pid_file), 0);
	path_set(text, "%d\n/data\n1\n5432\n%s/../other/5\n\n1\nready\n", getpid(),
		 instance->home.sockets);
	assert_true(file_write(pid_file, text));
	observe();
	assert_false(sight.there);
	assert_int_equal(unlink(pid_file), 0);
}

TEST(a_compute_that_was_ours_becomes_a_tenants_at_its_next_start)
{
	Tenants *t = &((ProcessDriver *)driver)->tenants;

	if (!t->on)
		skip();
	t->on = false;
	begin();
	assert_int_equal(owner(instance->home.data), geteuid());
	assert_string_equal(stop(++generation), "");
	t->on = true;
	assert_string_equal(start(++generation), "");
	assert_in_range(owner(instance->home.data), conf.first_user, conf.last_user);
	assert_string_equal(asked_anew("select 'row'"), "row");
	restart_control();
	observe();
	assert_true(sight.running);
}

TEST(two_control_planes_make_one_server)
{
	Instance *one = instance, *other = attach_to(open_driver());
	ServerOrder order = order_of(generation);
	char first[INCARNATION_SIZE];

	one->driver->driver.ops->create(one, &order, on_answer);
	other->driver->driver.ops->create(other, &order, on_answer);
	assert_string_equal(answered(), "");
	assert_string_equal(answered(), "");
	assert_string_equal(start(++generation), "");
	text_copy(first, sizeof(first), sight.incarnation);
	instance = other;
	assert_string_equal(start(++generation), "");
	assert_string_equal(sight.incarnation, first);
	assert_string_equal(asked_anew("select 'row'"), "row");
	instance = one;
	assert_contains(stop(generation - 1), "fenced:");
	driver->ops->detach(other);
}

/* ---- running them -------------------------------------------------------- */

#define WITH_COMPUTE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static int run_all(const char *name)
{
	const struct CMUnitTest tests[] = {
		WITH_COMPUTE(a_compute_is_made_and_runs),
		WITH_COMPUTE(the_address_of_an_earlier_life_leads_nowhere),
		WITH_COMPUTE(a_server_that_is_killed_leaves_no_socket),
		WITH_COMPUTE(a_frozen_server_stands_still_and_goes_on_where_it_was),
		WITH_COMPUTE(a_frozen_server_is_found_frozen_by_a_new_control_plane),
		WITH_COMPUTE(what_was_frozen_by_signals_goes_on_whatever_else_there_is),
		WITH_COMPUTE(a_frozen_server_can_be_stopped),
		WITH_COMPUTE(a_frozen_server_can_be_destroyed),
		WITH_COMPUTE(a_server_that_dies_while_frozen_is_noticed),
		WITH_COMPUTE(who_is_behind_cannot_undo_what_was_done_since),
		WITH_COMPUTE(what_a_server_uses_is_known),
		WITH_COMPUTE(a_running_server_can_be_resized),
		cmocka_unit_test(the_end_of_a_file_that_is_cut_is_kept),
		WITH_COMPUTE(what_a_server_prints_is_kept_short_while_it_runs),
		WITH_COMPUTE(what_a_compute_takes_on_disk_is_measured),
		WITH_COMPUTE(a_compute_is_made_of_a_spare_and_another_is_made_later),
		WITH_COMPUTE(what_is_left_of_spares_is_swept),
		WITH_COMPUTE(a_compute_of_an_earlier_revision_is_brought_up_to_date),
		WITH_COMPUTE(a_tenant_reaches_neither_files_nor_sockets_nor_processes_of_another),
		WITH_COMPUTE(what_a_tenant_puts_in_place_of_a_pid_file_misleads_nobody),
		WITH_COMPUTE(a_compute_that_was_ours_becomes_a_tenants_at_its_next_start),
		WITH_COMPUTE(two_control_planes_make_one_server),
	};

	return cmocka_run_group_tests_name(name, tests, group_setup, group_teardown);
}

/* In memory, where there is such a folder. */
static void make_folder(const struct passwd *owner)
{
	strcpy(folder, "/dev/shm/reveille-XXXXXX");
	if (!mkdtemp(folder))
		assert_non_null(mkdtemp(strcpy(folder, "/tmp/reveille-XXXXXX")));
	if (owner && chown(folder, owner->pw_uid, owner->pw_gid) == -1)
		fail_msg("%s", strerror(errno));
}

static int run_as(const char *user, const char *name, bool privileged)
{
	Fault why;

	if (!user_become(user, privileged, &why))
		return 1;
	user_take_up_privileges();
	may_have_tenants = privileged;
	return run_all(name);
}

/* In a copy of this process: nobody becomes root again, and its jobs end with it. */
static int run_apart(const char *user, const char *name, bool privileged)
{
	int status = 0;
	pid_t pid;

	make_folder(*user ? getpwnam(user) : NULL);
	pid = fork();
	if (pid == 0)
		exit(run_as(user, name, privileged));
	waitpid(pid, &status, 0);
	while (!folder_remove(folder))
		continue;
	return status != 0;
}

int main(void)
{
	if (geteuid() != 0)
		return run_apart("", "driver", false);
	return run_apart("nobody", "driver without privileges", false) +
	       run_apart("nobody", "driver with privileges", true);
}
