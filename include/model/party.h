/*
 * Parties: who uses a compute, by role, application and network.
 *
 * The monitor sees who is there when it looks.  Of those who have left between two
 * of its looks each worker keeps a list, a ring that it alone writes: whoever
 * comes often and stays briefly would otherwise never be seen, and nobody could
 * say who kept a compute awake.
 */
#ifndef MODEL_PARTY_H
#define MODEL_PARTY_H

#include "model/slot.h"

/* Names are whatever clients said: here with what can be printed only, and zeroed behind. */
typedef struct Party {
	char role[NAME_SIZE], application_name[NAME_SIZE];
	char network[NAME_SIZE]; /* "192.0.2.0/24", "2001:db8::/56", "local" */
} Party;

/* Good to be compared and hashed whole. */
Party party_of(const SlotInfo *info);

typedef struct Parting {
	uint32_t route, tenancy; /* the number of the row, and whose it was */
	int64_t at_ms;
	Party who;
} Parting;

#define PARTINGS_KEPT    512
#define PARTINGS_SAME_MS 1000 /* so long the same party is not noted again */

typedef struct Partings {
	_Atomic uint64_t n; /* that were noted ever */
	ROW(Parting) at[PARTINGS_KEPT];
} Partings;

/* By the worker whose it is. */
void parting_note(Partings *list, const Parting *p);

/*
 * The next that was noted since *seen was the list's n; what was overwritten meanwhile is
 * left out. False at the end.
 */
bool parting_next(const Partings *list, uint64_t *seen, Parting *out);

#endif
