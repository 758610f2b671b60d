/* Rows: the one way processes share data. */
#include "crowd.h"

#include <signal.h>

#include "model/row.h"

typedef struct Value {
	uint64_t copy[16];
	char odd[5]; /* so that the last word is not whole */
} Value;

typedef ROW(Value) ValueRow;

#define STORES 300000

static void fill(Value *v, uint64_t i)
{
	memset(v, 0, sizeof(*v));
	for (int k = 0; k < 16; k++)
		v->copy[k] = i;
	memset(v->odd, (int)(i & 0xff), sizeof(v->odd));
}

static bool is_whole(const Value *v)
{
	Value truth;

	fill(&truth, v->copy[0]);
	return memcmp(v, &truth, sizeof(truth)) == 0;
}

TEST(readers_never_see_half_a_row)
{
	ValueRow *row = crowd_memory(sizeof(*row));
	uint64_t loads = 0, last = 0;
	Value v;
	pid_t writer = fork();

	if (writer == 0) {
		for (uint64_t i = 1; i <= STORES; i++) {
			fill(&v, i);
			ROW_STORE(row, &v);
		}
		_exit(0);
	}
	while (waitpid(writer, NULL, WNOHANG) == 0 || loads == 0) {
		if (!ROW_LOAD(row, &v))
			continue;
		loads++;
		assert_true(is_whole(&v));
		assert_true(v.copy[0] >= last);
		last = v.copy[0];
	}
	assert_true(ROW_LOAD(row, &v));
	assert_int_equal(v.copy[0], STORES);
	munmap(row, sizeof(*row));
}

TEST(a_fresh_row_holds_zeroes)
{
	ValueRow row = {0};
	Value v;

	fill(&v, 9);
	assert_true(ROW_LOAD(&row, &v));
	assert_int_equal(v.copy[0], 0);
}

TEST(a_dead_writer_leaves_a_usable_row)
{
	ValueRow row = {0};
	Value in, out;

	fill(&in, 7);
	atomic_store(&row.turn, 5);
	assert_false(ROW_LOAD(&row, &out));
	ROW_STORE(&row, &in);
	assert_true(ROW_LOAD(&row, &out));
	assert_int_equal(out.copy[0], 7);
	assert_int_equal(atomic_load(&row.turn) % 2, 0);
}

/* The same, with a writer that really dies wherever it happens to be. */
TEST(a_writer_killed_anywhere_leaves_a_whole_row_or_says_so)
{
	ValueRow *row = crowd_memory(sizeof(*row));

	for (int i = 0; i < 20; i++) {
		pid_t writer = fork();
		Value v;

		if (writer == 0) {
			for (uint64_t k = 1;; k++) {
				fill(&v, k);
				ROW_STORE(row, &v);
			}
		}
		while (!ROW_LOAD(row, &v) || v.copy[0] == 0)
			sched_yield();
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
		assert_true(!ROW_LOAD(row, &v) || is_whole(&v));
		fill(&v, 0);
		ROW_STORE(row, &v);
		assert_true(ROW_LOAD(row, &v));
	}
	munmap(row, sizeof(*row));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_never_see_half_a_row),
		cmocka_unit_test(a_fresh_row_holds_zeroes),
		cmocka_unit_test(a_dead_writer_leaves_a_usable_row),
		cmocka_unit_test(a_writer_killed_anywhere_leaves_a_whole_row_or_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
