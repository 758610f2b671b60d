#include "keyring.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/digest.h"
#include "sys/log.h"

#define OWN_DIGITS 16

typedef struct Loading {
	Controller *c;
	void (*on_done)(Controller *c, const Fault *why);
} Loading;

/* "admin-…": from where it is kept, on which machine, and where the API listens. */
static void own_id(const Controller *c, const char *scope, char out[ID_SIZE])
{
	char host[256] = "", folder[PATH_MAX] = "", hash[DIGEST_SIZE];
	const char *const texts[] = {host, folder, c->conf->control.store.s,
				     c->conf->control.admin_token_file.s,
				     c->conf->control.listen.s};

	gethostname(host, sizeof(host) - 1);
	if (!getcwd(folder, sizeof(folder)))
		*folder = 0;
	digest_of_texts(hash, texts, 5);
	snprintf(out, ID_SIZE, "%s-%.*s", scope, OWN_DIGITS, hash);
}

bool keyring_is_own(const Controller *c, const char *id)
{
	char hash[HASH_SIZE];
	const char *own;

	if (*c->setup.proxy_token) {
		token_hash(hash, c->setup.proxy_token);
		own = tokens_id_of(&c->tokens, hash);
		if (own && strcmp(own, id) == 0)
			return true;
	}
	token_hash(hash, c->admin_token);
	own = tokens_id_of(&c->tokens, hash);
	return own && strcmp(own, id) == 0;
}

/* ---- one that is not known --------------------------------------------- */

typedef struct LookUp {
	Controller *c;
	void (*on_done)(void *arg);
	void *arg;
} LookUp;

static void on_looked_up(void *arg, const StoreRows *rows, const Fault *why)
{
	LookUp look = *(LookUp *)arg;

	free(arg);
	if (why)
		log_warning("could not look up a token: error=\"%s\"", why->detail);
	else if (rows->n > 0)
		tokens_learn(&look.c->tokens, &rows->tokens[0]);
	if (look.on_done)
		look.on_done(look.arg);
}

bool keyring_look_up(Controller *c, const char *authorization, void (*on_done)(void *arg),
		     void *arg)
{
	char hash[HASH_SIZE];
	LookUp *look;

	if (!c->store->shared || !token_hash_of_header(hash, authorization))
		return false;
	look = NEW(LookUp);
	*look = (LookUp){c, on_done, arg};
	store_token_find(c->store, hash, (StoreCall){on_looked_up, look});
	return true;
}

/* ---- all --------------------------------------------------------------- */

static void on_put(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg, (void)rows;
	if (why)
		log_warning("could not write a token of this process tree: error=\"%s\"",
			    why->detail);
}

/* Another tree may have the same one, if it was given the same file. */
static void put_own(Controller *c, const char *scope, const char *token)
{
	Token t = {.created_at = wall_us()};

	token_hash(t.hash, token);
	if (!*token || tokens_id_of(&c->tokens, t.hash))
		return;
	own_id(c, scope, t.id);
	text_copy(t.scope, sizeof(t.scope), scope);
	snprintf(t.name, sizeof(t.name), "of this %s", scope);
	tokens_learn(&c->tokens, &t);
	store_token_put(c->store, &t, (StoreCall){on_put, c});
}

static void on_listed(void *arg, const StoreRows *rows, const Fault *why)
{
	Loading loading = *(Loading *)arg;
	Controller *c = loading.c;

	free(arg);
	if (!why) {
		tokens_forget_all(&c->tokens);
		for (int i = 0; i < rows->n; i++)
			tokens_learn(&c->tokens, &rows->tokens[i]);
		put_own(c, "admin", c->admin_token);
		put_own(c, "proxy", c->setup.proxy_token);
	}
	loading.on_done(c, why);
}

void keyring_load(Controller *c, void (*on_done)(Controller *c, const Fault *why))
{
	Loading *loading = NEW(Loading);
	Page all = {0};

	*loading = (Loading){c, on_done};
	store_token_list(c->store, &all, (StoreCall){on_listed, loading});
}
