#include "provision.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/text.h"
#include "controller.h"
#include "sys/log.h"
#include "sys/pgconn.h"

#define BEFORE_ACTIVE_MS 3000
#define WHILE_ACTIVE_MS  20000
#define AGAIN_MS         10000

typedef struct Listener {
	void (*on_over)(void *arg);
	void *arg;
	SLIST_ENTRY(Listener) link;
} Listener;

/* A statement, and the database in which it is said. */
typedef struct Saying {
	char database[ID_SIZE];
	char *sql;
} Saying;

struct Provision {
	Unit *unit; /* NULL: stopped while the store had not answered */
	char folder[ADDRESS_SIZE];
	PgConn *conn; /* NULL: none yet */
	char database[ID_SIZE];
	Chore chore;
	bool planned;
	Saying *sayings;
	int n, at;
	bool settling; /* the store has not answered yet */
	Timer deadline;
	SLIST_HEAD(, Listener) listeners;
};

/*
 * What is to be said for each chore, as rows of database and statement.  The server writes
 * the statements itself, which quotes names as only it can.  The control role has to be a
 * member of a role to give or take what is that role's, and is one only meanwhile.  $1 stands
 * for the name, $2 for the secret or the owner.
 */
static const char put_role[] =
	"SELECT 'postgres', CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
	" THEN format('SELECT reveille.set_secret(%L, %L)', $1, $2)"
	" ELSE format('CREATE ROLE %I LOGIN PASSWORD %L', $1, $2) END";

/* In a database whose owner is not ours to become, what the role has goes with it. */
static const char drop_role[] =
	"SELECT d, s FROM (SELECT 0 AS n, 'postgres' AS d, ARRAY["
	"  format('ALTER ROLE %I NOLOGIN', $1),"
	"  format('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %L', $1),"
	"  format('GRANT %I TO CURRENT_USER', $1)] AS sayings"
	" UNION ALL SELECT 1, datname, CASE WHEN rolsuper THEN"
	"   ARRAY[format('DROP OWNED BY %I', $1)]"
	"  ELSE ARRAY[format('GRANT %I TO CURRENT_USER', rolname),"
	"   format('REASSIGN OWNED BY %I TO %I', $1, rolname),"
	"   format('DROP OWNED BY %I', $1),"
	"   format('REVOKE %I FROM CURRENT_USER', rolname)] END"
	"  FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba"
	"  WHERE datallowconn AND rolname <> $1"
	" UNION ALL SELECT 2, 'postgres', ARRAY[format('DROP ROLE %I', $1)]) AS everything,"
	" unnest(sayings) WITH ORDINALITY AS one (s, k)"
	" WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AND $2 = $2 ORDER BY n, d, k";

static const char put_database[] =
	"SELECT 'postgres', unnest(ARRAY[format('GRANT %I TO CURRENT_USER', $2),"
	" CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = $1)"
	" THEN format('ALTER DATABASE %I OWNER TO %I', $1, $2)"
	" ELSE format('CREATE DATABASE %I OWNER %I', $1, $2) END,"
	" format('REVOKE %I FROM CURRENT_USER', $2)])";

static const char drop_database[] =
	"SELECT 'postgres', unnest(ARRAY[format('GRANT %I TO CURRENT_USER', rolname),"
	" format('DROP DATABASE IF EXISTS %I WITH (FORCE)', $1),"
	" format('REVOKE %I FROM CURRENT_USER', rolname)])"
	" FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE datname = $1 AND $2 = $2";

/* ---- the end ----------------------------------------------------------- */

static void forget_sayings(Provision *p)
{
	for (int i = 0; i < p->n; i++)
		mem_wipe_text(p->sayings[i].sql);
	free(p->sayings);
	p->sayings = NULL;
	p->n = p->at = 0;
}

static void hang_up(Provision *p)
{
	if (p->conn)
		pgconn_free(p->conn);
	p->conn = NULL;
}

static void tell_listeners(Provision *p)
{
	while (!SLIST_EMPTY(&p->listeners)) {
		Listener *l = SLIST_FIRST(&p->listeners);

		SLIST_REMOVE_HEAD(&p->listeners, link);
		l->on_over(l->arg);
		free(l);
	}
}

/* What was refused is tried again, later. */
static void end(Provision *p)
{
	Unit *u = p->unit;

	hang_up(p);
	timer_stop(&p->deadline);
	forget_sayings(p);
	u->provision = NULL;
	p->unit = NULL;
	if (roster_is_pending(&u->roster))
		timer_arm(&u->provision_again, AGAIN_MS);
	tell_listeners(p);
	if (!p->settling)
		loop_bury(u->controller->loop, p, free);
}

/* ---- chores ----------------------------------------------------------- */

static const char *pending_of(const Chore *e)
{
	return e->is_database ? e->database.pending : e->role.pending;
}

static const char *name_of(const Chore *e)
{
	return e->is_database ? e->database.name : e->role.name;
}

static const char *plan_of(const Chore *e)
{
	bool drop = strcmp(pending_of(e), "drop") == 0;

	if (e->is_database)
		return drop ? drop_database : put_database;
	return drop ? drop_role : put_role;
}

/* What was said of it stands with it, unless it is another thing by now. */
static void note_failure(Provision *p, const char *error)
{
	Roster *r = &p->unit->roster;
	Role *role = p->chore.is_database ? NULL : roster_role(r, p->chore.role.name);
	OwnedDatabase *database =
		p->chore.is_database ? roster_database(r, p->chore.database.name) : NULL;
	char name[2 * ID_SIZE + 2], words[2 * FAILURE_SIZE];

	log_warning("a server refused a role or database: compute=%s name=%s error=%s",
		    p->unit->compute.id, text_quote(name, sizeof(name), name_of(&p->chore)),
		    text_quote(words, sizeof(words), error));
	if (role)
		text_copy(role->failure, sizeof(role->failure), error);
	if (database)
		text_copy(database->failure, sizeof(database->failure), error);
}

static void next_chore(Provision *p);

static bool has_ended(Provision *p, const Fault *why)
{
	p->settling = false;
	if (!p->unit) {
		free(p);
		return true;
	}
	if (why)
		note_failure(p, why->detail);
	return false;
}

static void on_role_settled(void *arg, const StoreRows *rows, const Fault *why)
{
	Provision *p = arg;

	if (has_ended(p, why))
		return;
	if (!why && rows->n > 0)
		roster_put_role(&p->unit->roster, &rows->roles[0]);
	else if (!why)
		roster_remove_role(&p->unit->roster, p->chore.role.name);
	next_chore(p);
}

static void on_database_settled(void *arg, const StoreRows *rows, const Fault *why)
{
	Provision *p = arg;

	if (has_ended(p, why))
		return;
	if (!why && rows->n > 0)
		roster_put_database(&p->unit->roster, &rows->databases[0]);
	else if (!why)
		roster_remove_database(&p->unit->roster, p->chore.database.name);
	next_chore(p);
}

static void settle(Provision *p)
{
	Store *store = p->unit->controller->store;
	char name[2 * ID_SIZE + 2];

	log_info("told a server of a role or database: compute=%s name=%s what=%s",
		 p->unit->compute.id, text_quote(name, sizeof(name), name_of(&p->chore)),
		 pending_of(&p->chore));
	forget_sayings(p);
	p->settling = true;
	if (p->chore.is_database)
		store_database_settled(store, &p->chore.database,
				       (StoreCall){on_database_settled, p});
	else
		store_role_settled(store, &p->chore.role, (StoreCall){on_role_settled, p});
}

/* ---- talking to the server --------------------------------------------- */

static void on_rows(void *arg, const PgRows *rows, const char *error);

/*
 * It comes as one who replicates, like the probe: a role that has taken all connections can
 * be dropped nevertheless.  What the owner of a database made the rule there does not hold
 * for us, and whoever keeps a lock is not waited for long: a backend that waits for one does
 * not notice that we have hung up.
 */
#define OPTIONS                                                       \
	"-c search_path=pg_catalog -c standard_conforming_strings=on" \
	" -c lock_timeout=2000 -c statement_timeout=0 -c default_transaction_read_only=off"

static void connect_to(Provision *p, const char *database)
{
	PgTarget target = {.host = p->folder,
			   .port = 5432,
			   .user = "reveille_control",
			   .password = p->unit->compute.control_password,
			   .dbname = database,
			   .replication = "database",
			   .options = OPTIONS};

	if (p->conn && strcmp(p->database, database) == 0)
		return;
	hang_up(p);
	text_copy(p->database, sizeof(p->database), database);
	p->conn = pgconn_new(p->unit->controller->loop, &target, on_rows, p);
}

static void say_next(Provision *p)
{
	if (p->at == p->n) {
		settle(p);
		return;
	}
	connect_to(p, p->sayings[p->at].database);
	pgconn_ask(p->conn, p->sayings[p->at].sql, 0);
}

static void take_plan(Provision *p, const PgRows *rows)
{
	p->n = pg_rows_count(rows);
	p->sayings = mem_new((size_t)p->n, sizeof(*p->sayings));
	for (int i = 0; i < p->n; i++) {
		text_copy(p->sayings[i].database, ID_SIZE, pg_rows_text(rows, i, 0));
		p->sayings[i].sql = mem_text(pg_rows_text(rows, i, 1));
	}
	p->planned = true;
	say_next(p);
}

static void write_literal(Buf *sql, const char *text)
{
	buf_append_u8(sql, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_append_u8(sql, '\'');
		buf_append_u8(sql, (uint8_t)*text);
	}
	buf_append_u8(sql, '\'');
}

/* Who replicates may ask plain questions alone, so what is given stands in the question. */
static void ask_for_plan(Provision *p, const char *plan, const char *const given[2])
{
	Buf sql = {0};

	for (; *plan; plan++) {
		if (*plan == '$')
			write_literal(&sql, given[*++plan - '1']);
		else
			buf_append_u8(&sql, (uint8_t)*plan);
	}
	buf_append_u8(&sql, 0);
	pgconn_ask(p->conn, (const char *)buf_span(&sql).at, 0);
	buf_free(&sql);
}

static void next_chore(Provision *p)
{
	const Chore *e = &p->chore;

	forget_sayings(p);
	if (!roster_next(&p->unit->roster, &p->chore)) {
		end(p);
		return;
	}
	p->planned = false;
	connect_to(p, "postgres");
	ask_for_plan(p, plan_of(e),
		     (const char *const[]){name_of(e),
					   e->is_database ? e->database.owner : e->role.verifier});
}

/* An error without an SQLSTATE is one of the connection: the next chore would fare no better. */
static void on_rows(void *arg, const PgRows *rows, const char *error)
{
	Provision *p = arg;

	if (error) {
		note_failure(p, error);
		if (*pgconn_sqlstate(p->conn))
			next_chore(p);
		else
			end(p);
		return;
	}
	if (!p->planned) {
		take_plan(p, rows);
		return;
	}
	p->at++;
	say_next(p);
}

/* ---- the beginning ----------------------------------------------------- */

static void on_deadline(void *arg)
{
	Provision *p = arg;

	note_failure(p, "the server did not answer in time");
	end(p);
}

static void listen_for(Provision *p, void (*on_over)(void *arg), void *arg)
{
	Listener *l = NEW(Listener);

	*l = (Listener){.on_over = on_over, .arg = arg};
	SLIST_INSERT_HEAD(&p->listeners, l, link);
}

static void begin(Unit *u, const char *address, int64_t within_ms)
{
	Provision *p = NEW(Provision);
	char *slash;

	assert(!u->provision);
	p->unit = u;
	u->provision = p;
	SLIST_INIT(&p->listeners);
	text_copy(p->folder, sizeof(p->folder), address);
	slash = strrchr(p->folder, '/');
	if (slash)
		*slash = 0;
	timer_stop(&u->provision_again);
	timer_init(&p->deadline, u->controller->loop, on_deadline, p);
	timer_arm(&p->deadline, within_ms);
	roster_forget_failures(&u->roster);
	next_chore(p);
}

bool provision_is_due(const Unit *u)
{
	return roster_is_pending(&u->roster);
}

void provision_before_active(Unit *u, const char *address, void (*on_over)(void *arg), void *arg)
{
	begin(u, address, BEFORE_ACTIVE_MS);
	listen_for(u->provision, on_over, arg);
}

void provision_look(Unit *u)
{
	if (unit_is_serving(u) && !u->provision && !timer_is_armed(&u->provision_again) &&
	    provision_is_due(u))
		begin(u, u->compute.address, WHILE_ACTIVE_MS);
}

void provision_now(Unit *u, void (*on_over)(void *arg), void *arg)
{
	timer_stop(&u->provision_again);
	provision_look(u);
	if (u->provision)
		listen_for(u->provision, on_over, arg);
	else
		on_over(arg);
}

static void on_again(void *arg)
{
	provision_look(arg);
}

void provision_init(Unit *u)
{
	timer_init(&u->provision_again, u->controller->loop, on_again, u);
}

void provision_stop(Unit *u)
{
	if (u->provision)
		end(u->provision);
	timer_stop(&u->provision_again);
}
