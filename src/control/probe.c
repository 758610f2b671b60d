#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "sys/pgconn.h"

#define TIMEOUT_MS 5000

struct Probe {
	Loop *loop;
	PgConn *conn;
	ProbeAnswer on_answer;
	void *arg;
};

/* In the order of ServerFacts. The launcher of logical replication is always there. */
static const char question[] =
	"SELECT count(*) FILTER (WHERE client AND state NOT LIKE 'idle%'),"
	" count(*) FILTER (WHERE client AND state LIKE 'idle in transaction%'),"
	" count(*) FILTER (WHERE backend_type = 'walsender'),"
	" count(*) FILTER (WHERE backend_type IN ('autovacuum worker', 'parallel worker',"
	"  'logical replication worker')),"
	" coalesce((1000 * extract(epoch FROM clock_timestamp() - max(state_change)"
	"  FILTER (WHERE client)))::bigint, -1)"
	" FROM (SELECT *, backend_type = 'client backend' AS client FROM pg_stat_activity"
	"  WHERE pid <> pg_backend_pid() AND usename IS DISTINCT FROM current_user) AS others";

static void on_rows(void *arg, const PgRows *rows, const char *error)
{
	Probe *p = arg;
	ServerFacts facts = {.idle_ms = -1};

	if (!error && pg_rows_count(rows) == 1) {
		facts = (ServerFacts){
			.known = true,
			.working = (int)pg_rows_int(rows, 0, 0),
			.in_transaction = (int)pg_rows_int(rows, 0, 1),
			.replicating = (int)pg_rows_int(rows, 0, 2),
			.maintaining = (int)pg_rows_int(rows, 0, 3),
			.idle_ms = pg_rows_int(rows, 0, 4),
		};
	}
	p->on_answer(p->arg, &facts, error);
}

/* The address is a socket's full path; libpq wants its folder. */
static void folder_of(char out[ADDRESS_SIZE], const char *address)
{
	char *slash;

	text_copy(out, ADDRESS_SIZE, address);
	slash = strrchr(out, '/');
	if (slash)
		*slash = 0;
}

Probe *probe_new(Loop *loop, const Compute *compute, ProbeAnswer on_answer, void *arg)
{
	Probe *p = NEW(Probe);
	char folder[ADDRESS_SIZE];
	PgTarget target = {.host = folder,
			   .port = 5432,
			   .user = "reveille_control",
			   .password = compute->control_password,
			   .dbname = "postgres"};

	folder_of(folder, compute->address);
	*p = (Probe){.loop = loop, .on_answer = on_answer, .arg = arg};
	p->conn = pgconn_new(loop, &target, on_rows, p);
	return p;
}

void probe_ask(Probe *p)
{
	pgconn_ask(p->conn, question, TIMEOUT_MS);
}

void probe_free(Probe *p)
{
	pgconn_free(p->conn);
	loop_bury(p->loop, p, free);
}
