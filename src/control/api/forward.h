/*
 * What a control process that only helps does with a request: it passes it on, as it
 * is, to the one in charge, and the answer back as it comes.
 *
 * Nothing is judged here; who may do what is the other's business.  A request makes
 * one hop: one that was passed on to somebody who is not in charge any more comes
 * back with 503, which is safe to try again.
 */
#ifndef CONTROL_API_FORWARD_H
#define CONTROL_API_FORWARD_H

#include "api.h"

void api_forward(Controller *c, Request *r);

#endif
