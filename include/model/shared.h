/*
 * What the processes share: one mapping, made before the first fork.
 *
 * There are no pointers and no locks in it.  A region either has one writing
 * process, or what several may claim is claimed with one compare-and-swap and
 * carries the claimer's identity, so that the supervisor can free what a dead
 * child held.  Totals only grow, and outlive the worker that counted them.
 *
 *	header     the supervisor writes, the configuration's text included
 *	workers[]  each worker writes its own cell: gauges, counters, histograms
 *	routes[]   one row per compute (model/route.h)
 *	slots[]    one per client session; this is also the cancel table (model/slot.h)
 *	buckets[]  how often addresses and computes may do something (model/bucket.h)
 *	tallies[]  how many places each limited name has taken (model/tally.h)
 *	tickets    the keys of TLS session tickets; the supervisor writes them
 *	throttles  who failed to log in, and has to wait (model/throttle.h)
 *	traffic[]  bytes of each compute, a cell for each worker (model/traffic.h)
 *	repeats    what the log was told a moment ago (model/repeat.h)
 *	partings[] who has just left, a list of each worker (model/party.h)
 *	doubts     whose credentials are to be asked for anew (model/doubt.h)
 */
#ifndef MODEL_SHARED_H
#define MODEL_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ticket_key.h"
#include "model/bucket.h"
#include "model/doubt.h"
#include "model/memo.h"
#include "model/party.h"
#include "model/route.h"
#include "model/slot.h"
#include "model/stats.h"
#include "model/tally.h"
#include "model/throttle.h"
#include "model/traffic.h"

#define WORKERS_MAX   64
#define ROUTES_MAX    8192
#define CONF_TEXT_MAX (1 << 20)

/*
 * Who claims something: the worker's number and which of its lives this is, so
 * that what a dead worker held is never taken for its successor's.  0 is nobody.
 */
typedef uint32_t Claimer;

static inline Claimer claimer_make(int worker, uint32_t life)
{
	return (life << 8) | (uint32_t)(worker + 1);
}

static inline int claimer_worker(Claimer c)
{
	return (int)(c & 0xff) - 1;
}

typedef struct WorkerCell {
	_Alignas(64) _Atomic int32_t pid;
	_Atomic uint32_t life;     /* counts its starts; the supervisor writes it */
	_Atomic uint32_t sessions; /* open client connections: its load */
	_Atomic uint32_t gated;    /* it has stopped accepting because others have less to do */
	_Atomic uint32_t ready;    /* it accepts connections */
	_Atomic uint32_t turns;    /* counts the nudges it has heard */
	_Atomic uint32_t told;     /* counts news of computes; the monitor writes it */
	Stats stats;
} WorkerCell;

typedef struct Shared {
	uint64_t magic, layout; /* of the program that made it */
	int n_workers, n_slots;
	uint8_t hash_key[16];
	char proxy_token[65];         /* bearer token for the control plane of this process tree */
	char proxy_id[33];            /* random: one life of this process tree */
	_Atomic uint32_t conf_turn;   /* odd while the text is being replaced */
	_Atomic uint32_t max_clients; /* as configured, at most n_slots */
	_Atomic uint64_t worker_restarts;
	_Atomic uint64_t next_session_id;
	ROW(TicketKeys) tickets;
	char conf_text[CONF_TEXT_MAX];
	WorkerCell workers[WORKERS_MAX];
	/* Apart from what they are about, so that a search touches few pages. */
	_Atomic uint64_t
		route_tag[ROUTES_MAX]; /* keyed hash of the compute's name and tenancy; 0: free */
	_Atomic uint64_t tally_word[TALLIES_MAX];
	SlotHead heads[SLOTS_MAX];
	Route routes[ROUTES_MAX];
	Memo buckets[BUCKET_KINDS], throttles, repeats;
	Doubts doubts;
	Tally tallies[TALLIES_MAX];
	TrafficCell traffic[WORKERS_MAX][ROUTES_MAX];
	Partings partings[WORKERS_MAX];
	SlotRow slots[];
} Shared;

/* Bytes of a mapping with that many session slots. */
size_t shared_size(int n_slots);

/* Prepares fresh zeroed memory of that size. The key and token are random bytes and text. */
void shared_init(Shared *sh, int n_workers, int n_slots, const uint8_t hash_key[16],
		 const char *proxy_token);

/* Whether the memory was made by a program that lays it out as we do. */
bool shared_is_ours(const Shared *sh);

/* The supervisor publishes a configuration that it found good; n < CONF_TEXT_MAX bytes. */
void shared_put_conf(Shared *sh, const char *text, size_t n);

/* A copy of the text, to be freed. */
char *shared_get_conf(const Shared *sh);

/* Frees whatever a worker that is no more has claimed; true if anybody may wait for a route. */
bool shared_release(Shared *sh, Claimer dead);

/*
 * Mends what could not be mended at the time of a release because somebody was
 * just changing it.  The supervisor alone calls this, at each of its looks.
 */
void shared_repair(Shared *sh);

#endif
