#include "roster.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* ---- what there is ----------------------------------------------------- */

Role *roster_role(const Roster *r, const char *name)
{
	for (int i = 0; i < r->n_roles; i++) {
		if (strcmp(r->roles[i].name, name) == 0)
			return &r->roles[i];
	}
	return NULL;
}

OwnedDatabase *roster_database(const Roster *r, const char *name)
{
	for (int i = 0; i < r->n_databases; i++) {
		if (strcmp(r->databases[i].name, name) == 0)
			return &r->databases[i];
	}
	return NULL;
}

static bool is_going(const char *pending)
{
	return strcmp(pending, "drop") == 0;
}

bool roster_has_role(const Roster *r, const char *name)
{
	const Role *role = roster_role(r, name);

	return role && !is_going(role->pending);
}

bool roster_has_database(const Roster *r, const char *name)
{
	const OwnedDatabase *database = roster_database(r, name);

	return database && !is_going(database->pending);
}

int roster_count_databases(const Roster *r)
{
	int n = 0;

	for (int i = 0; i < r->n_databases; i++)
		n += is_going(r->databases[i].pending) ? 0 : 1;
	return n;
}

const OwnedDatabase *roster_owned_by(const Roster *r, const char *role)
{
	for (int i = 0; i < r->n_databases; i++) {
		const OwnedDatabase *database = &r->databases[i];

		if (!is_going(database->pending) && strcmp(database->owner, role) == 0)
			return database;
	}
	return NULL;
}

/* ---- changes ----------------------------------------------------------- */

void roster_put_role(Roster *r, const Role *role)
{
	Role *old = roster_role(r, role->name);

	if (!old) {
		r->roles = mem_grow(r->roles, sizeof(*r->roles) * (size_t)(r->n_roles + 1));
		old = &r->roles[r->n_roles++];
	}
	*old = *role;
}

void roster_put_database(Roster *r, const OwnedDatabase *database)
{
	OwnedDatabase *old = roster_database(r, database->name);

	if (!old) {
		r->databases = mem_grow(r->databases,
					sizeof(*r->databases) * (size_t)(r->n_databases + 1));
		old = &r->databases[r->n_databases++];
	}
	*old = *database;
}

void roster_begin(Roster *r, const Compute *compute)
{
	Role role = {.name = CLIENT_ROLE, .created_at = compute->created_at};
	OwnedDatabase database = {
		.name = CLIENT_ROLE, .owner = CLIENT_ROLE, .created_at = compute->created_at};

	text_copy(role.compute_id, sizeof(role.compute_id), compute->id);
	text_copy(role.verifier, sizeof(role.verifier), compute->verifier);
	text_copy(database.compute_id, sizeof(database.compute_id), compute->id);
	roster_put_role(r, &role);
	roster_put_database(r, &database);
}

void roster_remove_role(Roster *r, const char *name)
{
	Role *role = roster_role(r, name);

	if (role)
		*role = r->roles[--r->n_roles];
}

void roster_remove_database(Roster *r, const char *name)
{
	OwnedDatabase *database = roster_database(r, name);

	if (database)
		*database = r->databases[--r->n_databases];
}

void roster_free(Roster *r)
{
	free(r->roles);
	free(r->databases);
	*r = (Roster){.n_roles = 0};
}

/* ---- chores ----------------------------------------------------------- */

static bool next_role(const Roster *r, const char *what, Chore *out)
{
	for (int i = 0; i < r->n_roles; i++) {
		if (strcmp(r->roles[i].pending, what) != 0 || *r->roles[i].failure)
			continue;
		*out = (Chore){.is_database = false, .role = r->roles[i]};
		return true;
	}
	return false;
}

static bool next_database(const Roster *r, const char *what, Chore *out)
{
	for (int i = 0; i < r->n_databases; i++) {
		if (strcmp(r->databases[i].pending, what) != 0 || *r->databases[i].failure)
			continue;
		*out = (Chore){.is_database = true, .database = r->databases[i]};
		return true;
	}
	return false;
}

bool roster_next(const Roster *r, Chore *out)
{
	return next_database(r, "drop", out) || next_role(r, "put", out) ||
	       next_database(r, "put", out) || next_role(r, "drop", out);
}

bool roster_is_pending(const Roster *r)
{
	for (int i = 0; i < r->n_roles; i++) {
		if (*r->roles[i].pending)
			return true;
	}
	for (int i = 0; i < r->n_databases; i++) {
		if (*r->databases[i].pending)
			return true;
	}
	return false;
}

void roster_forget_failures(Roster *r)
{
	for (int i = 0; i < r->n_roles; i++)
		*r->roles[i].failure = 0;
	for (int i = 0; i < r->n_databases; i++)
		*r->databases[i].failure = 0;
}
