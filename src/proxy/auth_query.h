/*
 * auth_query: a database is asked for a user's secret.
 *
 * One connection for each database that is asked, with one question at a time.
 * The client's words reach it only as the value of $1, and what an unqualified
 * name means there is pinned (CVE-2025-12819): search_path is pg_catalog.
 */
#ifndef PROXY_AUTH_QUERY_H
#define PROXY_AUTH_QUERY_H

#include <sys/queue.h>

#include "conf/conf.h"

typedef struct Worker Worker;
typedef struct AuthBase AuthBase;
typedef struct AuthQuestion AuthQuestion;
typedef SLIST_HEAD(, AuthBase) AuthBases;

/* Whether somebody can be asked about this entry's users: who asks, and where, is configured. */
bool auth_query_applies(const Config *conf, const Database *d);

/*
 * Asks.  The callback comes later: the secret, or NULL if there is no such user;
 * or an error.
 */
AuthQuestion *auth_query_ask(Worker *w, AuthBases *bases, const Config *conf, const Database *d,
			     const char *user,
			     void (*on_secret)(void *arg, const char *secret, const char *error),
			     void *arg);

/* There will be no call back. */
void auth_query_forget(AuthQuestion *q);

void auth_bases_free(AuthBases *bases);

#endif
