#include "sys/pgconn.h"

#include <assert.h>
#include <event2/event.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* libpq's own word for a result; the names differ so that its header stays in here. */
static const PGresult *result_of(const PgRows *rows)
{
	return (const PGresult *)rows;
}

struct PgConn {
	Loop *loop;
	PGconn *pq;
	char host[256], port[8], user[64], password[128], dbname[64];
	char *sql; /* what is being asked, or NULL */
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
	c->sql = NULL;
	if (error) {
		text_copy(text, sizeof(text), error);
		text[strcspn(text, "\n")] = 0;
	}
	c->on_answer(c->arg, (const PgRows *)rows, error ? text : NULL);
}

static void send_question(PgConn *c)
{
	if (!PQsendQuery(c->pq, c->sql)) {
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
	if (PQresultStatus(rows) == PGRES_TUPLES_OK || PQresultStatus(rows) == PGRES_COMMAND_OK)
		answer(c, rows, NULL);
	else
		answer(c, NULL, PQerrorMessage(c->pq));
	PQclear(rows);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	PgConn *c = arg;

	(void)fd, (void)what;
	if (PQstatus(c->pq) == CONNECTION_OK)
		read_answer(c);
	else
		connect_further(c);
}

static void on_deadline(void *arg)
{
	answer(arg, NULL, "no answer in time");
}

PgConn *pgconn_new(Loop *loop, const PgTarget *target, PgAnswer on_answer, void *arg)
{
	PgConn *c = NEW(PgConn);

	c->loop = loop;
	text_copy(c->host, sizeof(c->host), target->host);
	snprintf(c->port, sizeof(c->port), "%d", target->port);
	text_copy(c->user, sizeof(c->user), target->user);
	text_copy(c->password, sizeof(c->password), target->password);
	text_copy(c->dbname, sizeof(c->dbname), target->dbname);
	timer_init(&c->deadline, loop, on_deadline, c);
	c->on_answer = on_answer;
	c->arg = arg;
	return c;
}

static void begin(PgConn *c)
{
	const char *names[] = {"host",   "port",    "user",       "password",
			       "dbname", "sslmode", "gssencmode", "application_name",
			       NULL};
	const char *values[] = {c->host,   c->port,   c->user,    c->password, c->dbname,
				"disable", "disable", "reveille", NULL};

	c->pq = PQconnectStartParams(names, values, 0);
}

void pgconn_ask(PgConn *c, const char *sql, int64_t timeout_ms)
{
	assert(!c->sql);
	c->sql = mem_text(sql);
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

static void free_conn(void *object)
{
	PgConn *c = object;

	PQfinish(c->pq);
	explicit_bzero(c->password, sizeof(c->password));
	free(c->sql);
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

const char *pg_rows_text(const PgRows *rows, int row, int column)
{
	return PQgetvalue(result_of(rows), row, column);
}

int64_t pg_rows_int(const PgRows *rows, int row, int column)
{
	return strtoll(pg_rows_text(rows, row, column), NULL, 10);
}
