#include "model/route.h"

#include <assert.h>
#include <string.h>

#include "hash.h"
#include "model/bucket.h"
#include "model/shared.h"
#include "model/traffic.h"

/* A tag is a hash of the tenant's name, and above it the tenancy. */
#define TAG_FREE    0
#define HASH_BITS   (64 - ROUTE_TENANCY_BITS)
#define HASH_MASK   ((UINT64_C(1) << HASH_BITS) - 1)
#define PHASE_SHIFT (32 + ROUTE_TURN_BITS)
#define TURN_MASK   ((1u << ROUTE_TURN_BITS) - 1)

static uint64_t pack(RouteState s)
{
	return (uint64_t)s.phase << PHASE_SHIFT | (uint64_t)(s.turn & TURN_MASK) << 32 | s.claimer;
}

static RouteState unpack(uint64_t word)
{
	return (RouteState){.phase = (RoutePhase)(word >> PHASE_SHIFT),
			    .turn = (uint32_t)(word >> 32) & TURN_MASK,
			    .claimer = (uint32_t)word};
}

RouteState route_state(const Route *r)
{
	return unpack(atomic_load(&r->state));
}

/* A row that its writer left half-written, or is writing now, tells nothing. */
RouteState route_load(const Route *r, RouteAnswer *answer)
{
	RouteState before, after;
	bool whole;

	do {
		before = route_state(r);
		whole = ROW_LOAD(&r->answer, answer);
		after = route_state(r);
	} while (pack(before) != pack(after));
	if (!whole)
		*answer = (RouteAnswer){.depth = DEPTH_NONE};
	return after;
}

bool route_move(Route *r, RouteState from, RoutePhase to, uint32_t claimer)
{
	uint64_t expected = pack(from);
	RouteState next = {.phase = to, .turn = route_next_turn(from), .claimer = claimer};

	return atomic_compare_exchange_strong(&r->state, &expected, pack(next));
}

void route_settle(Route *r, RouteState mine, RoutePhase to, const RouteAnswer *answer)
{
	assert(mine.phase == ROUTE_WAKING);
	ROW_STORE(&r->answer, answer);
	/* Only the supervisor can have been quicker, and only if it thought us dead. */
	route_move(r, mine, to, 0);
}

static uint32_t sum(const _Atomic uint32_t *each)
{
	uint32_t n = 0;

	for (int i = 0; i < ROUTE_WORKERS; i++)
		n += atomic_load_explicit(&each[i], memory_order_relaxed);
	return n;
}

uint32_t route_waiting(const Route *r)
{
	return sum(r->waiting);
}

uint32_t route_sessions(const Route *r)
{
	return sum(r->sessions);
}

static bool is_in_use(const Route *r)
{
	return route_state(r).phase == ROUTE_WAKING || route_waiting(r) > 0 ||
	       route_sessions(r) > 0;
}

/* A name's hash, never TAG_FREE. */
static uint64_t hash_of(const Shared *sh, const char *name)
{
	return (siphash(sh->hash_key, name, strlen(name)) & HASH_MASK) | 1;
}

static uint32_t tenancy_of(uint64_t tag)
{
	return (uint32_t)(tag >> HASH_BITS);
}

static uint64_t next_tag(uint64_t seen, uint64_t hash)
{
	return (uint64_t)(tenancy_of(seen) + 1) << HASH_BITS | hash;
}

static const _Atomic uint64_t *tag_at(const Shared *sh, const Route *r)
{
	return &sh->route_tag[r - sh->routes];
}

uint32_t route_tenancy(const Shared *sh, const Route *r)
{
	return tenancy_of(atomic_load(tag_at(sh, r)));
}

bool route_is_of(const Shared *sh, const Route *r, const char *name, uint32_t *tenancy)
{
	uint64_t tag = atomic_load(tag_at(sh, r));

	*tenancy = tenancy_of(tag);
	return (tag & HASH_MASK) == hash_of(sh, name);
}

int route_rows(Shared *sh, const char *name, RouteTenant out[ROUTE_WAYS])
{
	uint64_t hash = hash_of(sh, name);
	int n = 0;

	for (uint64_t way = 0; way < ROUTE_WAYS; way++) {
		Route *r = &sh->routes[(hash + way) % ROUTES_MAX];
		uint64_t tag = atomic_load(tag_at(sh, r));

		if ((tag & HASH_MASK) == hash)
			out[n++] = (RouteTenant){r, tenancy_of(tag)};
	}
	return n;
}

/*
 * Gives a row to another name.  Who wants the old name counts himself in and
 * then looks at the tag; we change the tag and then look at the counts.  So one
 * of us sees the other, and if it is us, the row goes back.  What the row still
 * tells of its old name harms nobody: an answer says whose it is.
 */
static bool take_over(Shared *sh, Route *r, uint64_t seen, uint64_t hash)
{
	_Atomic uint64_t *at = &sh->route_tag[r - sh->routes];
	uint64_t mine = next_tag(seen, hash);

	if (is_in_use(r) || !atomic_compare_exchange_strong(at, &seen, mine))
		return false;
	if (!is_in_use(r))
		return true;
	atomic_compare_exchange_strong(at, &mine, seen);
	return false;
}

typedef enum Haste { TAKE_FREE, TAKE_REPORTED, TAKE_UNUSED, HASTES } Haste;

/* Bytes that the control plane has not heard of would be lost with the tenant. */
static bool may_take(const Shared *sh, const Route *r, Haste haste)
{
	return haste == TAKE_UNUSED || (haste == TAKE_REPORTED && traffic_is_reported(sh, r));
}

/*
 * The first free row, so that two who make one for the same name meet at it;
 * else the first that nobody uses.  (There two may part, and one name have two
 * rows: then it may be woken twice, which computes do not mind.)
 */
static Route *find_or_make(Shared *sh, uint64_t hash)
{
	for (Haste haste = TAKE_FREE; haste < HASTES; haste++) {
		for (uint64_t way = 0; way < ROUTE_WAYS; way++) {
			size_t i = (size_t)((hash + way) % ROUTES_MAX);
			Route *r = &sh->routes[i];
			uint64_t seen = atomic_load(&sh->route_tag[i]);

			if (seen == TAG_FREE)
				atomic_compare_exchange_strong(&sh->route_tag[i], &seen, hash);
			if (seen == TAG_FREE || (seen & HASH_MASK) == hash ||
			    (may_take(sh, r, haste) && take_over(sh, r, seen, hash)))
				return r;
		}
	}
	return NULL;
}

Route *route_enter(Shared *sh, const char *name, int worker)
{
	uint64_t hash = hash_of(sh, name);

	for (int tries = 0; tries < 1000; tries++) {
		Route *r = find_or_make(sh, hash);

		if (!r)
			return NULL;
		atomic_fetch_add(&r->waiting[worker], 1);
		if ((atomic_load(tag_at(sh, r)) & HASH_MASK) == hash)
			return r;
		route_leave(r, worker);
	}
	return NULL;
}

void route_leave(Route *r, int worker)
{
	uint32_t before = atomic_fetch_sub(&r->waiting[worker], 1);

	assert(before > 0);
	(void)before;
}

void route_session_begins(Route *r, int worker)
{
	atomic_fetch_add(&r->sessions[worker], 1);
}

void route_session_ends(Route *r, int worker)
{
	uint32_t before = atomic_fetch_sub(&r->sessions[worker], 1);

	assert(before > 0);
	(void)before;
}

void route_want_until(Route *r, int64_t until_ms)
{
	int64_t now = atomic_load(&r->wanted_until_ms);

	while (now < until_ms && !atomic_compare_exchange_weak(&r->wanted_until_ms, &now, until_ms))
		;
}

int64_t route_take_wake(Route *r, int64_t now_us, int per_second, int burst)
{
	return bucket_draw(&r->next_wake_us, now_us, per_second, burst);
}

static RouteVerdict verdict_of_failed(const RouteView *v)
{
	bool believed = v->now_ms - v->answer.learnt_ms < v->negative_ttl_ms;

	return v->have_waited || believed ? ROUTE_REFUSE : ROUTE_CLAIM;
}

RouteVerdict route_verdict(const RouteView *v)
{
	if (!v->ours && v->state.phase != ROUTE_WAKING)
		return ROUTE_CLAIM;
	switch (v->state.phase) {
	case ROUTE_ASLEEP:
		return ROUTE_CLAIM;
	case ROUTE_WAKING:
		return ROUTE_WAIT;
	case ROUTE_FAILED:
		return verdict_of_failed(v);
	case ROUTE_AWAKE:
		if (v->frozen)
			return ROUTE_CLAIM;
		if (v->have_waited || v->in_use || v->now_ms - v->answer.learnt_ms < v->ttl_ms)
			return ROUTE_USE;
		return ROUTE_CLAIM;
	}
	return ROUTE_CLAIM;
}
