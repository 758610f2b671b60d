/*
 * One loop per process: descriptors, timers and signals call back from here.
 *
 * A thin layer over libevent that adds one promise: what is buried dies at the
 * end of the turn, so that no callback of the same turn can find it gone.
 * Watches and timers are embedded in what owns them and cost no allocation;
 * one that is set up stays valid until it is stopped.
 */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Loop Loop;

Loop *loop_new(void);
void loop_free(Loop *loop);

/* Unblocks all signals, then runs until loop_stop(). */
void loop_run(Loop *loop);
void loop_stop(Loop *loop);

/* The libevent base below, for the other files of src/sys alone. */
struct event_base *loop_base(Loop *loop);

/* Frees the object with that function when this turn of the loop is over. */
void loop_bury(Loop *loop, void *object, void (*free_object)(void *object));

/* A timer that runs once each time it is armed. */
typedef struct Timer {
	struct event event;
	void (*on_time)(void *arg);
	void *arg;
} Timer;

void timer_init(Timer *t, Loop *loop, void (*on_time)(void *arg), void *arg);
void timer_arm(Timer *t, int64_t ms); /* replaces what was armed before */
void timer_stop(Timer *t);
bool timer_is_armed(const Timer *t);

/* Calls back while the descriptor can be read (level-triggered). */
typedef struct ReadWatch {
	struct event event;
	void (*on_readable)(void *arg);
	void *arg;
	bool on;
} ReadWatch;

void read_watch_init(ReadWatch *w, Loop *loop, int fd, void (*on_readable)(void *arg), void *arg);
void read_watch_start(ReadWatch *w);
void read_watch_stop(ReadWatch *w);

/* Calls back in the loop, not in the signal handler. */
typedef struct SignalWatch {
	struct event event;
	void (*on_signal)(void *arg, int number);
	void *arg;
} SignalWatch;

void signal_watch_start(SignalWatch *w, Loop *loop, int number,
			void (*on_signal)(void *arg, int number), void *arg);
void signal_watch_stop(SignalWatch *w);

#endif
