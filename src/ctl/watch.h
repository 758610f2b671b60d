/* reveillectl watch: what becomes of computes, as it happens. */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "http.h"

/*
 * Prints each change, as a line or as JSON, until the program is ended.  A connection
 * that ends is made again.  Returns false and *why if the first one came to nothing, or
 * the control plane refused.
 */
bool watch_run(const HttpRequest *request, bool json, Fault *why);

#endif
