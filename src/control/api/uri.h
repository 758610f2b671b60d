/* The connection string that whoever makes a compute or a role is given, once. */
#ifndef CONTROL_API_URI_H
#define CONTROL_API_URI_H

#include <stdbool.h>

#include "conf/conf.h"

#define URI_SIZE 1024

typedef struct UriParts {
	const char *compute, *role, *password, *database;
} UriParts;

/* Through the proxy that the same configuration describes; false if it listens on no port. */
bool uri_of_compute(char out[URI_SIZE], const Config *conf, const UriParts *parts);

#endif
