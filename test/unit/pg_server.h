/*
 * A PostgreSQL server of a test's own, in a folder of its own, which ends with it;
 * without one on this machine, find_server() says so.
 */
#ifndef PG_SERVER_H
#define PG_SERVER_H

#include "unit.h"

#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "src/control/driver/files.h"
#include "sys/loop.h"
#include "sys/notify.h"

#define PATIENCE_MS 60000

static char folder[64], bin[256];
static pid_t server;
static Loop *loop;

static const char *in_folder(const char *name)
{
	static char paths[8][128];
	static int k;

	k = (k + 1) % 8;
	snprintf(paths[k], sizeof(paths[k]), "%s/%s", folder, name);
	return paths[k];
}

static const struct passwd *service_user(void)
{
	const struct passwd *user = getpwnam("postgres");

	return user ? user : getpwnam("nobody");
}

static void give_to_service_user(const char *path)
{
	if (geteuid() == 0)
		assert_int_equal(chown(path, service_user()->pw_uid, service_user()->pw_gid), 0);
}

/* In the child: PostgreSQL refuses to be root, and is to end with us. */
static void become_service_user(void)
{
	const struct passwd *user = service_user();
	int log = open(in_folder("log"), O_WRONLY | O_APPEND);

	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	if (geteuid() == 0 && (setgid(user->pw_gid) == -1 || setuid(user->pw_uid) == -1))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (chdir("/") == -1)
		_exit(126);
}

static pid_t start(const char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		become_service_user();
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

static bool run(const char *const argv[])
{
	pid_t pid = start(argv);
	int status = -1;

	return waitpid(pid, &status, 0) == pid && status == 0;
}

static const char *program(const char *name)
{
	static char paths[2][300];
	static int k;

	k = (k + 1) % 2;
	snprintf(paths[k], sizeof(paths[k]), "%s/%s", bin, name);
	return paths[k];
}

static bool find_server(void)
{
	glob_t found;
	bool any = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0;

	if (any) {
		text_copy(bin, sizeof(bin), found.gl_pathv[found.gl_pathc - 1]);
		*strrchr(bin, '/') = 0;
		globfree(&found);
	}
	return any && service_user();
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
	give_to_service_user(path);
}

static void make_folder(const char *template)
{
	text_copy(folder, sizeof(folder), template);
	assert_non_null(mkdtemp(folder));
	give_to_service_user(folder);
	write_file(in_folder("log"), "", 0600);
	loop = loop_new();
}

static bool initdb(void)
{
	return run((const char *[]){program("initdb"), "-D", in_folder("data"), "-U", "postgres",
				    "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", NULL});
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void launch(void)
{
	Notify *notify;
	Timer timer;
	Fault why;

	notify = notify_open(loop, in_folder("notify"), stop, loop, &why);
	assert_non_null(notify);
	assert_int_equal(chmod(in_folder("notify"), 0666), 0);
	setenv("NOTIFY_SOCKET", in_folder("notify"), 1);
	server = start((const char *[]){program("postgres"), "-D", in_folder("data"), NULL});
	unsetenv("NOTIFY_SOCKET");
	timer_init(&timer, loop, stop, loop);
	timer_arm(&timer, PATIENCE_MS);
	loop_run(loop);
	assert_true(timer_is_armed(&timer));
	timer_stop(&timer);
	notify_close(notify);
}

/* cmocka's teardown of a group. */
static int teardown(void **state)
{
	(void)state;
	if (server > 0) {
		kill(server, SIGQUIT);
		waitpid(server, NULL, 0);
	}
	if (loop)
		loop_free(loop);
	return *folder && !folder_remove(folder) ? -1 : 0;
}

static __attribute__((unused)) void want_server(void)
{
	if (server <= 0)
		skip();
}

#endif
