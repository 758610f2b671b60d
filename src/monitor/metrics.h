/* Prometheus' text format, from shared memory. */
#ifndef MONITOR_METRICS_H
#define MONITOR_METRICS_H

#include "base/buf.h"
#include "model/shared.h"

/* Appends the whole of /metrics. */
void metrics_print(const Shared *sh, Buf *out);

#endif
