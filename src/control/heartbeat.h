/*
 * Says in the store, every few seconds, which computes are alive: where an
 * interval ends if nobody saw its end.
 */
#ifndef CONTROL_HEARTBEAT_H
#define CONTROL_HEARTBEAT_H

#define HEARTBEAT_MS 5000

/* Writes one now, and again each HEARTBEAT_MS. */
void heartbeat(void *controller);

#endif
