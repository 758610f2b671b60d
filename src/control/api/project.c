/* Projects over HTTP. */
#include <stdlib.h>
#include <string.h>

#include "../autoscale.h"
#include "../change.h"
#include "../idle.h"
#include "../names.h"
#include "../reconcile.h"
#include "../wait.h"
#include "api.h"
#include "base/text.h"
#include "body.h"
#include "page.h"
#include "past.h"
#include "sys/clock.h"

#define DELETE_MS 60000

static void answer_project(Call *call, int status, const StoreRows *rows, const Fault *why)
{
	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	fleet_set_project(&call->c->fleet, &rows->projects[0]);
	call_answer(call, status, json_of_project(&rows->projects[0]));
}

/* ---- create and show --------------------------------------------------- */

static void on_created(void *arg, const StoreRows *rows, const Fault *why)
{
	answer_project(arg, 201, rows, why);
}

void api_project_create(Call *call)
{
	Project p = {.created_at = wall_us()};
	Fault why;

	if (call->again) {
		store_project_get(call->c->store, past_resource(call),
				  (StoreCall){on_created, call});
		return;
	}
	if (!body_name(call, p.name, sizeof(p.name), &why) ||
	    !body_config(call, SETTINGS_OF_PROJECT, "{}", p.config, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	name_make(p.id, "pr");
	store_project_create(call->c->store, &p, past_note(call, p.id),
			     (StoreCall){on_created, call});
}

static void on_shown(void *arg, const StoreRows *rows, const Fault *why)
{
	answer_project(arg, 200, rows, why);
}

void api_project_show(Call *call)
{
	store_project_get(call->c->store, call->id, (StoreCall){on_shown, call});
}

static json_t *row(const Call *call, const StoreRows *rows, int i)
{
	(void)call;
	return json_of_project(&rows->projects[i]);
}

static void on_listed(void *arg, const StoreRows *rows, const Fault *why)
{
	page_answer(arg, "projects", row, rows, why);
}

void api_project_list(Call *call)
{
	Page page = {0};

	text_copy(page.project_id, sizeof(page.project_id), call_tenant(call));
	if (page_of_query(call, &page))
		store_project_list(call->c->store, &page, (StoreCall){on_listed, call});
}

/* ---- change ------------------------------------------------------------ */

static void on_changed(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	Controller *c = call->c;

	answer_project(call, 200, rows, why);
	allowance_look_soon(c);
	autoscale_look_at_all(c);
	idle_look_at_all(c);
}

static void on_found_for_change(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	Project p;
	Fault bad;

	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	p = rows->projects[0];
	if ((json_object_get(call->body, "name") &&
	     !body_name(call, p.name, sizeof(p.name), &bad)) ||
	    !body_config(call, SETTINGS_OF_PROJECT, rows->projects[0].config, p.config, &bad)) {
		call_refuse(call, &bad, NULL);
		return;
	}
	store_project_configure(call->c->store, &p, (StoreCall){on_changed, call});
}

void api_project_change(Call *call)
{
	store_project_get(call->c->store, call->id, (StoreCall){on_found_for_change, call});
}

/* ---- delete ------------------------------------------------------------ */

static void await_next(Call *call);

static void on_one_gone(void *arg, Unit *u, WaitEnd end)
{
	Call *call = arg;

	(void)u;
	if (end == WAIT_TIMEOUT)
		call_answer(call, 202,
			    json_pack("{s:s, s:s}", "id", call->id, "state", "deleting"));
	else
		await_next(call);
}

static Unit *any_of_project(const Fleet *f, const char *project_id)
{
	Unit *u = f->units;

	while (u &&
	       (u->compute.state == COMPUTE_GONE || strcmp(u->compute.project_id, project_id) != 0))
		u = u->hh.next;
	return u;
}

static void await_next(Call *call)
{
	Unit *u = any_of_project(&call->c->fleet, call->id);

	if (u) {
		wait_begin(u, WAIT_GONE, DELETE_MS, call->request, on_one_gone, call_free, call);
		return;
	}
	fleet_forget_project(&call->c->fleet, call->id);
	tokens_forget_project(&call->c->tokens, call->id);
	call_answer_nothing(call);
}

static void on_deleted(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;

	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	for (int i = 0; i < rows->n; i++) {
		Unit *u = fleet_compute(&call->c->fleet, rows->computes[i].id);

		/* One that is busy finds out when the change it is at fails. */
		if (u && !u->busy)
			change_adopt(u, &rows->computes[i]);
	}
	await_next(call);
}

void api_project_delete(Call *call)
{
	store_project_delete(call->c->store, call->id, (StoreCall){on_deleted, call});
}
