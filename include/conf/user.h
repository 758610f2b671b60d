/*
 * One line of [users]: what holds for whoever comes under that name, whichever
 * compute is asked for.
 */
#ifndef CONF_USER_H
#define CONF_USER_H

#include "base/fault.h"
#include "conf/network.h"

typedef struct UserEntry {
	char name[64];
	int max_user_connections, max_user_client_connections; /* -1: as the setting says */
	NetworkList allow, deny; /* beside those of the settings and of the compute */
} UserEntry;

/*
 * Parses the value of an entry into *u, which is zero but for its name.  False
 * and *why (without file and line) if it is not understood.
 */
bool user_parse(UserEntry *u, const char *value, Fault *why);

void user_free(UserEntry *u);

#endif
