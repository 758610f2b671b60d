/*
 * Letters to projects' webhooks: POSTed until they arrive.
 *
 * They lie in the store, so none is lost with this process; each may come twice, and
 * its key says that it is the same.  One at a time goes to each URL; who does not take
 * it is asked again after a second, then two, up to an hour, for fourteen days.  A
 * redirect is no answer, and only http and https are spoken.
 */
#ifndef CONTROL_OUTBOX_H
#define CONTROL_OUTBOX_H

#include <jansson.h>
#include <stdint.h>

#include "record.h"

typedef struct Controller Controller;
typedef struct Outbox Outbox;

Outbox *outbox_new(Controller *c);

/* Looks for letters whose time has come. */
void outbox_look(Outbox *o);

/* Writes one to be sent; takes the reference to the body. What has that key is sent once. */
void outbox_send(Controller *c, const char *url, const char *key, json_t *body);

/* False if the body is too long for a letter. The reference is taken. */
bool letter_write(Letter *l, const char *url, const char *key, json_t *body);

/* How long after so many failures it is tried again: doubles from a second up to an hour. */
int64_t outbox_pause_us(int64_t failures);

#endif
