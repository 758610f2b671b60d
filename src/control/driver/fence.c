#include "fence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h"

typedef _Atomic int64_t Highest;

static Highest *map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	Highest *at = MAP_FAILED;

	if (fd == -1)
		return MAP_FAILED;
	if (ftruncate(fd, sizeof(*at)) == 0)
		at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return at;
}

static int64_t raise_to(Highest *highest, int64_t generation)
{
	int64_t seen = atomic_load(highest);

	while (seen < generation && !atomic_compare_exchange_weak(highest, &seen, generation))
		continue;
	return seen;
}

/* A folder that is not there has nothing that could be undone. */
bool fence_pass(const char *folder, int64_t generation, char *failure, size_t size)
{
	char path[PATH_SIZE];
	Highest *highest;
	int64_t seen;

	path_set(path, "%s/fence", folder);
	highest = map(path);
	if (highest == MAP_FAILED && errno == ENOENT)
		return true;
	if (highest == MAP_FAILED) {
		snprintf(failure, size, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	seen = raise_to(highest, generation);
	munmap(highest, sizeof(*highest));
	if (seen <= generation)
		return true;
	snprintf(failure, size,
		 "fenced: generation %" PRId64 " is over, generation %" PRId64 " was here",
		 generation, seen);
	return false;
}
