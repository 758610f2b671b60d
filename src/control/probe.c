#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/text.h"
#include "sys/pgconn.h"

#define CHECKPOINT_MS 120000
#define TIMEOUT_MS    5000

struct Probe {
	Loop *loop;
	PgConn *conn;
	ProbeAnswer on_answer;
	void (*on_done)(void *arg); /* of the checkpoint that is under way, or NULL */
	void *arg;
};

/*
 * In the order of ServerFacts; reveille.exempt names who is exempt.
 *
 * What has no state is a process of the server's own (writers, launchers); workers of
 * extensions have one while they run a query.  A backup begun by SQL shows only in what
 * its session asked last.  Index builds and the like count whoever began them, since to
 * stop them is to lose them.  PostgreSQL 17 names replication's workers more precisely.
 */
static const char question[] =
	"SELECT count(*) FILTER (WHERE client),"
	" count(*) FILTER (WHERE somebody AND NOT exempt AND state NOT LIKE 'idle%'),"
	" count(*) FILTER (WHERE somebody AND NOT exempt AND state LIKE 'idle in transaction%'),"
	" count(*) FILTER (WHERE somebody AND exempt AND state <> 'idle'),"
	" count(*) FILTER (WHERE backup),"
	" count(*) FILTER (WHERE replication AND NOT backup),"
	" count(*) FILTER (WHERE maintenance),"
	" (SELECT count(*) FROM pg_prepared_xacts),"
	" (coalesce(current_setting('idle_session_timeout', true), '0') <> '0' OR EXISTS"
	"  (SELECT FROM pg_db_role_setting, unnest(setconfig) AS own"
	"   WHERE own LIKE 'idle\\_session\\_timeout=%' AND own NOT LIKE '%=0'))::int,"
	" coalesce((1000 * extract(epoch FROM clock_timestamp() - max(state_change)"
	"  FILTER (WHERE client AND NOT exempt)))::bigint, -1)"
	" FROM (SELECT state, state_change,"
	"  backend_type = 'client backend' AS client,"
	"  backend_type NOT IN ('walsender', 'autovacuum worker', 'parallel worker')"
	"   AND backend_type NOT LIKE 'logical replication%' AND state IS NOT NULL AS somebody,"
	"  coalesce(usename = ANY (ARRAY(SELECT jsonb_array_elements_text(names->'roles')))"
	"   OR application_name LIKE ANY"
	"    (ARRAY(SELECT jsonb_array_elements_text(names->'applications'))), false) AS "
	"exempt,"
	"  pid IN (SELECT pid FROM pg_stat_progress_basebackup)"
	"   OR (backend_type = 'client backend'"
	"    AND query ~* '\\mpg_(backup_start|start_backup)\\s*\\(') AS backup,"
	"  backend_type = 'walsender' OR backend_type LIKE 'logical replication%worker'"
	"   AS replication,"
	"  backend_type IN ('autovacuum worker', 'parallel worker')"
	"   OR pid IN (SELECT pid FROM pg_stat_progress_vacuum"
	"    UNION ALL SELECT pid FROM pg_stat_progress_analyze"
	"    UNION ALL SELECT pid FROM pg_stat_progress_create_index"
	"    UNION ALL SELECT pid FROM pg_stat_progress_cluster"
	"    UNION ALL SELECT pid FROM pg_stat_progress_copy) AS maintenance"
	" FROM pg_stat_activity, (SELECT current_setting('reveille.exempt')::jsonb AS names) AS "
	"exempted"
	" WHERE pid <> pg_backend_pid() AND usename IS DISTINCT FROM current_user) AS others";

static int count_of(const PgRows *rows, int column)
{
	return (int)pg_rows_int(rows, 0, column);
}

static ServerFacts facts_of(const PgRows *rows)
{
	return (ServerFacts){
		.known = true,
		.sessions = count_of(rows, 0),
		.working = count_of(rows, 1),
		.in_transaction = count_of(rows, 2),
		.exempt_busy = count_of(rows, 3),
		.backups = count_of(rows, 4),
		.replicating = count_of(rows, 5),
		.maintaining = count_of(rows, 6),
		.prepared = count_of(rows, 7),
		.idle_timers = count_of(rows, 8) > 0,
		.idle_ms = pg_rows_int(rows, 0, 9),
	};
}

static void on_rows(void *arg, const PgRows *rows, const char *error)
{
	Probe *p = arg;
	ServerFacts facts = {.idle_ms = -1};
	void (*on_done)(void *) = p->on_done;

	p->on_done = NULL;
	if (on_done) {
		on_done(p->arg);
		return;
	}

	if (!error && pg_rows_count(rows) == 1)
		facts = facts_of(rows);
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

/*
 * It comes as one who replicates, and asks plain questions: for those there are places apart
 * from max_connections, so that clients who have taken all of them do not keep their compute
 * awake, and none of theirs is taken.
 */
Probe *probe_new(Loop *loop, const Compute *compute, ProbeAnswer on_answer, void *arg)
{
	Probe *p = NEW(Probe);
	char folder[ADDRESS_SIZE];
	PgTarget target = {.host = folder,
			   .port = 5432,
			   .user = "reveille_control",
			   .password = compute->control_password,
			   .dbname = "postgres",
			   .replication = "database",
			   .options = "-c search_path=pg_catalog "
				      "-c standard_conforming_strings=on"};

	folder_of(folder, compute->address);
	*p = (Probe){.loop = loop, .on_answer = on_answer, .arg = arg};
	p->conn = pgconn_new(loop, &target, on_rows, p);
	return p;
}

/* The names come first; what they are written in knows a word for the quote. */
static void write_names(Buf *sql, const char *names)
{
	buf_append(sql, span_of_text("SET reveille.exempt = '"));
	for (; *names; names++) {
		if (*names == '\'')
			buf_append(sql, span_of_text("\\u0027"));
		else
			buf_append_u8(sql, (uint8_t)*names);
	}
	buf_append(sql, span_of_text("';"));
}

void probe_ask(Probe *p, const Exempt *exempt)
{
	char *names = exempt_parameter(exempt);
	Buf sql = {0};

	write_names(&sql, names);
	buf_append(&sql, span_of_text(question));
	buf_append_u8(&sql, 0);
	pgconn_ask(p->conn, (const char *)buf_span(&sql).at, TIMEOUT_MS);
	buf_free(&sql);
	free(names);
}

void probe_checkpoint(Probe *p, void (*on_done)(void *arg))
{
	p->on_done = on_done;
	pgconn_ask(p->conn, "CHECKPOINT", CHECKPOINT_MS);
}

void probe_free(Probe *p)
{
	pgconn_free(p->conn);
	loop_bury(p->loop, p, free);
}
