/* Computes woken, resumed and suspended over HTTP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../idle.h"
#include "../ledger.h"
#include "../reconcile.h"
#include "../wait.h"
#include "api.h"
#include "base/text.h"
#include "route.h"
#include "sys/clock.h"

#define WAKE_SECONDS      60
#define MOST_WAKE_SECONDS 3600
/* Proxies that ask here hear events; those of the other dialects know of none. */
#define OWN_PATH "/api/v1/wake_compute"

#define SUSPEND_MS 90000 /* the drain, a fast stop and an immediate one */

/* ---- wake -------------------------------------------------------------- */

static void answer_woken(Call *call, Unit *u)
{
	const Compute *c = &u->compute;
	const char *how = call->depth ? call->depth : "warm";
	json_t *aux = json_pack("{s:s, s:s, s:s, s:s, s:s}", "endpoint_id", c->id, "project_id",
				c->project_id, "branch_id", c->project_id, "compute_id", c->id,
				"cold_start_info", how);

	if (!call->exempt)
		activity_note(&u->activity, clock_ms());
	call_answer(call, 200,
		    json_pack("{s:s, s:s, s:I, s:s, s:n, s:s, s:I, s:s, s:o}", "address",
			      c->address, "compute_id", c->id, "generation",
			      (json_int_t)c->generation, "engine", c->engine, "server_name",
			      "cold_start_info", how, "ready_in_ms",
			      (json_int_t)(clock_ms() - call->since_ms), "status", "scaled_up",
			      "aux", aux));
}

/* False after the call was answered, as it is when a quota is used up. */
static bool may_run(Call *call, Unit *u)
{
	QuotaWords words;

	if (allowance_to_run(u, &words) != ALLOWANCE_NO)
		return true;
	call_refuse_quota(call, &words);
	return false;
}

static bool may_connect(Call *call, Unit *u)
{
	QuotaWords words;

	if (allowance_to_connect(u, &words) != ALLOWANCE_NO)
		return may_run(call, u);
	call_refuse_quota(call, &words);
	return false;
}

/* More may have been allowed just now: whoever asks again is let in. */
static void refuse_to_wake(Call *call, Unit *u)
{
	if (may_run(call, u))
		call_problem(call, 503, "the compute may be woken again", "ask again", NULL);
}

static void on_awake(void *arg, Unit *u, WaitEnd end)
{
	Call *call = arg;

	switch (end) {
	case WAIT_REACHED:
		answer_woken(call, u);
		return;
	case WAIT_REFUSED:
		refuse_to_wake(call, u);
		return;
	case WAIT_FAILED:
		call_problem(call, 503, "the compute could not be started", u->compute.failure,
			     "START_FAILED");
		return;
	case WAIT_UNWRITTEN:
		call_unwritten(call);
		return;
	case WAIT_TIMEOUT:
		call_problem(call, 504, "the compute did not start in time",
			     compute_state_word(u->compute.state), "START_TIMEOUT");
		return;
	case WAIT_NO_COMPUTE:
		call_no_endpoint(call);
		return;
	}
}

/* A name that is not told is empty; stores take no bytes that are no text. */
static void read_name(const Call *call, const char *name, char out[ID_SIZE])
{
	const char *value = request_query(call->request, name);

	text_copy(out, ID_SIZE, value ? value : "");
	text_printable(out);
}

static Cause who_wakes(const Call *call)
{
	Cause who = {.kind = CAUSE_CLIENT};

	read_name(call, "role", who.role);
	read_name(call, "application_name", who.application);
	read_name(call, "network", who.network);
	return who;
}

/* Of a compute that is awake whoever is exempt is not the cause. */
static void note_who(Call *call, Unit *u)
{
	Cause who = who_wakes(call);

	call->exempt = fleet_is_exempt(u, &who);
	if (!unit_is_serving(u))
		u->woken_as_favour = call->exempt;
	if (!unit_is_serving(u) || !call->exempt)
		ledger_blame(u, &who, 0);
}

void api_wake(Call *call)
{
	int64_t seconds = WAKE_SECONDS;
	Unit *u;
	Fault why;

	if (!call_query_int(call, "timeout", 1, MOST_WAKE_SECONDS, &seconds, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	u = call_endpoint(call);
	if (!u || !may_connect(call, u))
		return;
	if (strcmp(call->route->path, OWN_PATH) != 0)
		u->woken_by_deaf = true;
	note_who(call, u);
	if (unit_is_serving(u) && !u->unwanted && !u->unneeded) {
		answer_woken(call, u);
		return;
	}
	call->depth = u->compute.state == COMPUTE_FROZEN || unit_is_serving(u) ? "frozen" : "cold";
	wait_begin(u, WAIT_ACTIVE, seconds * 1000, call->request, on_awake, call_free, call);
}

/* ---- resume and suspend ------------------------------------------------ */

void api_compute_resume(Call *call)
{
	Unit *u = call_unit(call);

	if (!u || !may_run(call, u))
		return;
	if (!unit_is_serving(u)) {
		ledger_blame_kind(u, CAUSE_API);
		reconcile_resume(u, "asked for");
	}
	call_answer(call, unit_is_serving(u) ? 200 : 202,
		    json_of_compute(&u->compute, &call->c->fleet));
}

typedef enum Mode { MODE_DRAIN, MODE_IMMEDIATE, MODE_FREEZE } Mode;

static bool read_mode(const Call *call, Mode *mode, Fault *why)
{
	const char *word = request_query(call->request, "mode");

	*mode = MODE_DRAIN;
	if (!word)
		return true;
	if (strcmp(word, "immediate") == 0)
		*mode = MODE_IMMEDIATE;
	else if (strcmp(word, "freeze") == 0)
		*mode = MODE_FREEZE;
	else
		return fault_set(why, FAULT_BAD_VALUE, "mode must be immediate or freeze");
	return true;
}

/* ---- freeze ------------------------------------------------------------ */

static void on_frozen(void *arg, Unit *u, WaitEnd end)
{
	Call *call = arg;
	Fault why;

	if (end == WAIT_REACHED || end == WAIT_TIMEOUT) {
		call_answer(call, end == WAIT_TIMEOUT ? 202 : 200,
			    json_of_compute(&u->compute, &call->c->fleet));
		return;
	}
	if (end == WAIT_UNWRITTEN) {
		call_unwritten(call);
		return;
	}
	if (end == WAIT_NO_COMPUTE)
		fault_set(&why, FAULT_NOT_FOUND, "compute \"%s\" is being deleted", u->compute.id);
	else
		fault_set(&why, FAULT_BUSY, "it cannot be frozen now: %.200s", u->reason);
	call_refuse(call, &why, NULL);
}

static void freeze(Call *call, Unit *u)
{
	Fault why;

	if (!call->c->driver->can.freeze) {
		fault_set(&why, FAULT_BAD_VALUE, "computes cannot be frozen here");
		call_refuse(call, &why, NULL);
		return;
	}
	if (u->compute.state != COMPUTE_ACTIVE && u->compute.state != COMPUTE_FROZEN) {
		fault_set(&why, FAULT_BUSY, "compute \"%s\" is %s", u->compute.id,
			  compute_state_word(u->compute.state));
		call_refuse(call, &why, NULL);
		return;
	}
	if (u->compute.state == COMPUTE_ACTIVE || u->runs) /* it is just being woken */
		idle_chill(u);
	wait_begin(u, WAIT_FROZEN, SUSPEND_MS, call->request, on_frozen, call_free, call);
}

/* ---- suspend ----------------------------------------------------------- */

static bool can_be_suspended(const Unit *u, Fault *why)
{
	ComputeState state = u->compute.state;

	if (state != COMPUTE_CREATING && state != COMPUTE_RESUMING)
		return true;
	return fault_set(why, FAULT_BUSY, "compute \"%s\" is %s", u->compute.id,
			 compute_state_word(state));
}

void api_compute_suspend(Call *call)
{
	Unit *u = call_unit(call);
	Mode mode;
	Fault why;

	if (!u)
		return;
	if (!read_mode(call, &mode, &why) || !can_be_suspended(u, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	if (mode == MODE_FREEZE) {
		freeze(call, u);
		return;
	}
	if (u->compute.state == COMPUTE_SUSPENDED || u->compute.state == COMPUTE_FAILED) {
		call_answer(call, 200, json_of_compute(&u->compute, &call->c->fleet));
		return;
	}
	reconcile_suspend(u, mode == MODE_DRAIN, "asked for");
	wait_begin(u, WAIT_RESTING, SUSPEND_MS, call->request, call_answer_settled, call_free,
		   call);
}
