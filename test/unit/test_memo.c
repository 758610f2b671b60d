/* The memo: numbers of keys that strangers choose, in a table that does not grow. */
#include "crowd.h"

#include <signal.h>

#include "model/memo.h"

static const uint8_t hash_key[16] = "sixteen bytes of";
static Memo *m;
static Gate *gate;
static _Atomic uint32_t *board; /* which row each of the crowd got in this round */

static int make_memo(void **state)
{
	(void)state;
	m = crowd_memory(sizeof(*m));
	gate = crowd_memory(sizeof(*gate));
	board = crowd_memory(sizeof(*board) * CROWD);
	return 0;
}

static int drop_memo(void **state)
{
	(void)state;
	munmap(m, sizeof(*m));
	munmap(gate, sizeof(*gate));
	munmap((void *)(uintptr_t)board, sizeof(*board) * CROWD);
	return 0;
}

static uint64_t tag_of(unsigned i)
{
	return memo_tag(hash_key, &i, sizeof(i));
}

TEST(what_was_never_made_is_not_found)
{
	assert_null(memo_find(m, tag_of(1)));
	memo_make(m, tag_of(1));
	assert_non_null(memo_find(m, tag_of(1)));
	assert_null(memo_find(m, tag_of(2)));
}

TEST(a_key_has_one_row_that_begins_at_zero)
{
	_Atomic int64_t *n = memo_make(m, tag_of(1));

	assert_int_equal(atomic_load(n), 0);
	atomic_store(n, 7);
	assert_ptr_equal(memo_make(m, tag_of(1)), n);
	assert_ptr_equal(memo_find(m, tag_of(1)), n);
	assert_ptr_not_equal(memo_make(m, tag_of(2)), n);
	assert_int_equal(atomic_load(memo_find(m, tag_of(1))), 7);
}

/* Keys of one set, so that each of them is in the others' way. */
static uint64_t rival(unsigned i)
{
	return (uint64_t)5 << 32 | i << 1 | 1;
}

TEST(the_lowest_number_makes_room)
{
	for (unsigned i = 0; i < MEMO_WAYS; i++)
		atomic_store(memo_make(m, rival(i)), i == 9 ? 50 : 100 + i);
	assert_int_equal(atomic_load(memo_make(m, rival(MEMO_WAYS))), 0);
	assert_null(memo_find(m, rival(9)));
	for (unsigned i = 0; i < MEMO_WAYS; i++) {
		if (i != 9)
			assert_int_equal(atomic_load(memo_find(m, rival(i))), 100 + i);
	}
}

TEST(a_table_holds_many_keys_before_it_forgets_any)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < MEMO_ROWS / 2; i++)
		atomic_store(memo_make(m, tag_of(i)), 1 + (int64_t)i);
	for (unsigned i = 0; i < MEMO_ROWS / 2; i++)
		kept += memo_find(m, tag_of(i)) != NULL;
	assert_true(kept > MEMO_ROWS / 2 * 98 / 100);
}

/* In each round all of the crowd make a key, and look whether they met. */
static int make_together(int who)
{
	int wrong = 0;

	for (unsigned round = 0; round < 1500; round++) {
		gate_pass(gate);
		atomic_store(&board[who], (uint32_t)(memo_make(m, tag_of(round)) - m->number));
		gate_pass(gate);
		for (int i = 0; i < CROWD; i++)
			wrong += atomic_load(&board[i]) != atomic_load(&board[who]);
		gate_pass(gate);
		atomic_store(&m->number[atomic_load(&board[who])], (int64_t)round + 1);
	}
	return wrong;
}

TEST(who_makes_a_key_at_the_same_time_gets_the_same_row)
{
	assert_int_equal(crowd_run(make_together), 0);
}

static void use_rivals_for_ever(unsigned who)
{
	for (unsigned i = who;; i++)
		atomic_fetch_add(memo_make(m, rival(i % (3 * MEMO_WAYS))), 1);
}

TEST(who_is_killed_anywhere_leaves_a_table_that_works)
{
	for (int round = 0; round < 20; round++) {
		pid_t pids[CROWD];

		for (unsigned i = 0; i < CROWD; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				use_rivals_for_ever(i);
		}
		while (atomic_load(&m->number[5 * MEMO_WAYS + 3]) < 10)
			sched_yield();
		for (int i = 0; i < CROWD; i++) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		for (unsigned i = 0; i < 3 * MEMO_WAYS; i++) {
			_Atomic int64_t *n = memo_make(m, rival(i));

			assert_ptr_equal(memo_find(m, rival(i)), n);
			atomic_store(n, 0);
		}
	}
}

#define MEMO_TEST(name) cmocka_unit_test_setup_teardown(name, make_memo, drop_memo)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMO_TEST(what_was_never_made_is_not_found),
		MEMO_TEST(a_key_has_one_row_that_begins_at_zero),
		MEMO_TEST(the_lowest_number_makes_room),
		MEMO_TEST(a_table_holds_many_keys_before_it_forgets_any),
		MEMO_TEST(who_makes_a_key_at_the_same_time_gets_the_same_row),
		MEMO_TEST(who_is_killed_anywhere_leaves_a_table_that_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
