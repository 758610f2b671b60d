/*
 * A worker: one loop, and everything it knows.
 *
 * It accepts connections from the sockets that all workers share, and runs
 * their sessions.  What it wants to tell its siblings it writes into shared
 * memory; a nudge (one eventfd for each worker) only says "look".
 */
#ifndef PROXY_WORKER_PRIVATE_H
#define PROXY_WORKER_PRIVATE_H

#include "access.h"
#include "conf/conf.h"
#include "credential.h"
#include "model/shared.h"
#include "proxy/proxy.h"
#include "session.h"
#include "stretch.h"
#include "sys/fetch.h"
#include "sys/listen.h"
#include "sys/loop.h"
#include "sys/resolve.h"
#include "sys/token.h"

#define WORKER_SIGNALS 5

typedef struct Poke Poke;
typedef struct WakeCall WakeCall;
LIST_HEAD(WakeCallList, WakeCall);
LIST_HEAD(CancellerList, Canceller);
LIST_HEAD(PokeList, Poke);

typedef struct Listener {
	Worker *worker;
	int fd;
	ReadWatch watch;
} Listener;

/* Accepting, and the gate before it (accept.c). */
typedef struct Door {
	Listener listeners[LISTENERS_MAX];
	int n;
	int reserve; /* a descriptor kept for the day there is none left */
	Timer reopen;
	bool open;
	bool asked;                  /* the workers were nudged to see if they run */
	uint32_t heard[WORKERS_MAX]; /* turns of each worker when it was nudged to see if it runs */
	bool stuck[WORKERS_MAX];     /* it had not turned when that was looked at again */
} Door;

struct Worker {
	int number;
	Claimer claimer;
	Shared *shared;
	WorkerCell *cell;
	const WorkerSetup *setup;
	const Config *conf;
	Access *access;         /* what the files that conf names say */
	char token[TOKEN_SIZE]; /* for the control plane */
	Loop *loop;
	Door door;
	ReadWatch nudged;
	SignalWatch signals[WORKER_SIGNALS];
	Credentials *credentials;
	Stretcher *stretcher;
	Resolver *resolver;
	Fetcher *fetcher;
	struct SessionList sessions, waiters;
	struct SessionList strangers; /* who have not proved who they are, oldest first */
	uint32_t n_strangers, strangers_max;
	struct WakeCallList calls;
	struct CancellerList cancellers;
	struct PokeList pokes;
	uint32_t told; /* how much news of computes has been looked at */
	uint32_t n_sessions, slot_hint, next_host;
	struct SessionList handshakes, handshakes_waiting;
	int n_told; /* peers that are being told of cancels */
	int n_handshakes, n_handshakes_waiting;
	Timer handshake_look;
	bool draining;
	Timer shutdown;
	uint8_t *buf; /* what is read lies here before it is passed on */
	size_t buf_size;
};

/* Counts a session that came (+1) or went (-1). */
void worker_load(Worker *w, int by);

/* Tells other workers, or ourselves, to look at shared memory. */
void worker_nudge(Worker *w, int other);
void worker_nudge_all(Worker *w);

#endif
