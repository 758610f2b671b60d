/*
 * Requests with an Idempotency-Key: whoever does not know whether his request arrived sends
 * it again, and it is done once.
 *
 * A key is its token's own.  What was answered is kept for a day, sealed with the key, since
 * it may hold a password and we keep none.  The same request gets the same answer; another
 * one with the same key is refused.  What a request makes is noted in the transaction that
 * makes it, or before; so one that a dead process left half done is found by its key: then
 * what it made is shown, without the password that nobody knows any more.
 */
#ifndef CONTROL_API_PAST_H
#define CONTROL_API_PAST_H

#include "api.h"

/* Whether a key counts there: what makes something, or changes it. */
bool past_takes_key(const Route *route);

/* Whether the call has a key that counts. */
bool past_applies(const Call *call);

/*
 * Answers from the past, refuses, or lets the call go on to its handler, at once or later.
 * With call->again what the handler would make is there, and has only to be shown.
 */
void past_begin(Call *call);

/* For the transaction that makes something: NULL if the call has no key. */
const PastAnswer *past_note(Call *call, const char *resource_id);

/* With call->again: the id or name of what is there. */
const char *past_resource(const Call *call);

/* Keeps the answer, or forgets that it was asked, then sends it and frees the call; takes text. */
void past_answer(Call *call, int status, const char *type, char *text);

/* The call is over. */
void past_free(Call *call);

/* From now on what is older than a day is forgotten. */
void past_sweep(void *controller);

#endif
