/* Bearer tokens and past answers in the store: both are known by hashes alone. */
#include "deed.h"
#include "shared.h"
#include "sys/clock.h"

#define TOKEN_COLUMNS  "id, hash, scope, project_id, name, created_at"
#define ANSWER_COLUMNS "key_hash, request_hash, resource_id, status, sealed, at"

/* ---- tokens ------------------------------------------------------------ */

static void take_token(void *record, const Row *row)
{
	Token *t = record;

	row_text(row, 0, t->id, sizeof(t->id));
	row_text(row, 1, t->hash, sizeof(t->hash));
	row_text(row, 2, t->scope, sizeof(t->scope));
	row_text(row, 3, t->project_id, sizeof(t->project_id));
	row_text(row, 4, t->name, sizeof(t->name));
	t->created_at = row_int(row, 5);
}

void store_token_put(Store *s, const Token *t, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	deed_say(d,
		 "INSERT INTO tokens (" TOKEN_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6)"
		 " ON CONFLICT (id) DO UPDATE SET hash = excluded.hash",
		 "ttttti", t->id, t->hash, t->scope, t->project_id, t->name, t->created_at);
	deed_say(d, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id = $1", "t", t->id);
	deed_take(d, sizeof(Token), take_token);
	deed_do(d);
}

void store_token_find(Store *s, const char *hash, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE hash = $1", "t", hash);
	deed_take(d, sizeof(Token), take_token);
	deed_do(d);
}

void store_token_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT " TOKEN_COLUMNS " FROM tokens WHERE ($1 = '' OR project_id = $1)"
		 " AND id > $2 ORDER BY id LIMIT $3",
		 "tti", page->project_id, page->after, page_limit(page));
	deed_take(d, sizeof(Token), take_token);
	deed_do(d);
}

void store_token_drop(Store *s, const char *id, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	deed_say(d, "DELETE FROM tokens WHERE id = $1 RETURNING " TOKEN_COLUMNS, "t", id);
	deed_expect(d, FAULT_NOT_FOUND, "there is no token \"%s\"", id);
	deed_take(d, sizeof(Token), take_token);
	deed_do(d);
}

/* ---- past answers ------------------------------------------------------ */

void say_answer_begin(Deed *d, const PastAnswer *past)
{
	if (!past)
		return;
	deed_say(d,
		 "INSERT INTO answers (key_hash, request_hash, resource_id, at)"
		 " VALUES ($1, $2, $3, $4)",
		 "ttti", past->key_hash, past->request_hash, past->resource_id, wall_us());
}

void store_answer_begin(Store *s, const PastAnswer *past, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	say_answer_begin(d, past);
	deed_do(d);
}

static void take_answer(void *record, const Row *row)
{
	PastAnswer *past = record;

	row_text(row, 0, past->key_hash, sizeof(past->key_hash));
	row_text(row, 1, past->request_hash, sizeof(past->request_hash));
	row_text(row, 2, past->resource_id, sizeof(past->resource_id));
	past->status = (int)row_int(row, 3);
	row_text(row, 4, past->sealed, sizeof(past->sealed));
	past->at = row_int(row, 5);
}

void store_answer_find(Store *s, const char *key_hash, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d, "SELECT " ANSWER_COLUMNS " FROM answers WHERE key_hash = $1", "t", key_hash);
	deed_take(d, sizeof(PastAnswer), take_answer);
	deed_do(d);
}

void store_answer_finish(Store *s, const PastAnswer *past, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	deed_say(d, "UPDATE answers SET status = $2, sealed = $3 WHERE key_hash = $1", "tit",
		 past->key_hash, (int64_t)past->status, past->sealed);
	deed_do(d);
}

void store_answer_forget(Store *s, const char *key_hash, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d, "DELETE FROM answers WHERE key_hash = $1 AND status = 0", "t", key_hash);
	deed_do(d);
}

void store_answer_sweep(Store *s, int64_t before, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d, "DELETE FROM answers WHERE at < $1", "i", before);
	deed_do(d);
}
