#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* The number of bytes read, or -1. */
static ssize_t read_all(int fd, char *to, size_t most)
{
	size_t n = 0;

	for (;;) {
		ssize_t k = read(fd, to + n, most - n);

		if (k == -1 && errno == EINTR)
			continue;
		if (k <= 0)
			return k == 0 ? (ssize_t)n : -1;
		n += (size_t)k;
		if (n == most)
			return (ssize_t)n;
	}
}

char *file_text(const char *path, size_t most, Fault *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = mem_new(most + 1, 1);
	ssize_t n = fd == -1 ? -1 : read_all(fd, text, most);

	if (n == -1 || (size_t)n == most || memchr(text, 0, (size_t)(n > 0 ? n : 0))) {
		const char *what = n == -1             ? strerror(errno)
				   : (size_t)n == most ? "it is too large"
						       : "there is a zero byte in it";

		fault_set(why, FAULT_BAD_SETTING, "%s: could not be read: %s", path, what);
		free(text);
		text = NULL;
	}
	if (fd != -1)
		close(fd);
	return text;
}
