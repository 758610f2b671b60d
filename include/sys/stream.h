/*
 * A Stream is one connected socket on the loop.
 *
 * It is read with a persistent, level-triggered event and written at once, so
 * that a request that comes and goes costs one receive and one send and nothing
 * else.  Only what the kernel would not take is kept, and only then is the event
 * for writing there.  TLS is a layer in here: who receives and sends need not know.
 */
#ifndef SYS_STREAM_H
#define SYS_STREAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "sys/loop.h"
#include "sys/tls.h"

typedef enum StreamEvent {
	STREAM_READABLE, /* there are bytes, or the end of them */
	STREAM_DRAINED,  /* all that was kept is sent */
	STREAM_BROKEN,   /* what was kept can no longer be sent, or TLS failed */
	STREAM_SECURED,  /* the TLS handshake is done */
} StreamEvent;

typedef struct Stream {
	int fd; /* -1 when closed */
	bool reading, writing;
	bool shaking_hands; /* the TLS handshake is under way: nobody reads or sends */
	Tls *tls;           /* NULL: plain */
	Buf out;            /* accepted for sending, not taken by the kernel yet */
	struct event read, write;
	void (*on_event)(void *arg, StreamEvent what);
	void *arg;
} Stream;

typedef struct KeepAlive {
	bool on;
	int count, idle_s, interval_s, user_timeout_ms; /* 0: as the system has it */
} KeepAlive;

/* Takes the descriptor over, which must not block. Does not read until told to. */
void stream_open(Stream *s, Loop *loop, int fd, void (*on_event)(void *arg, StreamEvent what),
		 void *arg);

/* From now on somebody else hears of events. */
void stream_hear(Stream *s, void (*on_event)(void *arg, StreamEvent what), void *arg);

/*
 * Begins the TLS handshake; `early` was received already and belongs to it.  It
 * ends with STREAM_SECURED, or with STREAM_BROKEN and the reason in tls_why().
 * The stream owns the Tls from now on; reading is on while it lasts and after it.
 */
void stream_secure(Stream *s, Tls *tls, Span early);

/* TCP_NODELAY and keepalive; nothing on a Unix socket. */
void stream_tune(Stream *s, const KeepAlive *keep);

/* Closes at once; what was kept is dropped. Harmless on a closed one. */
void stream_close(Stream *s);

void stream_read_on(Stream *s);
void stream_read_off(Stream *s);

#define STREAM_AGAIN (-1) /* nothing there now */
#define STREAM_ERROR (-2) /* broken; errno says how */

/* Bytes read (> 0), 0 at the end, STREAM_AGAIN or STREAM_ERROR. */
ssize_t stream_recv(Stream *s, void *to, size_t n);

/* Sends what can be sent and keeps the rest; false if the stream is broken. */
bool stream_send(Stream *s, Span bytes);

/* No more will be sent: a FIN, behind what was sent already. */
void stream_end(Stream *s);

/* Whether something is kept that the kernel would not take; STREAM_DRAINED will come. */
static inline bool stream_is_blocked(const Stream *s)
{
	return s->writing;
}

static inline bool stream_is_open(const Stream *s)
{
	return s->fd != -1;
}

#endif
