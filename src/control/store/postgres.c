/*
 * The shared store: a PostgreSQL database, for any number of control processes.
 *
 * One connection does the deeds, one after the other, statement by statement;
 * the loop never waits for it.  When it is lost, the deed under way fails
 * (nobody knows whether its COMMIT arrived: who asks again compares and swaps),
 * those behind it wait for a new connection.  When the server has said nothing
 * for a while, though it was asked, all of them are told.
 *
 * A second connection holds an advisory lock for as long as this process is in
 * charge.  The lock goes when the connection goes, whoever ends first: so the
 * next one is in charge as soon as the server notices, and we are told as soon
 * as our end of the connection is.  A connection may also stand and lead nowhere.
 * So we ask on it again and again, and stop being in charge when nothing comes
 * back; the server ends it when it hears nothing, and only after that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "deed.h"
#include "schema.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/pgconn.h"

#define PATIENCE_MS   8000 /* of deeds with a server that says nothing */
#define RETRY_MS      250
#define MOST_RETRY_MS 4000

/* Any number will do that no other program takes in the same database. */
#define LEADER_LOCK "7305233540"
#define TRY_LOCK    "SELECT pg_try_advisory_lock(" LEADER_LOCK ")::int"
#define AWAIT_LOCK  "SELECT pg_advisory_lock(" LEADER_LOCK ")"

/* Deeds are told first, then we are; the server gives up last, if it is 14 or later. */
#define PULSE_MS        3000
#define PULSE_ANSWER_MS 12000
#define PULSE           "SELECT 1"
#define FIRST_PULSE                                              \
	"SELECT set_config(name, '20s', false) FROM pg_settings" \
	" WHERE name = 'idle_session_timeout'"

typedef enum Stage { STAGE_BEGIN, STAGE_STATEMENTS, STAGE_COMMIT, STAGE_ROLLBACK } Stage;

typedef struct Postgres {
	Store store; /* first, so that a Store * is one of these */
	char *url;

	/* What is done, and what waits. */
	PgConn *conn;
	Deed *first, **last;
	bool busy; /* the first deed is under way */
	Stage stage;
	const Statement *at;
	Fault why; /* why it is rolled back */
	Timer turn, retry, patience;
	int64_t retry_ms;

	/* Being in charge. */
	PgConn *lock;
	bool leading;
	Timer lock_retry, pulse;
} Postgres;

static void next_deed(Postgres *p);
static void lose_lead(Postgres *p);

/* ---- the end of a deed ------------------------------------------------- */

static void end_first(Postgres *p, const Fault *why)
{
	Deed *d = p->first;
	bool overtaken = why && why->code == FAULT_NOT_LEADER;

	p->first = d->next;
	if (!p->first) {
		p->last = &p->first;
		timer_stop(&p->patience);
	}
	p->busy = false;
	deed_end(d, why);
	if (overtaken)
		lose_lead(p);
}

/* A single question needs no transaction. */
static bool is_alone(const Deed *d)
{
	return d->kind == DEED_READ && !d->first->next;
}

/* Whether it may have changed something; if not, it can simply be begun again. */
static bool has_begun(const Postgres *p)
{
	return p->busy && p->stage != STAGE_BEGIN && !is_alone(p->first);
}

static void connection_lost(Postgres *p, const char *error)
{
	bool doubt = has_begun(p) && p->stage == STAGE_COMMIT && p->leading;
	Fault why;

	pgconn_free(p->conn);
	p->conn = NULL;
	log_warning("the store's database does not answer, trying again: error=\"%s\"", error);
	timer_arm(&p->retry, p->retry_ms);
	p->retry_ms = p->retry_ms < MOST_RETRY_MS / 2 ? p->retry_ms * 2 : MOST_RETRY_MS;
	fault_set(&why, FAULT_STORE, "the store's database does not answer");
	if (has_begun(p))
		end_first(p, &why);
	p->busy = false;
	if (doubt)
		p->store.on_lead(p->store.lead_arg, LEAD_DOUBTS);
}

/* ---- statements -------------------------------------------------------- */

static void ask(Postgres *p, const char *sql)
{
	pgconn_ask(p->conn, sql, 0);
}

static void ask_statement(Postgres *p, const Statement *st)
{
	PgParams params = {.n = st->n_params};

	for (int i = 0; i < st->n_params; i++) {
		params.types[i] = st->is_text[i] ? PG_TEXT : PG_INT8;
		params.values[i] = st->texts[i];
	}
	if (params.n == 0)
		ask(p, st->sql);
	else
		pgconn_ask_params(p->conn, st->sql, &params, 0);
}

static void next_statement(Postgres *p)
{
	if (p->at) {
		p->stage = STAGE_STATEMENTS;
		ask_statement(p, p->at);
	} else if (is_alone(p->first)) {
		end_first(p, NULL);
		next_deed(p);
	} else {
		p->stage = STAGE_COMMIT;
		ask(p, "COMMIT");
	}
}

static void roll_back(Postgres *p)
{
	Fault why = p->why;

	if (is_alone(p->first)) {
		end_first(p, &why);
		next_deed(p);
		return;
	}
	p->stage = STAGE_ROLLBACK;
	ask(p, "ROLLBACK");
}

static void found_rows(Postgres *p, const PgRows *rows)
{
	int columns = pg_rows_columns(rows);
	const char **cells = mem_new((size_t)columns + 1, sizeof(*cells));
	Row row = {.n = columns, .cells = cells};

	for (int i = 0; i < pg_rows_count(rows); i++) {
		for (int k = 0; k < columns; k++)
			cells[k] = pg_rows_is_null(rows, i, k) ? NULL : pg_rows_text(rows, i, k);
		deed_found(p->first, p->at, &row);
	}
	free(cells);
}

static void on_statement_done(Postgres *p, const PgRows *rows)
{
	found_rows(p, rows);
	if (deed_satisfies(p->at, pg_rows_touched(rows), &p->why)) {
		p->at = p->at->next;
		next_statement(p);
	} else {
		roll_back(p);
	}
}

static void on_statement_failed(Postgres *p, const char *state, const char *error)
{
	if (strcmp(state, "23505") == 0)
		deed_not_unique(&p->why);
	else
		fault_set(&p->why, FAULT_STORE, "the store failed: %s", error);
	if (p->stage == STAGE_COMMIT) {
		Fault why = p->why;

		end_first(p, &why);
		next_deed(p);
	} else {
		roll_back(p);
	}
}

static void on_done(Postgres *p, const PgRows *rows)
{
	Fault why = p->why;

	switch (p->stage) {
	case STAGE_BEGIN:
		next_statement(p);
		return;
	case STAGE_STATEMENTS:
		on_statement_done(p, rows);
		return;
	case STAGE_COMMIT:
	case STAGE_ROLLBACK:
		end_first(p, p->stage == STAGE_COMMIT ? NULL : &why);
		next_deed(p);
		return;
	}
}

static void on_answer(void *arg, const PgRows *rows, const char *error)
{
	Postgres *p = arg;
	const char *state = pgconn_sqlstate(p->conn);

	if (!error || *state) {
		p->retry_ms = RETRY_MS;
		timer_arm(&p->patience, PATIENCE_MS);
	}
	if (!error)
		on_done(p, rows);
	else if (*state && p->stage != STAGE_ROLLBACK)
		on_statement_failed(p, state, error);
	else
		connection_lost(p, error);
}

/* ---- the queue --------------------------------------------------------- */

static void begin_first(Postgres *p)
{
	p->busy = true;
	p->at = p->first->first;
	p->why = (Fault){0};
	if (is_alone(p->first)) {
		next_statement(p);
		return;
	}
	p->stage = STAGE_BEGIN;
	ask(p, "BEGIN");
}

static void next_deed(Postgres *p)
{
	if (!p->first || p->busy || timer_is_armed(&p->retry))
		return;
	if (!p->conn)
		p->conn = pgconn_new_url(p->store.loop, p->url, on_answer, p);
	begin_first(p);
}

static void on_turn(void *arg)
{
	next_deed(arg);
}

static Deed *take_all(Postgres *p)
{
	Deed *all = p->first;

	p->first = NULL;
	p->last = &p->first;
	return all;
}

/* Nobody knows when it will answer again; those who come later wait anew. */
static void on_patience_end(void *arg)
{
	Postgres *p = arg;
	Deed *d, *next;
	Fault why;

	if (p->conn)
		connection_lost(p, "no answer in time");
	fault_set(&why, FAULT_STORE, "the store's database does not answer");
	for (d = take_all(p); d; d = next) {
		next = d->next;
		deed_end(d, &why);
	}
}

static void run(Store *store, Deed *d)
{
	Postgres *p = (Postgres *)store;

	*p->last = d;
	p->last = &d->next;
	timer_arm(&p->turn, 0);
	if (!timer_is_armed(&p->patience))
		timer_arm(&p->patience, PATIENCE_MS);
}

/* ---- being in charge --------------------------------------------------- */

static void tell(Postgres *p, LeadNews news)
{
	p->store.on_lead(p->store.lead_arg, news);
}

static void retry_lock(Postgres *p)
{
	pgconn_free(p->lock);
	p->lock = NULL;
	timer_arm(&p->lock_retry, RETRY_MS);
}

static void lose_lead(Postgres *p)
{
	if (!p->leading)
		return;
	p->leading = false;
	timer_stop(&p->pulse);
	tell(p, LEAD_LOST);
}

static void on_lock_lost(void *arg)
{
	lose_lead(arg);
}

static void on_pulse(void *arg)
{
	Postgres *p = arg;

	pgconn_ask(p->lock, PULSE, PULSE_ANSWER_MS);
}

/* An error that the server tells is an answer, too. */
static void on_pulse_answer(Postgres *p, const char *error)
{
	if (error && !*pgconn_sqlstate(p->lock)) {
		log_warning("the store's database says nothing of the leader's lock: error=\"%s\"",
			    error);
		lose_lead(p);
		return;
	}
	pgconn_watch(p->lock, on_lock_lost);
	timer_arm(&p->pulse, PULSE_MS);
}

static void won(Postgres *p)
{
	p->leading = true;
	pgconn_ask(p->lock, FIRST_PULSE, PULSE_ANSWER_MS);
	tell(p, LEAD_WON);
}

/* First it is only tried, so that one who has to wait knows that he does. */
static void on_lock_answer(void *arg, const PgRows *rows, const char *error)
{
	Postgres *p = arg;

	if (p->leading) {
		on_pulse_answer(p, error);
		return;
	}
	if (error) {
		log_warning("could not ask for the leader's lock, trying again: error=\"%s\"",
			    error);
		retry_lock(p);
		return;
	}
	if (pg_rows_is_null(rows, 0, 0) || *pg_rows_text(rows, 0, 0) != '0') {
		won(p);
		return;
	}
	tell(p, LEAD_OTHERS);
	pgconn_ask(p->lock, AWAIT_LOCK, 0);
}

static void ask_for_lock(void *arg)
{
	Postgres *p = arg;

	p->lock = pgconn_new_url(p->store.loop, p->url, on_lock_answer, p);
	pgconn_ask(p->lock, TRY_LOCK, PATIENCE_MS);
}

static void on_upgraded(void *arg, const StoreRows *rows, const Fault *why)
{
	Postgres *p = arg;
	Fault newer;

	if (why) {
		log_warning("could not prepare the store's database, trying again: error=\"%s\"",
			    why->detail);
		timer_arm(&p->lock_retry, RETRY_MS);
		return;
	}
	if (!schema_is_known(((const SchemaVersion *)rows->at)->version, &newer))
		die("the store cannot be used: error=\"%s\"", newer.detail);
	timer_init(&p->lock_retry, p->store.loop, ask_for_lock, p);
	ask_for_lock(p);
}

static void upgrade(void *arg)
{
	Postgres *p = arg;
	Deed *d = deed_new(&p->store, DEED_PROMISE, (StoreCall){on_upgraded, p});

	schema_say_postgres(d);
	deed_do(d);
}

static void lead(Store *store)
{
	upgrade(store);
}

/* ---- the store --------------------------------------------------------- */

static void free_store(void *object)
{
	Postgres *p = object;

	mem_wipe_text(p->url);
	free(p);
}

static void close_store(Store *store)
{
	Postgres *p = (Postgres *)store;
	Timer *timers[] = {&p->turn, &p->retry, &p->patience, &p->lock_retry, &p->pulse};

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		timer_stop(timers[i]);
	while (p->first) {
		Deed *next = p->first->next;

		deed_free(p->first);
		p->first = next;
	}
	if (p->conn)
		pgconn_free(p->conn);
	if (p->lock)
		pgconn_free(p->lock);
	loop_bury(store->loop, p, free_store);
}

static const StoreOps ops = {.run = run, .lead = lead, .close = close_store};

Store *store_postgres_open(Loop *loop, const char *url, Fault *why)
{
	Postgres *p;

	if (!pgconn_url_is_good(url, why))
		return NULL;
	p = NEW(Postgres);
	*p = (Postgres){.store = {.ops = &ops, .loop = loop, .shared = true},
			.url = mem_text(url),
			.retry_ms = RETRY_MS};
	p->last = &p->first;
	timer_init(&p->turn, loop, on_turn, p);
	timer_init(&p->retry, loop, on_turn, p);
	timer_init(&p->patience, loop, on_patience_end, p);
	timer_init(&p->lock_retry, loop, upgrade, p);
	timer_init(&p->pulse, loop, on_pulse, p);
	machine_boot_id(p->store.boot_id);
	return &p->store;
}
