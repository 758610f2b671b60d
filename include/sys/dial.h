/* Connecting to one address, without blocking, within a time. */
#ifndef SYS_DIAL_H
#define SYS_DIAL_H

#include "sys/address.h"
#include "sys/loop.h"

typedef struct Dial {
	int fd; /* -1: nothing under way */
	struct event event;
	Timer timer;
	Address to;
	int64_t until_ms;
	bool full; /* there was no room in the server's queue; it is tried again */
	int error; /* what connect() said, for the callback */
	/* The connected descriptor, now the receiver's; or -1 and the errno that says why. */
	void (*on_dialled)(void *arg, int fd, int error);
	void *arg;
} Dial;

void dial_init(Dial *d, Loop *loop, void (*on_dialled)(void *arg, int fd, int error), void *arg);

/* Begins; never calls back before it returns. */
void dial_start(Dial *d, const Address *to, int64_t timeout_ms);

/* Gives up; there will be no call back. Harmless if nothing is under way. */
void dial_stop(Dial *d);

#endif
