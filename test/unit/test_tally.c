/* Tallies: limits on names that hold over all workers, whatever happens to them. */
#include "crowd.h"

#include <signal.h>

#include "model/shared.h"

#define NAMES  9
#define PLACES 1
#define OTHERS CROWD /* a worker that is not of the crowd */
#define ROUNDS 30
#define FEW    6
#define HERE   1000 /* a row that many names begin at, or near */
#define AROUND 8

static Shared *sh;

/* Where the crowd notes what it holds: as many pegs as there are places. */
typedef struct Board {
	_Atomic uint32_t peg[NAMES][PLACES]; /* Claimer of who has it; 0: free */
	_Atomic uint32_t wrong, taken, gone;
} Board;

static Board *board;
static int number_of[NAMES]; /* what the crowd's names are */

static int make_table(void **state)
{
	static const uint8_t key[16] = "sixteen bytes of";

	(void)state;
	sh = crowd_memory(shared_size(4));
	board = crowd_memory(sizeof(*board));
	shared_init(sh, CROWD + 1, 4, key, "token");
	for (int i = 0; i < NAMES; i++)
		number_of[i] = i;
	return 0;
}

static int drop_table(void **state)
{
	(void)state;
	munmap(sh, shared_size(4));
	munmap(board, sizeof(*board));
	return 0;
}

static Tally *take(const char *name, uint32_t limit, int worker)
{
	bool full;

	return tally_take(sh, TALLY_USER_CLIENTS, name, limit, worker, &full);
}

static Tally *take_number(int i, uint32_t limit, int worker, bool *full)
{
	char name[32];

	snprintf(name, sizeof(name), "user-%d", i);
	return tally_take(sh, TALLY_USER_CLIENTS, name, limit, worker, full);
}

/* How many of the limit are left; they are left. */
static uint32_t left(const char *name, uint32_t limit)
{
	Tally *t = NULL;
	uint32_t n = 0;

	for (Tally *next; n < limit && (next = take(name, limit, 1)); n++)
		t = next;
	for (uint32_t i = 0; i < n; i++)
		tally_give(sh, t, 1);
	return n;
}

TEST(a_name_has_as_many_places_as_its_limit_over_all_workers)
{
	bool full = true;
	Tally *t = take("frog", 3, 0);

	assert_non_null(t);
	assert_ptr_equal(take("frog", 3, 1), t);
	assert_ptr_equal(take("frog", 3, 3), t);
	assert_null(tally_take(sh, TALLY_USER_CLIENTS, "frog", 3, 2, &full));
	assert_false(full);
	tally_give(sh, t, 1);
	assert_ptr_equal(take("frog", 3, 2), t);
	assert_null(take("frog", 3, 2));
}

TEST(names_and_kinds_are_counted_apart)
{
	bool full;

	for (TallyKind kind = 0; kind < TALLY_KINDS; kind++) {
		assert_non_null(tally_take(sh, kind, "frog", 1, 0, &full));
		assert_null(tally_take(sh, kind, "frog", 1, 0, &full));
		assert_non_null(tally_take(sh, kind, "toad", 1, 0, &full));
	}
}

TEST(a_limit_can_be_raised_and_lowered)
{
	Tally *t = take("frog", 2, 0);

	take("frog", 2, 0);
	assert_null(take("frog", 1, 0));
	assert_non_null(take("frog", 3, 0));
	for (int i = 0; i < 3; i++)
		tally_give(sh, t, 0);
	assert_null(take("frog", 0, 0));
	assert_int_equal(left("frog", 1), 1);
}

TEST(there_can_be_a_place_for_every_slot)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		assert_non_null(take("frog", UINT32_MAX, (int)(i % CROWD)));
	assert_null(take("frog", SLOTS_MAX, 0));
}

TEST(who_waits_is_counted)
{
	Tally *t = take("frog", 1, 0);

	assert_int_equal(tally_waiting(sh, t), 0);
	assert_ptr_equal(tally_wait(sh, TALLY_USER_CLIENTS, "frog", 1), t);
	assert_ptr_equal(tally_wait(sh, TALLY_USER_CLIENTS, "frog", 2), t);
	assert_int_equal(tally_waiting(sh, t), 2);
	tally_give(sh, t, 0);
	assert_int_equal(tally_waiting(sh, t), 2);
	assert_ptr_equal(take("frog", 1, 1), t);
	tally_stop_waiting(sh, t, 1);
	assert_int_equal(tally_waiting(sh, t), 1);
	assert_null(take("frog", 1, 2));
}

TEST(no_more_wait_than_can_be_counted)
{
	Tally *t = NULL;

	for (uint32_t i = 0; i < TALLY_WAITING_MAX; i++)
		t = tally_wait(sh, TALLY_USER_CLIENTS, "frog", 0);
	assert_null(tally_wait(sh, TALLY_USER_CLIENTS, "frog", 1));
	assert_int_equal(tally_waiting(sh, t), TALLY_WAITING_MAX);
	assert_int_equal(left("frog", 5), 5);
}

/* Takes a place of each new name until one finds no row; how many did. */
static int fill_table(void)
{
	bool full = false;
	int n = 0;

	while (take_number(n, 1, n % CROWD, &full))
		n++;
	assert_true(full);
	return n;
}

TEST(a_full_table_says_so_and_loses_nothing)
{
	int n = fill_table();
	bool full;

	assert_true(n > TALLIES_MAX / 4);
	for (int i = 0; i < n; i++) {
		assert_null(take_number(i, 1, 0, &full));
		assert_false(full);
	}
	assert_null(take_number(n, 1, 0, &full));
	assert_true(full);
}

TEST(a_row_that_nobody_uses_goes_to_who_comes)
{
	bool full;

	for (int i = 0; i < 5 * TALLIES_MAX; i++) {
		Tally *t = take_number(i, 1, 0, &full);

		assert_non_null(t);
		assert_null(take_number(i, 1, 0, &full));
		tally_give(sh, t, 0);
	}
}

TEST(a_row_that_somebody_waits_for_is_not_given_away)
{
	Tally *t = tally_wait(sh, TALLY_USER_CLIENTS, "frog", 0);

	fill_table();
	assert_ptr_equal(take("frog", 1, 0), t);
	assert_int_equal(tally_waiting(sh, t), 1);
	tally_stop_waiting(sh, t, 0);
}

/* In an empty table a name gets the first of the rows that it may have. */
static bool begins_here(int number)
{
	bool full;
	Tally *t = take_number(number, 1, 0, &full);
	long row = t - sh->tallies;

	tally_give(sh, t, 0);
	atomic_store(&sh->tally_word[row], 0);
	return row >= HERE && row < HERE + AROUND;
}

/* The crowd's names may have nearly the same rows, of which all but a few are taken. */
static void leave_few_rows(void)
{
	for (int number = 0, n = 0; n < NAMES; number++) {
		if (begins_here(number))
			number_of[n++] = number;
	}
	for (uint64_t i = HERE; i < HERE + 80; i++) {
		if (i % 7 == 0 && i < HERE + 7 * FEW)
			continue;
		atomic_store(&sh->tally_word[i], i << 30 | 1);
		atomic_store(&sh->tallies[i].cell[OTHERS], 1);
	}
}

static void hang_up(Claimer mine, int name)
{
	for (int i = 0; i < PLACES; i++) {
		uint32_t nobody = 0;

		if (atomic_compare_exchange_strong(&board->peg[name][i], &nobody, mine))
			return;
	}
	/* Who has a place, and finds no peg for it, is one too many. */
	atomic_fetch_add(&board->wrong, 1);
}

static void take_down(Claimer mine, int name)
{
	for (int i = 0; i < PLACES; i++) {
		uint32_t me = mine;

		if (atomic_compare_exchange_strong(&board->peg[name][i], &me, 0))
			return;
	}
	atomic_fetch_add(&board->wrong, 1);
}

/* One thing of all that workers do; holds a few places of random names. */
typedef struct Guest {
	Claimer me;
	unsigned seed;
	Tally *held[NAMES][PLACES];
	int n[NAMES];
} Guest;

static void give_one(Guest *g, int name)
{
	take_down(g->me, name);
	tally_give(sh, g->held[name][--g->n[name]], claimer_worker(g->me));
}

static void try_one(Guest *g, int name)
{
	bool full;
	Tally *t = take_number(number_of[name], PLACES, claimer_worker(g->me), &full);

	if (!t)
		return;
	atomic_fetch_add(&board->taken, 1);
	hang_up(g->me, name);
	if (g->n[name] < PLACES)
		g->held[name][g->n[name]++] = t;
}

static void wait_a_little(const Guest *g, int name)
{
	int worker = claimer_worker(g->me);
	char text[32];
	Tally *t;

	snprintf(text, sizeof(text), "user-%d", number_of[name]);
	t = tally_wait(sh, TALLY_USER_CLIENTS, text, worker);
	if (!t)
		return;
	if (tally_waiting(sh, t) == 0)
		atomic_fetch_add(&board->wrong, 1);
	tally_stop_waiting(sh, t, worker);
}

static void do_something(Guest *g)
{
	int name = rand_r(&g->seed) % NAMES, what = rand_r(&g->seed) % 16;

	if (what == 0)
		wait_a_little(g, name);
	else if (g->n[name] > 0 && what < 10)
		give_one(g, name);
	else
		try_one(g, name);
}

static int come_and_go(int who)
{
	Guest g = {.me = claimer_make(who, 1), .seed = (unsigned)who};

	for (int i = 0; i < 100000; i++)
		do_something(&g);
	for (int name = 0; name < NAMES; name++) {
		while (g.n[name] > 0)
			give_one(&g, name);
	}
	return 0;
}

/* The first of the crowd is the supervisor, who looks all the time. */
static int repair_or_come_and_go(int who)
{
	if (who > 0) {
		come_and_go(who);
		atomic_fetch_add(&board->gone, 1);
	}
	while (who == 0 && atomic_load(&board->gone) < CROWD - 1)
		shared_repair(sh);
	return 0;
}

static uint64_t counts(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < TALLIES_MAX; i++) {
		uint64_t word = atomic_load(&sh->tally_word[i]);

		/* What a dead maker left is no count, and harms nobody. */
		if (!(word >> 63))
			sum += word & ((1u << 30) - 1);
		for (int k = 0; k < TALLY_WORKERS; k++)
			sum += atomic_load(&sh->tallies[i].cell[k]);
	}
	return sum;
}

TEST(the_limit_holds_whoever_comes_at_once)
{
	crowd_run(come_and_go);
	assert_int_equal(atomic_load(&board->wrong), 0);
	assert_true(atomic_load(&board->taken) > 1000);
	assert_int_equal(counts(), 0);
}

TEST(the_limit_holds_while_rows_change_hands)
{
	uint64_t before;

	leave_few_rows();
	before = counts();
	crowd_run(come_and_go);
	assert_int_equal(atomic_load(&board->wrong), 0);
	assert_true(atomic_load(&board->taken) > 1000);
	assert_int_equal(counts(), before);
}

TEST(what_the_dead_held_is_free_and_nothing_else)
{
	for (int i = 0; i < 5; i++)
		take("frog", 9, i % 2);
	for (int i = 0; i < 3; i++)
		tally_wait(sh, TALLY_USER_CLIENTS, "frog", i % 2);
	shared_release(sh, claimer_make(0, 1));
	assert_int_equal(left("frog", 9), 7);
	assert_int_equal(tally_waiting(sh, take("frog", 9, 1)), 1);
}

/* As if a worker was killed after it had changed the word, and before its cell said so. */
static void lose_a_place(const char *name)
{
	Tally *t = take(name, 9, 1);

	atomic_fetch_add(&sh->tally_word[t - sh->tallies], 1);
	tally_give(sh, t, 1);
}

TEST(a_place_that_nobody_holds_is_found_and_mended)
{
	lose_a_place("frog");
	assert_int_equal(left("frog", 9), 8);
	shared_repair(sh);
	assert_int_equal(left("frog", 9), 9);
}

TEST(a_repair_leaves_what_is_right_alone)
{
	uint64_t before;

	leave_few_rows();
	take("frog", 9, 2);
	tally_wait(sh, TALLY_USER_CLIENTS, "frog", 3);
	before = counts();
	shared_repair(sh);
	assert_int_equal(counts(), before);
}

TEST(a_repair_takes_nothing_from_who_comes_and_goes)
{
	crowd_run(repair_or_come_and_go);
	assert_int_equal(atomic_load(&board->wrong), 0);
	assert_int_equal(counts(), 0);
}

/* Somebody is at the row: what looks too much may be just his. */
TEST(a_row_that_somebody_is_changing_is_not_mended)
{
	_Atomic uint32_t *cell;

	lose_a_place("frog");
	cell = &take("frog", 9, 0)->cell[0];
	atomic_fetch_or(cell, 1u << 31);
	shared_repair(sh);
	atomic_fetch_and(cell, ~(1u << 31));
	assert_int_equal(left("frog", 9), 7);
	shared_repair(sh);
	assert_int_equal(left("frog", 9), 8);
}

static pid_t start(Claimer me)
{
	Guest g = {.me = me, .seed = me};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (;;)
		do_something(&g);
}

/* What the supervisor does; the pegs first, because then the places are free. */
static void bury(pid_t pid, Claimer dead)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int name = 0; name < NAMES; name++) {
		for (int i = 0; i < PLACES; i++) {
			uint32_t his = dead;

			atomic_compare_exchange_strong(&board->peg[name][i], &his, 0);
		}
	}
	shared_release(sh, dead);
}

static void let_them_work(uint32_t n)
{
	uint32_t until = atomic_load(&board->taken) + n;

	for (int i = 0; atomic_load(&board->taken) < until && i < 10000; i++)
		sched_yield();
}

/* Stops one, as a machine that is out of memory does, and repairs while he is anywhere. */
static void repair_behind(pid_t pid)
{
	kill(pid, SIGSTOP);
	for (int i = 0; i < 3; i++) {
		let_them_work(5);
		shared_repair(sh);
	}
	kill(pid, SIGCONT);
}

static void kill_and_repair(int rounds)
{
	pid_t pid[CROWD];
	uint32_t life[CROWD];
	unsigned seed = 1;

	for (int i = 0; i < CROWD; i++)
		pid[i] = start(claimer_make(i, life[i] = 1));
	for (int round = 0; round < rounds; round++) {
		int i = rand_r(&seed) % CROWD;

		repair_behind(pid[rand_r(&seed) % CROWD]);
		let_them_work((uint32_t)rand_r(&seed) % 50);
		bury(pid[i], claimer_make(i, life[i]++));
		pid[i] = start(claimer_make(i, life[i]));
	}
	for (int i = 0; i < CROWD; i++)
		bury(pid[i], claimer_make(i, life[i]));
	shared_repair(sh);
}

TEST(the_limit_holds_whoever_is_killed_or_stopped_anywhere)
{
	kill_and_repair(ROUNDS);
	assert_int_equal(atomic_load(&board->wrong), 0);
	assert_int_equal(counts(), 0);
}

TEST(the_limit_holds_whoever_is_killed_while_rows_change_hands)
{
	uint64_t before;

	leave_few_rows();
	before = counts();
	kill_and_repair(ROUNDS);
	assert_int_equal(atomic_load(&board->wrong), 0);
	assert_int_equal(counts(), before);
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(a_name_has_as_many_places_as_its_limit_over_all_workers),
		TABLE_TEST(names_and_kinds_are_counted_apart),
		TABLE_TEST(a_limit_can_be_raised_and_lowered),
		TABLE_TEST(there_can_be_a_place_for_every_slot),
		TABLE_TEST(who_waits_is_counted),
		TABLE_TEST(no_more_wait_than_can_be_counted),
		TABLE_TEST(a_full_table_says_so_and_loses_nothing),
		TABLE_TEST(a_row_that_nobody_uses_goes_to_who_comes),
		TABLE_TEST(a_row_that_somebody_waits_for_is_not_given_away),
		TABLE_TEST(the_limit_holds_whoever_comes_at_once),
		TABLE_TEST(the_limit_holds_while_rows_change_hands),
		TABLE_TEST(what_the_dead_held_is_free_and_nothing_else),
		TABLE_TEST(a_place_that_nobody_holds_is_found_and_mended),
		TABLE_TEST(a_repair_leaves_what_is_right_alone),
		TABLE_TEST(a_repair_takes_nothing_from_who_comes_and_goes),
		TABLE_TEST(a_row_that_somebody_is_changing_is_not_mended),
		TABLE_TEST(the_limit_holds_whoever_is_killed_or_stopped_anywhere),
		TABLE_TEST(the_limit_holds_whoever_is_killed_while_rows_change_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
