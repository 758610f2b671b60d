#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/machine.h"
#include "sys/user.h"

#define EXIT_NOT_RUN 127

struct Process {
	Loop *loop;
	ReadWatch end; /* a pidfd can be read once its process has ended */
	pid_t pid;
	uint64_t start;
	int pidfd;
	ProcessEnd on_end;
	void *arg;
};

static int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Reaps it if it is our child; another's child is not ours to reap. */
static int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) == -1) {
		if (errno != EINTR)
			return -1;
	}
	return status;
}

static void on_process_end(void *arg)
{
	Process *p = arg;
	int status = status_of(p->pid);

	read_watch_stop(&p->end);
	p->on_end(p->arg, status);
}

static Process *watch(Loop *loop, pid_t pid, int pidfd, ProcessEnd on_end, void *arg)
{
	Process *p = NEW(Process);

	*p = (Process){.loop = loop, .pid = pid, .pidfd = pidfd, .on_end = on_end, .arg = arg};
	p->start = machine_process_start(pid);
	read_watch_init(&p->end, loop, pidfd, on_process_end, p);
	read_watch_start(&p->end);
	return p;
}

Process *process_adopt(Loop *loop, pid_t pid, uint64_t start, ProcessEnd on_end, void *arg)
{
	int pidfd = pidfd_of(pid);

	if (pidfd == -1)
		return NULL;
	/* Only now can the id no longer change hands unnoticed. */
	if (start == 0 || machine_process_start(pid) != start) {
		close(pidfd);
		return NULL;
	}
	return watch(loop, pid, pidfd, on_end, arg);
}

void process_signal(const Process *p, int number)
{
	syscall(SYS_pidfd_send_signal, p->pidfd, number, NULL, 0);
}

bool process_lives(const Process *p)
{
	struct pollfd end = {.fd = p->pidfd, .events = POLLIN};

	return poll(&end, 1, 0) == 0;
}

pid_t process_pid(const Process *p)
{
	return p->pid;
}

uint64_t process_start(const Process *p)
{
	return p->start;
}

void process_free(Process *p)
{
	read_watch_stop(&p->end);
	close(p->pidfd);
	loop_bury(p->loop, p, free);
}

/* ---- in the child ------------------------------------------------------ */

static void usual_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int input_of(const char *text)
{
	int fd;

	if (!text)
		return open("/dev/null", O_RDONLY);
	fd = memfd_create("input", 0);
	if (fd == -1 || write(fd, text, strlen(text)) == -1)
		return -1;
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int log_of(const char *path)
{
	return open(path ? path : "/dev/null", O_WRONLY | O_APPEND | O_CREAT, 0600);
}

static void standard_descriptors(const char *input, const char *log_file)
{
	int in = input_of(input), out = log_of(log_file);

	if (in == -1 || out == -1)
		_exit(EXIT_NOT_RUN);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
}

/* One that it cannot enter it goes without. */
static void enter_groups(const char *const *groups)
{
	for (; groups && *groups; groups++) {
		int fd = open(*groups, O_WRONLY | O_CLOEXEC);

		if (fd == -1 || write(fd, "0", 1) == -1)
			dprintf(STDERR_FILENO, "could not enter %s: %s\n", *groups,
				strerror(errno));
	}
}

static void take_place(const SpawnPlan *plan)
{
	struct rlimit limit = {.rlim_cur = (rlim_t)plan->data_limit, .rlim_max = RLIM_INFINITY};

	enter_groups(plan->groups);
	if (plan->data_limit > 0)
		setrlimit(RLIMIT_DATA, &limit);
	if (plan->user == 0 || user_switch(plan->user))
		return;
	dprintf(STDERR_FILENO, "could not become user %u: %s\n", plan->user, strerror(errno));
	_exit(EXIT_NOT_RUN);
}

static void exec_plan(const SpawnPlan *plan)
{
	if (plan->folder && chdir(plan->folder) == -1)
		dprintf(STDERR_FILENO, "could not enter %s: %s\n", plan->folder, strerror(errno));
	else
		execve(plan->argv[0], (char *const *)plan->argv, (char *const *)plan->env);
	dprintf(STDERR_FILENO, "could not run %s: %s\n", plan->argv[0], strerror(errno));
	_exit(EXIT_NOT_RUN);
}

/* ---- in the parent ----------------------------------------------------- */

static Process *watch_child(Loop *loop, pid_t pid, ProcessEnd on_end, void *arg, Fault *why)
{
	int pidfd = pid == -1 ? -1 : pidfd_of(pid);

	if (pidfd == -1) {
		fault_set(why, FAULT_INTERNAL, "could not start a process: %s", strerror(errno));
		if (pid != -1)
			kill(pid, SIGKILL);
		return NULL;
	}
	return watch(loop, pid, pidfd, on_end, arg);
}

Process *process_spawn(Loop *loop, const SpawnPlan *plan, ProcessEnd on_end, void *arg, Fault *why)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		usual_signals();
		standard_descriptors(plan->input, plan->log_file);
		take_place(plan);
		exec_plan(plan);
	}
	return watch_child(loop, pid, on_end, arg, why);
}

/* If the parent died before the child asked to die with it, nobody would tell the child. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_NOT_RUN);
}

Process *process_job(Loop *loop, int (*job)(void *arg), const char *log_file, ProcessEnd on_end,
		     void *arg, Fault *why)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		die_with(parent);
		usual_signals();
		standard_descriptors(NULL, log_file);
		_exit(job(arg));
	}
	return watch_child(loop, pid, on_end, arg, why);
}

static int wait_for(pid_t pid)
{
	int status;

	if (pid == -1)
		return EXIT_NOT_RUN;
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return EXIT_NOT_RUN;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NOT_RUN;
}

int spawn_and_wait(const SpawnPlan *plan)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		standard_descriptors(plan->input, plan->log_file ? plan->log_file : "/dev/stderr");
		take_place(plan);
		die_with(parent); /* who becomes another user forgets that he was to */
		exec_plan(plan);
	}
	return wait_for(pid);
}

int spawn_copy_and_wait(int (*job)(void *arg), void *arg)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		die_with(parent);
		_exit(job(arg));
	}
	return wait_for(pid);
}

static pid_t fork_printing_to(int pipe_in, const char *const *argv)
{
	static const char *const env[] = {"LC_ALL=C", NULL};
	pid_t pid = fork();

	if (pid == 0) {
		usual_signals();
		dup2(pipe_in, STDOUT_FILENO);
		execve(argv[0], (char *const *)argv, (char *const *)env);
		_exit(EXIT_NOT_RUN);
	}
	return pid;
}

bool spawn_first_line(const char *const *argv, char *out, size_t size)
{
	int ends[2], status = -1;
	pid_t pid;
	FILE *in;
	bool got;
	int c = 0;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return false;
	pid = fork_printing_to(ends[1], argv);
	close(ends[1]);
	in = fdopen(ends[0], "r");
	got = in && fgets(out, (int)size, in);
	while (got && c != EOF) /* to its end, or it would die of a closed pipe */
		c = fgetc(in);
	if (in)
		fclose(in);
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	out[got ? strcspn(out, "\n") : 0] = 0;
	return got && status == 0;
}
