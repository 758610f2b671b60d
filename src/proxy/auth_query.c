#include "auth_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "sys/log.h"
#include "sys/pgconn.h"
#include "worker.h"

#define ANSWER_MS 10000

struct AuthQuestion {
	AuthBase *base;
	char *query, user[DATABASE_NAME_MAX * 2];
	void (*on_secret)(void *arg, const char *secret, const char *error);
	void *arg;
	TAILQ_ENTRY(AuthQuestion) queue;
};

struct AuthBase {
	Worker *worker;
	char name[DATABASE_NAME_MAX], host[128], dbname[DATABASE_NAME_MAX];
	char asker[DATABASE_NAME_MAX];
	int port;
	PgConn *conn;
	Lookup *lookup;
	AuthQuestion *asked; /* whose answer is to come; NULL if none, or he has left */
	bool busy;
	TAILQ_HEAD(, AuthQuestion) queue;
	SLIST_ENTRY(AuthBase) all;
};

static const char *asker_of(const Config *conf, const Database *d)
{
	return *d->auth_user ? d->auth_user : conf->reveille.auth_user.s;
}

/* The entry whose database is asked: another one if that is configured, else its own. */
static const Database *base_of(const Config *conf, const Database *d)
{
	const char *name = *d->auth_dbname ? d->auth_dbname : conf->reveille.auth_dbname.s;

	return *name ? conf_database(conf, name) : d;
}

bool auth_query_applies(const Config *conf, const Database *d)
{
	const Database *base = base_of(conf, d);

	return *asker_of(conf, d) && base && base->n_hosts > 0;
}

static void answer(AuthQuestion *q, const char *secret, const char *error)
{
	q->on_secret(q->arg, secret, error);
	free(q->query);
	free(q);
}

static void drop_connection(AuthBase *b)
{
	if (b->conn)
		pgconn_free(b->conn);
	b->conn = NULL;
	b->busy = false;
}

static void on_answer(void *arg, const PgRows *rows, const char *error);

static void connect_base(AuthBase *b, const char *hostaddr)
{
	const char *secret = access_secret(b->worker->access, b->asker);
	const Config *conf = b->worker->conf;
	PgTarget target = {.host = b->host,
			   .hostaddr = hostaddr,
			   .port = b->port,
			   .user = b->asker,
			   .password = secret ? secret : "",
			   .dbname = b->dbname,
			   .sslmode = *b->host == '/' ? "disable"
						      : conf->reveille.server_tls_sslmode.s,
			   .sslrootcert = conf->reveille.server_tls_ca_file.s,
			   .sslcert = conf->reveille.server_tls_cert_file.s,
			   .sslkey = conf->reveille.server_tls_key_file.s,
			   .options = "-c search_path=pg_catalog",
			   .application_name = "reveille auth_query"};

	b->conn = pgconn_new(b->worker->loop, &target, on_answer, b);
}

static void ask_now(AuthBase *b)
{
	pgconn_ask_with(b->conn, b->asked->query, b->asked->user, ANSWER_MS);
}

/* libpq would look the name up itself, and block us meanwhile. */
static void on_resolved(void *arg, const Address *addresses, int n, const char *error)
{
	AuthBase *b = arg;
	ClientAddress first = {0};
	char ip[64];

	b->lookup = NULL;
	if (n == 0 || !b->asked) {
		on_answer(b, NULL, error ? error : "given up");
		return;
	}
	first.family = address_bytes(&addresses[0], first.bytes, &first.port);
	client_address_print_ip(&first, ip, sizeof(ip));
	connect_base(b, ip);
	ask_now(b);
}

static void ask_next(AuthBase *b)
{
	AuthQuestion *q = TAILQ_FIRST(&b->queue);

	if (b->busy || !q)
		return;
	TAILQ_REMOVE(&b->queue, q, queue);
	b->asked = q;
	b->busy = true;
	if (!b->conn && *b->host != '/' && *b->host != '@') {
		b->lookup = resolve(b->worker->resolver, b->host, b->port, on_resolved, b);
		return;
	}
	if (!b->conn)
		connect_base(b, "");
	ask_now(b);
}

/* Two columns, the user and the secret; a row of another user is a query that is wrong. */
static void tell(AuthQuestion *q, const PgRows *rows)
{
	if (pg_rows_count(rows) == 0)
		answer(q, NULL, NULL);
	else if (strcmp(pg_rows_text(rows, 0, 0), q->user) != 0)
		answer(q, NULL, "auth_query returned another user's row");
	else
		answer(q, pg_rows_is_null(rows, 0, 1) ? "" : pg_rows_text(rows, 0, 1), NULL);
}

static void on_answer(void *arg, const PgRows *rows, const char *error)
{
	AuthBase *b = arg;
	AuthQuestion *q = b->asked;

	b->asked = NULL;
	b->busy = false;
	if (error) {
		log_warning("auth_query failed: database=%s user=%s error=\"%s\"", b->name,
			    b->asker, error);
		drop_connection(b);
	}
	if (q && error)
		answer(q, NULL, error);
	else if (q)
		tell(q, rows);
	ask_next(b);
}

/* Who may be asked for any database is asked in one that each server has, not in a client's choice.
 */
static const char *dbname_of(const Database *d)
{
	if (*d->dbname)
		return d->dbname;
	return strcmp(d->name, "*") == 0 ? "postgres" : d->name;
}

static AuthBase *find_or_make(Worker *w, AuthBases *bases, const Database *d, const char *asker)
{
	AuthBase *b;

	SLIST_FOREACH(b, bases, all)
	{
		if (strcmp(b->name, d->name) == 0 && strcmp(b->asker, asker) == 0 &&
		    strcmp(b->host, d->hosts[0]) == 0 && b->port == d->port)
			return b;
	}
	b = NEW(AuthBase);
	b->worker = w;
	b->port = d->port;
	text_copy(b->name, sizeof(b->name), d->name);
	text_copy(b->host, sizeof(b->host), d->hosts[0]);
	text_copy(b->dbname, sizeof(b->dbname), dbname_of(d));
	text_copy(b->asker, sizeof(b->asker), asker);
	TAILQ_INIT(&b->queue);
	SLIST_INSERT_HEAD(bases, b, all);
	return b;
}

AuthQuestion *auth_query_ask(Worker *w, AuthBases *bases, const Config *conf, const Database *d,
			     const char *user,
			     void (*on_secret)(void *arg, const char *secret, const char *error),
			     void *arg)
{
	AuthQuestion *q = NEW(AuthQuestion);

	q->base = find_or_make(w, bases, base_of(conf, d), asker_of(conf, d));
	q->query = mem_text(d->auth_query ? d->auth_query : conf->reveille.auth_query.s);
	text_copy(q->user, sizeof(q->user), user);
	q->on_secret = on_secret;
	q->arg = arg;
	TAILQ_INSERT_TAIL(&q->base->queue, q, queue);
	ask_next(q->base);
	return q;
}

void auth_query_forget(AuthQuestion *q)
{
	if (q->base->asked == q)
		q->base->asked = NULL;
	else
		TAILQ_REMOVE(&q->base->queue, q, queue);
	free(q->query);
	free(q);
}

void auth_bases_free(AuthBases *bases)
{
	while (!SLIST_EMPTY(bases)) {
		AuthBase *b = SLIST_FIRST(bases);

		SLIST_REMOVE_HEAD(bases, all);
		drop_connection(b);
		if (b->lookup)
			resolve_cancel(b->lookup);
		free(b);
	}
}
