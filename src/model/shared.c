#include "model/shared.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define MAGIC 0x7265766569 /* "revei" */

/* Whatever moves anything in the mapping changes one of these. */
static uint64_t layout_hash(void)
{
	const uint64_t facts[] = {sizeof(Shared),
				  sizeof(WorkerCell),
				  sizeof(Stats),
				  sizeof(Route),
				  sizeof(RouteAnswer),
				  sizeof(SlotRow),
				  sizeof(SlotHead),
				  offsetof(Shared, workers),
				  offsetof(Shared, routes),
				  sizeof(TicketKeys),
				  sizeof(Tally),
				  offsetof(Shared, tallies),
				  sizeof(Memo),
				  offsetof(Shared, buckets),
				  sizeof(TrafficCell),
				  offsetof(Shared, traffic),
				  BUCKET_KINDS,
				  FAULT_COUNT};
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		hash = (hash ^ facts[i]) * 1099511628211u;
	return hash;
}

size_t shared_size(int n_slots)
{
	return sizeof(Shared) + (size_t)n_slots * sizeof(SlotRow);
}

void shared_init(Shared *sh, int n_workers, int n_slots, const uint8_t hash_key[16],
		 const char *proxy_token)
{
	assert(n_workers <= WORKERS_MAX && n_slots <= SLOTS_MAX);
	sh->magic = MAGIC;
	sh->layout = layout_hash();
	sh->n_workers = n_workers;
	sh->n_slots = n_slots;
	memcpy(sh->hash_key, hash_key, 16);
	text_copy(sh->proxy_token, sizeof(sh->proxy_token), proxy_token);
	atomic_store(&sh->max_clients, (uint32_t)n_slots);
}

bool shared_is_ours(const Shared *sh)
{
	return sh->magic == MAGIC && sh->layout == layout_hash();
}

void shared_put_conf(Shared *sh, const char *text, size_t n)
{
	assert(n < CONF_TEXT_MAX);
	atomic_fetch_add(&sh->conf_turn, 1);
	memcpy(sh->conf_text, text, n);
	sh->conf_text[n] = 0;
	atomic_fetch_add(&sh->conf_turn, 1);
}

/* A reload is rare, and short; who reads into one reads again. */
char *shared_get_conf(const Shared *sh)
{
	char *copy = mem_new(CONF_TEXT_MAX, 1);
	uint32_t turn;

	do {
		turn = atomic_load(&sh->conf_turn);
		memcpy(copy, sh->conf_text, CONF_TEXT_MAX - 1);
	} while (turn % 2 == 1 || turn != atomic_load(&sh->conf_turn));
	return copy;
}

static void release_slots(Shared *sh, Claimer dead)
{
	for (uint32_t i = 0; i < (uint32_t)sh->n_slots; i++) {
		uint32_t canceller = dead, hint;

		/* A cancel may still be on its way when its session is gone. */
		atomic_compare_exchange_strong(&sh->heads[i].canceller, &canceller, 0);
		if (atomic_load(&sh->heads[i].owner) == dead)
			slot_release(sh, i, &hint);
	}
}

static bool release_routes(Shared *sh, Claimer dead)
{
	int worker = claimer_worker(dead);
	bool any = false;

	for (int i = 0; i < ROUTES_MAX; i++) {
		Route *r = &sh->routes[i];
		RouteState state;

		if (atomic_load(&sh->route_tag[i]) == 0)
			continue;
		state = route_state(r);
		atomic_store(&r->waiting[worker], 0);
		atomic_store(&r->sessions[worker], 0);
		if (state.phase == ROUTE_WAKING && state.claimer == dead)
			any |= route_move(r, state, ROUTE_ASLEEP, 0);
	}
	return any;
}

/* What it counted stays; what it had open is no more. */
static void clear_gauges(WorkerCell *cell)
{
	atomic_store(&cell->sessions, 0);
	atomic_store(&cell->gated, 0);
	atomic_store(&cell->ready, 0);
#define COUNTER(...)
#define GAUGE(field, ...) atomic_store(&cell->stats.field, 0);
#define HISTOGRAM(...)
#include "model/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
}

bool shared_release(Shared *sh, Claimer dead)
{
	release_slots(sh, dead);
	clear_gauges(&sh->workers[claimer_worker(dead)]);
	tally_release(sh, claimer_worker(dead));
	return release_routes(sh, dead);
}

void shared_repair(Shared *sh)
{
	tally_repair(sh);
}
