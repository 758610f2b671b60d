#include "guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "files.h"
#include "sys/machine.h"

#define CHILDREN_SIZE (1 << 16)
#define TITLE_SIZE    1024

static int64_t age_ms(uint64_t start)
{
	return machine_boot_us() / 1000 - (int64_t)start * 1000 / sysconf(_SC_CLK_TCK);
}

static void add(pid_t pid, GuestOf guest_of, Crowd *crowd)
{
	char path[PATH_SIZE], title[TITLE_SIZE];
	uint64_t start = machine_process_start(pid);

	path_set(path, "/proc/%d/cmdline", (int)pid);
	file_read(path, 0, title, sizeof(title));
	if (start && *title)
		crowd_add(crowd, guest_of(title), age_ms(start));
}

static bool read_children(pid_t server, char out[CHILDREN_SIZE])
{
	char path[PATH_SIZE];

	path_set(path, "/proc/%d/task/%d/children", (int)server, (int)server);
	file_read(path, 0, out, CHILDREN_SIZE);
	return *out && strlen(out) < CHILDREN_SIZE - 1;
}

/* The kernel may leave one out while another ends, so the list must read the same twice. */
bool guests_count(pid_t server, GuestOf guest_of, Crowd *crowd)
{
	static char first[CHILDREN_SIZE], second[CHILDREN_SIZE];
	char *at = first, *end;

	if (!read_children(server, first) || !read_children(server, second) ||
	    strcmp(first, second) != 0)
		return false;
	for (long pid; (pid = strtol(at, &end, 10)) > 0; at = end)
		add((pid_t)pid, guest_of, crowd);
	return true;
}
