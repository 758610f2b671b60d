/*
 * Where the control plane is, and what to show it.
 *
 * What was said on the command line holds before -c, that before the
 * environment, and that before the places where a packaged reveille has them.
 */
#ifndef CTL_SETUP_H
#define CTL_SETUP_H

#include "command.h"
#include "conf/conf.h"

typedef struct Setup {
	char url[CONF_VALUE_MAX + 16]; /* without a slash at the end */
	char ca_file[CONF_VALUE_MAX];  /* "": those that the system trusts */
	char token[512];               /* secret: goes into one header and nowhere else */
} Setup;

/* False and *why if a file that is needed cannot be read or says nonsense. */
bool setup_find(Setup *setup, const Call *call, Fault *why);

#endif
