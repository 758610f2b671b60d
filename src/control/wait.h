/*
 * Those who wait for a compute to be active, at rest or gone: long polls of the API.
 *
 * Any number may wait for the same compute; what they wait for happens once.  A
 * waiter whose client hangs up is dropped, and what was begun for it goes on.
 */
#ifndef CONTROL_WAIT_H
#define CONTROL_WAIT_H

#include "fleet.h"
#include "sys/serve.h"

typedef enum WaitFor {
	WAIT_ACTIVE,  /* makes the compute wanted, too */
	WAIT_RESTING, /* suspended or failed */
	WAIT_FROZEN,  /* or not, with the reason in unit->reason */
	WAIT_SIZED,   /* it has the size it is to have, and its server knows */
	WAIT_GONE,
} WaitFor;

typedef enum WaitEnd {
	WAIT_REACHED,
	WAIT_FAILED,     /* it could not be started; compute.failure says why */
	WAIT_REFUSED,    /* a quota is used up; allowance_to_run() says which */
	WAIT_NO_COMPUTE, /* it went away; unit->reason says why */
	WAIT_UNWRITTEN,  /* the store does not take the change */
	WAIT_TIMEOUT,
} WaitEnd;

typedef void (*WaitOver)(void *arg, Unit *u, WaitEnd end);

struct Waiter {
	Unit *unit;
	Request *request;
	WaitFor what;
	WaitOver on_over;
	void (*on_gone)(void *arg); /* the client hung up */
	void *arg;
	Timer deadline;
	LIST_ENTRY(Waiter) link;
};

/*
 * Waits on behalf of a request.  Either on_over() is called, once, perhaps at
 * once, or on_gone() because the client hung up; then the request is gone.  Without a
 * request the wait goes on, whoever leaves.
 */
void wait_begin(Unit *u, WaitFor what, int64_t timeout_ms, Request *r, WaitOver on_over,
		void (*on_gone)(void *arg), void *arg);

/* Whether somebody waits for it to be active. */
bool wait_is_wanted(const Unit *u);

/* Tells those whose wait is over, after the unit has changed. */
void wait_check(Unit *u);

/* The same after the store refused a change again and again; who can ask again is told to. */
void wait_give_up(Unit *u);

#endif
