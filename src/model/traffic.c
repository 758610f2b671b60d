#include "model/traffic.h"

#include "model/shared.h"

TrafficCell *traffic_cell(Shared *sh, const Route *r, int worker)
{
	TrafficCell *cell = &sh->traffic[worker][r - sh->routes];
	uint32_t tenancy = route_tenancy(sh, r);

	if (atomic_load(&cell->tenancy) == tenancy)
		return cell;
	/* Nought first: whoever finds the new tenancy finds nothing of the old one's. */
	atomic_store(&cell->received, 0);
	atomic_store(&cell->sent, 0);
	atomic_store(&cell->tenancy, tenancy);
	return cell;
}

Traffic traffic_sum(const Shared *sh, const Route *r, uint32_t tenancy)
{
	Traffic sum = {0, 0};

	for (int i = 0; i < sh->n_workers; i++) {
		const TrafficCell *cell = &sh->traffic[i][r - sh->routes];

		if (atomic_load(&cell->tenancy) != tenancy)
			continue;
		sum.received += stat_get(&cell->received);
		sum.sent += stat_get(&cell->sent);
	}
	return sum;
}

void traffic_reported(Route *r, const Traffic *sum)
{
	atomic_store(&r->reported, sum->received + sum->sent);
}

bool traffic_is_reported(const Shared *sh, const Route *r)
{
	Traffic sum = traffic_sum(sh, r, route_tenancy(sh, r));
	uint64_t all = sum.received + sum.sent;

	return all == 0 || all == atomic_load(&r->reported);
}
