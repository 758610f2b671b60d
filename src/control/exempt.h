/*
 * Whose work does not count: monitoring, health checks, a console that somebody left open.
 *
 * Pure.  A project names roles, applications and networks; a session that is of
 * any of them keeps nothing awake, though it is served like all others.  Who
 * looks at proxies' reports asks exempt_has(), who asks the server hands it the
 * same names with exempt_parameter().
 */
#ifndef CONTROL_EXEMPT_H
#define CONTROL_EXEMPT_H

#include <stdbool.h>

#include "base/fault.h"
#include "conf/network.h"

#define EXEMPT_MOST      16
#define EXEMPT_NAME_SIZE 64 /* PostgreSQL cuts names of roles and applications there */

/* Proxies tell no more of a client than this, so nothing narrower could ever be found. */
#define EXEMPT_BITS_OF_4 24
#define EXEMPT_BITS_OF_6 56

typedef struct Exempt {
	int n_roles, n_applications, n_networks;
	char roles[EXEMPT_MOST][EXEMPT_NAME_SIZE];
	char applications[EXEMPT_MOST][EXEMPT_NAME_SIZE]; /* a * at the end stands for any end */
	Network networks[EXEMPT_MOST];
	bool local; /* those who come over a Unix socket */
} Exempt;

/* What a proxy says of a session. */
typedef struct Who {
	const char *role, *application;
	const char *network; /* "203.0.113.0/24", "2001:db8::/56" or "local" */
} Who;

bool exempt_has(const Exempt *e, const Who *who);

/*
 * Add one; false and why, if it could not be meant. There must be room.  Of application names
 * servers know only what is ASCII and can be printed; proxies tell no more of any name.
 */
bool exempt_role(Exempt *e, const char *text, Fault *why);
bool exempt_application(Exempt *e, const char *text, Fault *why);
bool exempt_network(Exempt *e, const char *text, Fault *why);

/*
 * {"roles": […], "applications": […]}, the latter as patterns of LIKE: a value to be
 * sent beside an SQL statement. free() it.
 */
char *exempt_parameter(const Exempt *e);

#endif
