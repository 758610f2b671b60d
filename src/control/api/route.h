/* Which route a request takes: a pure look-up in api.def. */
#ifndef CONTROL_API_ROUTE_H
#define CONTROL_API_ROUTE_H

#include "api.h"

struct Route {
	const char *method, *path;
	Scope scope;
	const char *query, *body, *answers; /* as api.def has them */
	void (*handle)(Call *call);
	const char *doc;
};

extern const Route routes[];
extern const int n_routes;

#define ALLOW_SIZE 64

/*
 * The route of a request (HEAD takes that of GET), with the id in its path, in lower case, in id,
 * and the name in it, decoded, in name; "" if there are none.
 * NULL if there is none; then allow lists the methods that the path has, or is empty.
 */
const Route *route_find(const char *method, const char *path, char id[ID_SIZE], char name[ID_SIZE],
			char allow[ALLOW_SIZE]);

#endif
