/* The connection string that the maker of a compute is given, once. */
#ifndef CONTROL_API_URI_H
#define CONTROL_API_URI_H

#include <stdbool.h>

#include "conf/conf.h"

#define URI_SIZE 512

/* Through the proxy that the same configuration describes; false if it listens on no port. */
bool uri_of_compute(char out[URI_SIZE], const Config *conf, const char *id, const char *password);

#endif
