#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "sys/spawn.h"

#define PROC_TEXT     (1 << 16)
#define PERIOD_US     100000
#define EMPTY_WAIT_MS 5000
#define TRIAL         "trial"

/* Hierarchies hear one after the other that a process is gone, and only v2 says so. */
#define MOST_TRIES   100
#define TRY_AGAIN_US 1000

/* Where our own processes go if a delegated group has to be cleared of them. */
#define OWN_ROOM "reveille-main"

static const char *const controllers[] = {
#define KIND(name, controller) [CGROUP_##name] = controller,
	CGROUP_KIND_LIST(KIND)
#undef KIND
};

/* ---- where we stand ---------------------------------------------------- */

/* Whether a list that is separated by commas has that word. */
static bool has_word(const char *list, size_t n, const char *word)
{
	size_t k = strlen(word);

	for (const char *at = list, *end = list + n; at < end;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;

		if ((size_t)(stop - at) == k && memcmp(at, word, k) == 0)
			return true;
		at = stop + 1;
	}
	return false;
}

/* A line of /proc/self/cgroup: "4:cpu,cpuacct:/path", or "0::/path" for v2. */
static bool own_group(CgroupKind kind, const char *groups, char out[PATH_SIZE])
{
	for (const char *line = groups; line && *line; line = strchr(line, '\n')) {
		const char *list, *path;

		line += *line == '\n';
		list = strchr(line, ':');
		path = list ? strchr(list + 1, ':') : NULL;
		if (!path)
			return false;
		list++;
		if (kind == CGROUP_UNIFIED
			    ? path != list
			    : !has_word(list, (size_t)(path - list), controllers[kind]))
			continue;
		path++;
		return text_copy_n(out, PATH_SIZE, path, strcspn(path, "\n"));
	}
	return false;
}

/* "36 35 98:0 ROOT MOUNT options - TYPE source super-options" (proc(5)) */
static bool is_mounted(CgroupKind kind, const char *line, char root[PATH_SIZE],
		       char mount[PATH_SIZE])
{
	char type[16], options[256];
	const char *rest = strstr(line, " - ");

	if (!rest || sscanf(rest, " - %15s %*s %255s", type, options) != 2 ||
	    sscanf(line, "%*d %*d %*s %767s %767s", root, mount) != 2)
		return false;
	if (kind == CGROUP_UNIFIED)
		return strcmp(type, "cgroup2") == 0;
	return strcmp(type, "cgroup") == 0 && has_word(options, strlen(options), controllers[kind]);
}

static bool find_mount(CgroupKind kind, const char *mounts, char root[PATH_SIZE],
		       char mount[PATH_SIZE])
{
	char line[4096];

	while (*mounts) {
		size_t n = strcspn(mounts, "\n");

		text_copy_n(line, sizeof(line), mounts, n);
		if (is_mounted(kind, line, root, mount))
			return true;
		mounts += n + (mounts[n] == '\n');
	}
	return false;
}

/* A container sees a part of the hierarchy: what stands before that part is not in its paths. */
bool cgroup_place(CgroupKind kind, const char *mounts, const char *groups, CgroupPlace *out)
{
	char root[PATH_SIZE], own[PATH_SIZE];
	const char *within = own;

	if (!own_group(kind, groups, own) || !find_mount(kind, mounts, root, out->mount))
		return false;
	if (strcmp(root, "/") != 0 && text_starts(own, root))
		within += strlen(root);
	text_copy(out->own, sizeof(out->own), strcmp(within, "/") == 0 ? "" : within);
	return true;
}

/* ---- files of groups --------------------------------------------------- */

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd != -1) {
		n = write(fd, text, strlen(text));
		close(fd);
	}
	return n == (ssize_t)strlen(text);
}

static void path_in(const Cgroups *c, CgroupKind kind, const char *group, const char *file,
		    char out[PATH_SIZE])
{
	path_set(out, "%s/%s/%s", c->place[kind], group, file);
}

static bool put_in(const Cgroups *c, CgroupKind kind, const char *group, const char *file,
		   const char *text)
{
	char path[PATH_SIZE];

	if (!*c->place[kind])
		return false;
	path_in(c, kind, group, file, path);
	return put(path, text);
}

static bool get_from(const Cgroups *c, CgroupKind kind, const char *group, const char *file,
		     char *out, size_t size)
{
	char path[PATH_SIZE];

	*out = 0;
	if (!*c->place[kind])
		return false;
	path_in(c, kind, group, file, path);
	file_read(path, 0, out, size);
	return *out != 0;
}

/* The number behind a name in lines of "name number"; -1 if it is not there. */
static int64_t number_of(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, n) == 0 && line[n] == ' ')
			return strtoll(line + n, NULL, 10);
	}
	return -1;
}

/* ---- groups ------------------------------------------------------------ */

void cgroup_make(const Cgroups *c, const char *group)
{
	char path[PATH_SIZE];

	for (CgroupKind k = 0; k < CGROUP_KINDS; k++) {
		path_in(c, k, group, "", path);
		if (*c->place[k])
			mkdir(path, 0755);
	}
}

static bool remove_in(const Cgroups *c, CgroupKind kind, const char *group)
{
	char path[PATH_SIZE];

	path_in(c, kind, group, "", path);
	return !*c->place[kind] || rmdir(path) == 0 || errno == ENOENT;
}

bool cgroup_remove(const Cgroups *c, const char *group)
{
	bool gone = true;

	for (CgroupKind k = 0; k < CGROUP_KINDS; k++)
		gone = remove_in(c, k, group) && gone;
	return gone;
}

static void wait_until_empty(const Cgroups *c, const char *group)
{
	char path[PATH_SIZE], events[256];
	struct pollfd changed = {.events = POLLPRI};

	path_in(c, CGROUP_UNIFIED, group, "cgroup.events", path);
	changed.fd = open(path, O_RDONLY | O_CLOEXEC);
	while (changed.fd != -1 && pread(changed.fd, events, sizeof(events) - 1, 0) > 0 &&
	       text_starts(events, "populated 1") && poll(&changed, 1, EMPTY_WAIT_MS) > 0)
		continue;
	if (changed.fd != -1)
		close(changed.fd);
}

void cgroup_remove_when_empty(const Cgroups *c, const char *group)
{
	cgroup_kill(c, group);
	if (*c->place[CGROUP_UNIFIED])
		wait_until_empty(c, group);
	for (int tries = 0; tries < MOST_TRIES && !cgroup_remove(c, group); tries++)
		usleep(TRY_AGAIN_US);
}

void cgroups_sweep(const Cgroups *c)
{
	for (CgroupKind k = 0; k < CGROUP_KINDS; k++) {
		DIR *dir = *c->place[k] ? opendir(c->place[k]) : NULL;
		const struct dirent *e;

		while (dir && (e = readdir(dir)) != NULL) {
			if (e->d_type == DT_DIR && *e->d_name != '.')
				remove_in(c, k, e->d_name);
		}
		if (dir)
			closedir(dir);
	}
}

void cgroup_doors(const Cgroups *c, const char *group, CgroupDoors *out)
{
	int n = 0;

	for (CgroupKind k = 0; k < CGROUP_KINDS; k++) {
		if (!*c->place[k])
			continue;
		path_in(c, k, group, "cgroup.procs", out->path[k]);
		out->list[n++] = out->path[k];
	}
	out->list[n] = NULL;
}

static CgroupKind freezing_kind(const Cgroups *c)
{
	return *c->place[CGROUP_UNIFIED] ? CGROUP_UNIFIED : CGROUP_FREEZER;
}

/* Whoever is in a group is in it everywhere. */
static CgroupKind first_kind(const Cgroups *c)
{
	CgroupKind k = 0;

	while (k < CGROUP_KINDS - 1 && !*c->place[k])
		k++;
	return k;
}

int cgroup_pids(const Cgroups *c, const char *group, pid_t *out, int most)
{
	static char text[PROC_TEXT];
	char *at = text, *end;
	int n = 0;

	get_from(c, first_kind(c), group, "cgroup.procs", text, sizeof(text));
	for (long pid; (pid = strtol(at, &end, 10)) > 0; at = end, n++) {
		if (n < most)
			out[n] = (pid_t)pid;
	}
	return n;
}

bool cgroup_holds(const Cgroups *c, const char *group, pid_t pid)
{
	static pid_t pids[PROC_TEXT / 2];
	int n = cgroup_pids(c, group, pids, PROC_TEXT / 2);

	for (int i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

/* ---- freezing and killing ---------------------------------------------- */

bool cgroup_set_frozen(const Cgroups *c, const char *group, bool frozen)
{
	if (freezing_kind(c) == CGROUP_UNIFIED)
		return put_in(c, CGROUP_UNIFIED, group, "cgroup.freeze", frozen ? "1" : "0");
	return put_in(c, CGROUP_FREEZER, group, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

bool cgroup_is_frozen(const Cgroups *c, const char *group)
{
	char text[256];

	if (freezing_kind(c) == CGROUP_UNIFIED)
		return get_from(c, CGROUP_UNIFIED, group, "cgroup.events", text, sizeof(text)) &&
		       number_of(text, "frozen") == 1;
	return get_from(c, CGROUP_FREEZER, group, "freezer.state", text, sizeof(text)) &&
	       !text_starts(text, "THAWED");
}

int cgroup_watch(const Cgroups *c, const char *group)
{
	char path[PATH_SIZE];
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	path_in(c, CGROUP_UNIFIED, group, "cgroup.events", path);
	if (fd != -1 && inotify_add_watch(fd, path, IN_MODIFY) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

bool cgroup_kill(const Cgroups *c, const char *group)
{
	return c->kill && put_in(c, CGROUP_UNIFIED, group, "cgroup.kill", "1");
}

/* ---- limits ------------------------------------------------------------ */

bool cgroup_limit_cpu(const Cgroups *c, const char *group, int size)
{
	int64_t quota = (int64_t)size * PERIOD_US / 1000;
	char text[64];

	snprintf(text, sizeof(text), "%" PRId64 " %d", quota, PERIOD_US);
	if (!*c->place[CGROUP_CPU])
		return put_in(c, CGROUP_UNIFIED, group, "cpu.max", text);
	*strchr(text, ' ') = 0;
	return put_in(c, CGROUP_CPU, group, "cpu.cfs_quota_us", text);
}

/* Pressed from its size on, and stopped by the kernel a quarter above: what it can give back
 * (the page cache) counts too. */
bool cgroup_limit_memory(const Cgroups *c, const char *group, int64_t bytes)
{
	char high[32], most[32];

	snprintf(high, sizeof(high), "%" PRId64, bytes);
	snprintf(most, sizeof(most), "%" PRId64, bytes + bytes / 4);
	if (!*c->place[CGROUP_MEMORY])
		return put_in(c, CGROUP_UNIFIED, group, "memory.high", high) &&
		       put_in(c, CGROUP_UNIFIED, group, "memory.max", most);
	return put_in(c, CGROUP_MEMORY, group, "memory.limit_in_bytes", most) &&
	       put_in(c, CGROUP_MEMORY, group, "memory.soft_limit_in_bytes", high);
}

/* ---- counters ---------------------------------------------------------- */

int64_t cgroup_cpu_us(const Cgroups *c, const char *group)
{
	char text[2048];

	get_from(c, CGROUP_UNIFIED, group, "cpu.stat", text, sizeof(text));
	return number_of(text, "usage_usec");
}

/* Without what the kernel would take back first. */
int64_t cgroup_memory(const Cgroups *c, const char *group)
{
	bool v1 = *c->place[CGROUP_MEMORY];
	CgroupKind kind = v1 ? CGROUP_MEMORY : CGROUP_UNIFIED;
	char now[64], text[8192];
	int64_t idle;

	if (!c->memory ||
	    !get_from(c, kind, group, v1 ? "memory.usage_in_bytes" : "memory.current", now,
		      sizeof(now)) ||
	    !get_from(c, kind, group, "memory.stat", text, sizeof(text)))
		return -1;
	idle = number_of(text, v1 ? "total_inactive_file" : "inactive_file");
	return strtoll(now, NULL, 10) - (idle > 0 ? idle : 0);
}

double cgroup_pressure(const Cgroups *c, const char *group, const char *resource)
{
	char file[32], text[256];
	double avg10;

	snprintf(file, sizeof(file), "%s.pressure", resource);
	if (!get_from(c, CGROUP_UNIFIED, group, file, text, sizeof(text)) ||
	    sscanf(text, "some avg10=%lf", &avg10) != 1)
		return -1;
	return avg10;
}

/* ---- trying it --------------------------------------------------------- */

/* systemd marks what it leaves to a service. */
static bool is_delegated(const char *group)
{
	char mark[4];

	return (getxattr(group, "trusted.delegate", mark, sizeof(mark)) > 0 ||
		getxattr(group, "user.delegate", mark, sizeof(mark)) > 0) &&
	       *mark == '1';
}

/* A group whose children have controllers may hold no processes: ours make room. */
static void make_room(const char *base)
{
	char room[PATH_SIZE], procs[PATH_SIZE], number[32];
	char *text = mem_new(PROC_TEXT, 1), *at = text, *end;

	path_set(room, "%s/" OWN_ROOM, base);
	path_set(procs, "%s/cgroup.procs", base);
	mkdir(room, 0755);
	path_set(room, "%s/" OWN_ROOM "/cgroup.procs", base);
	file_read(procs, 0, text, PROC_TEXT);
	for (long pid; (pid = strtol(at, &end, 10)) > 0; at = end) {
		snprintf(number, sizeof(number), "%ld", pid);
		put(room, number);
	}
	free(text);
}

static void enable(const char *base, const char *place, const char *controller)
{
	char above[PATH_SIZE], here[PATH_SIZE];

	path_set(above, "%s/cgroup.subtree_control", base);
	path_set(here, "%s/cgroup.subtree_control", place);
	if (!put(above, controller) && errno == EBUSY) {
		make_room(base);
		put(above, controller);
	}
	put(here, controller);
}

static bool open_kind(Cgroups *c, CgroupKind kind, const CgroupPlace *p, const char *parent,
		      const char *name)
{
	bool own = strcmp(parent, "auto") == 0;
	char base[PATH_SIZE];

	path_set(base, "%s%s%s", p->mount, own || *parent == '/' ? "" : "/", own ? p->own : parent);
	if (own && *p->own && (kind != CGROUP_UNIFIED || !is_delegated(base)))
		return false;
	mkdir(base, 0755);
	path_set(c->place[kind], "%s/%s", base, name);
	if (mkdir(c->place[kind], 0755) == -1 && errno != EEXIST) {
		c->place[kind][0] = 0;
		return false;
	}
	if (kind == CGROUP_UNIFIED) {
		enable(base, c->place[kind], "+cpu");
		enable(base, c->place[kind], "+memory");
	}
	return true;
}

static int enter_trial(void *arg)
{
	const Cgroups *c = arg;
	CgroupDoors doors;

	cgroup_doors(c, TRIAL, &doors);
	for (const char **door = doors.list; *door; door++) {
		if (!put(*door, "0"))
			return 1;
	}
	return 0;
}

static void try_all(Cgroups *c)
{
	cgroup_make(c, TRIAL);
	if (spawn_copy_and_wait(enter_trial, c) == 0) {
		c->freeze = cgroup_set_frozen(c, TRIAL, false);
		c->cpu = cgroup_limit_cpu(c, TRIAL, 1000);
		c->memory = cgroup_limit_memory(c, TRIAL, INT64_C(1) << 40);
		c->kill = put_in(c, CGROUP_UNIFIED, TRIAL, "cgroup.kill", "1");
	}
	for (CgroupKind k = 0; k < CGROUP_KINDS; k++)
		remove_in(c, k, TRIAL);
}

static void close_kind(Cgroups *c, CgroupKind kind)
{
	if (*c->place[kind])
		rmdir(c->place[kind]);
	c->place[kind][0] = 0;
}

/* One more hierarchy, kept if it gives what the ones before did not. */
static void add_kind(Cgroups *c, CgroupKind kind, const CgroupPlace *p, const char *parent,
		     const char *name, const bool *gives)
{
	if (*gives || !*p->mount || !open_kind(c, kind, p, parent, name))
		return;
	try_all(c);
	if (!*gives)
		close_kind(c, kind);
}

void cgroups_open(Cgroups *c, const char *parent, const char *name)
{
	char *mounts, *groups;
	CgroupPlace places[CGROUP_KINDS] = {0};

	*c = (Cgroups){0};
	if (strcmp(parent, "off") == 0)
		return;
	mounts = mem_new(PROC_TEXT, 2);
	groups = mounts + PROC_TEXT;
	file_read("/proc/self/mountinfo", 0, mounts, PROC_TEXT);
	file_read("/proc/self/cgroup", 0, groups, PROC_TEXT);
	for (CgroupKind k = 0; k < CGROUP_KINDS; k++) {
		if (!cgroup_place(k, mounts, groups, &places[k]))
			places[k].mount[0] = 0;
	}
	free(mounts);
	add_kind(c, CGROUP_UNIFIED, &places[CGROUP_UNIFIED], parent, name, &c->freeze);
	add_kind(c, CGROUP_FREEZER, &places[CGROUP_FREEZER], parent, name, &c->freeze);
	add_kind(c, CGROUP_CPU, &places[CGROUP_CPU], parent, name, &c->cpu);
	add_kind(c, CGROUP_MEMORY, &places[CGROUP_MEMORY], parent, name, &c->memory);
}

static const char *where(const Cgroups *c, bool works, CgroupKind v1)
{
	if (!works)
		return NULL;
	return *c->place[v1] ? c->place[v1] : c->place[CGROUP_UNIFIED];
}

void cgroups_describe(const Cgroups *c, char *out, size_t size)
{
	const char *freeze = where(c, c->freeze, CGROUP_FREEZER);
	const char *cpu = where(c, c->cpu, CGROUP_CPU);
	const char *memory = where(c, c->memory, CGROUP_MEMORY);

	snprintf(out, size, "freeze: %s%s; cpu: %s%s; memory: %s%s",
		 freeze ? "the group in " : "by signals", freeze ? freeze : "",
		 cpu ? "limited in " : "not limited", cpu ? cpu : "",
		 memory ? "limited in " : "a limit for each process", memory ? memory : "");
}
