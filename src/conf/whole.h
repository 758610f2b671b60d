/*
 * What no single line of a configuration can tell: lists that are read once all
 * of it is there, and settings that need one another.
 */
#ifndef CONF_WHOLE_H
#define CONF_WHOLE_H

#include "conf/conf.h"

/*
 * Fills in what Config derives from its settings, and checks them against each
 * other.  False and *why if something is wrong; *culprit then points at the
 * setting or the Database to be blamed.
 */
bool whole_check(Config *conf, const void **culprit, Fault *why);

/*
 * Derives anew what depends on settings that a reload has put back to what they were
 * (`now`): where the control plane listens, and so where it is asked.
 */
void whole_keep_control(Config *next, const Config *now);

/* Frees what whole_check() has made. */
void whole_free(Config *conf);

#endif
