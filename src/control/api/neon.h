/*
 * What Neon's proxies want to hear of a refusal, beside our own words.
 *
 * Their contract has a member "status", too, but an object; where RFC 9457 would have a
 * number its readers have to pass over anything else, so one document says both.
 */
#ifndef CONTROL_API_NEON_H
#define CONTROL_API_NEON_H

#include "route.h"

/* Whether a route is one of those that Neon's proxies know. Pure. */
bool neon_knows(const Route *route);

/* Adds to a problem document; reason may be NULL. */
void neon_explain(json_t *problem, int status, const char *detail, const char *reason);

#endif
