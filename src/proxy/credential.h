/*
 * Credentials: what is known of a user who wants to a compute.
 *
 * His secret is looked for in auth_file, then at the control plane, then with
 * auth_query; the first that knows him counts.  What came from elsewhere than a
 * file is kept for auth_cache_ttl, unless a login fails by it or the control plane says that it has
 * changed, and asked for once however many clients want it.  None of this can wake a compute.
 */
#ifndef PROXY_CREDENTIAL_H
#define PROXY_CREDENTIAL_H

#include "access.h"
#include "conf/conf.h"
#include "conf/network.h"
#include "sys/loop.h"

typedef struct Worker Worker;
typedef struct Credential Credential;
typedef struct Credentials Credentials;
typedef struct CredentialWait CredentialWait;

/* Borrowed from the cache until the next turn of the loop. */
typedef struct CredentialInfo {
	const char *secret; /* as auth_file has them: plain, "SCRAM-SHA-256$…" or "md5…"; NULL:
			       unknown user */
	const NetworkList *networks; /* that the control plane lets in; NULL or empty: all */
	int connect_rate, connect_burst;
} CredentialInfo;

typedef struct CredentialWish {
	const Config *conf;
	const Access *access; /* that goes with it */
	const char *compute, *user;
	const Database *database;
	bool rules_only; /* not the secret: who may come, as far as the control plane says */
	/* Exactly one of the two; *why if it could not be found out. */
	void (*on_credential)(void *arg, const CredentialInfo *info, const Fault *why);
	void *arg;
} CredentialWish;

Credentials *credentials_new(Worker *w);
void credentials_free(Credentials *c);

/* True if it is known already; then *info is filled. */
bool credential_now(Credentials *c, const CredentialWish *wish, CredentialInfo *info);

/* Finds out; never calls back before it returns. */
CredentialWait *credential_ask(Credentials *c, const CredentialWish *wish);

/* There will be no call back. */
void credential_forget(CredentialWait *wait);

/* A login by it failed: if it is not quite fresh, it is asked for anew next time. */
void credential_doubt(Credentials *c, const CredentialWish *wish);

#endif
