/* A request on its way: what it names, and how it is answered. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "neon.h"
#include "past.h"
#include "route.h"

/* ---- answering --------------------------------------------------------- */

void call_free(void *arg)
{
	Call *call = arg;

	past_free(call);
	json_decref(call->body);
	explicit_bzero(call->secret, sizeof(call->secret));
	free(call);
}

static void send_json(Call *call, int status, const char *type, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	request_add_header(call->request, "Cache-Control", "no-store");
	if (call->past) {
		past_answer(call, status, type, text);
		return;
	}
	request_answer(call->request, status, type, span_of_text(text));
	mem_wipe_text(text);
	call_free(call);
}

void call_answer_text(Call *call, const char *type, Span text)
{
	request_add_header(call->request, "Cache-Control", "no-store");
	request_answer(call->request, 200, type, text);
	call_free(call);
}

void call_answer(Call *call, int status, json_t *body)
{
	send_json(call, status, "application/json", body);
}

void call_answer_nothing(Call *call)
{
	request_answer(call->request, 204, "application/json", (Span){NULL, 0});
	call_free(call);
}

void call_problem(Call *call, int status, const char *title, const char *detail, const char *reason)
{
	json_t *body = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title,
				 "status", status, "detail", detail);

	if (!body) /* what is not UTF-8 cannot be said */
		body = json_pack("{s:s, s:s, s:i}", "type", "about:blank", "title", title, "status",
				 status);
	if (reason)
		json_object_set_new(body, "reason", json_string(reason));
	if (call->route && neon_knows(call->route))
		neon_explain(body, status, detail, reason);
	if (call->hint)
		json_object_set_new(body, "hint", json_string(call->hint));
	if (status == 401)
		request_add_header(call->request, "WWW-Authenticate", "Bearer");
	if (status == 423 || status == 503)
		request_add_header(call->request, "Retry-After", "1");
	send_json(call, status, "application/problem+json", body);
}

void call_refuse(Call *call, const Fault *why, const char *reason)
{
	const FaultInfo *info = fault_info(why->code);

	call_problem(call, info->http_status, info->text, why->detail, reason);
}

void call_refuse_quota(Call *call, const QuotaWords *words)
{
	call->hint = words->hint;
	call_problem(call, 403, "a quota is used up", words->detail, words->reason);
}

/* ---- judging ----------------------------------------------------------- */

bool call_query_int(const Call *call, const char *name, int64_t least, int64_t most, int64_t *value,
		    Fault *why)
{
	const char *text = request_query(call->request, name);
	char *end;
	int64_t number;

	if (!text)
		return true;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end || errno != 0 || number < least || number > most)
		return fault_set(why, FAULT_BAD_VALUE, "%s must be a number, %lld to %lld", name,
				 (long long)least, (long long)most);
	*value = number;
	return true;
}

bool call_id(const char *given, char out[ID_SIZE])
{
	if (!text_copy(out, ID_SIZE, given))
		return false;
	text_lower(out);
	return text_is_label(out);
}

const char *call_tenant(const Call *call)
{
	return call->who.project_id;
}

bool call_may_see(const Call *call, const char *project_id)
{
	return !*call_tenant(call) || strcmp(call_tenant(call), project_id) == 0;
}

Unit *call_unit(Call *call)
{
	Unit *u = fleet_compute(&call->c->fleet, call->id);
	Fault why;

	if (u)
		return u;
	fault_set(&why, FAULT_NOT_FOUND, "there is no compute \"%s\"", call->id);
	call_refuse(call, &why, NULL);
	return NULL;
}

void call_no_such(Call *call, const char *kind)
{
	Fault why;

	fault_set(&why, FAULT_NOT_FOUND, "there is no %s \"%s\"", kind, call->name);
	call_refuse(call, &why, NULL);
}

void call_no_endpoint(Call *call)
{
	call_problem(call, 404, "no such compute", "no compute or project has this id",
		     "ENDPOINT_NOT_FOUND");
}

Unit *call_endpoint(Call *call)
{
	const char *given = *call->id ? call->id : request_query(call->request, "endpointish");
	char id[ID_SIZE];
	Unit *u;

	if (!given) {
		call_problem(call, 400, "bad request", "endpointish is missing", NULL);
		return NULL;
	}
	u = call_id(given, id) ? fleet_find(&call->c->fleet, id) : NULL;
	if (u && u->compute.state != COMPUTE_DESTROYING && !u->doomed &&
	    call_may_see(call, u->compute.project_id))
		return u;
	call_no_endpoint(call);
	return NULL;
}

void call_unwritten(Call *call)
{
	Fault why;

	fault_set(
		&why, FAULT_STORE,
		"the store takes no changes just now, so it was not done; it is safe to ask again");
	call_refuse(call, &why, NULL);
}

void call_answer_settled(void *arg, Unit *u, WaitEnd end)
{
	Call *call = arg;
	Fault why;

	if (end == WAIT_NO_COMPUTE) {
		fault_set(&why, FAULT_NOT_FOUND, "compute \"%s\" is being deleted", u->compute.id);
		call_refuse(call, &why, NULL);
		return;
	}
	if (end == WAIT_UNWRITTEN) {
		call_unwritten(call);
		return;
	}
	call_answer(call, end == WAIT_TIMEOUT ? 202 : 200,
		    json_of_compute(&u->compute, &call->c->fleet));
}
