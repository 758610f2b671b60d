/*
 * Roles over HTTP: made, listed, given another password, and dropped.
 *
 * The store knows first, then proxies are told to forget what they knew; a server that runs
 * is told before the answer, and one that does not at its next wake.
 */
#include <string.h>

#include "../names.h"
#include "../provision.h"
#include "api.h"
#include "base/text.h"
#include "body.h"
#include "identifier.h"
#include "past.h"
#include "sys/clock.h"
#include "sys/mysql_secret.h"
#include "sys/random.h"
#include "sys/scram_secret.h"
#include "uri.h"

static json_t *json_of_role(const Role *r)
{
	json_t *json = json_pack("{s:s, s:s, s:o, s:o}", "compute_id", r->compute_id, "name",
				 r->name, "created_at", json_of_time(r->created_at), "pending",
				 *r->pending ? json_string(r->pending) : json_null());

	json_set_failure(json, r->failure);
	return json;
}

/* ---- what is shown once ------------------------------------------------ */

/* Its own database, or app, or any: where one who logs in would want to go. */
static const char *database_of(const Roster *r, const char *role)
{
	const OwnedDatabase *own = roster_owned_by(r, role);

	if (own)
		return own->name;
	return r->n_databases == 0 || roster_has_database(r, CLIENT_ROLE) ? CLIENT_ROLE
									  : r->databases[0].name;
}

static void add_secret(const Call *call, const Unit *u, json_t *json)
{
	const UriParts parts = {call->id, call->name, call->secret,
				database_of(&u->roster, call->name)};
	char uri[URI_SIZE];
	bool known = *call->secret;
	bool reached = known && uri_of_compute(uri, call->c->conf, &parts);

	json_object_set_new(json, "password", known ? json_string(call->secret) : json_null());
	json_object_set_new(json, "connection_uri", reached ? json_string(uri) : json_null());
	explicit_bzero(uri, sizeof(uri));
}

/* The server has been told, or will be; the role may be gone again meanwhile. */
static void answer_secret(void *arg, int status)
{
	Call *call = arg;
	Unit *u = call_unit(call);
	const Role *role = u ? roster_role(&u->roster, call->name) : NULL;
	json_t *json;

	if (!u)
		return;
	if (!role) {
		call_no_such(call, "role");
		return;
	}
	json = json_of_role(role);
	add_secret(call, u, json);
	call_answer(call, status, json);
}

static void on_told_of_new(void *arg)
{
	answer_secret(arg, 201);
}

static void on_told_of_other(void *arg)
{
	answer_secret(arg, 200);
}

/* ---- made and given another password ----------------------------------- */

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
	roster_put_role(&u->roster, &rows->roles[0]);
	events_tell_access(call->c, u);
	provision_now(u, on_told, call);
}

static void on_created(void *arg, const StoreRows *rows, const Fault *why)
{
	take(arg, rows, why, on_told_of_new);
}

static void on_rotated(void *arg, const StoreRows *rows, const Fault *why)
{
	take(arg, rows, why, on_told_of_other);
}

static void make_secrets(Call *call, Role *r)
{
	uint8_t salt[SCRAM_SALT_BYTES];

	text_copy(r->compute_id, sizeof(r->compute_id), call->id);
	text_copy(r->name, sizeof(r->name), call->name);
	r->created_at = wall_us();
	password_make(call->secret);
	random_bytes(salt, sizeof(salt));
	scram_secret(r->verifier, call->secret, salt, SCRAM_ITERATIONS);
	mysql_secret(r->mysql_hash, call->secret);
}

static bool read_role(Call *call, const Unit *u, Fault *why)
{
	if (!body_name(call, call->name, sizeof(call->name), why) ||
	    !identifier_of_role(call->name, why))
		return false;
	if (u->roster.n_roles >= ROSTER_ROLES)
		return fault_set(why, FAULT_BAD_VALUE, "a compute has at most %d roles",
				 ROSTER_ROLES);
	return true;
}

void api_role_create(Call *call)
{
	const Unit *u = call_unit(call);
	Role r = {.created_at = 0};
	Fault why;

	if (!u)
		return;
	if (call->again) {
		text_copy(call->name, sizeof(call->name), past_resource(call));
		on_told_of_new(call);
		return;
	}
	if (!read_role(call, u, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	make_secrets(call, &r);
	store_role_put(call->c->store, &r, true, (StoreCall){on_created, call});
}

/* The unit of the path if it has the role of the path; else the call was answered. */
static Unit *unit_with_role(Call *call)
{
	Unit *u = call_unit(call);

	if (!u || roster_has_role(&u->roster, call->name))
		return u;
	call_no_such(call, "role");
	return NULL;
}

void api_role_rotate(Call *call)
{
	Role r = {.created_at = 0};

	if (!unit_with_role(call))
		return;
	make_secrets(call, &r);
	store_role_put(call->c->store, &r, false, (StoreCall){on_rotated, call});
}

/* ---- listed ------------------------------------------------------------ */

void api_role_list(Call *call)
{
	const Unit *u = call_unit(call);
	json_t *list;

	if (!u)
		return;
	list = json_array();
	for (int i = 0; i < u->roster.n_roles; i++)
		json_array_append_new(list, json_of_role(&u->roster.roles[i]));
	call_answer(call, 200, json_pack("{s:o}", "roles", list));
}

/* ---- dropped ----------------------------------------------------------- */

static void on_told_to_drop(void *arg)
{
	Call *call = arg;
	Unit *u = call_unit(call);
	const Role *role = u ? roster_role(&u->roster, call->name) : NULL;

	if (!u)
		return;
	if (role)
		call_answer(call, 202, json_of_role(role));
	else
		call_answer_nothing(call);
}

static void on_dropped(void *arg, const StoreRows *rows, const Fault *why)
{
	take(arg, rows, why, on_told_to_drop);
}

void api_role_delete(Call *call)
{
	const Unit *u = unit_with_role(call);
	const OwnedDatabase *own = u ? roster_owned_by(&u->roster, call->name) : NULL;
	Fault why;

	if (!u)
		return;
	if (strcmp(call->name, CLIENT_ROLE) == 0) {
		fault_set(&why, FAULT_BAD_VALUE,
			  "role \"%s\" is the one that a compute is made with, and stays",
			  CLIENT_ROLE);
		call_refuse(call, &why, NULL);
		return;
	}
	if (own) {
		fault_set(&why, FAULT_BAD_VALUE,
			  "role \"%s\" owns database \"%s\": drop that first", call->name,
			  own->name);
		call_refuse(call, &why, NULL);
		return;
	}
	store_role_drop(call->c->store, call->id, call->name, (StoreCall){on_dropped, call});
}
