/* The functions of each phase, as session.c puts them into its table. */
#ifndef PROXY_PHASES_H
#define PROXY_PHASES_H

#include "session.h"

#define PHASE(id, ...)                                \
	void phase_##id##_enter(Session *s);          \
	void phase_##id##_event(Session *s, Event e); \
	void phase_##id##_leave(Session *s);
#include "phases.def"
#undef PHASE

/* What the phase close calls when nothing more can be done for the client. */
void session_gone(Session *s);

/* What login hands to dial when the compute is not ready after all. */
void dial_again(Session *s, const Fault *why);

/* Called when the wait for the compute begins: the client's own time to log in stands still. */
void arrival_pause_login(Arrival *a, const Config *conf);

/* Events of a session whose bytes are being passed on (relay.c), also while it drains. */
void relay_event_common(Session *s, Event e);

#endif
