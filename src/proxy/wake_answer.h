/*
 * What a control plane answered, and what follows from it.  Pure.
 *
 * Dialect "reveille": GET /api/v1/wake_compute answers an address, or a problem
 * (RFC 9457).  Retried are 423, 429, 5xx and no answer at all; every other
 * status ends the wake, and so does an answer that is not what it should be.
 */
#ifndef PROXY_WAKE_ANSWER_H
#define PROXY_WAKE_ANSWER_H

#include "model/route.h"
#include "sys/fetch.h"

typedef enum WakeVerdict { WAKE_OK, WAKE_RETRY, WAKE_FAILED } WakeVerdict;

/*
 * On WAKE_OK fills address, generation and depth of *answer, otherwise its
 * fault; the rest of *answer is left alone.
 */
WakeVerdict wake_judge(const FetchAnswer *fetched, const char *compute, RouteAnswer *answer);

/* The pause before try number n (from 1), without and with jitter in [0, 1). */
int64_t wake_backoff_ms(int n, double jitter);

#endif
