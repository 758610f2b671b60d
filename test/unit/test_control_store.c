/*
 * The store's promises, the same for both engines, tried on a real file and in a
 * real database: changes of state are compared and swapped, and state, operation
 * and interval go together.
 */
#include "pg_server.h"

#include <sqlite3.h>
#include <sys/resource.h>

#include "src/control/store/store.h"
#include "sys/pgconn.h"

/* What the tests run on. */
typedef struct Place {
	const char *name;
	bool (*make)(void); /* a new place for a store, its URL in url; false: cannot be had */
	void (*clean)(void);
} Place;

static const Place *place;
static char path[128], url[400];
static Store *store;

/* ---- asking and waiting ------------------------------------------------ */

static struct {
	bool answered;
	FaultCode code;
	char detail[256];
	int n;
	union { /* the first of what was found */
		Project project;
		Compute compute;
		Operation operation;
		Interval interval;
		Role role;
		OwnedDatabase database;
		Token token;
		StorageSample sample;
		Traffic traffic;
		AwakeCause cause;
		UsageHour hour;
		Letter letter;
		PastAnswer answer;
		Leadership leadership;
	};
} got;

static size_t wanted; /* bytes of the kind of record that is asked for */

static void on_answer(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg;
	memset(&got, 0, sizeof(got));
	got.answered = true;
	got.code = why ? why->code : FAULT_NONE;
	text_copy(got.detail, sizeof(got.detail), why ? why->detail : "");
	got.n = rows->n;
	if (rows->n > 0)
		memcpy(&got.project, rows->at, wanted);
	loop_stop(loop);
}

static const StoreCall call = {on_answer, NULL};

static FaultCode finish(void)
{
	got.answered = false;
	loop_run(loop);
	assert_true(got.answered);
	return got.code;
}

/* Asks, waits, and keeps the first record of that type in got. */
#define ASK(Type, asked) (wanted = sizeof(Type), (asked), finish())
#define DO(asked)        ASK(char, asked)

/* The same for what must work. */
#define OK(Type, asked)                                  \
	do {                                             \
		FaultCode code_ = ASK(Type, asked);      \
                                                         \
		if (code_ != FAULT_NONE)                 \
			print_error("%s\n", got.detail); \
		assert_int_equal(code_, FAULT_NONE);     \
	} while (0)

static FaultCode create_project(const char *id)
{
	Project p = {.config = "{}", .created_at = 1};

	text_copy(p.id, sizeof(p.id), id);
	text_copy(p.name, sizeof(p.name), "a project");
	return ASK(Project, store_project_create(store, &p, NULL, call));
}

static FaultCode create_compute(const char *id, const char *project_id)
{
	Compute c = {.state = COMPUTE_CREATING, .generation = 1, .size = 250, .config = "{}"};

	text_copy(c.id, sizeof(c.id), id);
	text_copy(c.project_id, sizeof(c.project_id), project_id);
	text_copy(c.engine, sizeof(c.engine), "postgres");
	text_copy(c.verifier, sizeof(c.verifier), "SCRAM-SHA-256$…");
	return ASK(Compute, store_compute_create(store, &c, NULL, call));
}

static FaultCode move(const char *id, ComputeState from, int64_t generation, ComputeState to)
{
	Move m = {.from = from, .generation = generation, .to = to, .incarnation = "1-2-3"};

	text_copy(m.compute_id, sizeof(m.compute_id), id);
	text_copy(m.reason, sizeof(m.reason), "a reason");
	return ASK(Compute, store_compute_move(store, &m, call));
}

static FaultCode get_compute(const char *id)
{
	return ASK(Compute, store_compute_get(store, id, call));
}

static int count_intervals(const char *project_id)
{
	Page all = {.from = 0, .to = INT64_MAX};

	text_copy(all.project_id, sizeof(all.project_id), project_id);
	OK(Interval, store_interval_list(store, &all, call));
	return got.n;
}

/* A project "p" with a compute "c" that is active, in generation 4. */
static void make_active(void)
{
	create_project("p");
	create_compute("c", "p");
	move("c", COMPUTE_CREATING, 1, COMPUTE_SUSPENDED);
	move("c", COMPUTE_SUSPENDED, 2, COMPUTE_RESUMING);
	assert_int_equal(move("c", COMPUTE_RESUMING, 3, COMPUTE_ACTIVE), FAULT_NONE);
	assert_int_equal(got.compute.generation, 4);
}

/* ---- where stores are -------------------------------------------------- */

static char file_folder[64];

static bool make_file(void)
{
	strcpy(file_folder, "/tmp/reveille-store-XXXXXX");
	assert_non_null(mkdtemp(file_folder));
	snprintf(path, sizeof(path), "%s/control.db", file_folder);
	snprintf(url, sizeof(url), "sqlite:%s", path);
	return true;
}

static void clean_file(void)
{
	assert_true(folder_remove(file_folder));
}

static void on_sql_answer(void *arg, const PgRows *rows, const char *error)
{
	(void)arg, (void)rows;
	assert_null(error);
	loop_stop(loop);
}

static void run_sql(const char *sql)
{
	PgTarget target = {.host = folder, .port = 5432, .user = "postgres", .dbname = "postgres"};
	PgConn *c = pgconn_new(loop, &target, on_sql_answer, NULL);

	pgconn_ask(c, sql, PATIENCE_MS);
	loop_run(loop);
	pgconn_free(c);
}

/* One schema for each test. */
static bool make_schema(void)
{
	static int n;
	char sql[64];

	if (server <= 0)
		return false;
	snprintf(sql, sizeof(sql), "CREATE SCHEMA s%d", ++n);
	run_sql(sql);
	snprintf(url, sizeof(url),
		 "postgresql://postgres@/postgres?host=%s&options=-csearch_path%%3Ds%d", folder, n);
	return true;
}

static void clean_schema(void)
{
}

static const Place sqlite = {"SQLite", make_file, clean_file};
static const Place postgres = {"PostgreSQL", make_schema, clean_schema};

static LeadNews news;
static int n_news;

static void on_lead(void *arg, LeadNews what)
{
	(void)arg;
	news = what;
	n_news++;
	loop_stop(loop);
}

static void open_store(void)
{
	Fault why;

	store = store_open(loop, url, &why);
	assert_non_null(store);
	store_lead(store, on_lead, NULL);
	loop_run(loop);
	assert_int_equal(news, LEAD_WON);
}

static int setup(void **state)
{
	place = *state;
	store = NULL;
	if (place->make())
		open_store();
	return 0;
}

static int close_and_clean(void **state)
{
	(void)state;
	if (store) {
		store_close(store);
		place->clean();
	}
	return 0;
}

/* A test of both; skipped on the one that cannot be had here. */
#define STORE_TEST(name)                \
	static void name##_on_it(void); \
	TEST(name)                      \
	{                               \
		if (!store)             \
			skip();         \
		name##_on_it();         \
	}                               \
	static void name##_on_it(void)

/* ---- projects ---------------------------------------------------------- */

STORE_TEST(what_was_written_is_read_after_a_restart)
{
	assert_int_equal(create_project("p"), FAULT_NONE);
	assert_int_equal(create_compute("c", "p"), FAULT_NONE);
	store_close(store);
	open_store();
	assert_int_equal(get_compute("c"), FAULT_NONE);
	assert_string_equal(got.compute.project_id, "p");
	assert_int_equal(got.compute.state, COMPUTE_CREATING);
}

STORE_TEST(no_two_things_share_an_id)
{
	create_project("p");
	create_project("q");
	assert_int_equal(create_project("p"), FAULT_EXISTS);
	assert_int_equal(create_compute("c", "p"), FAULT_NONE);
	assert_int_equal(create_compute("c", "q"), FAULT_EXISTS);
	assert_int_equal(create_compute("q", "p"), FAULT_EXISTS);
	assert_int_equal(create_project("c"), FAULT_EXISTS);
	assert_int_equal(create_compute("d", "nowhere"), FAULT_NOT_FOUND);
}

STORE_TEST(lists_come_in_pages)
{
	Page page = {.limit = 2};

	create_project("a");
	create_project("b");
	create_project("c");
	OK(Project, store_project_list(store, &page, call));
	assert_int_equal(got.n, 2);
	assert_string_equal(got.project.id, "a");
	text_copy(page.after, sizeof(page.after), "b");
	OK(Project, store_project_list(store, &page, call));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.project.id, "c");
}

/* ---- changes of state -------------------------------------------------- */

STORE_TEST(of_two_changes_from_the_same_state_one_wins)
{
	make_active();
	assert_int_equal(move("c", COMPUTE_ACTIVE, 4, COMPUTE_SUSPENDING), FAULT_NONE);
	assert_int_equal(move("c", COMPUTE_ACTIVE, 4, COMPUTE_SUSPENDING), FAULT_BUSY);
	assert_int_equal(move("c", COMPUTE_SUSPENDING, 4, COMPUTE_SUSPENDED), FAULT_BUSY);
	get_compute("c");
	assert_int_equal(got.compute.state, COMPUTE_SUSPENDING);
	assert_int_equal(got.compute.generation, 5);
}

STORE_TEST(a_change_that_lost_leaves_no_trace)
{
	Page page = {.compute_id = "c"};
	int before;

	make_active();
	OK(Operation, store_operation_list(store, &page, call));
	before = got.n;
	assert_int_equal(got.operation.to, COMPUTE_ACTIVE);
	assert_int_equal(got.operation.generation, 4);
	move("c", COMPUTE_ACTIVE, 3, COMPUTE_SUSPENDING);
	OK(Operation, store_operation_list(store, &page, call));
	assert_int_equal(got.n, before);
	assert_int_equal(count_intervals("p"), 1);
	assert_int_equal(got.interval.ended_at, 0);
}

STORE_TEST(old_operations_are_forgotten_but_for_the_last_of_each_compute)
{
	Page page = {.compute_id = "c"};
	int before;

	make_active();
	OK(Operation, store_operation_list(store, &page, call));
	before = got.n;
	assert_true(before > 1);
	OK(char, store_operation_forget(store, 1, call));
	OK(Operation, store_operation_list(store, &page, call));
	assert_int_equal(got.n, before);
	OK(char, store_operation_forget(store, INT64_MAX, call));
	OK(Operation, store_operation_list(store, &page, call));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.operation.to, COMPUTE_ACTIVE);
}

STORE_TEST(an_interval_is_open_exactly_while_the_compute_is_active)
{
	make_active();
	assert_int_equal(count_intervals("p"), 1);
	assert_int_equal(got.interval.ended_at, 0);
	assert_int_equal(got.interval.kind, INTERVAL_ACTIVE);
	assert_string_equal(got.interval.incarnation, "1-2-3");
	assert_int_equal(got.interval.size, 250);
	usleep(20000);
	move("c", COMPUTE_ACTIVE, 4, COMPUTE_SUSPENDING);
	assert_int_equal(count_intervals("p"), 1);
	assert_in_range(got.interval.ended_at - got.interval.started_at, 20000, 10000000);
	move("c", COMPUTE_SUSPENDING, 5, COMPUTE_SUSPENDED);
	move("c", COMPUTE_SUSPENDED, 6, COMPUTE_RESUMING);
	move("c", COMPUTE_RESUMING, 7, COMPUTE_ACTIVE);
	assert_int_equal(count_intervals("p"), 2);
}

/* A.1 item 9 of the predecessors: the time during which nobody was there was billed. */
STORE_TEST(what_nobody_saw_end_ended_when_it_was_last_seen)
{
	Move m = {.compute_id = "c",
		  .from = COMPUTE_ACTIVE,
		  .generation = 4,
		  .to = COMPUTE_SUSPENDED,
		  .unseen = true};
	Heartbeat beat = {.compute_id = "c", .last_activity = 77};
	int64_t seen;

	make_active();
	usleep(10000);
	OK(char, store_heartbeat(store, &beat, 1, call));
	count_intervals("p");
	seen = got.interval.last_seen;
	assert_true(seen >= got.interval.started_at + 10000);
	usleep(20000);
	OK(Compute, store_compute_move(store, &m, call));
	assert_int_equal(got.compute.last_activity, 77);
	count_intervals("p");
	assert_int_equal(got.interval.ended_at, seen);
}

STORE_TEST(a_failure_is_remembered_until_the_next_change)
{
	create_project("p");
	create_compute("c", "p");
	move("c", COMPUTE_CREATING, 1, COMPUTE_SUSPENDED);
	move("c", COMPUTE_SUSPENDED, 2, COMPUTE_RESUMING);
	move("c", COMPUTE_RESUMING, 3, COMPUTE_FAILED);
	assert_string_equal(got.compute.failure, "a reason");
	move("c", COMPUTE_FAILED, 4, COMPUTE_RESUMING);
	assert_string_equal(got.compute.failure, "");
}

/* ---- deletion ---------------------------------------------------------- */

/* A.1 item 12 of the predecessors: computes stayed, and what they had used was forgotten. */
STORE_TEST(a_deleted_project_takes_its_computes_along_and_keeps_its_usage)
{
	make_active();
	create_compute("d", "p");
	OK(Compute, store_project_delete(store, "p", call));
	assert_int_equal(got.n, 2);
	assert_int_equal(got.compute.state, COMPUTE_DESTROYING);
	assert_int_equal(create_compute("e", "p"), FAULT_NOT_FOUND);
	move("c", COMPUTE_DESTROYING, 5, COMPUTE_GONE);
	OK(Project, store_project_get(store, "p", call));
	assert_true(got.project.deleting);
	move("d", COMPUTE_DESTROYING, 2, COMPUTE_GONE);
	assert_int_equal(ASK(Project, store_project_get(store, "p", call)), FAULT_NOT_FOUND);
	assert_int_equal(get_compute("c"), FAULT_NOT_FOUND);
	assert_int_equal(count_intervals("p"), 1);
	assert_true(got.interval.ended_at > 0);
}

STORE_TEST(a_project_without_computes_is_gone_at_once)
{
	create_project("p");
	OK(Compute, store_project_delete(store, "p", call));
	assert_int_equal(ASK(Project, store_project_get(store, "p", call)), FAULT_NOT_FOUND);
	assert_int_equal(ASK(Compute, store_project_delete(store, "p", call)), FAULT_NOT_FOUND);
}

/* ---- sizes and kinds of intervals -------------------------------------- */

STORE_TEST(another_size_begins_where_the_one_before_it_ended)
{
	Resize resize = {.compute_id = "c", .state = COMPUTE_ACTIVE, .generation = 4, .size = 500};
	Page all = {.project_id = "p", .to = INT64_MAX};
	int64_t ended;

	make_active();
	usleep(1000);
	OK(Compute, store_compute_resize(store, &resize, call));
	assert_int_equal(got.compute.size, 500);
	assert_int_equal(got.compute.generation, 5);
	assert_int_equal(got.compute.state, COMPUTE_ACTIVE);
	assert_int_equal(ASK(Compute, store_compute_resize(store, &resize, call)), FAULT_BUSY);
	OK(Interval, store_interval_list(store, &all, call));
	assert_int_equal(got.n, 2);
	assert_int_equal(got.interval.size, 250);
	ended = got.interval.ended_at;
	all.from = ended;
	OK(Interval, store_interval_list(store, &all, call));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.interval.size, 500);
	assert_true(got.interval.started_at == ended);
	assert_int_equal(got.interval.ended_at, 0);
}

/* ---- roles and databases ----------------------------------------------- */

static Role role_called(const char *name, const char *verifier)
{
	Role r = {.compute_id = "c", .created_at = 5};

	text_copy(r.name, sizeof(r.name), name);
	text_copy(r.verifier, sizeof(r.verifier), verifier);
	return r;
}

STORE_TEST(a_compute_is_made_with_a_role_and_its_database)
{
	make_active();
	OK(Role, store_role_list(store, "c", call));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.role.name, "app");
	assert_string_equal(got.role.pending, "");
	OK(OwnedDatabase, store_database_list(store, "", call));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.database.owner, "app");
}

STORE_TEST(a_role_is_pending_until_its_server_was_told)
{
	Role r = role_called("reader", "v1"), newer = role_called("reader", "v2");

	make_active();
	OK(Role, store_role_put(store, &r, true, call));
	assert_string_equal(got.role.pending, "put");
	assert_int_equal(ASK(Role, store_role_put(store, &r, true, call)), FAULT_EXISTS);
	r = got.role = role_called("reader", "v1");
	text_copy(r.pending, sizeof(r.pending), "put");
	OK(Role, store_role_put(store, &newer, false, call));
	/* The server was told the old secret, so it has to be told again. */
	OK(Role, store_role_settled(store, &r, call));
	assert_string_equal(got.role.pending, "put");
	assert_string_equal(got.role.verifier, "v2");
	text_copy(newer.pending, sizeof(newer.pending), "put");
	OK(Role, store_role_settled(store, &newer, call));
	assert_string_equal(got.role.pending, "");
	OK(Role, store_role_drop(store, "c", "reader", call));
	assert_string_equal(got.role.pending, "drop");
	assert_int_equal(ASK(Role, store_role_drop(store, "c", "reader", call)), FAULT_NOT_FOUND);
	newer = got.role = role_called("reader", "v2");
	text_copy(newer.pending, sizeof(newer.pending), "drop");
	OK(Role, store_role_settled(store, &newer, call));
	assert_int_equal(got.n, 0);
}

STORE_TEST(a_database_belongs_to_a_role_that_there_is)
{
	OwnedDatabase b = {.compute_id = "c", .name = "sales", .owner = "nobody"};

	make_active();
	assert_int_equal(ASK(OwnedDatabase, store_database_put(store, &b, call)), FAULT_BAD_VALUE);
	assert_contains(got.detail, "nobody");
	text_copy(b.owner, sizeof(b.owner), "app");
	OK(OwnedDatabase, store_database_put(store, &b, call));
	assert_string_equal(got.database.pending, "put");
	assert_int_equal(ASK(OwnedDatabase, store_database_put(store, &b, call)), FAULT_EXISTS);
	b = got.database = (OwnedDatabase){.compute_id = "c", .name = "sales", .pending = "put"};
	OK(OwnedDatabase, store_database_settled(store, &b, call));
	assert_string_equal(got.database.pending, "");
	OK(OwnedDatabase, store_database_drop(store, "c", "sales", call));
	assert_string_equal(got.database.pending, "drop");
}

/* ---- what was used ----------------------------------------------------- */

STORE_TEST(samples_of_a_period_come_with_the_one_before_it)
{
	StorageSample s = {.project_id = "p", .compute_id = "c"};
	Page page = {.project_id = "p", .from = 250, .to = 400};

	for (s.at = 100; s.at <= 500; s.at += 100) {
		s.bytes = s.at * 10;
		OK(char, store_sample_add(store, &s, call));
	}
	OK(StorageSample, store_sample_list(store, &page, call));
	assert_int_equal(got.n, 2);
	assert_int_equal(got.sample.at, 200);
	assert_int_equal(got.sample.bytes, 2000);
}

STORE_TEST(what_a_proxy_reports_twice_counts_once)
{
	Traffic t = {.project_id = "p",
		     .compute_id = "c",
		     .epoch = "e1",
		     .hour = 3600,
		     .received = 100,
		     .sent = 1000};
	Page page = {.project_id = "p", .to = INT64_MAX};

	OK(char, store_traffic_add(store, &t, 1, call));
	OK(char, store_traffic_add(store, &t, 1, call));
	t.received = 150;
	OK(char, store_traffic_add(store, &t, 1, call));
	t.received = 90; /* from a report that was overtaken */
	OK(char, store_traffic_add(store, &t, 1, call));
	OK(Traffic, store_traffic_list(store, &page, call));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.traffic.received, 150);
	assert_int_equal(got.traffic.sent, 1000);
	text_copy(t.epoch, sizeof(t.epoch), "e2"); /* the proxy began anew */
	OK(char, store_traffic_add(store, &t, 1, call));
	OK(Traffic, store_traffic_list(store, &page, call));
	assert_int_equal(got.traffic.received, 240);
	assert_int_equal(got.traffic.sent, 2000);
}

STORE_TEST(what_is_old_is_forgotten_but_for_what_is_stored_since_then)
{
	StorageSample s = {.project_id = "p", .compute_id = "c"};
	Page page = {.project_id = "p", .to = INT64_MAX};
	Traffic t = {.project_id = "p", .compute_id = "c", .hour = 3600, .received = 100};

	for (s.at = 100; s.at <= 500; s.at += 100) {
		s.bytes = s.at * 10;
		OK(char, store_sample_add(store, &s, call));
	}
	text_copy(s.compute_id, sizeof(s.compute_id), "gone");
	for (s.at = 100; s.at <= 200; s.at += 100) {
		s.bytes = 200 - s.at;
		OK(char, store_sample_add(store, &s, call));
	}
	text_copy(t.epoch, sizeof(t.epoch), "e1");
	OK(char, store_traffic_add(store, &t, 1, call));
	OK(char, store_usage_forget(store, 350, call));
	OK(StorageSample, store_sample_list(store, &page, call));
	assert_int_equal(got.n, 3);
	assert_int_equal(got.sample.at, 300);
	assert_int_equal(got.sample.bytes, 3000);
	t.received = 150; /* what was counted is still known, */
	OK(char, store_traffic_add(store, &t, 1, call));
	OK(Traffic, store_traffic_list(store, &page, call));
	assert_int_equal(got.traffic.received, 150);
	OK(char, store_usage_forget(store, 3601, call));
	OK(char, store_traffic_add(store, &t, 1, call)); /* and then is not */
	OK(Traffic, store_traffic_list(store, &page, call));
	assert_int_equal(got.traffic.received, 300);
}

STORE_TEST(causes_are_summed_and_the_greatest_comes_first)
{
	AwakeCause causes[] = {
		{"p", "c", 3600, "client", "app", "psql", "local", 10},
		{"p", "c", 3600, "client", "app", "pool", "10.0.0.0/24", 70},
		{"p", "c", 7200, "client", "app", "psql", "local", 5},
	};
	Page page = {.project_id = "p", .to = INT64_MAX};

	OK(char, store_cause_add(store, causes, 3, call));
	OK(char, store_cause_add(store, causes, 1, call));
	OK(AwakeCause, store_cause_list(store, &page, call));
	assert_int_equal(got.n, 2);
	assert_string_equal(got.cause.application, "pool");
	assert_int_equal(got.cause.active_us, 70);
	page.from = 7200;
	OK(AwakeCause, store_cause_list(store, &page, call));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.cause.active_us, 5);
}

STORE_TEST(an_hour_and_its_letter_are_published_together_and_once)
{
	UsageHour h = {
		.project_id = "p", .compute_id = "c", .hour = 3600, .active_us = 9, .revision = 1};
	Letter l = {.key = "c|3600|1", .url = "http://x/", .body = "{}", .created_at = 5};
	Page page = {.project_id = "p", .to = INT64_MAX};
	int64_t id;

	OK(char, store_hour_publish(store, &h, 1, &l, 1, call));
	OK(char, store_hour_publish(store, &h, 1, &l, 1, call));
	OK(Letter, store_letter_list(store, 0, 10, call));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.letter.key, "c|3600|1");
	id = got.letter.id;
	h.active_us = 11;
	h.revision = 2;
	OK(char, store_hour_publish(store, &h, 1, NULL, 0, call));
	OK(UsageHour, store_hour_list(store, &page, call));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.hour.active_us, 11);
	OK(char, store_letter_failed(store, id, 100, false, call));
	OK(Letter, store_letter_list(store, 99, 10, call));
	assert_int_equal(got.n, 0);
	OK(Letter, store_letter_list(store, 100, 10, call));
	assert_int_equal(got.letter.attempts, 1);
	OK(char, store_letter_arrived(store, id, call));
	OK(Letter, store_letter_list(store, 100, 10, call));
	assert_int_equal(got.n, 0);
}

STORE_TEST(the_letter_that_has_waited_longest_comes_first)
{
	Letter one = {.key = "1", .url = "http://x/", .body = "{}"};
	Letter other = {.key = "2", .url = "http://x/", .body = "{}"};

	OK(char, store_letter_add(store, &one, call));
	OK(char, store_letter_add(store, &other, call));
	OK(Letter, store_letter_list(store, INT64_MAX, 1, call));
	assert_string_equal(got.letter.key, "1");
	OK(char, store_letter_failed(store, got.letter.id, 100, false, call));
	OK(Letter, store_letter_list(store, INT64_MAX, 1, call));
	assert_string_equal(got.letter.key, "2");
}

STORE_TEST(each_url_has_one_letter_in_the_line_and_where_nobody_is_there_all_wait)
{
	Letter letters[] = {{.key = "1", .url = "http://x/", .body = "{}"},
			    {.key = "2", .url = "http://x/", .body = "{}"},
			    {.key = "3", .url = "http://y/", .body = "{}", .next_at = 5}};

	for (int i = 0; i < 3; i++)
		OK(char, store_letter_add(store, &letters[i], call));
	OK(Letter, store_letter_list(store, INT64_MAX, 9, call));
	assert_int_equal(got.n, 2);
	assert_string_equal(got.letter.key, "1");
	OK(char, store_letter_failed(store, got.letter.id, 100, true, call));
	OK(Letter, store_letter_list(store, INT64_MAX, 9, call));
	assert_int_equal(got.n, 2);
	assert_string_equal(got.letter.key, "3");
	OK(Letter, store_letter_list(store, 99, 9, call));
	assert_int_equal(got.n, 1);
}

STORE_TEST(the_last_hour_is_the_one_before_anything_was_used_until_one_is_published)
{
	const int64_t hour = INT64_C(3600000000);
	StorageSample sample = {.project_id = "p", .compute_id = "c", .at = 10 * hour + 7};
	UsageHour h = {.project_id = "p", .compute_id = "c", .hour = 12 * hour, .revision = 1};

	OK(UsageHour, store_hour_last(store, call));
	assert_int_equal(got.n, 0);
	OK(char, store_sample_add(store, &sample, call));
	OK(UsageHour, store_hour_last(store, call));
	assert_int_equal(got.hour.hour, 9 * hour);
	OK(char, store_hour_publish(store, &h, 1, NULL, 0, call));
	OK(UsageHour, store_hour_last(store, call));
	assert_int_equal(got.hour.hour, 12 * hour);
}

/* ---- what is open ------------------------------------------------------ */

STORE_TEST(an_open_interval_says_what_was_seen_of_it)
{
	Heartbeat beat = {.compute_id = "c", .cpu_start = 5, .cpu_us = 70};
	int64_t begun;

	OK(Interval, store_interval_open(store, call));
	assert_int_equal(got.n, 0);
	make_active();
	OK(Interval, store_interval_open(store, call));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.interval.cpu_start, -1);
	begun = got.interval.started_boot;
	assert_in_range(begun, 1, machine_boot_us());
	OK(char, store_heartbeat(store, &beat, 1, call));
	beat.cpu_us = 60; /* never less */
	OK(char, store_heartbeat(store, &beat, 1, call));
	OK(Interval, store_interval_open(store, call));
	assert_int_equal(got.interval.cpu_start, 5);
	assert_int_equal(got.interval.cpu_us, 70);
	move("c", COMPUTE_ACTIVE, 4, COMPUTE_SUSPENDING);
	OK(Interval, store_interval_open(store, call));
	assert_int_equal(got.n, 0);
}

STORE_TEST(what_is_gone_stores_nothing_any_more)
{
	StorageSample sample = {.project_id = "p", .compute_id = "c", .at = 1, .bytes = 7};
	Page page = {.project_id = "p", .from = 2, .to = INT64_MAX};

	create_project("p");
	create_compute("c", "p");
	OK(char, store_sample_add(store, &sample, call));
	move("c", COMPUTE_CREATING, 1, COMPUTE_DESTROYING);
	move("c", COMPUTE_DESTROYING, 2, COMPUTE_GONE);
	OK(StorageSample, store_sample_list(store, &page, call));
	assert_int_equal(got.n, 2);
	page.from = INT64_MAX - 1;
	OK(StorageSample, store_sample_list(store, &page, call));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.sample.bytes, 0);
}

/* ---- tokens and past answers ------------------------------------------- */

STORE_TEST(a_token_is_found_by_its_hash)
{
	Token t = {
		.id = "to-1", .hash = "abc", .scope = "project", .project_id = "p", .name = "ci"};
	Page all = {0};

	OK(Token, store_token_put(store, &t, call));
	OK(Token, store_token_find(store, "abc", call));
	assert_string_equal(got.token.id, "to-1");
	assert_string_equal(got.token.project_id, "p");
	text_copy(t.hash, sizeof(t.hash), "def");
	OK(Token, store_token_put(store, &t, call));
	OK(Token, store_token_find(store, "abc", call));
	assert_int_equal(got.n, 0);
	OK(Token, store_token_list(store, &all, call));
	assert_int_equal(got.n, 1);
	OK(Token, store_token_drop(store, "to-1", call));
	assert_string_equal(got.token.hash, "def");
	assert_int_equal(ASK(Token, store_token_drop(store, "to-1", call)), FAULT_NOT_FOUND);
}

STORE_TEST(a_request_is_noted_with_what_it_makes_or_not_at_all)
{
	PastAnswer past = {.key_hash = "k", .request_hash = "r", .resource_id = "p"};
	Project p = {.id = "p", .name = "n", .config = "{}"}, q = {.id = "q", .config = "{}"};

	OK(Project, store_project_create(store, &p, &past, call));
	OK(PastAnswer, store_answer_find(store, "k", call));
	assert_string_equal(got.answer.resource_id, "p");
	assert_int_equal(got.answer.status, 0);
	assert_int_equal(ASK(Project, store_project_create(store, &q, &past, call)), FAULT_EXISTS);
	assert_int_equal(ASK(Project, store_project_get(store, "q", call)), FAULT_NOT_FOUND);
	past.status = 201;
	text_copy(past.sealed, sizeof(past.sealed), "what was said");
	OK(char, store_answer_finish(store, &past, call));
	OK(char, store_answer_forget(store, "k", call)); /* only what was not answered */
	OK(PastAnswer, store_answer_find(store, "k", call));
	assert_int_equal(got.answer.status, 201);
	assert_string_equal(got.answer.sealed, "what was said");
	OK(char, store_answer_sweep(store, INT64_MAX, call));
	OK(PastAnswer, store_answer_find(store, "k", call));
	assert_int_equal(got.n, 0);
}

/* ---- being in charge --------------------------------------------------- */

STORE_TEST(each_who_takes_over_begins_a_new_epoch)
{
	OK(Leadership, store_take_over(store, "http://a", call));
	assert_int_equal(got.leadership.epoch, 1);
	OK(Leadership, store_take_over(store, "http://b", call));
	assert_int_equal(got.leadership.epoch, 2);
	OK(Leadership, store_leader(store, call));
	assert_string_equal(got.leadership.url, "http://b");
}

/* ---- a store that takes no writes -------------------------------------- */

/* What the machine has no room for, and what a database will not have. */
static void forbid_growth(bool on)
{
	struct rlimit most = {.rlim_max = RLIM_INFINITY, .rlim_cur = on ? 1 : RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &most), 0);
}

static void forbid_writes(bool on)
{
	run_sql(on ? "ALTER SYSTEM SET default_transaction_read_only = on"
		   : "ALTER SYSTEM RESET default_transaction_read_only");
	run_sql("SELECT pg_reload_conf()");
}

static void hinder(bool on)
{
	(place == &sqlite ? forbid_growth : forbid_writes)(on);
}

STORE_TEST(whether_it_takes_writes_can_be_tried)
{
	OK(char, store_try(store, call));
	hinder(true);
	while (DO(store_try(store, call)) == FAULT_NONE)
		; /* a database hears of it a little later */
	assert_int_equal(got.code, FAULT_STORE);
	assert_int_equal(create_project("p"), FAULT_STORE);
	OK(Project, store_project_list(store, &(Page){0}, call));
	hinder(false);
	while (DO(store_try(store, call)) != FAULT_NONE)
		;
	assert_int_equal(create_project("p"), FAULT_NONE);
	OK(char, store_try(store, call));
}

/* ---- several on one database ------------------------------------------- */

STORE_TEST(what_one_writes_who_was_in_charge_before_is_refused)
{
	Project p = {.id = "p", .name = "n", .config = "{}"};

	OK(Leadership, store_take_over(store, "http://a", call));
	store->epoch = 1;
	OK(Project, store_project_create(store, &p, NULL, call));
	OK(Leadership, store_take_over(store, "http://b", call));
	store->epoch = 1;
	assert_int_equal(ASK(Project, store_project_configure(store, &p, call)), FAULT_NOT_LEADER);
	assert_int_equal(ASK(char, store_heartbeat(store, NULL, 0, call)), FAULT_NOT_LEADER);
}

STORE_TEST(the_second_is_in_charge_when_the_first_has_gone)
{
	Fault why;
	Store *second = store_open(loop, url, &why);

	assert_non_null(second);
	store_lead(second, on_lead, NULL);
	loop_run(loop);
	assert_int_equal(news, LEAD_OTHERS);
	store_close(store);
	store = second;
	loop_run(loop);
	assert_int_equal(news, LEAD_WON);
}

STORE_TEST(a_lost_connection_is_told_to_who_is_in_charge_and_work_goes_on)
{
	create_project("p");
	run_sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
		" WHERE application_name = 'reveille' AND pid <> pg_backend_pid()");
	while (news != LEAD_LOST)
		loop_run(loop);
	OK(Project, store_project_get(store, "p", call));
}

/* ---- the file ---------------------------------------------------------- */

TEST(a_file_of_a_newer_program_is_refused)
{
	sqlite3 *db;
	Fault why;

	make_file();
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_null(store_open(loop, url, &why));
	assert_contains(why.detail, "version 1000");
	clean_file();
}

TEST(what_is_no_store_is_refused)
{
	Fault why;

	assert_null(store_open(loop, "mysql://somewhere", &why));
	assert_contains(why.detail, "control.store");
	assert_null(store_open(loop, "postgresql://host/db?no=such", &why));
	assert_contains(why.detail, "URL");
	assert_null(store_open(loop, "sqlite:", &why));
	assert_null(store_open(loop, "sqlite:/nowhere/at/all", &why));
}

TEST(a_file_is_for_its_owner_and_for_one_process)
{
	struct stat st;
	Fault why;

	make_file();
	open_store();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(store_open(loop, url, &why));
	assert_contains(why.detail, "another control plane");
	store_close(store);
	clean_file();
}

/* ---- running all of it ------------------------------------------------- */

static int setup_server(void **state)
{
	char text[300];

	(void)state;
	if (!find_server()) {
		loop = loop_new();
		return 0;
	}
	make_folder("/tmp/reveille-store-XXXXXX");
	if (!initdb())
		return -1;
	snprintf(text, sizeof(text),
		 "listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n"
		 "shared_buffers = 16MB\n",
		 folder);
	write_file(in_folder("data/postgresql.auto.conf"), text, 0600);
	launch();
	pgconn_forget_environment();
	return 0;
}

#define ON(test, where)                                                                       \
	{                                                                                     \
		.name = #test "_on_" #where, .test_func = test, .setup_func = setup,          \
		.teardown_func = close_and_clean, .initial_state = (void *)(uintptr_t)&where, \
	}
#define ON_BOTH(test) ON(test, sqlite), ON(test, postgres)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(what_was_written_is_read_after_a_restart),
		ON_BOTH(no_two_things_share_an_id),
		ON_BOTH(lists_come_in_pages),
		ON_BOTH(of_two_changes_from_the_same_state_one_wins),
		ON_BOTH(a_change_that_lost_leaves_no_trace),
		ON_BOTH(old_operations_are_forgotten_but_for_the_last_of_each_compute),
		ON_BOTH(an_interval_is_open_exactly_while_the_compute_is_active),
		ON_BOTH(what_nobody_saw_end_ended_when_it_was_last_seen),
		ON_BOTH(a_failure_is_remembered_until_the_next_change),
		ON_BOTH(a_deleted_project_takes_its_computes_along_and_keeps_its_usage),
		ON_BOTH(a_project_without_computes_is_gone_at_once),
		ON_BOTH(another_size_begins_where_the_one_before_it_ended),
		ON_BOTH(a_compute_is_made_with_a_role_and_its_database),
		ON_BOTH(a_role_is_pending_until_its_server_was_told),
		ON_BOTH(a_database_belongs_to_a_role_that_there_is),
		ON_BOTH(samples_of_a_period_come_with_the_one_before_it),
		ON_BOTH(what_a_proxy_reports_twice_counts_once),
		ON_BOTH(what_is_old_is_forgotten_but_for_what_is_stored_since_then),
		ON_BOTH(causes_are_summed_and_the_greatest_comes_first),
		ON_BOTH(an_hour_and_its_letter_are_published_together_and_once),
		ON_BOTH(the_letter_that_has_waited_longest_comes_first),
		ON_BOTH(each_url_has_one_letter_in_the_line_and_where_nobody_is_there_all_wait),
		ON_BOTH(the_last_hour_is_the_one_before_anything_was_used_until_one_is_published),
		ON_BOTH(an_open_interval_says_what_was_seen_of_it),
		ON_BOTH(what_is_gone_stores_nothing_any_more),
		ON_BOTH(a_token_is_found_by_its_hash),
		ON_BOTH(a_request_is_noted_with_what_it_makes_or_not_at_all),
		ON_BOTH(each_who_takes_over_begins_a_new_epoch),
		ON_BOTH(whether_it_takes_writes_can_be_tried),
		cmocka_unit_test(a_file_of_a_newer_program_is_refused),
		cmocka_unit_test(what_is_no_store_is_refused),
		cmocka_unit_test(a_file_is_for_its_owner_and_for_one_process),
		ON(what_one_writes_who_was_in_charge_before_is_refused, postgres),
		ON(the_second_is_in_charge_when_the_first_has_gone, postgres),
		ON(a_lost_connection_is_told_to_who_is_in_charge_and_work_goes_on, postgres),
	};

	return cmocka_run_group_tests(tests, setup_server, teardown);
}
