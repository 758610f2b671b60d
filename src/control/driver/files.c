#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"
#include "sys/machine.h"

#define COPY_AT_ONCE (1 << 30)
#define OPEN_FOLDERS 16

void path_set(char out[PATH_SIZE], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, PATH_SIZE, fmt, ap);
	va_end(ap);
	if (n >= PATH_SIZE)
		die("a path is too long: path=\"%s\"", out);
}

bool folder_make(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool say(const char *what, const char *path)
{
	fprintf(stderr, "could not %s %s: %s\n", what, path, strerror(errno));
	return false;
}

/* ---- copying ----------------------------------------------------------- */

/* Shares the blocks where the file system can; else the kernel copies. */
static bool copy_bytes(int in, int out, off_t n)
{
	while (n > 0) {
		ssize_t k = copy_file_range(in, NULL, out, NULL, COPY_AT_ONCE, 0);

		if (k == -1 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP))
			k = sendfile(out, in, NULL, COPY_AT_ONCE);
		if (k <= 0)
			return false;
		n -= k;
	}
	return true;
}

static bool copy_file(const char *from, const char *to, const struct stat *st)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st->st_mode & 0777);
	bool good = in != -1 && out != -1 && copy_bytes(in, out, st->st_size);

	if (in != -1)
		close(in);
	if (out != -1)
		close(out);
	return good || say("copy", from);
}

static bool copy_entry(const char *from, const char *to)
{
	struct stat st;

	if (lstat(from, &st) == -1)
		return say("look at", from);
	if (S_ISDIR(st.st_mode))
		return folder_copy(from, to);
	errno = EINVAL;
	return S_ISREG(st.st_mode) ? copy_file(from, to, &st) : say("copy", from);
}

static bool copy_entries(DIR *dir, const char *from, const char *to)
{
	const struct dirent *e;
	char source[PATH_SIZE], target[PATH_SIZE];
	bool good = true;

	while (good && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		path_set(source, "%s/%s", from, e->d_name);
		path_set(target, "%s/%s", to, e->d_name);
		good = copy_entry(source, target);
	}
	return good;
}

bool folder_copy(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	bool good;

	if (!dir)
		return say("open", from);
	good = mkdir(to, 0700) == 0 ? copy_entries(dir, from, to) : say("make", to);
	closedir(dir);
	return good;
}

/* ---- removing ---------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

bool folder_remove(const char *path)
{
	return nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0 ||
	       errno == ENOENT || say("remove", path);
}

/* nftw() has no argument for its function; this is for jobs, which do one thing at a time. */
static int64_t blocks;

static int add_blocks(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)path, (void)at;
	if (kind != FTW_NS) /* a server may remove its files meanwhile */
		blocks += st->st_blocks;
	return 0;
}

int64_t folder_bytes(const char *path)
{
	blocks = 0;
	return nftw(path, add_blocks, OPEN_FOLDERS, FTW_PHYS) == 0 ? blocks * 512 : -1;
}

void life_name(char out[LIFE_SIZE])
{
	snprintf(out, LIFE_SIZE, "%d-%llu", (int)getpid(),
		 (unsigned long long)machine_process_start(getpid()));
}

/* A name is of no use to anybody once the process that it names is gone. */
static bool is_left_over(const char *life)
{
	unsigned long long start;
	int pid;

	return sscanf(life, "%d-%llu", &pid, &start) != 2 || machine_process_start(pid) != start;
}

void folder_sweep(const char *path, const char *mark)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	char entry[PATH_SIZE];

	while (dir && (e = readdir(dir)) != NULL) {
		const char *at = strstr(e->d_name, mark);

		path_set(entry, "%s/%s", path, e->d_name);
		if (at && is_left_over(at + strlen(mark)))
			folder_remove(entry);
	}
	if (dir)
		closedir(dir);
}

void folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return;
	syncfs(fd);
	close(fd);
}

bool folder_move(const char *from, const char *to)
{
	char parent[PATH_SIZE];
	int fd;

	if (rename(from, to) == -1)
		return false;
	path_set(parent, "%s", to);
	*strrchr(parent, '/') = 0;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1) {
		fsync(fd);
		close(fd);
	}
	return true;
}

/* ---- small files ------------------------------------------------------- */

bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = strlen(text);
	bool good;

	if (fd == -1)
		return false;
	good = write(fd, text, n) == (ssize_t)n;
	return close(fd) == 0 && good;
}

bool file_replace(const char *path, const char *text)
{
	char next[PATH_SIZE];

	path_set(next, "%s.next", path);
	return file_write(next, text) && rename(next, path) == 0;
}

long file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long)st.st_size : 0;
}

/* What a tenant may have put there instead of a file must not keep us. */
void file_read(const char *path, long offset, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = -1;

	if (fd != -1) {
		n = pread(fd, out, size - 1, offset);
		close(fd);
	}
	out[n > 0 ? n : 0] = 0;
}

static bool copy_end(int in, const char *to, long keep)
{
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t end = lseek(in, 0, SEEK_END), from = end > keep ? end - keep : 0;
	bool good =
		out != -1 && lseek(in, from, SEEK_SET) == from && copy_bytes(in, out, end - from);

	if (out != -1)
		close(out);
	return good;
}

bool file_cut(const char *path, const char *old, long keep)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool good;

	if (fd == -1)
		return false;
	good = copy_end(fd, old, keep);
	good = ftruncate(fd, 0) == 0 && good;
	close(fd);
	return good;
}

void file_tail(const char *path, long offset, char *out, size_t size)
{
	long end = file_size(path), from = end - (long)size + 1;
	char *newline;

	file_read(path, from > offset ? from : offset, out, size);
	if (from <= offset)
		return;
	newline = strchr(out, '\n');
	if (newline)
		memmove(out, newline + 1, strlen(newline + 1) + 1);
}
