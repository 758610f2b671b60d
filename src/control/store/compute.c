/* Computes in the store: made, read, listed, configured; and every change of their state. */
#include <assert.h>

#include "../lifecycle.h"
#include "base/text.h"
#include "deed.h"
#include "shared.h"
#include "sys/clock.h"

ComputeState row_state(const Row *row, int column)
{
	char word[WORD_SIZE];

	row_text(row, column, word, sizeof(word));
	return compute_state_of_word(word);
}

void take_compute(void *record, const Row *row)
{
	Compute *c = record;

	row_text(row, 0, c->id, sizeof(c->id));
	row_text(row, 1, c->project_id, sizeof(c->project_id));
	row_text(row, 2, c->engine, sizeof(c->engine));
	c->state = row_state(row, 3);
	c->generation = row_int(row, 4);
	c->size = (int)row_int(row, 5);
	row_text(row, 6, c->config, sizeof(c->config));
	row_text(row, 7, c->incarnation, sizeof(c->incarnation));
	row_text(row, 8, c->address, sizeof(c->address));
	row_text(row, 9, c->failure, sizeof(c->failure));
	row_text(row, 10, c->verifier, sizeof(c->verifier));
	row_text(row, 11, c->control_password, sizeof(c->control_password));
	c->created_at = row_int(row, 12);
	c->last_activity = row_int(row, 13);
	c->since = row_int(row, 14);
}

/* ---- statements -------------------------------------------------------- */

void say_name_taken(Deed *d, const char *id)
{
	deed_say(d, "INSERT INTO names (id) VALUES ($1) ON CONFLICT DO NOTHING", "t", id);
	deed_expect(d, FAULT_EXISTS, "the name \"%s\" is taken", id);
}

void say_compute_get(Deed *d, const char *id)
{
	deed_say(d, "SELECT " COMPUTE_COLUMNS " FROM computes WHERE id = $1", "t", id);
	deed_expect(d, FAULT_NOT_FOUND, "there is no compute \"%s\"", id);
	deed_take(d, sizeof(Compute), take_compute);
}

void say_operation(Deed *d, const char *compute_id, ComputeState from, const char *reason)
{
	deed_say(d,
		 "INSERT INTO operations (project_id, compute_id, from_state, to_state, generation,"
		 " reason, at) SELECT project_id, id, $2, state, generation, $3, $4 FROM computes"
		 " WHERE id = $1",
		 "ttti", compute_id, compute_state_word(from), reason, wall_us());
}

void say_deleted_projects_gone(Deed *d)
{
	deed_say(d,
		 "DELETE FROM names WHERE id IN (SELECT id FROM projects WHERE deleting = 1"
		 " AND NOT EXISTS (SELECT 1 FROM computes WHERE project_id = projects.id))",
		 "");
	deed_say(d,
		 "DELETE FROM projects WHERE deleting = 1"
		 " AND NOT EXISTS (SELECT 1 FROM computes WHERE project_id = projects.id)",
		 "");
	deed_say(d,
		 "DELETE FROM tokens WHERE project_id <> ''"
		 " AND project_id NOT IN (SELECT id FROM projects)",
		 "");
}

/* ---- made and read ----------------------------------------------------- */

static void say_app(Deed *d, const Compute *c)
{
	deed_say(d,
		 "INSERT INTO roles (compute_id, name, verifier, created_at)"
		 " VALUES ($1, '" CLIENT_ROLE "', $2, $3)",
		 "tti", c->id, c->verifier, c->created_at);
	deed_say(d,
		 "INSERT INTO databases (compute_id, name, owner, created_at)"
		 " VALUES ($1, '" CLIENT_ROLE "', '" CLIENT_ROLE "', $2)",
		 "ti", c->id, c->created_at);
}

void store_compute_create(Store *s, const Compute *c, const PastAnswer *past, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	/* Held until we are done, so that the project cannot go meanwhile. */
	deed_say(d, "UPDATE projects SET deleting = 0 WHERE id = $1 AND deleting = 0", "t",
		 c->project_id);
	deed_expect(d, FAULT_NOT_FOUND, "there is no project \"%s\"", c->project_id);
	say_name_taken(d, c->id);
	deed_say(d,
		 "INSERT INTO computes (id, project_id, engine, state, generation, size, config,"
		 " verifier, control_password, created_at, last_activity, since)"
		 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		 "ttttiitttiii", c->id, c->project_id, c->engine, compute_state_word(c->state),
		 c->generation, (int64_t)c->size, c->config, c->verifier, c->control_password,
		 c->created_at, c->last_activity, c->created_at);
	say_app(d, c);
	say_operation(d, c->id, COMPUTE_GONE, "asked for");
	say_answer_begin(d, past);
	say_compute_get(d, c->id);
	deed_do(d);
}

void store_compute_get(Store *s, const char *id, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	say_compute_get(d, id);
	deed_do(d);
}

void store_compute_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT " COMPUTE_COLUMNS " FROM computes"
		 " WHERE ($1 = '' OR project_id = $1) AND id > $2 ORDER BY id LIMIT $3",
		 "tti", page->project_id, page->after, page_limit(page));
	deed_take(d, sizeof(Compute), take_compute);
	deed_do(d);
}

void store_compute_configure(Store *s, const Compute *c, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	deed_say(d, "UPDATE computes SET config = $1 WHERE id = $2", "tt", c->config, c->id);
	say_compute_get(d, c->id);
	deed_do(d);
}

/* ---- changes of state -------------------------------------------------- */

static void say_swap(Deed *d, const Move *m)
{
	deed_say(d,
		 "UPDATE computes SET state = $1, generation = generation + 1, incarnation = $2,"
		 " address = $3, failure = $4, since = $5"
		 " WHERE id = $6 AND state = $7 AND generation = $8",
		 "ttttitti", compute_state_word(m->to), m->incarnation, m->address,
		 m->to == COMPUTE_FAILED ? m->reason : "", wall_us(), m->compute_id,
		 compute_state_word(m->from), m->generation);
	deed_expect(d, FAULT_BUSY, "compute \"%s\" is being changed", m->compute_id);
}

static void say_intervals(Deed *d, const Move *m)
{
	IntervalKind before = lifecycle_interval(m->from), after = lifecycle_interval(m->to);

	if (before == after)
		return;
	if (m->cpu_us > 0)
		say_cpu(d, m->compute_id, m->cpu_start, m->cpu_us);
	if (before != INTERVAL_NONE)
		say_interval_ends(d, m->compute_id, m->unseen, m->reason);
	if (after != INTERVAL_NONE)
		say_interval_begins(d, m->compute_id, after, before != INTERVAL_NONE);
}

/* Nothing is kept of it any more, from now on. */
static void say_nothing_stored(Deed *d, const char *id)
{
	deed_say(d,
		 "INSERT INTO storage_usage (project_id, compute_id, at, bytes)"
		 " SELECT project_id, id, $2, 0 FROM computes WHERE id = $1",
		 "ti", id, wall_us());
}

static void say_gone(Deed *d, const char *id)
{
	say_nothing_stored(d, id);
	deed_say(d, "DELETE FROM roles WHERE compute_id = $1", "t", id);
	deed_say(d, "DELETE FROM databases WHERE compute_id = $1", "t", id);
	deed_say(d, "DELETE FROM names WHERE id = $1", "t", id);
	deed_say(d, "DELETE FROM computes WHERE id = $1", "t", id);
	say_deleted_projects_gone(d);
}

void store_compute_move(Store *s, const Move *m, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	assert(lifecycle_allows(m->from, m->to));
	say_swap(d, m);
	say_operation(d, m->compute_id, m->from, m->reason);
	say_intervals(d, m);
	say_compute_get(d, m->compute_id);
	if (m->to == COMPUTE_GONE)
		say_gone(d, m->compute_id);
	deed_do(d);
}

void store_compute_resize(Store *s, const Resize *r, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);
	IntervalKind kind = lifecycle_interval(r->state);

	deed_say(d,
		 "UPDATE computes SET size = $1, generation = generation + 1"
		 " WHERE id = $2 AND state = $3 AND generation = $4",
		 "itti", (int64_t)r->size, r->compute_id, compute_state_word(r->state),
		 r->generation);
	deed_expect(d, FAULT_BUSY, "compute \"%s\" is being changed", r->compute_id);
	say_operation(d, r->compute_id, r->state, r->reason);
	if (kind != INTERVAL_NONE) {
		say_interval_ends(d, r->compute_id, false, r->reason);
		say_interval_begins(d, r->compute_id, kind, true);
	}
	say_compute_get(d, r->compute_id);
	deed_do(d);
}

void store_compute_note(Store *s, const char *id, ComputeState state, const char *reason,
			StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	say_operation(d, id, state, reason);
	deed_do(d);
}
