/*
 * Names that a role or a database of a server may have: what PostgreSQL takes, but for
 * those that are its own or ours.  Pure.
 */
#ifndef CONTROL_API_IDENTIFIER_H
#define CONTROL_API_IDENTIFIER_H

#include <stdbool.h>

#include "base/fault.h"

bool identifier_of_role(const char *name, Fault *why);
bool identifier_of_database(const char *name, Fault *why);

#endif
