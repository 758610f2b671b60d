/*
 * Other proxies of the same group, and cancel requests for their sessions.
 *
 * A key of protocol 3.2 says whose it is.  One of 3.0 has no room for that, so
 * whoever does not know it asks all the others.  What is passed on is marked, and
 * what is marked is not passed on again.  Pure.
 */
#ifndef PROXY_PEERS_H
#define PROXY_PEERS_H

#include "conf/conf.h"
#include "proto/proto.h"

/* Takes the mark off a key, if it has one. */
bool peers_unmark(CancelKey *key);

/* Puts it on; the key is one that our own sessions might have. */
void peers_mark(CancelKey *key);

/* Whether a cancel that we have no session for is to be sent on to this peer. */
bool peers_concerns(const Config *conf, const PeerEntry *peer, const CancelKey *key);

#endif
