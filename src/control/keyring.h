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

/*
 * Looks in the store for a token that is not known here: a control plane that helps may have
 * made it known.  False if there is none such, and nothing is asked; else on_done() is called
 * later, if it is given, whatever was found.
 */
bool keyring_look_up(Controller *c, const char *authorization, void (*on_done)(void *arg),
		     void *arg);

/* Whether this process tree itself needs the token of that id. */
bool keyring_is_own(const Controller *c, const char *id);

#endif
