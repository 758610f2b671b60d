/*
 * The other end of sd_notify(3): a datagram socket on which a server says that
 * it is ready, so that nobody has to ask it again and again.
 */
#ifndef SYS_NOTIFY_H
#define SYS_NOTIFY_H

#include "base/fault.h"
#include "sys/loop.h"

typedef struct Notify Notify;

/*
 * Listens at that path, in place of whoever did before; its name goes to the server as
 * NOTIFY_SOCKET.  on_ready() is called for each message that says READY=1.  NULL and *why if it
 * cannot.
 */
Notify *notify_open(Loop *loop, const char *path, void (*on_ready)(void *arg), void *arg,
		    Fault *why);

/* Stops listening and removes the socket; allowed from within on_ready(). */
void notify_close(Notify *n);

#endif
