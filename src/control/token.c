#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/text.h"
#include "sys/digest.h"
#include "sys/log.h"
#include "sys/random.h"

#define TOKEN_BYTES 32
#define LEAST_TOKEN 16

/* ---- scopes ------------------------------------------------------------ */

bool scope_suffices(Scope shown, Scope wanted)
{
	if (wanted == SCOPE_NONE || shown == SCOPE_ADMIN)
		return true;
	if (wanted == SCOPE_EITHER)
		return shown != SCOPE_NONE;
	return shown == wanted;
}

Scope scope_of_word(const char *word)
{
	static const struct {
		const char *word;
		Scope scope;
	} scopes[] = {{"admin", SCOPE_ADMIN}, {"project", SCOPE_PROJECT}, {"proxy", SCOPE_PROXY}};

	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		if (strcmp(scopes[i].word, word) == 0)
			return scopes[i].scope;
	}
	return SCOPE_NONE;
}

/* ---- all that there are ------------------------------------------------ */

struct KnownToken {
	Token token;
	UT_hash_handle hh; /* by its hash */
};

static void forget(Tokens *t, KnownToken *known)
{
	HASH_DEL(t->all, known);
	free(known);
}

void tokens_forget(Tokens *t, const char *id)
{
	KnownToken *known, *next;

	HASH_ITER(hh, t->all, known, next)
	{
		if (strcmp(known->token.id, id) == 0)
			forget(t, known);
	}
}

void tokens_forget_all(Tokens *t)
{
	KnownToken *known, *next;

	HASH_ITER(hh, t->all, known, next)
	forget(t, known);
}

void tokens_forget_project(Tokens *t, const char *project_id)
{
	KnownToken *known, *next;

	HASH_ITER(hh, t->all, known, next)
	{
		if (strcmp(known->token.project_id, project_id) == 0)
			forget(t, known);
	}
}

static const KnownToken *find(const Tokens *t, const char *hash)
{
	KnownToken *known;

	HASH_FIND_STR(t->all, hash, known);
	return known;
}

void tokens_learn(Tokens *t, const Token *token)
{
	KnownToken *known;

	tokens_forget(t, token->id);
	if (find(t, token->hash))
		return;
	known = NEW(KnownToken);
	known->token = *token;
	HASH_ADD_STR(t->all, token.hash, known);
}

const char *tokens_id_of(const Tokens *t, const char *hash)
{
	const KnownToken *known = find(t, hash);

	return known ? known->token.id : NULL;
}

bool token_hash_of_header(char hash[HASH_SIZE], const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	token_hash(hash, authorization + sizeof(scheme) - 1);
	return true;
}

Caller tokens_caller(const Tokens *t, const char *authorization)
{
	Caller caller = {.scope = SCOPE_NONE};
	char hash[HASH_SIZE];
	const KnownToken *known = token_hash_of_header(hash, authorization) ? find(t, hash) : NULL;

	if (!known)
		return caller;
	caller.scope = scope_of_word(known->token.scope);
	text_copy(caller.id, sizeof(caller.id), known->token.id);
	text_copy(caller.project_id, sizeof(caller.project_id), known->token.project_id);
	return caller;
}

/* ---- one --------------------------------------------------------------- */

void token_hash(char out[HASH_SIZE], const char *token)
{
	digest_of(out, span_of_text(token));
}

void token_make(char out[TOKEN_SIZE])
{
	random_hex(out, TOKEN_BYTES);
}

static bool make_file(const char *file, Fault *why)
{
	char token[TOKEN_SIZE];
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1)
		return fault_set(why, FAULT_BAD_SETTING, "could not make the token file \"%s\": %s",
				 file, strerror(errno));
	token_make(token);
	if (dprintf(fd, "%s\n", token) != TOKEN_SIZE || close(fd) == -1)
		return fault_set(why, FAULT_BAD_SETTING,
				 "could not write the token file \"%s\": %s", file,
				 strerror(errno));
	log_info("made the admin's token: file=\"%s\"", file);
	return true;
}

bool token_read_file(const char *file, char out[TOKEN_SIZE], Fault *why)
{
	char text[2 * TOKEN_SIZE];
	ssize_t n = -1;
	int fd;

	if (access(file, F_OK) == -1 && !make_file(file, why))
		return false;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	if (text_copy(out, TOKEN_SIZE, text_trim(text)) && strlen(out) >= LEAST_TOKEN)
		return true;
	return fault_set(why, FAULT_BAD_SETTING,
			 "the token file \"%s\" must hold one token of %d to %d characters", file,
			 LEAST_TOKEN, TOKEN_SIZE - 1);
}
