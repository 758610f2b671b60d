/*
 * The tokens that the store has, in memory.
 *
 * All are read when this process takes over, and whoever makes or drops one tells
 * c->tokens.  The admin's token of the file, and the one that the proxy of this process
 * tree shows, are written to the store under names that stay the same for the tree, so
 * that a new one takes the old one's place.
 */
#ifndef CONTROL_KEYRING_H
#define CONTROL_KEYRING_H

#include "controller.h"

/* Calls on_done() in a later turn; *why if the store could not be asked. */
void keyring_load(Controller *c, void (*on_done)(Controller *c, const Fault *why));

/* Whether this process tree itself needs the token of that id. */
bool keyring_is_own(const Controller *c, const char *id);

#endif
