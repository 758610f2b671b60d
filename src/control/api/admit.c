/*
 * Who is let in: the door of the API.
 *
 * Twice a request comes by.  When its head is there, route, rate and token decide
 * whether its body is read at all, so that nothing of a stranger is kept.  When it
 * is whole, its token is looked at again, which may have been dropped meanwhile or
 * be known to the store alone; then what it says is checked, and its handler called.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "../keyring.h"
#include "api.h"
#include "base/mem.h"
#include "base/text.h"
#include "forward.h"
#include "past.h"
#include "route.h"
#include "schema.h"
#include "sys/clock.h"

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

/* ---- the head ---------------------------------------------------------- */

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

/* ---- the whole --------------------------------------------------------- */

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

/* Fills *why as if it were not there. */
static bool may_name(const Call *call, Fault *why)
{
	const Unit *u;

	if (!*call_tenant(call) || !*call->id)
		return true;
	if (text_starts(call->route->path, "/api/v1/projects/"))
		return call_may_see(call, call->id) ||
		       fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", call->id);
	u = fleet_compute(&call->c->fleet, call->id);
	return (u && call_may_see(call, u->compute.project_id)) ||
	       fault_set(why, FAULT_NOT_FOUND, "there is no compute \"%s\"", call->id);
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
