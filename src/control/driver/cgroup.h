/*
 * Control groups: one for each server, in which it is frozen, limited and counted as a whole.
 *
 * What there is differs: one hierarchy with controllers (v2), one for each controller
 * (v1), v2 without controllers beside v1, or nothing that we may write to.  So nothing is
 * assumed: places are looked up, tried once, and what is left is what works.  A group that
 * somebody put us in is theirs to divide, unless it was delegated to us.
 */
#ifndef CONTROL_CGROUP_H
#define CONTROL_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "files.h"

/* Hierarchies, and what v1 calls them. */
#define CGROUP_KIND_LIST(KIND) \
	KIND(UNIFIED, "")      \
	KIND(CPU, "cpu")       \
	KIND(MEMORY, "memory") \
	KIND(FREEZER, "freezer")

typedef enum CgroupKind {
#define KIND(name, controller) CGROUP_##name,
	CGROUP_KIND_LIST(KIND)
#undef KIND
		CGROUP_KINDS
} CgroupKind;

/* Where a hierarchy is mounted, and our own group in it: "" if we are at its root. */
typedef struct CgroupPlace {
	char mount[PATH_SIZE];
	char own[PATH_SIZE];
} CgroupPlace;

typedef struct Cgroups {
	char place[CGROUP_KINDS][PATH_SIZE]; /* folder of our groups; "" where it is no use */
	bool freeze, kill, cpu, memory;      /* what works */
} Cgroups;

/* Pure: reads /proc/self/mountinfo and /proc/self/cgroup; false if there is no such hierarchy. */
bool cgroup_place(CgroupKind kind, const char *mounts, const char *groups, CgroupPlace *out);

/*
 * Finds out what works, below `parent` ("auto": our own group, "off": nothing, else a
 * path within each hierarchy), in a folder of that name.
 */
void cgroups_open(Cgroups *c, const char *parent, const char *name);

/* A sentence about freezing, CPU and memory. */
void cgroups_describe(const Cgroups *c, char *out, size_t size);

/* Makes a group in each hierarchy; one that is there already is good. */
void cgroup_make(const Cgroups *c, const char *group);

/* False if somebody is left in it: who has just died may still be for a moment. */
bool cgroup_remove(const Cgroups *c, const char *group);

/* For jobs: ends whoever is left in it, and waits until it is empty. */
void cgroup_remove_when_empty(const Cgroups *c, const char *group);

/* Removes all groups in which nobody is. */
void cgroups_sweep(const Cgroups *c);

/* The files through which a process enters the group; *out ends with NULL. */
typedef struct CgroupDoors {
	char path[CGROUP_KINDS][PATH_SIZE];
	const char *list[CGROUP_KINDS + 1];
} CgroupDoors;

void cgroup_doors(const Cgroups *c, const char *group, CgroupDoors *out);

/* Whether that process is in the group, so that freezing the group would freeze it. */
bool cgroup_holds(const Cgroups *c, const char *group, pid_t pid);

/* Its processes; how many there are, of which at most `most` are written. */
int cgroup_pids(const Cgroups *c, const char *group, pid_t *out, int most);

bool cgroup_set_frozen(const Cgroups *c, const char *group, bool frozen);

/* Whether all of it stands still; v1 does not tell when, so there it is once that was ordered. */
bool cgroup_is_frozen(const Cgroups *c, const char *group);

/* An inotify descriptor that can be read when cgroup_is_frozen() may have changed; -1 if none. */
int cgroup_watch(const Cgroups *c, const char *group);

bool cgroup_kill(const Cgroups *c, const char *group);

/* Thousandths of a CPU, and bytes. */
bool cgroup_limit_cpu(const Cgroups *c, const char *group, int size);
bool cgroup_limit_memory(const Cgroups *c, const char *group, int64_t bytes);

/* What it has used and uses; -1 if the groups do not tell. Pressure: some, avg10, in percent. */
int64_t cgroup_cpu_us(const Cgroups *c, const char *group);
int64_t cgroup_memory(const Cgroups *c, const char *group);
double cgroup_pressure(const Cgroups *c, const char *group, const char *resource);

#endif
