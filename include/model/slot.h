/*
 * Session slots: one for each client session, and so the cancel table.
 *
 * The process id in the cancel key that a client gets names its slot in its
 * lower bits; the upper bits and the secret are random.  Any worker finds the
 * slot, compares in constant time, and knows the compute's own key and address.
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

#define SLOT_BITS 18 /* of a process id; the highest is always set, so that it is never 0 */
#define SLOTS_MAX (1 << (SLOT_BITS - 1))
#define SLOT_NONE UINT32_MAX
#define NAME_SIZE 64

typedef struct Shared Shared;

typedef struct SlotHead {
	_Atomic uint32_t owner;     /* Claimer of the worker that has the session; 0: free */
	_Atomic uint32_t canceller; /* Claimer of the worker that delivers a cancel; 0: nobody */
	_Atomic uint32_t route;     /* 1 + the number of its compute's row; 0: none */
	_Atomic uint32_t at_work;   /* a request is unanswered or a transaction open */
	_Atomic uint64_t transactions;
} SlotHead;

/* What a slot tells of its session; written as a whole by its owner. */
typedef struct SlotInfo {
	uint64_t session_id;
	int64_t since_us; /* wall clock */
	uint32_t pid;     /* of the key handed to the client, with its random upper bits */
	uint8_t secret[4];
	uint32_t compute_pid;
	uint8_t compute_secret[32];
	uint32_t compute_secret_size; /* 0: cannot be cancelled (yet) */
	socklen_t address_size;       /* 0: not connected yet */
	uint8_t address[128];         /* of the compute: a socket address */
	char compute[NAME_SIZE], user[NAME_SIZE], database[NAME_SIZE], application_name[NAME_SIZE];
	char client[NAME_SIZE];
} SlotInfo;

typedef ROW(SlotInfo) SlotRow;

/*
 * Claims a free slot, looking from *hint on; SLOT_NONE if all that are allowed
 * are taken.  Releasing sets the hint back, so that few slots are ever touched.
 */
uint32_t slot_claim(Shared *sh, uint32_t claimer, uint32_t *hint);
void slot_release(Shared *sh, uint32_t slot, uint32_t *hint);

/* Makes the process id and secret that a client gets for its slot. */
void slot_key(uint32_t slot, const uint8_t random[8], uint32_t *pid, uint8_t secret[4]);

/* The slot that a key names, and what it tells; SLOT_NONE if the key is wrong. */
uint32_t slot_find(const Shared *sh, uint32_t pid, const uint8_t *secret, size_t secret_size,
		   SlotInfo *info);

#endif
