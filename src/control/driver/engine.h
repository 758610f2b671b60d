/*
 * What differs between the servers that a compute may run: one table for each.
 *
 * An engine knows programs, files and signals; when to do what is process.c's.
 */
#ifndef CONTROL_ENGINE_H
#define CONTROL_ENGINE_H

#include "driver.h"
#include "files.h"
#include "guests.h"
#include "home.h"
#include "pidfile.h"
#include "sys/spawn.h"

typedef struct Engine Engine;

/* Where an engine's programs are on this machine. */
typedef struct Program {
	const Engine *engine;
	char folder[256];
	char version[64]; /* "15.4", fit for a file name */
} Program;

#define COMMAND_WORDS 64

/* A command line in the making. */
typedef struct Command {
	const char *argv[COMMAND_WORDS]; /* ends with NULL */
	int n;
	char text[8192];
	size_t used;
} Command;

void command_add(Command *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct Engine {
	const char *name;
	const char *socket; /* name of the socket within Home.run */
	int close_signal;   /* lets nobody new in, and ends the server when nobody is left */
	int stop_signal;    /* ends sessions and closes files */
	int kill_signal;    /* stops at once */
	int reload_signal;  /* reads its settings again */
	int revision;       /* of what make_template() makes */

	/* Finds the programs, in that folder or ("") where they usually are. */
	bool (*locate)(const char *folder, Program *out, Fault *why);

	/* In a job: makes a data folder without secrets; whether it worked. */
	bool (*make_template)(const Program *p, const char *data);

	/* In a job: brings a data folder up that was made by an earlier revision. */
	bool (*bring_up)(const Program *p, const char *data, int from);

	/* In a job: gives the roles of a copied data folder their secrets. */
	bool (*set_secrets)(const Program *p, const char *data, const ServerOrder *order);

	/* Writes the settings that it reads at its start and when it is told to reload. */
	bool (*configure)(const Home *home, const ServerOrder *order, Fault *why);

	/* Writes what else it needs beside its data, and the command that starts it. */
	bool (*prepare)(const Program *p, const Home *home, const char *id,
			const ServerOrder *order, Command *out, Fault *why);

	/* What a data folder says of its server; false if there is none. */
	bool (*status)(const char *data, PidFile *out);

	GuestOf guest_of;
};

extern const Engine engine_postgres;

#endif
