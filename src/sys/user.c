#include "sys/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

bool user_become(const char *user, Fault *why)
{
	struct passwd *pw;

	if (!*user || geteuid() != 0)
		return true;
	pw = getpwnam(user);
	if (!pw)
		return fault_set(why, FAULT_BAD_SETTING, "there is no user \"%s\"", user);
	if (initgroups(user, pw->pw_gid) == -1 || setgid(pw->pw_gid) == -1 ||
	    setuid(pw->pw_uid) == -1)
		return fault_set(why, FAULT_BAD_SETTING, "could not become user \"%s\": %s", user,
				 strerror(errno));
	return true;
}
