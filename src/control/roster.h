/*
 * The roles and databases that a compute's server is to have, as this process knows them:
 * the store's rows, kept true by whoever changes those.
 *
 * What is pending the server has not been told yet.  Chores come in an order in which
 * each finds what it needs: databases go before roles, and come after them.
 */
#ifndef CONTROL_ROSTER_H
#define CONTROL_ROSTER_H

#include "record.h"

#define ROSTER_ROLES     256
#define ROSTER_DATABASES 256

typedef struct Roster {
	Role *roles;
	OwnedDatabase *databases;
	int n_roles, n_databases;
} Roster;

/* One thing that the server is to be told. */
typedef struct Chore {
	bool is_database; /* then database is what it is about, else role */
	Role role;
	OwnedDatabase database;
} Chore;

/* What a compute is made with: the role and the database that its folder has. */
void roster_begin(Roster *r, const Compute *compute);

/* In place of the one of its name. */
void roster_put_role(Roster *r, const Role *role);
void roster_put_database(Roster *r, const OwnedDatabase *database);
void roster_remove_role(Roster *r, const char *name);
void roster_remove_database(Roster *r, const char *name);
void roster_free(Roster *r);

/* NULL if there is none. */
Role *roster_role(const Roster *r, const char *name);
OwnedDatabase *roster_database(const Roster *r, const char *name);

/* Whether it is there, and not on its way out. */
bool roster_has_role(const Roster *r, const char *name);
bool roster_has_database(const Roster *r, const char *name);
int roster_count_databases(const Roster *r);

/* A database that the role owns, or NULL. */
const OwnedDatabase *roster_owned_by(const Roster *r, const char *role);

bool roster_is_pending(const Roster *r);

/* What is to be told next; what has a failure was tried already. False if there is nothing. */
bool roster_next(const Roster *r, Chore *out);
void roster_forget_failures(Roster *r);

#endif
