#include "home.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

void home_set(Home *h, const char *data_dir, const char *socket_dir, const char *id)
{
	path_set(h->folder, "%s/%s", data_dir, id);
	path_set(h->data, "%s/data", h->folder);
	path_set(h->settings, "%s/server.conf", h->folder);
	path_set(h->log, "%s/log", h->folder);
	path_set(h->sockets, "%s/%s", socket_dir, id);
	path_set(h->notify, "%s/notify", h->sockets);
	h->run[0] = h->address[0] = 0;
}

void home_begin_life(Home *h, int64_t generation, const char *socket)
{
	path_set(h->run, "%s/%" PRId64, h->sockets, generation);
	path_set(h->address, "%s/%s", h->run, socket);
}

void home_forget_lives(const Home *h)
{
	DIR *dir = opendir(h->sockets);
	const struct dirent *e;
	char path[PATH_SIZE];

	while (dir && (e = readdir(dir)) != NULL) {
		path_set(path, "%s/%s", h->sockets, e->d_name);
		if (*e->d_name != '.' && strcmp(path, h->run) != 0 && strcmp(path, h->notify) != 0)
			folder_remove(path);
	}
	if (dir)
		closedir(dir);
}

/* Engines name the lock of a socket after it. */
void home_end_life(const Home *h)
{
	char lock[PATH_SIZE];

	if (!*h->address)
		return;
	path_set(lock, "%s.lock", h->address);
	unlink(h->address);
	unlink(lock);
}

/* "/42", or "" as it was when all lives had one folder. */
static bool is_life(const char *name)
{
	size_t digits = *name == '/' ? strspn(name + 1, "0123456789") : 0;

	return !*name || (digits > 0 && !name[1 + digits]);
}

bool home_find_life(Home *h, const char *run, const char *socket)
{
	size_t n = strlen(h->sockets);

	/* It may be a tenant who says so, and nothing else will do. */
	if (!text_starts(run, h->sockets) || !is_life(run + n))
		return false;
	path_set(h->run, "%s", run);
	path_set(h->address, "%s/%s", run, socket);
	return true;
}

const char *home_life(const Home *h)
{
	return strlen(h->run) > strlen(h->sockets) ? strrchr(h->run, '/') + 1 : "";
}
