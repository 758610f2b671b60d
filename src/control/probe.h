/*
 * Asks a compute's server what it is doing, as a role that may look and nothing else.
 */
#ifndef CONTROL_PROBE_H
#define CONTROL_PROBE_H

#include "exempt.h"
#include "record.h"
#include "suspend.h"
#include "sys/loop.h"

typedef struct Probe Probe;

/* facts->known is false, and error a sentence, if it could not be asked. */
typedef void (*ProbeAnswer)(void *arg, const ServerFacts *facts, const char *error);

Probe *probe_new(Loop *loop, const Compute *compute, ProbeAnswer on_answer, void *arg);

/*
 * on_answer() is called once for each time, in a later turn; then it may be asked again.
 * The server knows exempt roles and applications, but no networks: all sessions come from a proxy.
 */
void probe_ask(Probe *p, const Exempt *exempt);

/* Has the server write its buffers; on_done() is called also if it could not. */
void probe_checkpoint(Probe *p, void (*on_done)(void *arg));

/* Silence from here on; allowed from within on_answer(). */
void probe_free(Probe *p);

#endif
