/* What the process driver is made of: files, processes, and what servers say of themselves. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/control/driver/cgroup.h"
#include "src/control/driver/fence.h"
#include "src/control/driver/files.h"
#include "src/control/driver/guests.h"
#include "src/control/driver/pidfile.h"
#include "src/control/driver/title.h"
#include "sys/machine.h"
#include "sys/notify.h"
#include "sys/spawn.h"

static char folder[64];
static Loop *loop;

static const char *in_folder(const char *name)
{
	static char paths[4][PATH_SIZE];
	static int k;

	k = (k + 1) % 4;
	path_set(paths[k], "%s/%s", folder, name);
	return paths[k];
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/reveille-driver-XXXXXX");
	assert_non_null(mkdtemp(folder));
	loop = loop_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	assert_true(folder_remove(folder));
	return 0;
}

/* ---- files ------------------------------------------------------------- */

TEST(a_folder_is_copied_with_all_that_is_in_it)
{
	char text[64];
	struct stat st;

	assert_true(folder_make(in_folder("a")));
	assert_true(folder_make(in_folder("a/b")));
	assert_true(file_write(in_folder("a/b/c"), "hello"));
	assert_true(file_write(in_folder("a/empty"), ""));
	assert_true(folder_copy(in_folder("a"), in_folder("x")));
	file_read(in_folder("x/b/c"), 0, text, sizeof(text));
	assert_string_equal(text, "hello");
	assert_int_equal(stat(in_folder("x/empty"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(in_folder("x"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_false(folder_copy(in_folder("a"), in_folder("x")));
}

TEST(a_copy_follows_no_links)
{
	folder_make(in_folder("a"));
	assert_int_equal(symlink("/etc/passwd", in_folder("a/link")), 0);
	assert_false(folder_copy(in_folder("a"), in_folder("x")));
}

TEST(removing_follows_no_links_and_what_is_not_there_is_gone)
{
	folder_make(in_folder("a"));
	folder_make(in_folder("kept"));
	file_write(in_folder("kept/file"), "x");
	assert_int_equal(symlink(in_folder("kept"), in_folder("a/link")), 0);
	assert_true(folder_remove(in_folder("a")));
	assert_true(folder_remove(in_folder("a")));
	assert_int_equal(file_size(in_folder("kept/file")), 1);
}

TEST(only_what_the_dead_left_over_is_swept)
{
	char life[LIFE_SIZE], mine[PATH_SIZE];

	life_name(life);
	path_set(mine, "%s/shop" MARK_MAKING "%s-2", folder, life);
	folder_make(mine);
	folder_make(in_folder("shop"));
	folder_make(in_folder("shop.tmp-1"));
	file_write(in_folder("shop.tmp-1/file"), "x");
	folder_make(in_folder("shop.tmp-1-1234-5"));
	folder_sweep(folder, MARK_MAKING);
	assert_int_equal(access(mine, F_OK), 0);
	assert_int_equal(access(in_folder("shop"), F_OK), 0);
	assert_int_equal(access(in_folder("shop.tmp-1"), F_OK), -1);
	assert_int_equal(access(in_folder("shop.tmp-1-1234-5"), F_OK), -1);
}

TEST(the_tail_of_a_log_begins_with_a_whole_line)
{
	char tail[16];

	file_write(in_folder("log"), "old line\nfirst\nsecond\nthird\n");
	file_tail(in_folder("log"), 0, tail, sizeof(tail));
	assert_string_equal(tail, "second\nthird\n");
	file_tail(in_folder("log"), 22, tail, sizeof(tail));
	assert_string_equal(tail, "third\n");
	file_tail(in_folder("nothing"), 0, tail, sizeof(tail));
	assert_string_equal(tail, "");
}

/* ---- processes --------------------------------------------------------- */

static int ended_with;

static void on_end(void *arg, int status)
{
	process_free(*(Process **)arg);
	ended_with = status;
	loop_stop(loop);
}

static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};

static SpawnPlan shell(const char *const *argv)
{
	return (SpawnPlan){.argv = argv, .env = env, .log_file = in_folder("log")};
}

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

TEST(a_server_has_its_own_session_and_nothing_of_ours)
{
	int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
	SpawnPlan plan = shell(
		SHELL("echo $(ls /proc/self/fd | wc -w); ps -o sid= -p $$ | tr -d ' '; echo $$"));
	char text[200];
	Process *p;
	int descriptors, sid, pid;
	Fault why;

	p = process_spawn(loop, &plan, on_end, &p, &why);
	assert_non_null(p);
	loop_run(loop);
	close(leak);
	assert_int_equal(ended_with, 0);
	file_read(in_folder("log"), 0, text, sizeof(text));
	assert_int_equal(sscanf(text, "%d %d %d", &descriptors, &sid, &pid), 3);
	assert_int_equal(descriptors, 4); /* the standard ones, and ls's own */
	assert_int_equal(sid, pid);
}

TEST(an_end_is_noticed_with_its_status)
{
	SpawnPlan plan = shell(SHELL("exit 7"));
	Process *p;
	Fault why;

	p = process_spawn(loop, &plan, on_end, &p, &why);
	loop_run(loop);
	assert_int_equal(WEXITSTATUS(ended_with), 7);
	plan.argv = (const char *const[]){"/nowhere/at/all", NULL};
	p = process_spawn(loop, &plan, on_end, &p, &why);
	loop_run(loop);
	assert_int_equal(WEXITSTATUS(ended_with), 127);
}

TEST(a_process_is_known_by_when_it_started)
{
	SpawnPlan plan = shell(SHELL("exec sleep 60"));
	Process *p, *found;
	Fault why;

	p = process_spawn(loop, &plan, on_end, &p, &why);
	assert_true(process_start(p) > 0);
	assert_null(process_adopt(loop, process_pid(p), process_start(p) + 1, on_end, &found));
	assert_null(process_adopt(loop, process_pid(p), 0, on_end, &found));
	found = process_adopt(loop, process_pid(p), process_start(p), on_end, &found);
	assert_non_null(found);
	process_free(p);
	process_signal(found, SIGTERM);
	loop_run(loop);
	assert_int_equal(WTERMSIG(ended_with), SIGTERM);
}

TEST(who_has_ended_does_not_live_also_before_the_loop_was_told)
{
	SpawnPlan plan = shell(SHELL("exec sleep 60"));
	siginfo_t info;
	Process *p;
	Fault why;

	p = process_spawn(loop, &plan, on_end, &p, &why);
	assert_true(process_lives(p));
	process_signal(p, SIGKILL);
	waitid(P_PID, (id_t)process_pid(p), &info, WEXITED | WNOWAIT);
	assert_false(process_lives(p));
	loop_run(loop);
	assert_int_equal(WTERMSIG(ended_with), SIGKILL);
}

static int job(void *arg)
{
	fprintf(stderr, "working on %s\n", (const char *)arg);
	return 3;
}

static void on_job_end(void *arg, int status)
{
	(void)arg;
	ended_with = status;
	loop_stop(loop);
}

TEST(a_job_ends_with_its_result)
{
	char text[64], word[] = "it";
	Process *p;
	Fault why;

	p = process_job(loop, job, in_folder("log"), on_job_end, word, &why);
	loop_run(loop);
	process_free(p);
	assert_int_equal(WEXITSTATUS(ended_with), 3);
	file_read(in_folder("log"), 0, text, sizeof(text));
	assert_string_equal(text, "working on it\n");
}

TEST(a_program_can_be_run_to_its_end)
{
	SpawnPlan plan = shell(SHELL("read line; test \"$line\" = hello"));
	char line[32];

	plan.input = "hello\n";
	assert_int_equal(spawn_and_wait(&plan), 0);
	plan.input = "goodbye\n";
	assert_int_equal(spawn_and_wait(&plan), 1);
	assert_true(spawn_first_line(SHELL("echo one; echo two"), line, sizeof(line)));
	assert_string_equal(line, "one");
	assert_false(spawn_first_line(SHELL("echo one; exit 1"), line, sizeof(line)));
}

/* ---- being told -------------------------------------------------------- */

static int ready;

static void on_ready(void *arg)
{
	notify_close(*(Notify **)arg);
	ready++;
	loop_stop(loop);
}

static void tell(const char *path, const char *message)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(to.sun_path, path);
	assert_int_equal(
		sendto(fd, message, strlen(message), 0, (struct sockaddr *)&to, sizeof(to)),
		strlen(message));
	close(fd);
}

TEST(a_server_says_when_it_is_ready)
{
	Notify *n;
	Fault why;

	ready = 0;
	n = notify_open(loop, in_folder("notify"), on_ready, &n, &why);
	assert_non_null(n);
	tell(in_folder("notify"), "STATUS=starting\n");
	tell(in_folder("notify"), "STATUS=up\nREADY=1\n");
	loop_run(loop);
	assert_int_equal(ready, 1);
	assert_int_equal(access(in_folder("notify"), F_OK), -1);
}

TEST(a_socket_whose_name_is_too_long_is_refused)
{
	char path[PATH_SIZE];
	Fault why;

	path_set(path, "%s/%0150d", folder, 1);
	assert_null(notify_open(loop, path, on_ready, NULL, &why));
	assert_contains(why.detail, "too long");
}

TEST(a_pid_file_tells_how_far_its_server_has_come)
{
	static const char head[] = "4242\n/data\n1700000000\n5432\n/run\n\n  1234\n";
	char text[200];
	PidFile file;

	snprintf(text, sizeof(text), "%sready   \n", head);
	assert_true(pidfile_parse(text, &file));
	assert_int_equal(file.pid, 4242);
	assert_string_equal(file.sockets, "/run");
	assert_int_equal(file.phase, SERVER_READY);
	snprintf(text, sizeof(text), "%sstopping\n", head);
	assert_true(pidfile_parse(text, &file));
	assert_int_equal(file.phase, SERVER_STOPPING);
	assert_true(pidfile_parse(head, &file));
	assert_int_equal(file.phase, SERVER_STARTING);
	assert_true(pidfile_parse("77", &file));
	assert_false(pidfile_parse("-77\n/data\n", &file)); /* single-user */
	assert_false(pidfile_parse("", &file));
	assert_false(pidfile_parse("1\n", &file));
	assert_false(pidfile_parse("12x\n", &file));
}

/* ---- where control groups are -------------------------------------------- */

static const char hybrid_mounts[] =
	"24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
	"25 24 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup "
	"rw,cpu,cpuacct\n"
	"26 24 0:24 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
	"27 24 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

static const char hybrid_groups[] = "4:freezer:/\n3:cpu,cpuacct:/system.slice\n0::/\n";

TEST(each_hierarchy_of_control_groups_is_found)
{
	CgroupPlace p;

	assert_true(cgroup_place(CGROUP_UNIFIED, hybrid_mounts, hybrid_groups, &p));
	assert_string_equal(p.mount, "/sys/fs/cgroup/unified");
	assert_string_equal(p.own, "");
	assert_true(cgroup_place(CGROUP_CPU, hybrid_mounts, hybrid_groups, &p));
	assert_string_equal(p.mount, "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(p.own, "/system.slice");
	assert_true(cgroup_place(CGROUP_FREEZER, hybrid_mounts, hybrid_groups, &p));
	assert_false(cgroup_place(CGROUP_MEMORY, hybrid_mounts, hybrid_groups, &p));
	assert_false(cgroup_place(CGROUP_UNIFIED, "", "", &p));
	assert_false(cgroup_place(CGROUP_UNIFIED, "x - \n", "0\n:\n", &p));
}

TEST(a_container_stands_at_the_root_of_what_it_sees)
{
	static const char mounts[] =
		"30 29 0:26 /docker/42 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
	CgroupPlace p;

	assert_true(cgroup_place(CGROUP_UNIFIED, mounts, "0::/docker/42\n", &p));
	assert_string_equal(p.own, "");
	assert_true(cgroup_place(CGROUP_UNIFIED, mounts, "0::/docker/42/a\n", &p));
	assert_string_equal(p.own, "/a");
}

static void freezes(CgroupKind kind, const char *place)
{
	Cgroups c = {.freeze = true};
	CgroupDoors doors;
	SpawnPlan plan = shell(SHELL("trap 'exit 7' TERM; echo >ready; while :; do :; done"));
	Process *p;
	Fault why;

	path_set(c.place[kind], "%s", place);
	cgroup_make(&c, "server");
	cgroup_doors(&c, "server", &doors);
	plan.groups = doors.list;
	plan.folder = folder;
	unlink(in_folder("ready"));
	p = process_spawn(loop, &plan, on_end, &p, &why);
	while (access(in_folder("ready"), F_OK) == -1)
		continue;
	assert_true(cgroup_holds(&c, "server", process_pid(p)));
	assert_false(cgroup_is_frozen(&c, "server"));
	assert_true(cgroup_set_frozen(&c, "server", true));
	while (!cgroup_is_frozen(&c, "server"))
		continue;
	process_signal(p, SIGTERM); /* which it hears when it goes on */
	if (kind == CGROUP_UNIFIED)
		assert_true(cgroup_holds(&c, "server", process_pid(p)));
	assert_true(cgroup_set_frozen(&c, "server", false));
	loop_run(loop);
	assert_int_equal(WEXITSTATUS(ended_with), 7);
	cgroup_remove_when_empty(&c, "server");
}

TEST(either_version_of_control_groups_freezes)
{
	static const struct {
		CgroupKind kind;
		const char *mount;
	} kinds[] = {{CGROUP_UNIFIED, "/sys/fs/cgroup/unified"},
		     {CGROUP_UNIFIED, "/sys/fs/cgroup"},
		     {CGROUP_FREEZER, "/sys/fs/cgroup/freezer"}};
	char place[PATH_SIZE], procs[PATH_SIZE];

	for (size_t i = 0; i < N_OF(kinds); i++) {
		path_set(procs, "%s/cgroup.procs", kinds[i].mount);
		path_set(place, "%s/reveille-test-%d", kinds[i].mount, (int)getpid());
		if (access(procs, W_OK) == -1 || mkdir(place, 0755) == -1)
			continue; /* not there, or not ours to write to */
		freezes(kinds[i].kind, place);
		assert_int_equal(rmdir(place), 0);
	}
}

/* ---- who was here --------------------------------------------------------- */

TEST(a_fence_is_passed_upwards_only)
{
	char why[128] = "";

	assert_true(fence_pass(folder, 3, why, sizeof(why)));
	assert_true(fence_pass(folder, 3, why, sizeof(why)));
	assert_true(fence_pass(folder, 5, why, sizeof(why)));
	assert_false(fence_pass(folder, 4, why, sizeof(why)));
	assert_string_equal(why, "fenced: generation 4 is over, generation 5 was here");
	assert_true(fence_pass(in_folder("nowhere"), 1, why, sizeof(why)));
}

TEST(of_many_who_pass_a_fence_at_once_the_highest_stays)
{
	char why[128];

	for (int child = 1; child <= 8; child++) {
		if (fork() > 0)
			continue;
		for (int64_t n = child; n < 4000; n += 8)
			fence_pass(folder, n, why, sizeof(why));
		_exit(0);
	}
	while (wait(NULL) > 0)
		continue;
	assert_false(fence_pass(folder, 3998, why, sizeof(why)));
	assert_true(fence_pass(folder, 3999, why, sizeof(why)));
}

/* ---- who is on a server -------------------------------------------------- */

TEST(a_title_tells_whom_a_process_serves)
{
	const struct {
		const char *title;
		Guest guest;
	} cases[] = {
		{"/usr/lib/postgresql/15/bin/postgres", GUEST_ARRIVING},
		{"postgres: shop: app app [local] ", GUEST_ARRIVING},
		{"postgres: shop: app app [local] initializing", GUEST_ARRIVING},
		{"postgres: shop: app app [local] authentication", GUEST_ARRIVING},
		{"postgres: shop: app app [local] startup", GUEST_ARRIVING},
		{"postgres: shop: app app [local] idle", GUEST_IDLE},
		{"postgres: shop: app app [local] idle in transaction", GUEST_WORKING},
		{"postgres: shop: app app [local] SELECT", GUEST_WORKING},
		{"postgres: shop: app app [local] UPDATE waiting", GUEST_WORKING},
		{"postgres: shop: app x [local] idle [local] SELECT", GUEST_WORKING},
		{"postgres: shop: idle idle [local] SELECT", GUEST_WORKING},
		{"postgres: shop: " CONTROL_ROLE " postgres [local] SELECT", GUEST_NONE},
		{"postgres: shop: walsender app [local] streaming 0/1", GUEST_NONE},
		{"postgres: shop: autovacuum worker app", GUEST_NONE},
		{"postgres: shop: checkpointer ", GUEST_NONE},
		{"postgres: ", GUEST_NONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(title_guest(cases[i].title), cases[i].guest);
}

static Guest guest_of_sleep(const char *title)
{
	return strcmp(title, "sleep") == 0 ? GUEST_WORKING : GUEST_IDLE;
}

TEST(the_children_of_a_server_are_counted)
{
	SpawnPlan plan = shell(SHELL("sleep 60 & sleep 60 & cat notify & wait"));
	Crowd crowd;
	Process *p;
	Fault why;

	assert_int_equal(mkfifo(in_folder("notify"), 0600), 0);
	plan.folder = folder;
	p = process_spawn(loop, &plan, on_end, &p, &why);
	assert_non_null(p);
	close(open(in_folder("notify"), O_WRONLY)); /* waits until the last one has opened it */
	do {
		crowd = (Crowd){0};
		crowd.known = guests_count(process_pid(p), guest_of_sleep, &crowd);
	} while (crowd.working != 2 || !crowd.known);
	kill(-process_pid(p), SIGTERM);
	loop_run(loop);
	assert_false(guests_count(getpid(), guest_of_sleep, &crowd));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(a_folder_is_copied_with_all_that_is_in_it),
		WITH_FOLDER(a_copy_follows_no_links),
		WITH_FOLDER(removing_follows_no_links_and_what_is_not_there_is_gone),
		WITH_FOLDER(only_what_the_dead_left_over_is_swept),
		WITH_FOLDER(the_tail_of_a_log_begins_with_a_whole_line),
		WITH_FOLDER(a_server_has_its_own_session_and_nothing_of_ours),
		WITH_FOLDER(an_end_is_noticed_with_its_status),
		WITH_FOLDER(a_process_is_known_by_when_it_started),
		WITH_FOLDER(who_has_ended_does_not_live_also_before_the_loop_was_told),
		WITH_FOLDER(a_job_ends_with_its_result),
		WITH_FOLDER(a_program_can_be_run_to_its_end),
		WITH_FOLDER(a_server_says_when_it_is_ready),
		WITH_FOLDER(a_socket_whose_name_is_too_long_is_refused),
		cmocka_unit_test(a_pid_file_tells_how_far_its_server_has_come),
		cmocka_unit_test(each_hierarchy_of_control_groups_is_found),
		cmocka_unit_test(a_container_stands_at_the_root_of_what_it_sees),
		WITH_FOLDER(either_version_of_control_groups_freezes),
		WITH_FOLDER(a_fence_is_passed_upwards_only),
		WITH_FOLDER(of_many_who_pass_a_fence_at_once_the_highest_stays),
		cmocka_unit_test(a_title_tells_whom_a_process_serves),
		WITH_FOLDER(the_children_of_a_server_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
