/*
 * Poking: a compute that is frozen under a session is woken when the session needs it.
 *
 * A frozen server is in memory and its connections stand, but it does not run.  What
 * a client sends is passed on as ever and lies in the server's socket; at the same
 * time the compute is woken through the one call that there is for everybody
 * (wake.h), and the server answers when it runs again.  No byte waits for that.
 *
 * Nobody is forgotten: the relay looks at the mark after each of a client's bytes,
 * and when the mark arrives every session is looked at.  Both happen in the worker's
 * one loop, so what is sent before the look is found by it, and what is sent after it
 * finds the mark.
 */
#ifndef PROXY_POKE_H
#define PROXY_POKE_H

#include "model/news.h"
#include "worker.h"

/* What is known of the compute of a row in which this worker is counted. */
News poke_news(const Worker *w, const Route *r);

/* Something is on its way to this compute, which that row says is frozen. */
void poke(Worker *w, const Route *row, const SlotInfo *who);

/* The session waits for its compute, or may: after each of its client's bytes. */
void poke_if_frozen(Session *s);

/* The worker was nudged: a wake may have ended, and there may be news of computes. */
void poke_on_nudge(Worker *w);

/* Gives up every poke, at the end of the process. */
void poke_stop(Worker *w);

#endif
