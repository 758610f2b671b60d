#include "tenant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/spawn.h"
#include "sys/user.h"

#define NOBODY_ELSE  ((uid_t)-1)
#define NO_GROUP     ((gid_t)-1)
#define OPEN_FOLDERS 16

/* ---- trying it ---------------------------------------------------------- */

/* As he would: the privileges with which we become him must not help. */
static int try_as_tenant(void *arg)
{
	const Tenants *t = arg;
	char path[PATH_SIZE], above[PATH_SIZE];

	path_set(path, "%s/trial", t->folder);
	path_set(above, "%s/..", t->folder);
	if (!file_write(path, "") || chown(path, t->first, t->first) == -1 ||
	    !user_switch(t->first))
		return 1;
	return access(above, X_OK) == 0 ? 0 : 1;
}

void tenants_open(Tenants *t, const char *data_dir, uid_t first, uid_t last, char *how, size_t size)
{
	char trial[PATH_SIZE];

	*t = (Tenants){.first = first, .last = last};
	path_set(t->folder, "%s/users", data_dir);
	path_set(trial, "%s/trial", t->folder);
	if (first == 0) {
		text_copy(how, size, "all as ourselves");
		return;
	}
	t->on = folder_make(t->folder) && chmod(data_dir, 0711) == 0 &&
		chmod(t->folder, 0711) == 0 && spawn_copy_and_wait(try_as_tenant, t) == 0;
	unlink(trial);
	if (t->on)
		snprintf(how, size, "one for each, %u to %u", first, last);
	else
		text_copy(how, size,
			  "all as ourselves, since we may not become those of process.user_range, "
			  "or they may not enter process.data_dir");
}

/* ---- who has which ------------------------------------------------------ */

/* The user whose link leads to that name, or 0. */
static uid_t find_claim(const Tenants *t, const char *id)
{
	DIR *dir = opendir(t->folder);
	const struct dirent *e;
	uid_t found = 0;
	char to[256];

	while (!found && dir && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, to, sizeof(to) - 1);

		to[n > 0 ? n : 0] = 0;
		if (strcmp(to, id) == 0)
			found = (uid_t)strtoul(e->d_name, NULL, 10);
	}
	if (dir)
		closedir(dir);
	return found;
}

uid_t tenant_claim(const Tenants *t, const char *id)
{
	uid_t user = find_claim(t, id);
	char path[PATH_SIZE];

	if (user)
		return user;
	for (user = t->first; user <= t->last; user++) {
		path_set(path, "%s/%u", t->folder, user);
		if (user != geteuid() && symlink(id, path) == 0)
			return user;
		if (errno != EEXIST)
			break;
	}
	fprintf(stderr, "there is no user left for %s: %s\n", id,
		errno == EEXIST ? "process.user_range is used up" : strerror(errno));
	return 0;
}

void tenant_release(const Tenants *t, const char *id)
{
	uid_t user = find_claim(t, id);
	char path[PATH_SIZE];

	path_set(path, "%s/%u", t->folder, user);
	if (user)
		unlink(path);
}

/* ---- his processes ------------------------------------------------------- */

/* As he, whom the kernel lets signal his own and nobody else. */
static int end_all(void *arg)
{
	const uid_t *user = arg;

	return user_switch(*user) && kill(-1, SIGKILL) == 0 ? 0 : 1;
}

void tenant_end_all(uid_t user)
{
	spawn_copy_and_wait(end_all, &user);
}

/* ---- what is his -------------------------------------------------------- */

/* nftw() has no argument for its function; this is for jobs, which do one thing at a time. */
static uid_t new_user;
static gid_t new_group;

static int give_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return lchown(path, new_user, new_group);
}

/* The data folder itself is the first to be ours and the last to be his, so that half of it
 * never passes for his. */
static bool give_data(const char *folder, uid_t user, gid_t group)
{
	int order = user == geteuid() ? 0 : FTW_DEPTH;
	char data[PATH_SIZE];

	new_user = user;
	new_group = group;
	path_set(data, "%s/data", folder);
	if (nftw(data, give_entry, OPEN_FOLDERS, order | FTW_PHYS) == 0)
		return true;
	fprintf(stderr, "could not give %s to user %u: %s\n", data, user, strerror(errno));
	return false;
}

bool tenant_give(uid_t user, const char *folder)
{
	return chown(folder, NOBODY_ELSE, user) == 0 && chmod(folder, 0710) == 0 &&
	       give_data(folder, user, user);
}

bool tenant_take_back(const char *folder)
{
	return give_data(folder, geteuid(), getegid());
}

uid_t tenant_of(const Tenants *t, const char *data)
{
	struct stat st;

	if (!t->on || stat(data, &st) == -1 || st.st_uid == geteuid())
		return 0;
	return st.st_uid >= t->first && st.st_uid <= t->last ? st.st_uid : 0;
}

bool tenant_share(uid_t user, const char *file)
{
	return chmod(file, 0640) == 0 && chown(file, NOBODY_ELSE, user) == 0;
}

/* The folder of this life has our group, and hands it on to the sockets that he makes in it;
 * set before it is his, as only a member may. */
bool tenant_share_sockets(uid_t user, const Home *home)
{
	return chmod(home->sockets, 0710) == 0 && chown(home->sockets, NOBODY_ELSE, user) == 0 &&
	       chmod(home->run, 02750) == 0 && chown(home->run, user, NO_GROUP) == 0;
}
