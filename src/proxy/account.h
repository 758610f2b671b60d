/*
 * What is written down about sessions: a line when one opens, one when it ends
 * with everything that is known of it, and the counters and histograms.
 */
#ifndef PROXY_ACCOUNT_H
#define PROXY_ACCOUNT_H

#include "session.h"

/* How a depth is called in the log. */
const char *account_depth(WakeDepth depth);

/* The session is logged in. */
void account_open(Session *s);

/* It is refused, for that reason. */
void account_refusal(Session *s, const Fault *why);

/* The compute refused its login; why, it has told the client itself. */
void account_refused_login(const Session *s);

/* It ends. */
void account_close(Session *s);

#endif
