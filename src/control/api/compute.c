/* Computes over HTTP: made, shown, changed and deleted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../autoscale.h"
#include "../names.h"
#include "../reconcile.h"
#include "../wait.h"
#include "api.h"
#include "base/text.h"
#include "body.h"
#include "page.h"
#include "past.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "sys/scram_secret.h"
#include "uri.h"

#define CREATE_MS 60000
#define DELETE_MS 60000
#define RESIZE_MS 10000

/* ---- create ------------------------------------------------------------ */

static void answer_created(Call *call, const Unit *u)
{
	json_t *json = json_of_compute(&u->compute, &call->c->fleet);
	const UriParts parts = {u->compute.id, CLIENT_ROLE, call->secret, CLIENT_ROLE};
	char uri[URI_SIZE];

	if (*call->secret && uri_of_compute(uri, call->c->conf, &parts))
		json_object_set_new(json, "connection_uri", json_string(uri));
	else
		json_object_set_new(json, "connection_uri", json_null());
	explicit_bzero(uri, sizeof(uri));
	call_answer(call, 201, json);
}

/* Also when it takes long: the password is shown now or never. */
static void on_made(void *arg, Unit *u, WaitEnd end)
{
	Call *call = arg;

	if (end == WAIT_NO_COMPUTE)
		call_problem(call, 503, "the compute could not be made", u->reason,
			     "CREATE_FAILED");
	else
		answer_created(call, u);
}

/* Those that are being recorded count, so that many at once are not one too many. */
static void count_making(Call *call, int more)
{
	ProjectEntry *e = fleet_entry(&call->c->fleet, call->id);

	if (e)
		e->allowance.making += more;
}

/* With a key the password is kept for whoever asks again, so his leaving ends nothing. */
static void await_made(Call *call, Unit *u)
{
	wait_begin(u, WAIT_RESTING, CREATE_MS, call->past ? NULL : call->request, on_made,
		   call_free, call);
}

static void on_recorded(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	Unit *u;

	count_making(call, -1);
	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	u = fleet_add(call->c, &rows->computes[0]);
	roster_begin(&u->roster, &u->compute);
	events_tell(call->c, u, "asked for");
	await_made(call, u);
}

static void make_secrets(Call *call, Compute *c)
{
	uint8_t salt[SCRAM_SALT_BYTES];

	password_make(call->secret);
	password_make(c->control_password);
	random_bytes(salt, sizeof(salt));
	scram_secret(c->verifier, call->secret, salt, SCRAM_ITERATIONS);
}

static bool tenant_says_own(const Call *call)
{
	return call->who.scope == SCOPE_PROJECT &&
	       json_object_get(json_object_get(call->body, "config"), "resources");
}

/*
 * Who may change a compute may not thereby go beyond what the admin gave its project: for a
 * tenant that holds also where the admin said nothing, and max_size is what it then is.
 */
static bool check_own(const Call *call, const Compute *c, Fault *why)
{
	ProjectSettings project = fleet_settings(&call->c->fleet, c->project_id);
	ComputeSettings own = settings_of_compute(c->config);

	project.has_max_size = project.has_max_size || tenant_says_own(call);
	return sizing_allows(&project, &own, call->c->conf->process.memory_per_unit, why);
}

static SizeBounds bounds_of(const Call *call, const Compute *c)
{
	ProjectSettings project = fleet_settings(&call->c->fleet, c->project_id);
	ComputeSettings own = settings_of_compute(c->config);

	return sizing_bounds(&project, &own);
}

/* Within the bounds that it has with its config; stays what it is, if none is asked for. */
static bool read_size(const Call *call, const Compute *c, int *size, Fault *why)
{
	SizeBounds bounds = bounds_of(call, c);

	return !json_object_get(call->body, "size") ||
	       (body_size(call, size, why) && sizing_check(*size, &bounds, why));
}

static bool set_name(const Call *call, Compute *c, Fault *why)
{
	const char *name;

	if (!body_text(call->body, "name", NULL, &name, why))
		return false;
	if (!name)
		name_make(c->id, "co");
	else if (!call_id(name, c->id))
		return fault_set(why, FAULT_BAD_VALUE,
				 "name must be a DNS label: a to z, 0 to 9 and dashes, 63 at most");
	return true;
}

static bool read_order(const Call *call, Compute *c, Fault *why)
{
	Driver *driver = call->c->driver;
	const char *engine;

	if (!body_text(call->body, "engine", "postgres", &engine, why) || !set_name(call, c, why) ||
	    !body_config(call, SETTINGS_OF_COMPUTE, "{}", c->config, why) ||
	    !check_own(call, c, why))
		return false;
	c->size = bounds_of(call, c).least;
	if (!read_size(call, c, &c->size, why))
		return false;
	text_copy(c->engine, sizeof(c->engine), engine);
	return driver->ops->admits(driver, c->id, engine, why);
}

void api_compute_create(Call *call)
{
	Compute c = {.state = COMPUTE_CREATING, .generation = 1, .created_at = wall_us()};
	QuotaWords words;
	Fault why;

	if (call->again) {
		await_made(call, fleet_compute(&call->c->fleet, past_resource(call)));
		return;
	}
	text_copy(c.project_id, sizeof(c.project_id), call->id);
	c.last_activity = c.created_at;
	if (!read_order(call, &c, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	if (allowance_to_make(call->c, call->id, &words) == ALLOWANCE_NO) {
		call_refuse_quota(call, &words);
		return;
	}
	make_secrets(call, &c);
	count_making(call, 1);
	store_compute_create(call->c->store, &c, past_note(call, c.id),
			     (StoreCall){on_recorded, call});
}

/* ---- show -------------------------------------------------------------- */

void api_compute_show(Call *call)
{
	const Unit *u = call_unit(call);

	if (u)
		call_answer(call, 200, json_of_compute(&u->compute, &call->c->fleet));
}

static json_t *row(const Call *call, const StoreRows *rows, int i)
{
	return json_of_compute(&rows->computes[i], &call->c->fleet);
}

static void on_listed(void *arg, const StoreRows *rows, const Fault *why)
{
	page_answer(arg, "computes", row, rows, why);
}

/* The one project's in the path, or all. */
void api_compute_list_all(Call *call)
{
	Page page = {0};

	text_copy(page.project_id, sizeof(page.project_id),
		  *call->id ? call->id : call_tenant(call));
	if (page_of_query(call, &page))
		store_compute_list(call->c->store, &page, (StoreCall){on_listed, call});
}

static void on_project_of_list(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)rows;
	if (why)
		call_refuse(arg, why, NULL);
	else
		api_compute_list_all(arg);
}

void api_compute_list(Call *call)
{
	store_project_get(call->c->store, call->id, (StoreCall){on_project_of_list, call});
}

/* ---- change ------------------------------------------------------------ */

static void resize(Call *call, Unit *u)
{
	Fault why;
	int size;

	if (json_object_get(call->body, "size") && body_size(call, &size, &why))
		sizing_wish(&u->sizing, size, "asked for");
	if (unit_is_sized(u))
		call_answer(call, 200, json_of_compute(&u->compute, &call->c->fleet));
	else
		wait_begin(u, WAIT_SIZED, RESIZE_MS, call->request, call_answer_settled, call_free,
			   call);
}

static void on_configured(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	Unit *u = fleet_compute(&call->c->fleet, call->id);

	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	if (!u) {
		call_answer(call, 200, json_of_compute(&rows->computes[0], &call->c->fleet));
		return;
	}
	text_copy(u->compute.config, sizeof(u->compute.config), rows->computes[0].config);
	autoscale_look(u);
	resize(call, u);
}

void api_compute_change(Call *call)
{
	const Unit *u = call_unit(call);
	Compute c;
	Fault why;

	if (!u)
		return;
	c = u->compute;
	if (!body_config(call, SETTINGS_OF_COMPUTE, u->compute.config, c.config, &why) ||
	    !check_own(call, &c, &why) || !read_size(call, &c, &c.size, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	store_compute_configure(call->c->store, &c, (StoreCall){on_configured, call});
}

/* ---- delete ------------------------------------------------------------ */

static void on_deleted(void *arg, Unit *u, WaitEnd end)
{
	Call *call = arg;

	if (end == WAIT_TIMEOUT)
		call_answer(call, 202, json_of_compute(&u->compute, &call->c->fleet));
	else
		call_answer_nothing(call);
}

void api_compute_delete(Call *call)
{
	Unit *u = call_unit(call);

	if (!u)
		return;
	reconcile_doom(u, "asked for");
	wait_begin(u, WAIT_GONE, DELETE_MS, call->request, on_deleted, call_free, call);
}
