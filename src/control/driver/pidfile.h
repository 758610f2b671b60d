/*
 * What a PostgreSQL server says of itself in postmaster.pid (src/include/utils/pidfile.h):
 * its process id in line 1 and how far it has come in line 8.
 */
#ifndef CONTROL_PIDFILE_H
#define CONTROL_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

typedef enum ServerPhase { SERVER_STARTING, SERVER_READY, SERVER_STOPPING } ServerPhase;

/* False if this is not the file of a server; one that is not finished yet says STARTING. */
bool pidfile_parse(const char *text, pid_t *pid, ServerPhase *phase);

#endif
