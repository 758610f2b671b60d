/* Who the process is. */
#ifndef SYS_USER_H
#define SYS_USER_H

#include "base/fault.h"

/* Becomes that user for good, if the process is root and a user is named; false and *why if not. */
bool user_become(const char *user, Fault *why);

#endif
