#include "past.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/text.h"
#include "route.h"
#include "sys/clock.h"
#include "sys/digest.h"
#include "sys/log.h"
#include "sys/seal.h"

#define KEY_SIZE 256
#define DAY_US   (INT64_C(86400) * 1000000)
#define SWEEP_MS INT64_C(3600000)

struct Past {
	PastAnswer answer; /* as it is in the store, or will be */
	SealKey seal;
	bool begun; /* the store knows of it */
	/* What is sent when the store has answered. */
	int status;
	const char *type;
	char *text;
	UT_hash_handle hh; /* among those under way, by the key's hash */
};

static bool makes_its_own_note(const Call *call)
{
	return call->route->handle == api_project_create ||
	       call->route->handle == api_compute_create;
}

bool past_takes_key(const Route *route)
{
	return strcmp(route->method, "POST") == 0 &&
	       (route->scope == SCOPE_PROJECT || route->scope == SCOPE_ADMIN);
}

bool past_applies(const Call *call)
{
	return past_takes_key(call->route) && request_header(call->request, "Idempotency-Key");
}

/* ---- what was asked ---------------------------------------------------- */

static bool is_good_key(const char *key)
{
	size_t n = strlen(key);

	for (const char *c = key; *c; c++) {
		if (!isprint((unsigned char)*c))
			return false;
	}
	return n > 0 && n < KEY_SIZE;
}

static Past *make(const Call *call, const char *key)
{
	Past *p = NEW(Past);
	char body[DIGEST_SIZE];
	const char *const owned[] = {call->who.id, key};
	const char *const request[] = {request_method(call->request), request_path(call->request),
				       request_raw_query(call->request), body};
	const char *const seal[] = {"reveille: a past answer", call->who.id, key};
	const char *name = json_string_value(json_object_get(call->body, "name"));

	digest_of(body, request_body(call->request));
	digest_of_texts(p->answer.key_hash, owned, 2);
	digest_of_texts(p->answer.request_hash, request, 4);
	p->seal = seal_key(seal, 3);
	/* Of roles and databases the name is what they are found by. */
	if (!makes_its_own_note(call) && name)
		text_copy(p->answer.resource_id, ID_SIZE, name);
	return p;
}

static void refuse_busy(Call *call)
{
	call_problem(call, 423, "busy, try again", "the first request with this key is under way",
		     "RUNNING_OPERATIONS");
}

static void refuse_other(Call *call)
{
	call_problem(call, 422, "bad value",
		     "Idempotency-Key was used for another request within the last day", NULL);
}

/* ---- going on ---------------------------------------------------------- */

static void go_on(Call *call)
{
	call->past->begun = true;
	call->route->handle(call);
}

static void on_begun(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;

	(void)rows;
	if (!why)
		go_on(call);
	else if (why->code == FAULT_EXISTS)
		refuse_busy(call);
	else
		call_refuse(call, why, NULL);
}

static void begin(Call *call)
{
	if (makes_its_own_note(call))
		go_on(call);
	else
		store_answer_begin(call->c->store, &call->past->answer,
				   (StoreCall){on_begun, call});
}

static void on_forgotten(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;

	(void)rows;
	if (why)
		call_refuse(call, why, NULL);
	else
		begin(call);
}

/* Whether what a request began to make is there. */
static bool is_there(const Call *call, const char *id)
{
	const Unit *u = fleet_compute(&call->c->fleet, call->id);

	if (!*id)
		return false;
	if (call->route->handle == api_project_create)
		return fleet_project(&call->c->fleet, id);
	if (call->route->handle == api_compute_create)
		return fleet_compute(&call->c->fleet, id);
	if (call->route->handle == api_role_create)
		return u && roster_has_role(&u->roster, id);
	return call->route->handle == api_database_create && u &&
	       roster_has_database(&u->roster, id);
}

/* Whoever began it died, or lost his client, before the answer was written down. */
static void take_up(Call *call, const PastAnswer *found)
{
	text_copy(call->past->answer.resource_id, ID_SIZE, found->resource_id);
	call->again = is_there(call, found->resource_id);
	if (call->again)
		go_on(call);
	else
		store_answer_forget(call->c->store, found->key_hash,
				    (StoreCall){on_forgotten, call});
}

static void replay(Call *call, const PastAnswer *found, const char *text)
{
	request_add_header(call->request, "Cache-Control", "no-store");
	request_add_header(call->request, "Idempotency-Replayed", "true");
	request_answer(call->request, found->status, "application/json", span_of_text(text));
	call_free(call);
}

static void on_found(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	const PastAnswer *found = rows->n > 0 ? &rows->answers[0] : NULL;
	char *text;

	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	if (!found) {
		begin(call);
		return;
	}
	if (strcmp(found->request_hash, call->past->answer.request_hash) != 0) {
		refuse_other(call);
		return;
	}
	text = found->status ? seal_open(&call->past->seal, found->sealed) : NULL;
	if (text)
		replay(call, found, text);
	else
		take_up(call, found);
	mem_wipe_text(text);
}

/* Of two at once the second is told to come again. */
static bool is_first(Call *call, const Past *p)
{
	const Past *other;

	HASH_FIND_STR(call->c->under_way, p->answer.key_hash, other);
	if (!other)
		return true;
	if (strcmp(other->answer.request_hash, p->answer.request_hash) == 0)
		refuse_busy(call);
	else
		refuse_other(call);
	return false;
}

void past_begin(Call *call)
{
	const char *key = request_header(call->request, "Idempotency-Key");
	Past *p;

	if (!is_good_key(key)) {
		call_problem(call, 422, "bad value",
			     "Idempotency-Key must be 1 to 255 printable characters", NULL);
		return;
	}
	p = make(call, key);
	if (!is_first(call, p)) {
		free(p);
		return;
	}
	call->past = p;
	HASH_ADD_STR(call->c->under_way, answer.key_hash, p);
	store_answer_find(call->c->store, p->answer.key_hash, (StoreCall){on_found, call});
}

const PastAnswer *past_note(Call *call, const char *resource_id)
{
	if (!call->past)
		return NULL;
	text_copy(call->past->answer.resource_id, ID_SIZE, resource_id);
	return &call->past->answer;
}

const char *past_resource(const Call *call)
{
	return call->past->answer.resource_id;
}

/* ---- the answer -------------------------------------------------------- */

static void on_kept(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	const Past *p = call->past;

	(void)rows;
	if (why)
		log_warning("could not keep an answer: error=\"%s\"", why->detail);
	request_answer(call->request, p->status, p->type, span_of_text(p->text));
	call_free(call);
}

/* A refusal is not kept: whatever was wrong may be right next time. */
void past_answer(Call *call, int status, const char *type, char *text)
{
	Past *p = call->past;
	StoreCall then = {on_kept, call};

	p->status = status;
	p->type = type;
	p->text = text;
	if (!p->begun) {
		on_kept(call, &(StoreRows){.n = 0}, NULL);
	} else if (status >= 300) {
		store_answer_forget(call->c->store, p->answer.key_hash, then);
	} else {
		p->answer.status = status;
		seal_text(p->answer.sealed, sizeof(p->answer.sealed), &p->seal, text);
		store_answer_finish(call->c->store, &p->answer, then);
	}
}

void past_free(Call *call)
{
	Past *p = call->past;

	if (!p)
		return;
	HASH_DEL(call->c->under_way, p);
	mem_wipe_text(p->text);
	explicit_bzero(&p->seal, sizeof(p->seal));
	free(p);
}

/* ---- forgetting -------------------------------------------------------- */

static void on_swept(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg, (void)rows;
	if (why)
		log_warning("could not forget old answers: error=\"%s\"", why->detail);
}

void past_sweep(void *controller)
{
	Controller *c = controller;

	store_answer_sweep(c->store, wall_us() - DAY_US, (StoreCall){on_swept, c});
	timer_arm(&c->sweep, SWEEP_MS);
}
