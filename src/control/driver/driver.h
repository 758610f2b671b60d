/*
 * What starts and stops computes.
 *
 * A driver is told what to do with one compute at a time, named by its id; what
 * it does is idempotent, so whoever died before the answer came may ask again.
 * Answers come later, never from within the call.  Only the reconciler calls one.
 */
#ifndef CONTROL_DRIVER_H
#define CONTROL_DRIVER_H

#include "../crowd.h"
#include "../record.h"
#include "base/fault.h"
#include "conf/conf.h"
#include "sys/loop.h"

typedef struct Driver Driver;
typedef struct Instance Instance; /* one compute, as its driver knows it */

/* What a server is to be like. */
typedef struct ServerOrder {
	int64_t generation; /* of the compute when this was decided: see below */
	int size;           /* thousandths of a compute unit; 1000 is one CPU */
	int max_connections;
	int64_t memory;   /* bytes it may use; 0: as much as its size says */
	int64_t slot_wal; /* bytes it may keep for replication slots; the driver knows */
	int64_t start_timeout_ms;
	char verifier[SECRET_SIZE];     /* of CLIENT_ROLE's password */
	char control_password[ID_SIZE]; /* of the role with which we log in ourselves */
} ServerOrder;

/* What a driver sees of a compute. */
typedef struct Sight {
	bool there;   /* a server runs */
	bool running; /* and is ready */
	bool frozen;  /* but stands still */
	char incarnation[INCARNATION_SIZE];
	char address[ADDRESS_SIZE];
} Sight;

/* What a server uses. */
typedef struct ServerStat {
	int64_t cpu_us; /* since it started; never less than it said before */
	int64_t memory; /* bytes in use */
	int processes;
	double cpu_pressure, memory_pressure; /* PSI: some, avg10, in percent; -1 if not known */
} ServerStat;

/* What can be done to servers here, as it turned out when the driver was opened. */
typedef struct DriverAbilities {
	bool freeze;
	bool limit_cpu, limit_memory;
	bool own_users; /* each compute belongs to an operating system user of its own */
	char how[1024]; /* for the log: by what */
} DriverAbilities;

typedef enum StopHow {
	STOP_FAST,      /* ends sessions, closes its files properly */
	STOP_IMMEDIATE, /* as if the power had failed */
} StopHow;

/* failure is NULL if it was done, or a sentence and the last lines of the server's log. */
typedef void (*DriverAnswer)(void *arg, const Sight *sight, const char *failure);

/* bytes is -1 if it could not be found out. */
typedef void (*DriverMeasured)(void *arg, int64_t bytes);

/* The server ended though stop() had not been called. */
typedef void (*DriverEnd)(void *arg, const char *last_words);

typedef struct DriverOps {
	/* Whether a compute of that name could be made; 422 if not. */
	bool (*admits)(Driver *d, const char *id, const char *engine, Fault *why);
	Instance *(*attach)(Driver *d, const char *id, const char *engine, DriverEnd on_end,
			    void *arg);
	void (*detach)(Instance *i); /* the server goes on */

	/*
	 * One at a time for each instance. arg of the answers is the one given to attach().
	 *
	 * A generation is a fence: once one was obeyed for a compute, a lower one is refused
	 * with a failure that begins "fenced:", whoever asks.
	 */
	void (*create)(Instance *i, const ServerOrder *order, DriverAnswer on_answer);
	void (*start)(Instance *i, const ServerOrder *order, DriverAnswer on_answer);
	void (*stop)(Instance *i, StopHow how, int64_t generation, DriverAnswer on_answer);
	void (*freeze)(Instance *i, int64_t generation, DriverAnswer on_answer);
	void (*thaw)(Instance *i, int64_t generation, DriverAnswer on_answer);
	void (*observe)(Instance *i, DriverAnswer on_answer);
	void (*destroy)(Instance *i, int64_t generation, DriverAnswer on_answer);

	/*
	 * What can be changed while the server runs; the rest of the order comes with the next
	 * start. A failure says what could not be, the others are done all the same.
	 */
	void (*resize)(Instance *i, const ServerOrder *order, DriverAnswer on_answer);

	bool (*stat)(Instance *i, ServerStat *out); /* at once; false if there is no server */

	/* Bytes on disk. Beside whatever else is done; one at a time for each instance. */
	void (*measure)(Instance *i, DriverMeasured on_measured);

	/* Lets nobody new in; who is in may go on.  The server ends when nobody is left. */
	void (*close_door)(Instance *i);
	Crowd (*look)(Instance *i); /* who is in */

	/* At this moment; that it has ended may be about to be told. */
	bool (*lives)(const Instance *i);
} DriverOps;

struct Driver {
	const DriverOps *ops;
	DriverAbilities can;
};

/* Real servers on this machine; NULL and *why if they cannot be run. */
Driver *driver_process_open(Loop *loop, const Config *conf, Fault *why);

#endif
