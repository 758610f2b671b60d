#include "conf/user.h"

#include "pairs.h"

static const PairKey keys[] = {
	PAIR_FIELD("max_user_connections", pair_limit, UserEntry, max_user_connections),
	PAIR_FIELD("max_user_client_connections", pair_limit, UserEntry,
		   max_user_client_connections),
	PAIR_FIELD("allow_networks", pair_networks, UserEntry, allow),
	PAIR_FIELD("deny_networks", pair_networks, UserEntry, deny),
	PAIR_RECORD("pool_size", pair_needs_pool, UserEntry),
	PAIR_RECORD("reserve_pool_size", pair_needs_pool, UserEntry),
	PAIR_RECORD("pool_mode", pair_needs_pool, UserEntry),
	PAIR_RECORD("query_wait_timeout", pair_needs_pool, UserEntry),
	PAIR_RECORD("client_idle_timeout", pair_needs_guard, UserEntry),
	PAIR_RECORD("idle_transaction_timeout", pair_needs_guard, UserEntry),
	PAIR_RECORD("transaction_timeout", pair_needs_guard, UserEntry),
	PAIR_RECORD("query_timeout", pair_needs_guard, UserEntry),
	PAIR_RECORD("deny", pair_needs_guard, UserEntry),
	PAIR_RECORD("allow", pair_needs_guard, UserEntry),
	PAIR_RECORD("mode", pair_needs_guard, UserEntry),
	PAIR_RECORD("read_only", pair_needs_guard, UserEntry),
	PAIR_RECORD("max_rows", pair_needs_guard, UserEntry),
	PAIR_RECORD("max_bytes", pair_needs_guard, UserEntry),
};

static const PairTable table = {keys, sizeof(keys) / sizeof(keys[0]),
				"of a user; there are max_user_connections, "
				"max_user_client_connections, allow_networks and deny_networks"};

bool user_parse(UserEntry *u, const char *value, Fault *why)
{
	u->max_user_connections = u->max_user_client_connections = -1;
	return pairs_parse(&table, u, value, why);
}

void user_free(UserEntry *u)
{
	network_list_free(&u->allow);
	network_list_free(&u->deny);
}
