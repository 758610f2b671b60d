/*
 * The files of one compute.
 *
 * Each life of its server has a folder of sockets of its own, so that the address of an
 * earlier one leads nowhere, and never to another server.
 */
#ifndef CONTROL_HOME_H
#define CONTROL_HOME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "files.h"

typedef struct Home {
	char folder[PATH_SIZE]; /* all of it but sockets */
	char data[PATH_SIZE];
	char settings[PATH_SIZE]; /* what we order of the server */
	char log[PATH_SIZE];      /* what the server prints */
	char sockets[PATH_SIZE];  /* private folder of all its lives */
	char notify[PATH_SIZE];
	char run[PATH_SIZE];     /* of this life; "" while nobody knows */
	char address[PATH_SIZE]; /* the socket for clients */
	uid_t user;              /* whose the data is, if not ours: see tenant.h */
} Home;

void home_set(Home *h, const char *data_dir, const char *socket_dir, const char *id);

/* A life that begins; `socket` is the engine's name for it. */
void home_begin_life(Home *h, int64_t generation, const char *socket);

/* Removes the sockets of all others. */
void home_forget_lives(const Home *h);

/* Nobody listens there any more: removes what a server leaves that was killed. */
void home_end_life(const Home *h);

/* A life that was found; false if that folder is not one of this compute's. */
bool home_find_life(Home *h, const char *run, const char *socket);

/* "42" of …/ID/42, or "" if there is no life, or one that has no folder of its own. */
const char *home_life(const Home *h);

#endif
