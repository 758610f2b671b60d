/*
 * How large a compute is to be: samples, limits and policy in; a size and the reason out.
 *
 * Pure.  Sizes are thousandths of a compute unit and change by one step of a
 * ladder (250, 500, 1000, 2000, …) between the project's least and most.  Up is
 * quick: the mean over a short window is too high, or the kernel says that
 * processes wait.  Down is slow: everything stayed low for all of a long window.
 * The history keeps what both need and no more, so noting a sample costs nothing.
 */
#ifndef CONTROL_SCALE_H
#define CONTROL_SCALE_H

#include <stdbool.h>
#include <stdint.h>

#define SCALE_SAMPLES 16

typedef struct ScalePolicy {
	bool on;
	int cpu_up, memory_up, connections_up;       /* percent, above which it grows */
	int cpu_down, memory_down, connections_down; /* percent, below all of which it shrinks */
	int64_t up_window_ms, down_window_ms;
	int64_t up_pause_ms, down_pause_ms; /* since the last change of size */
} ScalePolicy;

#define SCALE_POLICY_DEFAULT                                                                     \
	{                                                                                        \
		.on = true, .cpu_up = 80, .memory_up = 80, .connections_up = 90, .cpu_down = 20, \
		.memory_down = 20, .connections_down = 10, .up_window_ms = 15000,                \
		.down_window_ms = 300000, .up_pause_ms = 15000, .down_pause_ms = 300000          \
	}

typedef struct ScaleSample {
	int64_t at_ms;
	int64_t cpu_us; /* in all, of this incarnation */
	int64_t memory; /* bytes in use */
	int connections;
	int cpu_waiting, memory_waiting; /* percent of time that somebody did, -1 if not known */
} ScaleSample;

/* What a compute may use now. */
typedef struct ScaleLimits {
	int size, least, most;
	int64_t memory_per_unit; /* bytes for 1000 thousandths */
	int connections;
	int capacity; /* of this machine, 0 for any; others is what its other active computes have
		       */
	int others;
} ScaleLimits;

/* Percentages; what is not limited is 0. */
typedef struct ScaleLoad {
	int cpu, memory, connections;
} ScaleLoad;

/* All zero at first, and after a thaw: time that was frozen is no time of low load. */
typedef struct ScaleHistory {
	ScaleSample at[SCALE_SAMPLES]; /* the newest is first */
	int n;
	int64_t calm_since_ms; /* since when everything is low; 0 if it is not */
	ScaleLoad calm_peak;   /* the most in that time */
	int calm_size;         /* with which that was measured */
	int64_t changed_ms;    /* when the size last changed, 0 if it never did */
} ScaleHistory;

/* A counter that went back, or a long silence, begins the history anew. */
void scale_note(ScaleHistory *h, const ScaleSample *s, const ScaleLimits *l, const ScalePolicy *p);

/* The size was changed: what was seen before says little. */
void scale_changed(ScaleHistory *h, int64_t now_ms);

#define SCALE_REASON_SIZE 192

typedef struct ScaleDecision {
	int size;                       /* the same as now if it is to stay */
	char reason[SCALE_REASON_SIZE]; /* with figures, for the operation */
} ScaleDecision;

ScaleDecision scale_decide(const ScaleHistory *h, const ScaleLimits *l, const ScalePolicy *p,
			   int64_t now_ms);

#endif
