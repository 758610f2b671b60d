/* Databases over HTTP: made, listed and dropped; told to servers as roles are (role.c). */
#include <string.h>

#include "../provision.h"
#include "api.h"
#include "base/text.h"
#include "body.h"
#include "identifier.h"
#include "past.h"
#include "sys/clock.h"

static json_t *json_of_database(const OwnedDatabase *d)
{
	json_t *json =
		json_pack("{s:s, s:s, s:s, s:o, s:o}", "compute_id", d->compute_id, "name", d->name,
			  "owner", d->owner, "created_at", json_of_time(d->created_at), "pending",
			  *d->pending ? json_string(d->pending) : json_null());

	json_set_failure(json, d->failure);
	return json;
}

static void take(Call *call, const StoreRows *rows, const Fault *why, void (*on_told)(void *arg))
{
	Unit *u;

	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	u = call_unit(call);
	if (!u)
		return;
	roster_put_database(&u->roster, &rows->databases[0]);
	provision_now(u, on_told, call);
}

/* ---- made -------------------------------------------------------------- */

static void on_told_of_new(void *arg)
{
	Call *call = arg;
	Unit *u = call_unit(call);
	const OwnedDatabase *d = u ? roster_database(&u->roster, call->name) : NULL;

	if (!u)
		return;
	if (d)
		call_answer(call, 201, json_of_database(d));
	else
		call_no_such(call, "database");
}

static void on_created(void *arg, const StoreRows *rows, const Fault *why)
{
	take(arg, rows, why, on_told_of_new);
}

static bool is_free(const Roster *r, const char *name, Fault *why)
{
	if (roster_database(r, name) && !roster_has_database(r, name))
		return fault_set(why, FAULT_BUSY,
				 "database \"%s\" is still to be dropped, at the next wake", name);
	return r->n_databases < ROSTER_DATABASES ||
	       fault_set(why, FAULT_BAD_VALUE, "a compute has at most %d databases",
			 ROSTER_DATABASES);
}

static bool read_database(Call *call, const Unit *u, OwnedDatabase *d, Fault *why)
{
	const char *owner;

	if (!body_name(call, call->name, sizeof(call->name), why) ||
	    !identifier_of_database(call->name, why) ||
	    !body_text(call->body, "owner", CLIENT_ROLE, &owner, why))
		return false;
	if (!text_copy(d->owner, sizeof(d->owner), owner) || !roster_has_role(&u->roster, d->owner))
		return fault_set(why, FAULT_BAD_VALUE,
				 "owner must be a role of the compute, and \"%.64s\" is none",
				 owner);
	text_copy(d->compute_id, sizeof(d->compute_id), call->id);
	text_copy(d->name, sizeof(d->name), call->name);
	return is_free(&u->roster, d->name, why);
}

void api_database_create(Call *call)
{
	const Unit *u = call_unit(call);
	OwnedDatabase d = {.created_at = wall_us()};
	Fault why;

	if (!u)
		return;
	if (call->again) {
		text_copy(call->name, sizeof(call->name), past_resource(call));
		on_told_of_new(call);
		return;
	}
	if (!read_database(call, u, &d, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	store_database_put(call->c->store, &d, (StoreCall){on_created, call});
}

/* ---- listed ------------------------------------------------------------ */

void api_database_list(Call *call)
{
	const Unit *u = call_unit(call);
	json_t *list;

	if (!u)
		return;
	list = json_array();
	for (int i = 0; i < u->roster.n_databases; i++)
		json_array_append_new(list, json_of_database(&u->roster.databases[i]));
	call_answer(call, 200, json_pack("{s:o}", "databases", list));
}

/* ---- dropped ----------------------------------------------------------- */

static void on_told_to_drop(void *arg)
{
	Call *call = arg;
	Unit *u = call_unit(call);
	const OwnedDatabase *d = u ? roster_database(&u->roster, call->name) : NULL;

	if (!u)
		return;
	if (d)
		call_answer(call, 202, json_of_database(d));
	else
		call_answer_nothing(call);
}

static void on_dropped(void *arg, const StoreRows *rows, const Fault *why)
{
	take(arg, rows, why, on_told_to_drop);
}

void api_database_delete(Call *call)
{
	const Unit *u = call_unit(call);
	Fault why;

	if (!u)
		return;
	if (!roster_has_database(&u->roster, call->name)) {
		call_no_such(call, "database");
		return;
	}
	if (roster_count_databases(&u->roster) == 1) {
		fault_set(&why, FAULT_BAD_VALUE,
			  "\"%s\" is the last database: delete the compute instead", call->name);
		call_refuse(call, &why, NULL);
		return;
	}
	store_database_drop(call->c->store, call->id, call->name, (StoreCall){on_dropped, call});
}
