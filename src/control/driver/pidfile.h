/*
 * What a PostgreSQL server says of itself in postmaster.pid (src/include/utils/pidfile.h):
 * its process id in line 1, the folder of its sockets in line 5, how far it has come in line 8.
 */
#ifndef CONTROL_PIDFILE_H
#define CONTROL_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "files.h"

typedef enum ServerPhase { SERVER_STARTING, SERVER_READY, SERVER_STOPPING } ServerPhase;

typedef struct PidFile {
	pid_t pid;
	ServerPhase phase;
	char sockets[PATH_SIZE]; /* "" if it has none yet */
} PidFile;

/* False if this is not the file of a server; one that is not finished yet says STARTING. */
bool pidfile_parse(const char *text, PidFile *out);

#endif
