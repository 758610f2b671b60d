/*
 * Listening to the control plane: GET /api/v1/events, once for the whole process tree.
 *
 * What it tells of computes goes into the rows of those that somebody here knows
 * (model/news.h), and the workers that are concerned are nudged; whose credentials have
 * changed, into the doubts (model/doubt.h).  The stream begins
 * with the state of every compute; when it breaks it is asked for again, and that
 * beginning makes good what was missed.  A control plane that has no events is asked
 * again only now and then.
 */
#ifndef MONITOR_HEARING_H
#define MONITOR_HEARING_H

#include "conf/conf.h"
#include "model/shared.h"
#include "sys/loop.h"

typedef struct Hearing Hearing;

/* The nudges are an eventfd for each worker. */
Hearing *hearing_new(Loop *loop, Shared *sh, const int *nudges, const Config *conf);
void hearing_free(Hearing *h);

void hearing_reconfigure(Hearing *h, const Config *conf);

#endif
