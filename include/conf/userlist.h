/*
 * The users of auth_file, in PgBouncer's format: a line for each with its name
 * and its secret, both in double quotes, which are doubled inside; what follows
 * them is ignored, and so are empty lines and those that begin with ; or #.
 *
 * Pure: whoever read the file hands its text in, and wipes it.
 */
#ifndef CONF_USERLIST_H
#define CONF_USERLIST_H

#include <stdbool.h>

#include "base/fault.h"

#define USERLIST_NAME_MAX   128 /* with its zero, as PgBouncer's */
#define USERLIST_SECRET_MAX 2048

typedef struct Userlist Userlist;

/* NULL and *why ("FILE:LINE: …", without any secret) if a line of it is wrong. */
Userlist *userlist_parse(const char *file, const char *text, Fault *why);

/*
 * The secret of a user as it stands in the file: a password, "SCRAM-SHA-256$…",
 * "md5…", or empty, which no password fits.  NULL if there is no such user.  It
 * lives as long as the list.
 */
const char *userlist_find(const Userlist *l, const char *user);

/* Whether a secret is a password as it is: neither NULL nor empty, a SCRAM secret or a hash. */
bool userlist_is_plain(const char *secret);

/* Calls each() with every user. */
void userlist_each(const Userlist *l, void (*each)(void *arg, const char *user, const char *secret),
		   void *arg);

/* Wipes the secrets; NULL is allowed. */
void userlist_free(Userlist *l);

#endif
