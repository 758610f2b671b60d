/*
 * Who has to prove what, as rules in the syntax of PostgreSQL's pg_hba.conf, and
 * maps of names in that of its pg_ident.conf.
 * https://www.postgresql.org/docs/current/auth-pg-hba-conf.html and
 * auth-username-maps.html.
 *
 * What needs knowledge that we do not have (groups of roles, host names, our own
 * interfaces, other files) and what is not understood is an error that names the
 * line: a rule that is passed over would let the next one decide.
 */
#ifndef CONF_HBA_H
#define CONF_HBA_H

#include <stdbool.h>

#include "base/fault.h"
#include "conf/network.h"

typedef struct HbaRules HbaRules;
typedef struct IdentMap IdentMap;

typedef enum HbaMethod {
	HBA_REJECT,
	HBA_TRUST,
	HBA_SCRAM, /* scram-sha-256, and md5, of which we only do the better half */
	HBA_PLAIN, /* password */
	HBA_CERT,  /* a checked client certificate, whose name must fit the user's */
	HBA_PEER,  /* the name of the user at the other end of the Unix socket must fit */
	HBA_PASSTHROUGH,
} HbaMethod;

typedef struct HbaRequest {
	const ClientAddress *client;
	bool tls;
	bool client_cert; /* one was shown and checked */
	bool replication; /* physical (replication=true); replication=database asks for a database
			   */
	const char *database; /* as the client asked for it: the compute or entry */
	const char *detailed; /* "compute/database", or NULL */
	const char *user;
} HbaRequest;

/*
 * The rules, and the maps if there is an ident text (or NULL).  NULL and *why
 * ("FILE:LINE: …") if a line of either is wrong.
 */
HbaRules *hba_parse(const char *file, const char *hba_text, const char *ident_file,
		    const char *ident_text, Fault *why);

/*
 * What the first rule that fits wants, or HBA_REJECT if none does.  *map is the
 * map of its option map=, or NULL; it lives as long as the rules.
 */
HbaMethod hba_match(const HbaRules *r, const HbaRequest *q, const IdentMap **map);

/* Whether who is system_user elsewhere may be database_user; without a map the names must be equal.
 */
bool ident_allows(const IdentMap *map, const char *system_user, const char *database_user);

/* NULL is allowed. */
void hba_free(HbaRules *r);

#endif
