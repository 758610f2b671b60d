/*
 * One connection to an HTTP server: bytes become requests, one after the other, and
 * answers bytes.
 *
 * A request is looked at only when the answer before it has been taken by the kernel,
 * so who sends many at once and reads nothing costs no memory.  Each stage has its
 * time, counted from its beginning: trickling in does not make it longer.
 */
#ifndef SYS_VISIT_H
#define SYS_VISIT_H

#include <sys/queue.h>

#include "proto/http.h"
#include "sys/serve.h"
#include "sys/stream.h"

typedef enum VisitStage {
	VISIT_SHAKING,   /* hands: TLS begins */
	VISIT_IDLE,      /* nothing of a request is there */
	VISIT_ARRIVING,  /* some of it is */
	VISIT_WAITING,   /* somebody is finding an answer */
	VISIT_SENDING,   /* the kernel has not taken all of it */
	VISIT_LINGERING, /* all is said, and the client is to end first */
	VISIT_OVER,
} VisitStage;

typedef struct Visit {
	HttpServer *server;
	Stream stream;
	Address peer;
	VisitStage stage;
	Buf in; /* received and not read yet */
	HttpHead head;
	HttpBody body;
	Buf body_bytes;
	Request *request; /* from its head to its answer */
	bool stranger;    /* nobody has said that it is to be trusted */
	bool keep;        /* the connection goes on after the answer */
	bool ended;       /* the client says no more */
	bool broken;      /* to be closed at the end of the turn */
	bool advancing;
	size_t owed; /* what the client had still to read when the deadline was armed */
	Timer deadline, soon;
	LIST_ENTRY(Visit) link;
	TAILQ_ENTRY(Visit) among_strangers;
} Visit;

struct HttpServer {
	Loop *loop;
	ServeSetup setup;
	struct evconnlistener *listeners[LISTENERS_MAX];
	bool is_tcp[LISTENERS_MAX];
	int n_listeners;
	LIST_HEAD(, Visit) visits;
	TAILQ_HEAD(, Visit) strangers; /* the oldest first */
	int connections, n_strangers;
	bool full;
	Timer again; /* accepting, after it failed */
};

/* Takes the descriptor over. */
void visit_begin(HttpServer *s, int fd, const Address *peer, bool secure);

/* It is no stranger's, or no more there. */
void visit_trust(Visit *v);

/* Ends it at once; whoever waits for its client is told if `tell`. */
void visit_end(Visit *v, bool tell);

/*
 * Ends it in a later turn, never from within a call of whoever uses the request: he
 * would be called back.
 */
void visit_break(Visit *v);

/* Sends; what the kernel does not take is kept. */
void visit_send(Visit *v, Span bytes);

/* The request has been answered, and all of the answer is with the stream. */
void visit_answered(Visit *v);

/* There is room again for a connection. */
void serve_visit_ended(HttpServer *s);

/* ---- request.c --------------------------------------------------------- */

/* Of the head that the visit has just read. */
Request *request_new(Visit *v);
void request_free(Request *r);

/* The client has left: tells whoever wants to know, if `tell`; others may still answer. */
void request_leave(Request *r, bool tell);
bool request_minds(const Request *r); /* somebody wants to know */

#endif
