/*
 * Names to addresses, without blocking (c-ares).
 */
#ifndef SYS_RESOLVE_H
#define SYS_RESOLVE_H

#include "sys/address.h"
#include "sys/loop.h"

#define RESOLVE_MAX 16 /* addresses of one name that are looked at */

typedef struct Resolver Resolver;
typedef struct Lookup Lookup;

/* Called once: n addresses (borrowed for the call), or n = 0 and what went wrong. */
typedef void OnResolved(void *arg, const Address *addresses, int n, const char *error);

Resolver *resolver_new(Loop *loop);
void resolver_free(Resolver *r);

/* Never calls back before it returns. */
Lookup *resolve(Resolver *r, const char *name, int port, OnResolved *on_resolved, void *arg);

/* There will be no call back. */
void resolve_cancel(Lookup *lookup);

#endif
