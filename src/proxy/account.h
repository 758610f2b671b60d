/*
 * What is written down about sessions: a line when one opens, one when it ends
 * with everything that is known of it, and the counters and histograms.
 */
#ifndef PROXY_ACCOUNT_H
#define PROXY_ACCOUNT_H

#include "session.h"

/* The session is logged in. */
void account_open(Session *s);

/* It is refused, for that reason. */
void account_refusal(Session *s, const Fault *why);

/* It ends. */
void account_close(Session *s);

#endif
