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

/*
 * Whether a session that is at rest has to go, because the proxy ends or its compute
 * is being suspended; why, if that is not NULL.
 */
bool session_has_to_go(const Session *s, Fault *why);

/* Something changed that may have a draining session go. */
void drain_look(Session *s);

/* The row of the compute at which a cancel is being delivered, or NULL. */
const Route *cancel_row(const Session *s);

/* The compute may be frozen now to which a cancel is on its way. */
void cancel_look_at_news(const Session *s);

/* Events of a session whose bytes are being passed on (relay.c), also while it drains. */
void relay_event_common(Session *s, Event e);

#endif
