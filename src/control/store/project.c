/* Projects in the store. */
#include "base/text.h"
#include "deed.h"
#include "shared.h"
#include "sys/clock.h"

#define COLUMNS "id, name, config, created_at, deleting"

static void take(void *record, const Row *row)
{
	Project *p = record;

	row_text(row, 0, p->id, sizeof(p->id));
	row_text(row, 1, p->name, sizeof(p->name));
	row_text(row, 2, p->config, sizeof(p->config));
	p->created_at = row_int(row, 3);
	p->deleting = row_int(row, 4);
}

static void say_get(Deed *d, const char *id)
{
	deed_say(d, "SELECT " COLUMNS " FROM projects WHERE id = $1", "t", id);
	deed_expect(d, FAULT_NOT_FOUND, "there is no project \"%s\"", id);
	deed_take(d, sizeof(Project), take);
}

void store_project_create(Store *s, const Project *p, const PastAnswer *past, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	say_name_taken(d, p->id);
	deed_say(d, "INSERT INTO projects (id, name, config, created_at) VALUES ($1, $2, $3, $4)",
		 "ttti", p->id, p->name, p->config, p->created_at);
	say_answer_begin(d, past);
	say_get(d, p->id);
	deed_do(d);
}

void store_project_get(Store *s, const char *id, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	say_get(d, id);
	deed_do(d);
}

void store_project_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT " COLUMNS " FROM projects WHERE ($1 = '' OR id = $1) AND id > $2"
		 " ORDER BY id LIMIT $3",
		 "tti", page->project_id, page->after, page_limit(page));
	deed_take(d, sizeof(Project), take);
	deed_do(d);
}

void store_project_configure(Store *s, const Project *p, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);

	deed_say(d, "UPDATE projects SET name = $1, config = $2 WHERE id = $3", "ttt", p->name,
		 p->config, p->id);
	say_get(d, p->id);
	deed_do(d);
}

/* All that is known of the computes it has is how they end; their intervals end now. */
void store_project_delete(Store *s, const char *id, StoreCall call)
{
	Deed *d = deed_new(s, DEED_PROMISE, call);
	int64_t now = wall_us();

	deed_say(d, "UPDATE projects SET deleting = 1 WHERE id = $1", "t", id);
	deed_expect(d, FAULT_NOT_FOUND, "there is no project \"%s\"", id);
	deed_say(d,
		 "INSERT INTO operations (project_id, compute_id, from_state, to_state, generation,"
		 " reason, at) SELECT project_id, id, state, 'destroying', generation + 1,"
		 " 'its project was deleted', $2 FROM computes"
		 " WHERE project_id = $1 AND state <> 'destroying'",
		 "ti", id, now);
	say_intervals_of_project_end(d, id);
	deed_say(d,
		 "UPDATE computes SET state = 'destroying', generation = generation + 1,"
		 " incarnation = '', address = '', failure = '', since = $2"
		 " WHERE project_id = $1 AND state <> 'destroying' RETURNING " COMPUTE_COLUMNS,
		 "ti", id, now);
	deed_take(d, sizeof(Compute), take_compute);
	say_deleted_projects_gone(d);
	deed_do(d);
}
