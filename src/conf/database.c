/* The keys of [databases]. */
#include "conf/database.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pairs.h"

static bool take_hosts(void *record, size_t size, const char *key, const char *value, Fault *why)
{
	char list[PAIR_VALUE_MAX], *rest = list;
	Database *d = record;

	(void)size;
	text_copy(list, sizeof(list), value);
	d->n_hosts = 0;
	while (rest) {
		char *host = text_trim(strsep(&rest, ","));

		if (d->n_hosts == DATABASE_HOSTS_MAX)
			return fault_set(why, FAULT_BAD_SETTING, "%s names more than %d hosts", key,
					 DATABASE_HOSTS_MAX);
		if (!*host || !text_copy(d->hosts[d->n_hosts], sizeof(d->hosts[0]), host))
			return pair_bad(why, key, value, "host names, addresses or folders");
		d->n_hosts++;
	}
	return true;
}

static bool take_wake(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	bool *wake = field;

	(void)size;
	*wake = strcmp(value, "control_plane") == 0;
	return *wake || pair_bad(why, key, value, "control_plane");
}

static bool take_engine(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	if (strcmp(value, "postgres") != 0 && strcmp(value, "mariadb") != 0)
		return pair_bad(why, key, value, "postgres or mariadb");
	return pair_text(field, size, key, value, why);
}

static bool take_balance(void *field, size_t size, const char *key, const char *value, Fault *why)
{
	bool *round_robin = field;

	(void)size;
	*round_robin = strcmp(value, "round-robin") == 0;
	return *round_robin || strcmp(value, "disable") == 0 ||
	       pair_bad(why, key, value, "round-robin or disable");
}

static bool take_auth_query(void *field, size_t size, const char *key, const char *value,
			    Fault *why)
{
	if (*value && !strstr(value, "$1"))
		return pair_bad(why, key, value, "a query with $1, which is the user's name");
	return pair_query(field, size, key, value, why);
}

static const PairKey keys[] = {
#define FIELD(key, take, field) PAIR_FIELD(key, take, Database, field)
	FIELD("dbname", pair_text, dbname),
	FIELD("user", pair_text, user),
	FIELD("password", pair_text, password),
	FIELD("client_encoding", pair_text, client_encoding),
	FIELD("datestyle", pair_text, datestyle),
	FIELD("timezone", pair_text, timezone),
	FIELD("application_name", pair_text, application_name),
	PAIR_RECORD("host", take_hosts, Database),
	PAIR_RECORD("hostaddr", take_hosts, Database),
	FIELD("port", pair_port, port),
	FIELD("wake", take_wake, wake),
	FIELD("engine", take_engine, engine),
	FIELD("load_balance_hosts", take_balance, round_robin),
	FIELD("connect_query", pair_query, connect_query),
	FIELD("auth_user", pair_text, auth_user),
	FIELD("auth_query", take_auth_query, auth_query),
	FIELD("auth_dbname", pair_text, auth_dbname),
	FIELD("max_db_connections", pair_limit, max_db_connections),
	FIELD("max_db_client_connections", pair_limit, max_db_client_connections),
	FIELD("allow_networks", pair_networks, allow),
	FIELD("deny_networks", pair_networks, deny),
	PAIR_RECORD("pool_size", pair_needs_pool, Database),
	PAIR_RECORD("min_pool_size", pair_needs_pool, Database),
	PAIR_RECORD("reserve_pool", pair_needs_pool, Database),
	PAIR_RECORD("reserve_pool_size", pair_needs_pool, Database),
	PAIR_RECORD("pool_mode", pair_needs_pool, Database),
	PAIR_RECORD("server_lifetime", pair_needs_pool, Database),
	PAIR_RECORD("deny", pair_needs_guard, Database),
	PAIR_RECORD("allow", pair_needs_guard, Database),
	PAIR_RECORD("mode", pair_needs_guard, Database),
	PAIR_RECORD("read_only", pair_needs_guard, Database),
	PAIR_RECORD("max_rows", pair_needs_guard, Database),
	PAIR_RECORD("max_bytes", pair_needs_guard, Database),
	PAIR_RECORD("query_timeout", pair_needs_guard, Database),
#undef FIELD
};

static const PairTable table = {keys, sizeof(keys) / sizeof(keys[0]),
				"in a connection string; a sleeping compute is "
				"\"wake=control_plane\", a static one \"host=… port=…\""};

static bool check_whole(const Database *d, Fault *why)
{
	if (d->wake && d->n_hosts > 0)
		return fault_set(why, FAULT_BAD_SETTING,
				 "an entry has either host or wake=control_plane, not both");
	if (!d->wake && d->n_hosts == 0)
		return fault_set(why, FAULT_BAD_SETTING,
				 "an entry needs host=… or wake=control_plane");
	if (*d->password && !*d->user)
		return fault_set(why, FAULT_BAD_SETTING,
				 "password is that of user=…, which is missing; to let each client "
				 "log in under its own name, put the secrets into auth_file");
	return true;
}

bool database_parse(Database *d, const char *value, Fault *why)
{
	d->port = 5432;
	d->round_robin = true;
	d->max_db_connections = d->max_db_client_connections = -1;
	return pairs_parse(&table, d, value, why) && check_whole(d, why);
}

void database_free(Database *d)
{
	free(d->connect_query);
	free(d->auth_query);
	network_list_free(&d->allow);
	network_list_free(&d->deny);
	explicit_bzero(d->password, sizeof(d->password));
}
