/*
 * Reads the connection strings of [databases].
 *
 * The keys are a table: each is stored in a field, checked by a function of its
 * own, or known and refused with the reason, so that an admin who comes from
 * PgBouncer is told what each word means here.
 */
#include "conf/database.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define VALUE_MAX 1024

typedef bool Take(Database *d, const char *key, const char *value, Fault *why);

static bool bad(Fault *why, const char *key, const char *value, const char *right)
{
	return fault_set(why, FAULT_BAD_SETTING, "%s takes %s, not \"%s\"", key, right, value);
}

static bool take_hosts(Database *d, const char *key, const char *value, Fault *why)
{
	char list[VALUE_MAX], *rest = list;

	text_copy(list, sizeof(list), value);
	d->n_hosts = 0;
	while (rest) {
		char *host = text_trim(strsep(&rest, ","));

		if (d->n_hosts == DATABASE_HOSTS_MAX)
			return fault_set(why, FAULT_BAD_SETTING, "%s names more than %d hosts", key,
					 DATABASE_HOSTS_MAX);
		if (!*host || !text_copy(d->hosts[d->n_hosts], sizeof(d->hosts[0]), host))
			return bad(why, key, value, "host names, addresses or folders");
		d->n_hosts++;
	}
	return true;
}

static bool take_port(Database *d, const char *key, const char *value, Fault *why)
{
	char *end;
	long port = strtol(value, &end, 10);

	if (end == value || *end || port < 1 || port > 65535)
		return bad(why, key, value, "a port from 1 to 65535");
	d->port = (int)port;
	return true;
}

static bool take_wake(Database *d, const char *key, const char *value, Fault *why)
{
	d->wake = strcmp(value, "control_plane") == 0;
	return d->wake || bad(why, key, value, "control_plane");
}

static bool take_engine(Database *d, const char *key, const char *value, Fault *why)
{
	if (strcmp(value, "postgres") != 0 && strcmp(value, "mariadb") != 0)
		return bad(why, key, value, "postgres or mariadb");
	return text_copy(d->engine, sizeof(d->engine), value);
}

static bool take_balance(Database *d, const char *key, const char *value, Fault *why)
{
	d->round_robin = strcmp(value, "round-robin") == 0;
	return d->round_robin || strcmp(value, "disable") == 0 ||
	       bad(why, key, value, "round-robin or disable");
}

static bool take_connect_query(Database *d, const char *key, const char *value, Fault *why)
{
	(void)key, (void)why;
	free(d->connect_query);
	d->connect_query = *value ? mem_text(value) : NULL;
	return true;
}

static bool refuse_password(Database *d, const char *key, const char *value, Fault *why)
{
	(void)d, (void)key, (void)value;
	return fault_set(why, FAULT_BAD_SETTING,
			 "password is of no use with auth_type = passthrough: clients prove "
			 "themselves to the compute; remove it");
}

static bool refuse_pooling(Database *d, const char *key, const char *value, Fault *why)
{
	(void)d, (void)value;
	return fault_set(why, FAULT_BAD_SETTING,
			 "%s needs a pool or verifiers of our own, which this version does not "
			 "have; remove it",
			 key);
}

/* A key is either stored as text at an offset, or handed to its function. */
static const struct Key {
	const char *name;
	size_t offset, size;
	Take *take;
} keys[] = {
#define STORED(key, field)                                                           \
	{                                                                            \
		key, offsetof(Database, field), sizeof(((Database *)0)->field), NULL \
	}
	STORED("dbname", dbname),
	STORED("user", user),
	STORED("client_encoding", client_encoding),
	STORED("datestyle", datestyle),
	STORED("timezone", timezone),
	STORED("application_name", application_name),
	{"host", 0, 0, take_hosts},
	{"hostaddr", 0, 0, take_hosts},
	{"port", 0, 0, take_port},
	{"wake", 0, 0, take_wake},
	{"engine", 0, 0, take_engine},
	{"load_balance_hosts", 0, 0, take_balance},
	{"connect_query", 0, 0, take_connect_query},
	{"password", 0, 0, refuse_password},
	{"auth_user", 0, 0, refuse_pooling},
	{"auth_query", 0, 0, refuse_pooling},
	{"auth_dbname", 0, 0, refuse_pooling},
	{"pool_size", 0, 0, refuse_pooling},
	{"min_pool_size", 0, 0, refuse_pooling},
	{"reserve_pool", 0, 0, refuse_pooling},
	{"reserve_pool_size", 0, 0, refuse_pooling},
	{"pool_mode", 0, 0, refuse_pooling},
	{"max_db_connections", 0, 0, refuse_pooling},
	{"max_db_client_connections", 0, 0, refuse_pooling},
	{"server_lifetime", 0, 0, refuse_pooling},
	{"deny", 0, 0, refuse_pooling},
	{"allow", 0, 0, refuse_pooling},
	{"mode", 0, 0, refuse_pooling},
	{"read_only", 0, 0, refuse_pooling},
	{"max_rows", 0, 0, refuse_pooling},
	{"max_bytes", 0, 0, refuse_pooling},
	{"query_timeout", 0, 0, refuse_pooling},
};

static bool take(Database *d, const char *name, const char *value, Fault *why)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct Key *key = &keys[i];

		if (strcmp(key->name, name) != 0)
			continue;
		if (key->take)
			return key->take(d, name, value, why);
		return text_copy((char *)d + key->offset, key->size, value) ||
		       fault_set(why, FAULT_BAD_SETTING, "the value of %s is longer than %zu bytes",
				 name, key->size - 1);
	}
	return fault_set(why, FAULT_BAD_SETTING,
			 "\"%s\" is not known in a connection string; a sleeping compute is "
			 "\"wake=control_plane\", a static one \"host=… port=…\"",
			 name);
}

/* Reads one value: bare up to white space, or in quotes that are doubled inside. */
static bool read_value(const char **at, char *out, size_t size, Fault *why)
{
	const char *p = *at;
	bool quoted = *p == '\'', closed = !quoted;
	size_t n = 0;

	if (quoted)
		p++;
	for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
		if (quoted && *p == '\'' && *++p != '\'') {
			closed = true;
			break;
		}
		if (n + 1 == size)
			return fault_set(why, FAULT_BAD_SETTING, "a value is longer than %zu bytes",
					 size - 1);
		out[n++] = *p;
	}
	if (!closed)
		return fault_set(why, FAULT_BAD_SETTING, "a quote is not closed");
	out[n] = 0;
	*at = p;
	return true;
}

static bool check_whole(const Database *d, Fault *why)
{
	if (d->wake && d->n_hosts > 0)
		return fault_set(why, FAULT_BAD_SETTING,
				 "an entry has either host or wake=control_plane, not both");
	if (!d->wake && d->n_hosts == 0)
		return fault_set(why, FAULT_BAD_SETTING,
				 "an entry needs host=… or wake=control_plane");
	return true;
}

bool database_parse(Database *d, const char *value, Fault *why)
{
	char name[64], text[VALUE_MAX];
	const char *p = value;

	d->port = 5432;
	d->round_robin = true;
	for (;;) {
		size_t n;

		p += strspn(p, " \t");
		if (!*p)
			return check_whole(d, why);
		n = strcspn(p, "= \t");
		if (!text_copy_n(name, sizeof(name), p, n))
			return fault_set(why, FAULT_BAD_SETTING, "a key is too long");
		p += n;
		p += strspn(p, " \t");
		if (*p != '=')
			return fault_set(why, FAULT_BAD_SETTING,
					 "expected key=value pairs, but \"%s\" has no value", name);
		p++;
		p += strspn(p, " \t");
		if (!read_value(&p, text, sizeof(text), why) || !take(d, name, text, why))
			return false;
	}
}

void database_free(Database *d)
{
	free(d->connect_query);
}
