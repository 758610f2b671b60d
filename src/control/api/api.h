/*
 * The REST API (DESIGN section 12): HTTP on one side, wishes and records on the other.
 *
 * Routes are declared in api.def.  A Call is one request on its way: made when it
 * is routed, freed when it is answered, which is done exactly once.
 */
#ifndef CONTROL_API_H
#define CONTROL_API_H

#include <jansson.h>

#include "../controller.h"
#include "../token.h"
#include "../wait.h"
#include "base/fault.h"
#include "sys/serve.h"

typedef struct Route Route;
typedef struct Past Past;

typedef struct Call {
	Controller *c;
	Request *request;
	const Route *route;
	Caller who;
	Past *past;   /* of its Idempotency-Key (past.h), or NULL */
	bool again;   /* what it would make is there, by the same key */
	json_t *body; /* an object, empty if nothing was sent; only members that are known */
	char id[ID_SIZE], name[ID_SIZE]; /* those in the path, "" if there are none */
	char secret[TOKEN_SIZE];         /* the password or token that is shown once */
	int64_t since_ms;
	const char *hint;  /* of the problem that it is answered with, or NULL */
	const char *depth; /* from where a wake began, if not from a server that runs */
	bool exempt;       /* whoever wakes */
} Call;

/* Judges a request before its body is read: false if it was refused. */
bool api_on_head(void *controller, Request *r);

void api_on_request(void *controller, Request *r);

/* Answers and frees the call; body's reference is taken. */
void call_answer(Call *call, int status, json_t *body);
void call_answer_nothing(Call *call); /* 204 */
void call_answer_text(Call *call, const char *type, Span text);

/*
 * Answers with the compute when a wait for it is over (a WaitOver): 202 if it is still at what
 * was asked of it, 404 if it is going.
 */
void call_answer_settled(void *call, Unit *u, WaitEnd end);

/* Answers 503: the store did not take the change. */
void call_unwritten(Call *call);

/* As application/problem+json; reason, for programs, may be NULL. */
void call_refuse(Call *call, const Fault *why, const char *reason);
void call_problem(Call *call, int status, const char *title, const char *detail,
		  const char *reason);

/* 403, with what was used, and when that will be less. */
void call_refuse_quota(Call *call, const QuotaWords *words);

/* Frees a call whose client has hung up. */
void call_free(void *call);

/* A query parameter within bounds, `otherwise` if it is not there; 422 if it is not a number. */
bool call_query_int(const Call *call, const char *name, int64_t least, int64_t most, int64_t *value,
		    Fault *why);

/* Copies a given name in lower case; false if it could not be the id of anything. */
bool call_id(const char *given, char out[ID_SIZE]);

/*
 * The project whose things alone the caller may see, or "" if he may see all; and whether a
 * project's are among them: nobody learns from an answer whether there is something in another.
 */
const char *call_tenant(const Call *call);
bool call_may_see(const Call *call, const char *project_id);

/* The unit of the path, or NULL after the call was answered with 404. */
Unit *call_unit(Call *call);

/* Answers 404: the compute has nothing of that kind with the name of the path. */
void call_no_such(Call *call, const char *kind);

/*
 * The unit that a proxy names: by the path, or as ?endpointish=, a compute's id or a
 * project's.  NULL after the call was answered, as call_no_endpoint() does.
 */
Unit *call_endpoint(Call *call);
void call_no_endpoint(Call *call);

/* ---- records as JSON (json.c) ------------------------------------------ */

json_t *json_of_time(int64_t us); /* null for 0 */
json_t *json_of_project(const Project *p);
json_t *json_of_compute(const Compute *c, const Fleet *fleet);
void json_set_failure(json_t *json, const char *failure); /* nothing for "" */
json_t *json_of_operation(const Operation *op);

/* "2025-01-31T00:00:00Z", or seconds since 1970; -1 if it is neither. */
int64_t time_of_text(const char *text);

/* ---- handlers: one for each row of api.def ----------------------------- */

#define ROUTE(method, path, scope, query, body, answers, handler, doc) \
	void api_##handler(Call *call);
#include "api.def"
#undef ROUTE

#endif
