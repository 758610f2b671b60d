/*
 * A crowd: several processes that do the same thing to one piece of shared
 * memory at the same moment, as our workers do.
 *
 * Children do not use cmocka's assertions, which jump into a parent that is not
 * there; they return how often something was wrong.
 */
#ifndef UNIT_CROWD_H
#define UNIT_CROWD_H

#include "unit.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROWD 4

/* Zeroed memory that children share; it lives as long as the test. */
static inline void *crowd_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

typedef struct Gate {
	_Atomic uint32_t here, round;
} Gate;

/* Returns once all of the crowd are at the gate. */
static inline void gate_pass(Gate *g)
{
	uint32_t round = atomic_load(&g->round);

	if (atomic_fetch_add(&g->here, 1) == CROWD - 1) {
		atomic_store(&g->here, 0);
		atomic_fetch_add(&g->round, 1);
		return;
	}
	while (atomic_load(&g->round) == round)
		sched_yield();
}

/* Runs each(0) to each(CROWD - 1), each in a process of its own; the sum of what they return. */
static inline int crowd_run(int (*each)(int who))
{
	pid_t pids[CROWD];
	int wrong = 0;

	fflush(NULL);
	for (int i = 0; i < CROWD; i++) {
		pids[i] = fork();
		assert_int_not_equal(pids[i], -1);
		if (pids[i] == 0) {
			int n = each(i);

			_exit(n > 100 ? 100 : n);
		}
	}
	for (int i = 0; i < CROWD; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		wrong += WEXITSTATUS(status);
	}
	return wrong;
}

#endif
