/*
 * Who is on a server that lets nobody new in, and whether it may be stopped under them.
 *
 * Pure.  Sessions that are only just being made count as much as those at work:
 * their clients were let in, so they are served before the server ends.
 */
#ifndef CONTROL_CROWD_H
#define CONTROL_CROWD_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Guest {
	GUEST_NONE,     /* no client's session */
	GUEST_ARRIVING, /* being let in */
	GUEST_IDLE,     /* has nothing to lose but its connection */
	GUEST_WORKING,  /* in a statement or a transaction */
} Guest;

typedef struct Crowd {
	bool known; /* the door is closed, and everybody was counted */
	int idle;
	int arriving; /* also who has been there only a moment, and may be about to ask */
	int working;
} Crowd;

void crowd_add(Crowd *c, Guest guest, int64_t age_ms);

/*
 * waited_ms: how long the door has been closed; patience ends.  farewell_ms: how long
 * those who are idle are given to be told by a proxy why they have to go.
 */
bool crowd_may_be_ended(const Crowd *c, int64_t waited_ms, int64_t farewell_ms);

#endif
