/* A request on its way: let in, judged, answered. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../keyring.h"
#include "base/mem.h"
#include "base/text.h"
#include "forward.h"
#include "neon.h"
#include "past.h"
#include "route.h"
#include "schema.h"
#include "sys/clock.h"

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

static bool is_visible(const Call *call, const char *project_id)
{
	return !*call_tenant(call) || strcmp(call_tenant(call), project_id) == 0;
}

/* Fills *why as if it were not there. */
static bool may_name(const Call *call, Fault *why)
{
	const Unit *u;

	if (!*call_tenant(call) || !*call->id)
		return true;
	if (text_starts(call->route->path, "/api/v1/projects/"))
		return is_visible(call, call->id) ||
		       fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", call->id);
	u = fleet_compute(&call->c->fleet, call->id);
	return (u && is_visible(call, u->compute.project_id)) ||
	       fault_set(why, FAULT_NOT_FOUND, "there is no compute \"%s\"", call->id);
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
	    is_visible(call, u->compute.project_id))
		return u;
	call_no_endpoint(call);
	return NULL;
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
	call_answer(call, end == WAIT_TIMEOUT ? 202 : 200,
		    json_of_compute(&u->compute, &call->c->fleet));
}

/* ---- letting in -------------------------------------------------------- */

/* Only a request with a body can be malformed; what is empty is an empty object. */
static bool read_body(Call *call, Fault *why)
{
	Span bytes = request_body(call->request);
	json_error_t error;

	if (bytes.n == 0) {
		call->body = json_object();
		return true;
	}
	call->body = json_loadb((const char *)bytes.at, bytes.n, JSON_REJECT_DUPLICATES, &error);
	if (!call->body)
		return fault_set(why, FAULT_BAD_REQUEST, "the body is not JSON: line %d: %s",
				 error.line, error.text);
	if (!json_is_object(call->body))
		return fault_set(why, FAULT_BAD_REQUEST, "the body must be a JSON object");
	return true;
}

static void refuse_route(Call *call, const char *allow)
{
	if (!*allow) {
		call_problem(call, 404, "not found", "there is no such path", NULL);
		return;
	}
	request_add_header(call->request, "Allow", allow);
	call_problem(call, 405, "method not allowed", "see the Allow header", NULL);
}

static void refuse_token(Call *call, Scope scope)
{
	if (scope == SCOPE_NONE)
		call_problem(call, 401, "a token is needed",
			     "send the header Authorization: Bearer TOKEN with a valid token",
			     NULL);
	else
		call_problem(call, 403, "not allowed", "this token may not do this", NULL);
}

/* A network of IPv6 is worth one address, as its owner has them all. */
static int64_t take_of_address(Call *call, LimitKind kind, LimitRate rate, int64_t now_us)
{
	Address peer = request_peer(call->request);
	uint8_t bytes[16] = {0};
	uint16_t port;
	int family = address_bytes(&peer, bytes, &port);

	return limit_take(&call->c->limits, kind, bytes, family == 6 ? 8 : 4, rate, now_us);
}

static int64_t pause_of(Call *call)
{
	static const LimitRate guesses = {.per_second = 1, .burst = 20};
	const Config *conf = call->c->conf;
	LimitRate rate = {conf->control.rate, conf->control.burst};
	int64_t now_us = call->since_ms * 1000;
	Scope wanted = call->route->scope;

	if (call->who.scope == SCOPE_NONE && wanted != SCOPE_NONE)
		return take_of_address(call, LIMIT_GUESS, guesses, now_us);
	if (call->who.scope == SCOPE_NONE)
		return take_of_address(call, LIMIT_ADDRESS, rate, now_us);
	if (wanted == SCOPE_PROXY || wanted == SCOPE_EITHER)
		return 0;
	return limit_take(&call->c->limits, LIMIT_TOKEN, call->who.id, strlen(call->who.id), rate,
			  now_us);
}

/* False after the call was refused. Seconds are rounded up: who comes back then gets in. */
static bool is_within_rate(Call *call)
{
	int64_t pause_us = pause_of(call);
	char seconds[24];

	if (pause_us == 0)
		return true;
	snprintf(seconds, sizeof(seconds), "%lld", (long long)((pause_us + 999999) / 1000000));
	request_add_header(call->request, "Retry-After", seconds);
	call_problem(call, 429, "too many requests", "come back after the seconds of Retry-After",
		     "RATE_LIMIT_EXCEEDED");
	return false;
}

static bool has_scope(Call *call)
{
	if (scope_suffices(call->who.scope, call->route->scope))
		return true;
	refuse_token(call, call->who.scope);
	return false;
}

/*
 * A token that only the store may know.  Who sends a body along is refused and has to come
 * again: nothing is read of a stranger.
 */
static bool is_to_be_looked_up(Call *call)
{
	const char *shown = request_header(call->request, "Authorization");

	if (call->who.scope != SCOPE_NONE || call->route->scope == SCOPE_NONE ||
	    !call->c->store->shared)
		return false;
	if (!request_has_body(call->request))
		return shown;
	keyring_look_up(call->c, shown, NULL, NULL);
	return false;
}

/* Whoever needs no token might be anybody, so nothing of his is kept. */
static bool may(Call *call)
{
	if (call->who.scope != SCOPE_NONE)
		request_trust(call->request);
	if (!is_within_rate(call) || !(is_to_be_looked_up(call) || has_scope(call)))
		return false;
	if (call->route->scope != SCOPE_NONE || !request_has_body(call->request))
		return true;
	call_problem(call, 413, "too large", "no body is read here", NULL);
	return false;
}

static Call *call_new(Controller *c, Request *r)
{
	Call *call = NEW(Call);

	call->c = c;
	call->request = r;
	call->since_ms = clock_ms();
	call->who = tokens_caller(&c->tokens, request_header(r, "Authorization"));
	return call;
}

static bool find_route(Call *call, char allow[ALLOW_SIZE])
{
	call->route = route_find(request_method(call->request), request_path(call->request),
				 call->id, call->name, allow);
	return call->route;
}

/* Whether the request is for the one in charge, which we are not. */
static bool is_anothers(const Call *call)
{
	return call->c->standing != STANDING_IN_CHARGE && call->route->scope != SCOPE_NONE;
}

bool api_on_head(void *controller, Request *r)
{
	Call *call = call_new(controller, r);
	char allow[ALLOW_SIZE];

	if (!find_route(call, allow)) {
		refuse_route(call, allow);
		return false;
	}
	if (!is_anothers(call) && !may(call))
		return false;
	call_free(call);
	return true;
}

static void handle(Call *call)
{
	if (past_applies(call))
		past_begin(call);
	else
		call->route->handle(call);
}

/* Its token may have been dropped since it was let in. */
static void take_in(Call *call)
{
	Fault why;

	if (!has_scope(call))
		return;
	if (read_body(call, &why) && schema_knows(call->route->body, call->body, &why) &&
	    may_name(call, &why))
		handle(call);
	else
		call_refuse(call, &why, NULL);
}

static void on_looked_up(void *arg)
{
	Call *call = arg;

	call->who = tokens_caller(&call->c->tokens, request_header(call->request, "Authorization"));
	take_in(call);
}

/* api_on_head() has let it in. */
void api_on_request(void *controller, Request *r)
{
	Call *call = call_new(controller, r);
	char allow[ALLOW_SIZE];
	bool found = find_route(call, allow);

	assert(found);
	if (is_anothers(call)) {
		call_free(call);
		api_forward(controller, r);
		return;
	}
	if (call->who.scope == SCOPE_NONE && call->route->scope != SCOPE_NONE &&
	    keyring_look_up(call->c, request_header(r, "Authorization"), on_looked_up, call))
		return;
	take_in(call);
}
