/*
 * Operating system users for computes, one for each, so that no tenant's server can reach
 * another's files, sockets or processes.
 *
 * A number of process.user_range, as user and as group, is claimed by a link of that name
 * to the compute's: making a link succeeds once.  Whose server it is to be is then told by
 * the owner of its data folder.  It takes privileges that a control process keeps only for
 * this; without them, all servers run as ourselves.
 */
#ifndef CONTROL_TENANT_H
#define CONTROL_TENANT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "files.h"
#include "home.h"

typedef struct Tenants {
	bool on;
	uid_t first, last;
	char folder[PATH_SIZE]; /* of the links */
} Tenants;

/* Tries whether it can be done; `how` says so in a few words. first 0: nobody wants it. */
void tenants_open(Tenants *t, const char *data_dir, uid_t first, uid_t last, char *how,
		  size_t size);

/* For jobs: the user of a compute, the same each time; 0 if all are taken. */
uid_t tenant_claim(const Tenants *t, const char *id);
void tenant_release(const Tenants *t, const char *id);

/*
 * Ends every process of his.  Before files of his are walked through: somebody who could
 * change them meanwhile might lead us to those of others.
 */
void tenant_end_all(uid_t user);

/* For jobs: makes a compute's data his; what stands beside it he may read if it is shared. */
bool tenant_give(uid_t user, const char *folder);

/* For jobs: makes it ours again, for programs that want a user with a name. */
bool tenant_take_back(const char *folder);

/* Which of these users owns a data folder; 0 if it is ours, or a stranger's. */
uid_t tenant_of(const Tenants *t, const char *data);

/* Lets him read that file of ours, open sockets where we and the proxy can reach them, and
 * tell us that he is ready. */
bool tenant_share(uid_t user, const char *file);
bool tenant_share_sockets(uid_t user, const Home *home);

#endif
