/*
 * The store's promises, tried on a real file: changes of state are compared and
 * swapped, and state, operation and interval go together.
 */
#include "unit.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "src/control/store/store.h"

static char folder[64], path[128], url[160];
static Loop *loop;
static Store *store;

/* ---- asking and waiting ------------------------------------------------ */

static struct {
	bool answered;
	FaultCode code;
	int n;
	Project project;
	Compute compute;
	Operation operation;
	Interval interval;
} got;

static void on_answer(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg;
	memset(&got, 0, sizeof(got));
	got.answered = true;
	got.code = why ? why->code : FAULT_NONE;
	got.n = rows->n;
	if (rows->n > 0 && rows->projects)
		got.project = rows->projects[0];
	if (rows->n > 0 && rows->computes)
		got.compute = rows->computes[0];
	if (rows->n > 0 && rows->operations)
		got.operation = rows->operations[0];
	if (rows->n > 0 && rows->intervals)
		got.interval = rows->intervals[0];
	loop_stop(loop);
}

static const StoreCall call = {on_answer, NULL};

static FaultCode wait_for_answer(void)
{
	got.answered = false;
	loop_run(loop);
	assert_true(got.answered);
	return got.code;
}

static FaultCode create_project(const char *id)
{
	Project p = {.config = "{}", .created_at = 1};

	text_copy(p.id, sizeof(p.id), id);
	text_copy(p.name, sizeof(p.name), "a project");
	store->ops->project_create(store, &p, call);
	return wait_for_answer();
}

static FaultCode create_compute(const char *id, const char *project_id)
{
	Compute c = {.state = COMPUTE_CREATING, .generation = 1, .size = 250, .config = "{}"};

	text_copy(c.id, sizeof(c.id), id);
	text_copy(c.project_id, sizeof(c.project_id), project_id);
	text_copy(c.engine, sizeof(c.engine), "postgres");
	text_copy(c.verifier, sizeof(c.verifier), "SCRAM-SHA-256$…");
	store->ops->compute_create(store, &c, call);
	return wait_for_answer();
}

static FaultCode move(const char *id, ComputeState from, int64_t generation, ComputeState to)
{
	Move m = {.from = from, .generation = generation, .to = to, .incarnation = "1-2-3"};

	text_copy(m.compute_id, sizeof(m.compute_id), id);
	text_copy(m.reason, sizeof(m.reason), "a reason");
	store->ops->compute_move(store, &m, call);
	return wait_for_answer();
}

static FaultCode get_compute(const char *id)
{
	store->ops->compute_get(store, id, call);
	return wait_for_answer();
}

static int count_intervals(const char *project_id)
{
	Page all = {.from = 0, .to = INT64_MAX};

	text_copy(all.project_id, sizeof(all.project_id), project_id);
	store->ops->interval_list(store, &all, call);
	assert_int_equal(wait_for_answer(), FAULT_NONE);
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

/* ---- a file for each test ---------------------------------------------- */

static void open_store(void)
{
	Fault why;

	store = store_open(loop, url, &why);
	assert_non_null(store);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/reveille-store-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/control.db", folder);
	snprintf(url, sizeof(url), "sqlite:%s", path);
	loop = loop_new();
	open_store();
	return 0;
}

static int teardown(void **state)
{
	char file[200];

	(void)state;
	if (store)
		store->ops->close(store);
	loop_free(loop);
	for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL}; *end;
	     end++) {
		snprintf(file, sizeof(file), "%s%s", path, *end);
		unlink(file);
	}
	return rmdir(folder);
}

/* ---- projects ---------------------------------------------------------- */

TEST(what_was_written_is_read_after_a_restart)
{
	struct stat st;

	assert_int_equal(create_project("p"), FAULT_NONE);
	assert_int_equal(create_compute("c", "p"), FAULT_NONE);
	store->ops->close(store);
	open_store();
	assert_int_equal(get_compute("c"), FAULT_NONE);
	assert_string_equal(got.compute.project_id, "p");
	assert_int_equal(got.compute.state, COMPUTE_CREATING);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(no_two_things_share_an_id)
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

TEST(lists_come_in_pages)
{
	Page page = {.limit = 2};

	create_project("a");
	create_project("b");
	create_project("c");
	store->ops->project_list(store, &page, call);
	assert_int_equal(wait_for_answer(), FAULT_NONE);
	assert_int_equal(got.n, 2);
	assert_string_equal(got.project.id, "a");
	text_copy(page.after, sizeof(page.after), "b");
	store->ops->project_list(store, &page, call);
	wait_for_answer();
	assert_int_equal(got.n, 1);
	assert_string_equal(got.project.id, "c");
}

/* ---- changes of state -------------------------------------------------- */

TEST(of_two_changes_from_the_same_state_one_wins)
{
	make_active();
	assert_int_equal(move("c", COMPUTE_ACTIVE, 4, COMPUTE_SUSPENDING), FAULT_NONE);
	assert_int_equal(move("c", COMPUTE_ACTIVE, 4, COMPUTE_SUSPENDING), FAULT_BUSY);
	assert_int_equal(move("c", COMPUTE_SUSPENDING, 4, COMPUTE_SUSPENDED), FAULT_BUSY);
	get_compute("c");
	assert_int_equal(got.compute.state, COMPUTE_SUSPENDING);
	assert_int_equal(got.compute.generation, 5);
}

TEST(a_change_that_lost_leaves_no_trace)
{
	Page page = {.compute_id = "c"};
	int before;

	make_active();
	store->ops->operation_list(store, &page, call);
	wait_for_answer();
	before = got.n;
	assert_int_equal(got.operation.to, COMPUTE_ACTIVE);
	assert_int_equal(got.operation.generation, 4);
	move("c", COMPUTE_ACTIVE, 3, COMPUTE_SUSPENDING);
	store->ops->operation_list(store, &page, call);
	wait_for_answer();
	assert_int_equal(got.n, before);
	assert_int_equal(count_intervals("p"), 1);
	assert_int_equal(got.interval.ended_at, 0);
}

TEST(an_interval_is_open_exactly_while_the_compute_is_active)
{
	make_active();
	assert_int_equal(count_intervals("p"), 1);
	assert_int_equal(got.interval.ended_at, 0);
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
TEST(what_nobody_saw_end_ended_when_it_was_last_seen)
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
	store->ops->heartbeat(store, &beat, 1, call);
	assert_int_equal(wait_for_answer(), FAULT_NONE);
	count_intervals("p");
	seen = got.interval.last_seen;
	assert_true(seen >= got.interval.started_at + 10000);
	usleep(20000);
	store->ops->compute_move(store, &m, call);
	assert_int_equal(wait_for_answer(), FAULT_NONE);
	assert_int_equal(got.compute.last_activity, 77);
	count_intervals("p");
	assert_int_equal(got.interval.ended_at, seen);
}

TEST(a_failure_is_remembered_until_the_next_change)
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
TEST(a_deleted_project_takes_its_computes_along_and_keeps_its_usage)
{
	make_active();
	create_compute("d", "p");
	store->ops->project_delete(store, "p", call);
	assert_int_equal(wait_for_answer(), FAULT_NONE);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.compute.state, COMPUTE_DESTROYING);
	assert_int_equal(create_compute("e", "p"), FAULT_NOT_FOUND);
	move("c", COMPUTE_DESTROYING, 5, COMPUTE_GONE);
	store->ops->project_get(store, "p", call);
	assert_int_equal(wait_for_answer(), FAULT_NONE);
	assert_true(got.project.deleting);
	move("d", COMPUTE_DESTROYING, 2, COMPUTE_GONE);
	store->ops->project_get(store, "p", call);
	assert_int_equal(wait_for_answer(), FAULT_NOT_FOUND);
	assert_int_equal(get_compute("c"), FAULT_NOT_FOUND);
	assert_int_equal(count_intervals("p"), 1);
	assert_true(got.interval.ended_at > 0);
}

TEST(a_project_without_computes_is_gone_at_once)
{
	create_project("p");
	store->ops->project_delete(store, "p", call);
	assert_int_equal(wait_for_answer(), FAULT_NONE);
	store->ops->project_get(store, "p", call);
	assert_int_equal(wait_for_answer(), FAULT_NOT_FOUND);
	store->ops->project_delete(store, "p", call);
	assert_int_equal(wait_for_answer(), FAULT_NOT_FOUND);
}

/* ---- the file ---------------------------------------------------------- */

TEST(a_store_of_a_newer_program_is_refused)
{
	sqlite3 *db;
	Fault why;

	store->ops->close(store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	store = store_open(loop, url, &why);
	assert_null(store);
	assert_contains(why.detail, "version 1000");
}

TEST(what_is_no_store_is_refused)
{
	Fault why;

	assert_null(store_open(loop, "postgresql://somewhere", &why));
	assert_contains(why.detail, "control.store");
	assert_null(store_open(loop, "sqlite:", &why));
	assert_null(store_open(loop, "sqlite:/nowhere/at/all", &why));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(what_was_written_is_read_after_a_restart),
		WITH_STORE(no_two_things_share_an_id),
		WITH_STORE(lists_come_in_pages),
		WITH_STORE(of_two_changes_from_the_same_state_one_wins),
		WITH_STORE(a_change_that_lost_leaves_no_trace),
		WITH_STORE(an_interval_is_open_exactly_while_the_compute_is_active),
		WITH_STORE(what_nobody_saw_end_ended_when_it_was_last_seen),
		WITH_STORE(a_failure_is_remembered_until_the_next_change),
		WITH_STORE(a_deleted_project_takes_its_computes_along_and_keeps_its_usage),
		WITH_STORE(a_project_without_computes_is_gone_at_once),
		WITH_STORE(a_store_of_a_newer_program_is_refused),
		WITH_STORE(what_is_no_store_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
