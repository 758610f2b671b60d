/*
 * Access: what the files that settings name say about who may come in, and how:
 * certificates, users and their secrets, host-based rules.
 *
 * Read as a whole at the start and on reload; if anything in one of them is
 * wrong, nothing changes.  Who has begun with what was read keeps it until he is
 * done, though a reload may come in between.
 */
#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

#include "conf/conf.h"
#include "conf/hba.h"
#include "conf/userlist.h"
#include "model/shared.h"
#include "proto/scram.h"
#include "proxy/proxy.h"
#include "sys/tls.h"

struct Access {
	int refs;
	TlsContext *clients;              /* TLS towards clients; NULL: there is none */
	TlsContext *computes;             /* TLS towards computes; NULL: there is none */
	Userlist *users;                  /* auth_file; NULL: there is none */
	HbaRules *hba;                    /* auth_hba_file; NULL unless auth_type is hba */
	uint8_t mock_key[SCRAM_KEY_SIZE]; /* of secrets for users who do not exist */
};

Access *access_hold(Access *a);

/* A user's secret in auth_file, or NULL if he is not in it; borrowed until it is released. */
const char *access_secret(const Access *a, const char *user);

#endif
