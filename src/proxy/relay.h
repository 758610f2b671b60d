/*
 * Bytes from one leg to the other, and back: the same code for both directions.
 */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "session.h"

/* Passes on what one side has sent. The session may have ended when this returns. */
void relay_pump(Session *s, Side from);

/* One side's backlog is gone: the other may be read again. */
void relay_drained(Session *s, Side to);

/* One side does not take what is sent to it: what that means for the other. */
void relay_not_taken(Session *s, Side to);

/* A deadline that was set for one side to come to its end is over. */
void relay_too_long(Session *s);

/* Ends a session with an error, or without a word if the client is in the middle of a message. */
void relay_refuse(Session *s, const Fault *why);

/* Passes on bytes that were received before the relay began. */
void relay_first(Session *s, Side from, Buf *bytes);

/* A cancel for this session has been delivered, or is being. */
void relay_look_at_cancel(Session *s);

#endif
