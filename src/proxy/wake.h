/*
 * Waking computes: one call for whoever waits, on whichever worker.
 *
 * A session that wants a compute asks wake_want() what to do.  Whoever finds
 * nobody waking it claims the route, and this worker then makes the call, also
 * if the session that began it leaves.  The call ends with an answer in the
 * route's row and a nudge to every worker that has somebody waiting, or, when
 * nobody waits any more, without a trace.
 */
#ifndef PROXY_WAKE_H
#define PROXY_WAKE_H

#include "worker.h"

/*
 * What a session is to do for its compute.  If the verdict is to claim, the
 * claim is made here and the session waits; `turn` is of the route's state when
 * the session began to wait.  The control plane is told who claimed.
 */
RouteVerdict wake_want(Worker *w, Route *r, const char *compute, const Party *who, uint32_t turn,
		       RouteAnswer *answer);

/* Whether wake_want() would make a call to the control plane. */
bool wake_would_call(const Worker *w, const Route *r, const char *compute, uint32_t turn);

/* The address that a route has does not answer: the next who wants it asks anew. */
void wake_forget(Route *r, const char *address);

/* Gives up every call, at the end of the process. */
void wake_stop(Worker *w);

#endif
