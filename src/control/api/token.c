/* Bearer tokens over HTTP: made and shown once, listed and dropped. */
#include "../token.h"

#include <string.h>

#include "../keyring.h"
#include "../names.h"
#include "api.h"
#include "base/text.h"
#include "body.h"
#include "page.h"
#include "sys/clock.h"

static json_t *json_of_token(const Token *t)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", t->id, "name", t->name, "scope",
			 t->scope, "project_id",
			 *t->project_id ? json_string(t->project_id) : json_null(), "created_at",
			 json_of_time(t->created_at));
}

/* ---- made -------------------------------------------------------------- */

static void on_made(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;
	json_t *json;

	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	tokens_learn(&call->c->tokens, &rows->tokens[0]);
	json = json_of_token(&rows->tokens[0]);
	json_object_set_new(json, "token", json_string(call->secret));
	call_answer(call, 201, json);
}

static bool read_project(const Call *call, Token *t, Fault *why)
{
	bool wanted = strcmp(t->scope, "project") == 0;
	const char *given;

	if (!body_text(call->body, "project_id", NULL, &given, why))
		return false;
	if (!wanted)
		return !given ||
		       fault_set(why, FAULT_BAD_VALUE, "project_id is for tokens of scope project");
	if (!given || !call_id(given, t->project_id) ||
	    !fleet_project(&call->c->fleet, t->project_id))
		return fault_set(why, FAULT_BAD_VALUE, "project_id must be the id of a project");
	return true;
}

static bool read_token(const Call *call, Token *t, Fault *why)
{
	const char *scope;

	if (!body_name(call, t->name, sizeof(t->name), why) ||
	    !body_text(call->body, "scope", "", &scope, why))
		return false;
	if (scope_of_word(scope) == SCOPE_NONE)
		return fault_set(why, FAULT_BAD_VALUE, "scope must be admin, project or proxy");
	text_copy(t->scope, sizeof(t->scope), scope);
	return read_project(call, t, why);
}

void api_token_create(Call *call)
{
	Token t = {.created_at = wall_us()};
	Fault why;

	if (!read_token(call, &t, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	name_make(t.id, "to");
	token_make(call->secret);
	token_hash(t.hash, call->secret);
	store_token_put(call->c->store, &t, (StoreCall){on_made, call});
}

/* ---- listed ------------------------------------------------------------ */

static json_t *row(const Call *call, const StoreRows *rows, int i)
{
	(void)call;
	return json_of_token(&rows->tokens[i]);
}

static void on_listed(void *arg, const StoreRows *rows, const Fault *why)
{
	page_answer(arg, "tokens", row, rows, why);
}

void api_token_list(Call *call)
{
	Page page = {0};

	if (page_of_query(call, &page))
		store_token_list(call->c->store, &page, (StoreCall){on_listed, call});
}

/* ---- dropped ----------------------------------------------------------- */

static void on_dropped(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;

	(void)rows;
	/* Also one that the store has dropped without our hearing of it. */
	if (!why || why->code == FAULT_NOT_FOUND)
		tokens_forget(&call->c->tokens, call->id);
	if (why)
		call_refuse(call, why, NULL);
	else
		call_answer_nothing(call);
}

void api_token_delete(Call *call)
{
	Fault why;

	if (keyring_is_own(call->c, call->id)) {
		fault_set(&why, FAULT_BAD_VALUE,
			  "this control plane or its proxy uses that token itself");
		call_refuse(call, &why, NULL);
		return;
	}
	store_token_drop(call->c->store, call->id, (StoreCall){on_dropped, call});
}
