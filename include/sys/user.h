/*
 * Who the process is.
 *
 * Who stops being root may keep the privileges that it takes to run servers as users of
 * their own: as permitted ones, which do nothing until a process takes them up.  Programs
 * that are run do not inherit them.
 */
#ifndef SYS_USER_H
#define SYS_USER_H

#include <sys/types.h>

#include "base/fault.h"

/* Becomes that user for good, if the process is root and a user is named; false and *why if not. */
bool user_become(const char *user, bool keep_privileges, Fault *why);

/* Becomes the user, and the group, of that number, and keeps no privileges. */
bool user_switch(uid_t user);

void user_take_up_privileges(void);
void user_drop_privileges(void);

#endif
