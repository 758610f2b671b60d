/*
 * Traffic: how many bytes went through, for each compute.
 *
 * Totals that only grow, as long as a compute is the tenant of its row.  Each
 * worker counts in a cell of its own, so that nothing has to be gathered when a
 * session ends, and nothing is lost or counted twice when a worker is killed.  A
 * cell says for which tenancy it counts; one that is left over from another is
 * nought.
 */
#ifndef MODEL_TRAFFIC_H
#define MODEL_TRAFFIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Shared Shared;
typedef struct Route Route;

typedef struct TrafficCell {
	_Atomic uint32_t tenancy;
	_Atomic uint64_t received, sent; /* from clients, and to them */
} TrafficCell;

typedef struct Traffic {
	uint64_t received, sent;
} Traffic;

/* The worker's own cell, ready to count for the row's tenant, in which it is counted. */
TrafficCell *traffic_cell(Shared *sh, const Route *r, int worker);

/* What the row's tenant of that tenancy has so far, over all workers. */
Traffic traffic_sum(const Shared *sh, const Route *r, uint32_t tenancy);

/* The control plane has heard of so much. */
void traffic_reported(Route *r, const Traffic *sum);

/* Whether it has heard of everything that the row's tenant has. */
bool traffic_is_reported(const Shared *sh, const Route *r);

#endif
