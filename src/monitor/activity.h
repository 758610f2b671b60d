/*
 * Telling the control plane which computes are used.
 *
 * Now and then the sessions in shared memory are counted per compute.  What has
 * changed, or is at work, or still connected, goes out in batches of bounded size
 * (POST /api/v1/activity), with who uses the compute (causes.h) and how many bytes
 * went through; what is lost is made good by the next.
 */
#ifndef MONITOR_ACTIVITY_H
#define MONITOR_ACTIVITY_H

#include "conf/conf.h"
#include "model/shared.h"
#include "sys/loop.h"

typedef struct Activity Activity;

Activity *activity_new(Loop *loop, Shared *sh, const Config *conf);
void activity_free(Activity *a);

void activity_reconfigure(Activity *a, const Config *conf);

#endif
