/*
 * Session slots: one for each client session, and so the cancel table.
 *
 * A client's cancel key is the process id of its server, because clients show it
 * to that server (pg_terminate_backend), and a random secret of ours, of 4 bytes or
 * (protocol 3.2) up to 32.  Any worker finds the slot that has the key, and there
 * the compute's own key and address.
 *
 * Only slots below the configured limit are ever claimed, which is how
 * max_client_conn holds over all workers without anybody counting.  What
 * changes with every transaction lies in the slot's head, apart from the names,
 * so that the monitor can look at ten thousand sessions in a few microseconds.
 */
#ifndef MODEL_SLOT_H
#define MODEL_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "model/row.h"

#define SLOTS_MAX 131072
#define SLOT_NONE UINT32_MAX
#define NAME_SIZE 64

#define SLOT_SECRET_MIN 4
#define SLOT_SECRET_MAX 32

typedef struct Shared Shared;

typedef struct SlotHead {
	_Atomic uint32_t owner;     /* Claimer of the worker that has the session; 0: free */
	_Atomic uint32_t canceller; /* Claimer of the worker that delivers a cancel; 0: nobody */
	_Atomic uint32_t route;     /* 1 + the number of its compute's row; 0: none */
	_Atomic uint32_t at_work;   /* a request is unanswered or a transaction open */
	_Atomic uint32_t listening; /* it has executed LISTEN (proto/watch.h) */
	_Atomic uint64_t key;       /* slot_key() of what the client was given; 0: nothing yet */
	_Atomic uint64_t transactions;
} SlotHead;

/* What a slot tells of its session; written as a whole by its owner. */
typedef struct SlotInfo {
	uint64_t session_id;
	int64_t since_us; /* wall clock */
	uint32_t compute_pid;
	uint8_t compute_secret[SLOT_SECRET_MAX];
	uint32_t compute_secret_size; /* 0: cannot be cancelled (yet) */
	uint8_t client_secret[SLOT_SECRET_MAX];
	uint32_t client_secret_size; /* of what the client was given, with compute_pid */
	socklen_t address_size;      /* 0: not connected yet */
	uint8_t address[128];        /* of the compute: a socket address */
	char server_name[128];       /* by which the compute was reached, for its certificate */
	bool tls;                    /* it was reached over TLS */
	char compute[NAME_SIZE], user[NAME_SIZE], database[NAME_SIZE], application_name[NAME_SIZE];
	char client[NAME_SIZE];
	char network[NAME_SIZE]; /* of the client, as reports name it */
} SlotInfo;

typedef ROW(SlotInfo) SlotRow;

/*
 * Claims a free slot, looking from *hint on; SLOT_NONE if all that are allowed
 * are taken.  Releasing sets the hint back, so that few slots are ever touched.
 */
uint32_t slot_claim(Shared *sh, uint32_t claimer, uint32_t *hint);
void slot_release(Shared *sh, uint32_t slot, uint32_t *hint);

/*
 * What stands in the slot's head for a process id and a secret of SLOT_SECRET_MIN
 * to SLOT_SECRET_MAX bytes: never 0, and as hard to guess as 8 bytes of the secret
 * if it has that many.
 */
uint64_t slot_key(uint32_t pid, const uint8_t *secret, size_t size);

/*
 * The slot whose client was given this process id and secret, and what it tells;
 * SLOT_NONE if there is none.  Looks at every slot, and compares the secret as a
 * whole, so that the time does not depend on either.
 */
uint32_t slot_find(const Shared *sh, uint32_t pid, const uint8_t *secret, size_t size,
		   SlotInfo *info);

#endif
