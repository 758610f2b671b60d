/*
 * Who may ask what: bearer tokens and their scopes.
 */
#ifndef CONTROL_TOKEN_H
#define CONTROL_TOKEN_H

#include <stdbool.h>

#include "base/fault.h"

#define TOKEN_SIZE 65 /* 256 bits in hexadecimal, and a zero */

/* Each scope may do what the ones before it may. */
typedef enum Scope {
	SCOPE_NONE,  /* health, the API's description */
	SCOPE_PROXY, /* wake, learn who may connect, and report activity */
	SCOPE_ADMIN, /* everything */
} Scope;

typedef struct Tokens {
	char admin[TOKEN_SIZE], proxy[TOKEN_SIZE];
} Tokens;

/* Reads the admin's token from its file, which is made, for the owner alone, if it is not there. */
bool token_load_admin(Tokens *t, const char *file, Fault *why);

/* What the value of an Authorization header (NULL if there is none) allows. */
Scope token_scope(const Tokens *t, const char *authorization);

#endif
