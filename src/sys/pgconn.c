#include "sys/pgconn.h"

#include <assert.h>
#include <event2/event.h>
#include <libpq-fe.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

/* libpq's own word for a result; the names differ so that its header stays in here. */
static const PGresult *result_of(const PgRows *rows)
{
	return (const PGresult *)rows;
}

/* No file can have this name. Where libpq is told of no file, it takes one from the user's home. */
#define NOWHERE "/dev/null/nowhere"

#define FIXED SIZE_MAX

/*
 * What libpq is told besides the port.  It takes an empty text for "not given", so
 * what must not be its own default has another value.
 */
static const struct {
	const char *keyword;
	size_t member; /* of a PgTarget, or FIXED */
	const char *otherwise;
} parameters[] = {
	{"host", offsetof(PgTarget, host), ""},
	{"hostaddr", offsetof(PgTarget, hostaddr), ""},
	{"user", offsetof(PgTarget, user), ""},
	{"password", offsetof(PgTarget, password), ""},
	{"dbname", offsetof(PgTarget, dbname), ""},
	{"sslmode", offsetof(PgTarget, sslmode), "disable"},
	{"sslrootcert", offsetof(PgTarget, sslrootcert), NOWHERE},
	{"sslcert", offsetof(PgTarget, sslcert), NOWHERE},
	{"sslkey", offsetof(PgTarget, sslkey), NOWHERE},
	{"options", offsetof(PgTarget, options), ""},
	{"application_name", offsetof(PgTarget, application_name), "reveille"},
	{"replication", offsetof(PgTarget, replication), ""},
	{"passfile", FIXED, NOWHERE},
	{"sslcrl", FIXED, NOWHERE},
	{"gssencmode", FIXED, "disable"},
};

#define N_PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

struct PgConn {
	Loop *loop;
	PGconn *pq;
	char port[8];
	char *values[N_PARAMETERS];
	char *url;       /* instead of values and port, or NULL */
	char *sql;       /* what is being asked, or NULL */
	char *param;     /* its only one, if it is ours to keep */
	PgParams params; /* of what is being asked */
	char state[6];   /* the last answer's SQLSTATE, if it was an error */
	void (*on_lost)(void *arg);
	struct event io;
	bool io_set;
	Timer deadline;
	PgAnswer on_answer;
	void *arg;
};

static void on_io(evutil_socket_t fd, short what, void *arg);

static void wait_for(PgConn *c, short what)
{
	if (c->io_set)
		event_del(&c->io);
	/* libpq may change its socket while it connects, so it is asked each time. */
	event_assign(&c->io, loop_base(c->loop), PQsocket(c->pq), what, on_io, c);
	event_add(&c->io, NULL);
	c->io_set = true;
}

static void stop_waiting(PgConn *c)
{
	if (c->io_set)
		event_del(&c->io);
	c->io_set = false;
	timer_stop(&c->deadline);
}

static void answer(PgConn *c, const PGresult *rows, const char *error)
{
	char text[512] = "";

	stop_waiting(c);
	free(c->sql);
	free(c->param);
	c->sql = c->param = NULL;
	if (error) {
		text_copy(text, sizeof(text), error);
		text[strcspn(text, "\n")] = 0;
	}
	c->on_answer(c->arg, (const PgRows *)rows, error ? text : NULL);
}

static bool send_to_libpq(PgConn *c)
{
	Oid types[PG_PARAMS];

	if (c->params.n == 0)
		return PQsendQuery(c->pq, c->sql);
	for (int i = 0; i < c->params.n; i++)
		types[i] = c->params.types[i];
	return PQsendQueryParams(c->pq, c->sql, c->params.n, types, c->params.values, NULL, NULL,
				 0);
}

static void send_question(PgConn *c)
{
	if (!send_to_libpq(c)) {
		answer(c, NULL, PQerrorMessage(c->pq));
		return;
	}
	wait_for(c, EV_READ);
}

static void connect_further(PgConn *c)
{
	switch (PQconnectPoll(c->pq)) {
	case PGRES_POLLING_READING:
		wait_for(c, EV_READ);
		return;
	case PGRES_POLLING_WRITING:
		wait_for(c, EV_WRITE);
		return;
	case PGRES_POLLING_OK:
		send_question(c);
		return;
	default:
		answer(c, NULL, PQerrorMessage(c->pq));
	}
}

/* The last result counts; libpq hands out NULL when there are no more. */
static PGresult *take_result(PGconn *pq)
{
	PGresult *last = NULL, *next;

	while ((next = PQgetResult(pq)) != NULL) {
		PQclear(last);
		last = next;
	}
	return last;
}

/* Only an error that leaves the connection as it was has one. */
static void note_state(PgConn *c, const PGresult *rows)
{
	const char *state = PQresultErrorField(rows, PG_DIAG_SQLSTATE);

	if (state && PQstatus(c->pq) == CONNECTION_OK)
		text_copy(c->state, sizeof(c->state), state);
}

static void read_answer(PgConn *c)
{
	PGresult *rows;

	if (!PQconsumeInput(c->pq)) {
		answer(c, NULL, PQerrorMessage(c->pq));
		return;
	}
	if (PQisBusy(c->pq)) {
		wait_for(c, EV_READ);
		return;
	}
	rows = take_result(c->pq);
	if (PQresultStatus(rows) == PGRES_TUPLES_OK || PQresultStatus(rows) == PGRES_COMMAND_OK) {
		answer(c, rows, NULL);
	} else {
		note_state(c, rows);
		answer(c, NULL, PQerrorMessage(c->pq));
	}
	PQclear(rows);
}

/* Nothing was asked: a notice, or the end. */
static void read_unasked(PgConn *c)
{
	if (PQconsumeInput(c->pq) && PQstatus(c->pq) == CONNECTION_OK) {
		wait_for(c, EV_READ);
		return;
	}
	stop_waiting(c);
	c->on_lost(c->arg);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	PgConn *c = arg;

	(void)fd, (void)what;
	if (!c->sql)
		read_unasked(c);
	else if (PQstatus(c->pq) == CONNECTION_OK)
		read_answer(c);
	else
		connect_further(c);
}

static void on_deadline(void *arg)
{
	answer(arg, NULL, "no answer in time");
}

/* What is taken out moves behind the end: whoever allocated it may still find it there. */
void pgconn_forget_environment(void)
{
	char **kept = environ, **entry;

	for (entry = environ; *entry; entry++) {
		char *text = *entry;

		if (text_starts(text, "PG"))
			continue;
		*entry = *kept;
		*kept++ = text;
	}
	*entry = *kept;
	*kept = NULL;
}

static const char *value_of(const PgTarget *target, size_t i)
{
	const char *given = NULL;

	if (parameters[i].member != FIXED)
		given = *(const char *const *)((const char *)target + parameters[i].member);
	return given && *given ? given : parameters[i].otherwise;
}

static PgConn *new_conn(Loop *loop, PgAnswer on_answer, void *arg)
{
	PgConn *c = NEW(PgConn);

	c->loop = loop;
	timer_init(&c->deadline, loop, on_deadline, c);
	c->on_answer = on_answer;
	c->arg = arg;
	return c;
}

PgConn *pgconn_new(Loop *loop, const PgTarget *target, PgAnswer on_answer, void *arg)
{
	PgConn *c = new_conn(loop, on_answer, arg);

	snprintf(c->port, sizeof(c->port), "%d", target->port);
	for (size_t i = 0; i < N_PARAMETERS; i++)
		c->values[i] = mem_text(value_of(target, i));
	return c;
}

PgConn *pgconn_new_url(Loop *loop, const char *url, PgAnswer on_answer, void *arg)
{
	PgConn *c = new_conn(loop, on_answer, arg);

	c->url = mem_text(url);
	return c;
}

bool pgconn_url_is_good(const char *url, Fault *why)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &error);
	bool good = options != NULL;

	if (!good)
		fault_set(why, FAULT_BAD_SETTING, "not a URL that libpq understands: %s",
			  error ? error : "");
	PQconninfoFree(options);
	PQfreemem(error);
	return good;
}

/* Without this a server's words would be on our standard error. */
static void on_notice(void *arg, const PGresult *notice)
{
	(void)arg, (void)notice;
}

/* What dies without a word is noticed within seconds, by us and by the server. */
static PGconn *begin_url(const char *url)
{
	static const char server_side[] = "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=2"
					  " -c tcp_keepalives_count=2 -c tcp_user_timeout=6000";
	const char *const names[] = {"options",          "keepalives_idle",  "keepalives_interval",
				     "keepalives_count", "tcp_user_timeout", "connect_timeout",
				     "application_name", "dbname",           NULL};
	const char *const values[] = {server_side, "2",        "2", "2", "6000",
				      "5",         "reveille", url, NULL};

	return PQconnectStartParams(names, values, 1);
}

static PGconn *begin_target(PgConn *c)
{
	const char *names[N_PARAMETERS + 2] = {"port"}, *values[N_PARAMETERS + 2] = {c->port};

	for (size_t i = 0; i < N_PARAMETERS; i++) {
		names[i + 1] = parameters[i].keyword;
		values[i + 1] = c->values[i];
	}
	return PQconnectStartParams(names, values, 0);
}

static void begin(PgConn *c)
{
	c->pq = c->url ? begin_url(c->url) : begin_target(c);
	PQsetNoticeReceiver(c->pq, on_notice, NULL);
}

static void ask(PgConn *c, const char *sql, int64_t timeout_ms)
{
	assert(!c->sql);
	c->sql = mem_text(sql);
	c->state[0] = 0;
	if (timeout_ms > 0)
		timer_arm(&c->deadline, timeout_ms);
	if (c->pq) {
		send_question(c);
		return;
	}
	begin(c);
	/* Without a socket there is nothing to wait for; the deadline tells, and soon. */
	if (!c->pq || PQstatus(c->pq) == CONNECTION_BAD)
		timer_arm(&c->deadline, 0);
	else
		wait_for(c, EV_WRITE);
}

void pgconn_ask(PgConn *c, const char *sql, int64_t timeout_ms)
{
	c->params.n = 0;
	ask(c, sql, timeout_ms);
}

void pgconn_ask_with(PgConn *c, const char *sql, const char *param, int64_t timeout_ms)
{
	c->param = mem_text(param);
	c->params = (PgParams){.n = 1, .types = {PG_UNKNOWN}, .values = {c->param}};
	ask(c, sql, timeout_ms);
}

void pgconn_ask_params(PgConn *c, const char *sql, const PgParams *params, int64_t timeout_ms)
{
	c->params = *params;
	ask(c, sql, timeout_ms);
}

const char *pgconn_sqlstate(const PgConn *c)
{
	return c->state;
}

void pgconn_watch(PgConn *c, void (*on_lost)(void *arg))
{
	c->on_lost = on_lost;
	wait_for(c, EV_READ);
}

/* One of them is a password. */
static void free_values(PgConn *c)
{
	for (size_t i = 0; i < N_PARAMETERS; i++)
		mem_wipe_text(c->values[i]);
	mem_wipe_text(c->url);
}

static void free_conn(void *object)
{
	PgConn *c = object;

	PQfinish(c->pq);
	free_values(c);
	free(c->sql);
	free(c->param);
	free(c);
}

void pgconn_free(PgConn *c)
{
	stop_waiting(c);
	loop_bury(c->loop, c, free_conn);
}

int pg_rows_count(const PgRows *rows)
{
	return PQntuples(result_of(rows));
}

int pg_rows_columns(const PgRows *rows)
{
	return PQnfields(result_of(rows));
}

int pg_rows_touched(const PgRows *rows)
{
	const char *changed = PQcmdTuples((PGresult *)(uintptr_t)result_of(rows));

	return atoi(changed);
}

const char *pg_rows_text(const PgRows *rows, int row, int column)
{
	const char *text = PQgetvalue(result_of(rows), row, column);

	return text ? text : "";
}

int64_t pg_rows_int(const PgRows *rows, int row, int column)
{
	return strtoll(pg_rows_text(rows, row, column), NULL, 10);
}

bool pg_rows_is_null(const PgRows *rows, int row, int column)
{
	return PQgetisnull(result_of(rows), row, column);
}
