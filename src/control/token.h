/*
 * Who may ask what: bearer tokens and their scopes.
 *
 * All tokens are in memory, known by their SHA-256 alone; so nothing here can be read out
 * and shown, and to compare hashes takes no time that tells of the token.  Tokens are long
 * and random, so a plain hash is enough.
 */
#ifndef CONTROL_TOKEN_H
#define CONTROL_TOKEN_H

#include <stdbool.h>

#include "base/fault.h"
#include "record.h"

#define TOKEN_SIZE 65 /* 256 bits in hexadecimal, and a zero */

typedef enum Scope {
	SCOPE_NONE,    /* of a route: no token is needed; of a request: it has shown none */
	SCOPE_EITHER,  /* of a route: a proxy's token will do, or a project's */
	SCOPE_PROXY,   /* wake, learn who may connect, and report activity */
	SCOPE_PROJECT, /* all that belongs to one project, but not what that may cost */
	SCOPE_ADMIN,   /* everything */
} Scope;

/* Whether one who has shown a token of that scope may take a route that wants this one. */
bool scope_suffices(Scope shown, Scope wanted);

/* SCOPE_NONE if it is no word for a token's scope. */
Scope scope_of_word(const char *word);

/* Who asks. */
typedef struct Caller {
	Scope scope;
	char id[ID_SIZE];         /* of the token */
	char project_id[ID_SIZE]; /* "" unless its scope is a project's */
} Caller;

typedef struct KnownToken KnownToken;

typedef struct Tokens {
	KnownToken *all;
} Tokens;

/* In place of the one that had its id. */
void tokens_learn(Tokens *t, const Token *token);
void tokens_forget(Tokens *t, const char *id);
void tokens_forget_all(Tokens *t);
void tokens_forget_project(Tokens *t, const char *project_id);

/* The id of the token with that hash, or NULL. */
const char *tokens_id_of(const Tokens *t, const char *hash);

/* Who it is that sends such an Authorization header, or NULL for none. */
Caller tokens_caller(const Tokens *t, const char *authorization);

/* The hash of the token in it; false if there is none. */
bool token_hash_of_header(char hash[HASH_SIZE], const char *authorization);

void token_hash(char out[HASH_SIZE], const char *token);
void token_make(char out[TOKEN_SIZE]);

/* Reads the admin's token from its file, which is made, for the owner alone, if it is not there. */
bool token_read_file(const char *file, char out[TOKEN_SIZE], Fault *why);

#endif
