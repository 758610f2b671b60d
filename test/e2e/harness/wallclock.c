/*
 * A wall clock that a test can set, for one program: preloaded, it adds to the time of day
 * what stands, in nanoseconds, in the file that WALLCLOCK names.  Clocks that never jump are
 * left alone, as they are when somebody sets a machine's clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000

static int (*real_gettime)(clockid_t, struct timespec *);
static const volatile int64_t *offset;

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("WALLCLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	*(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	if (fd == -1)
		return;
	offset = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
	if (offset == MAP_FAILED)
		offset = NULL;
	close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns;

	if (!real_gettime)
		prepare();
	if (real_gettime(id, ts) != 0)
		return -1;
	if (!offset || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return 0;
	ns = (int64_t)ts->tv_sec * BILLION + ts->tv_nsec + *offset;
	ts->tv_sec = ns / BILLION;
	ts->tv_nsec = ns % BILLION;
	return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
