#include "sys/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Files of others, their processes, and becoming one of them. */
#define KEPT                                                                            \
	(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_KILL | \
	 1u << CAP_SETGID | 1u << CAP_SETUID)

static struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

/* All of them are among the first 32, which is the first of two words. */
static bool set_privileges(unsigned permitted, unsigned effective)
{
	struct __user_cap_data_struct words[2] = {{.permitted = permitted, .effective = effective}};

	return syscall(SYS_capset, &header, words) == 0;
}

static unsigned permitted_privileges(void)
{
	struct __user_cap_data_struct words[2] = {0};

	syscall(SYS_capget, &header, words);
	return words[0].permitted;
}

void user_take_up_privileges(void)
{
	unsigned kept = permitted_privileges() & KEPT;

	if (geteuid() != 0)
		set_privileges(kept, kept);
}

void user_drop_privileges(void)
{
	if (geteuid() != 0)
		set_privileges(0, 0);
}

bool user_switch(uid_t user)
{
	if (setgroups(0, NULL) == -1 || setgid(user) == -1 || setuid(user) == -1)
		return false;
	user_drop_privileges();
	return true;
}

bool user_become(const char *user, bool keep_privileges, Fault *why)
{
	struct passwd *pw;

	if (!*user || geteuid() != 0)
		return true;
	pw = getpwnam(user);
	if (!pw)
		return fault_set(why, FAULT_BAD_SETTING, "there is no user \"%s\"", user);
	prctl(PR_SET_KEEPCAPS, keep_privileges);
	if (initgroups(user, pw->pw_gid) == -1 || setgid(pw->pw_gid) == -1 ||
	    setuid(pw->pw_uid) == -1)
		return fault_set(why, FAULT_BAD_SETTING, "could not become user \"%s\": %s", user,
				 strerror(errno));
	if (keep_privileges)
		set_privileges(permitted_privileges() & KEPT, 0);
	return true;
}
