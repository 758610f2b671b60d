/*
 * Places among those that a user and a compute may have, over all workers:
 * max_db_client_connections and its kin.
 */
#ifndef PROXY_PLACES_H
#define PROXY_PLACES_H

#include "session.h"

typedef enum PlacesVerdict { PLACES_TAKEN, PLACES_WAIT, PLACES_REFUSED } PlacesVerdict;

/*
 * Takes all that the session still needs.  PLACES_WAIT: it is counted among those
 * who wait for the one that is not free, and will be nudged when it may be.
 */
PlacesVerdict places_take(Session *s, Fault *why);

/* It waits no longer; harmless if it does not. */
void places_stop_waiting(Session *s);

/* Gives back what it has taken. */
void places_give(Session *s);

#endif
