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
	int max_connections;
	int64_t memory; /* bytes it may use, 0 if nobody said */
	int64_t start_timeout_ms;
	char verifier[SECRET_SIZE];     /* of CLIENT_ROLE's password */
	char control_password[ID_SIZE]; /* of the role with which we log in ourselves */
} ServerOrder;

/* What a driver sees of a compute. */
typedef struct Sight {
	bool there;   /* a server runs */
	bool running; /* and is ready */
	char incarnation[INCARNATION_SIZE];
	char address[ADDRESS_SIZE];
} Sight;

typedef enum StopHow {
	STOP_FAST,      /* ends sessions, closes its files properly */
	STOP_IMMEDIATE, /* as if the power had failed */
} StopHow;

/* failure is NULL if it was done, or a sentence and the last lines of the server's log. */
typedef void (*DriverAnswer)(void *arg, const Sight *sight, const char *failure);

/* The server ended though stop() had not been called. */
typedef void (*DriverEnd)(void *arg, const char *last_words);

typedef struct DriverOps {
	/* Whether a compute of that name could be made; 422 if not. */
	bool (*admits)(Driver *d, const char *id, const char *engine, Fault *why);
	Instance *(*attach)(Driver *d, const char *id, const char *engine, DriverEnd on_end,
			    void *arg);
	void (*detach)(Instance *i); /* the server goes on */

	/* One at a time for each instance. arg of the answers is the one given to attach(). */
	void (*create)(Instance *i, const ServerOrder *order, DriverAnswer on_answer);
	void (*start)(Instance *i, const ServerOrder *order, DriverAnswer on_answer);
	void (*stop)(Instance *i, StopHow how, DriverAnswer on_answer);
	void (*observe)(Instance *i, DriverAnswer on_answer);
	void (*destroy)(Instance *i, DriverAnswer on_answer);

	/* Lets nobody new in; who is in may go on.  The server ends when nobody is left. */
	void (*close_door)(Instance *i);
	Crowd (*look)(Instance *i); /* who is in */
} DriverOps;

struct Driver {
	const DriverOps *ops;
};

/* Real servers on this machine; NULL and *why if they cannot be run. */
Driver *driver_process_open(Loop *loop, const Config *conf, Fault *why);

#endif
