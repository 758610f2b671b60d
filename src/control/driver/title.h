/*
 * What the processes of a PostgreSQL server call themselves.
 *
 * "postgres: CLUSTER: USER DATABASE HOST ACTIVITY" for a session (ps_status.c and
 * its callers; the manual, "Standard Unix Tools"), "postgres: CLUSTER: walwriter"
 * and the like for what serves nobody.
 */
#ifndef CONTROL_TITLE_H
#define CONTROL_TITLE_H

#include "../crowd.h"

/* The role with which we log in ourselves; no guest. */
#define CONTROL_ROLE "reveille_control"

Guest title_guest(const char *title);

#endif
