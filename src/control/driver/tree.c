#include "tree.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

#define CHILDREN_SIZE (1 << 16)

/* ---- who is there ------------------------------------------------------ */

static int add_children(const char *list, pid_t out[TREE_MOST], int n)
{
	char *end;

	for (long pid; n < TREE_MOST && (pid = strtol(list, &end, 10)) > 0; list = end)
		out[n++] = (pid_t)pid;
	return n;
}

/* Each thread has a list of its own. */
static int add_children_of(pid_t pid, pid_t out[TREE_MOST], int n)
{
	static char list[CHILDREN_SIZE];
	char path[PATH_SIZE];
	const struct dirent *e;
	DIR *dir;

	path_set(path, "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) != NULL) {
		path_set(path, "/proc/%d/task/%s/children", (int)pid, e->d_name);
		file_read(path, 0, list, sizeof(list));
		n = add_children(list, out, n);
	}
	if (dir)
		closedir(dir);
	return n;
}

int tree_list(pid_t root, pid_t out[TREE_MOST])
{
	int n = 1;

	out[0] = root;
	for (int i = 0; i < n; i++)
		n = add_children_of(out[i], out, n);
	return n;
}

/* ---- what /proc says of one -------------------------------------------- */

/* Field 3 and those behind it: the name before them may hold blanks and parentheses. */
static const char *fields_of(pid_t pid, char line[1024])
{
	char path[PATH_SIZE];
	const char *name_end;

	path_set(path, "/proc/%d/stat", (int)pid);
	file_read(path, 0, line, 1024);
	name_end = strrchr(line, ')');
	return name_end && name_end[1] == ' ' ? name_end + 2 : "";
}

/* ---- stopping and going on --------------------------------------------- */

/* Stopped, or dead already. */
static bool stands_still(pid_t pid)
{
	char line[1024];
	char state = *fields_of(pid, line);

	return state == 'T' || state == 'Z' || state == 'X' || state == 0;
}

bool tree_stop(pid_t root)
{
	static pid_t pids[TREE_MOST];
	int n = tree_list(root, pids), moving = 0;

	for (int i = 0; i < n; i++) {
		if (stands_still(pids[i]))
			continue;
		kill(pids[i], SIGSTOP);
		moving++;
	}
	return moving == 0;
}

void tree_continue(pid_t root)
{
	static pid_t pids[TREE_MOST];

	for (int i = tree_list(root, pids) - 1; i >= 0; i--)
		kill(pids[i], SIGCONT);
}

bool tree_is_stopped(pid_t root)
{
	char line[1024];

	return *fields_of(root, line) == 'T';
}

/* ---- what they use ------------------------------------------------------ */

/* utime, stime, cutime, cstime: fields 14 to 17. */
static int64_t ticks_of(pid_t pid)
{
	long long t[4];
	char line[1024];

	if (sscanf(fields_of(pid, line),
		   "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld", &t[0], &t[1],
		   &t[2], &t[3]) != 4)
		return 0;
	return t[0] + t[1] + t[2] + t[3];
}

int64_t tree_cpu_us(const pid_t *pids, int n)
{
	int64_t ticks = 0;

	for (int i = 0; i < n; i++)
		ticks += ticks_of(pids[i]);
	return ticks * 1000000 / sysconf(_SC_CLK_TCK);
}

static void pages_of(pid_t pid, long long *resident, long long *shared)
{
	char path[PATH_SIZE], text[256];

	path_set(path, "/proc/%d/statm", (int)pid);
	file_read(path, 0, text, sizeof(text));
	if (sscanf(text, "%*d %lld %lld", resident, shared) != 2)
		*resident = *shared = 0;
}

/* They share one program and one area of memory, so the largest share is all of it. */
int64_t tree_memory(const pid_t *pids, int n)
{
	long long own = 0, most = 0, resident, shared;

	for (int i = 0; i < n; i++) {
		pages_of(pids[i], &resident, &shared);
		own += resident - shared;
		most = shared > most ? shared : most;
	}
	return (own + most) * sysconf(_SC_PAGESIZE);
}
