/*
 * A Session is one client, and the compute it is being connected to.
 *
 * It is always in exactly one phase, and session_advance() is the only place
 * where that changes.  A phase starts its work in enter(), hears of everything
 * that happens in event(), and stops whatever it started in leave(), so that
 * no callback can find the session in a phase that did not ask for it.
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include <sys/queue.h>

#include "access.h"
#include "conf/conf.h"
#include "conf/hba.h"
#include "conf/network.h"
#include "model/shared.h"
#include "model/tally.h"
#include "proto/proto.h"
#include "sys/address.h"
#include "sys/stream.h"

typedef struct Worker Worker;
typedef struct Session Session;

typedef enum PhaseId {
#define PHASE(name, ...) PHASE_##name,
#include "phases.def"
#undef PHASE
	PHASE_COUNT
} PhaseId;

typedef enum Event {
	EVENT_CLIENT_READABLE,
	EVENT_CLIENT_DRAINED,
	EVENT_CLIENT_BROKEN,
	EVENT_CLIENT_SECURED,
	EVENT_COMPUTE_READABLE,
	EVENT_COMPUTE_DRAINED,
	EVENT_COMPUTE_BROKEN,
	EVENT_COMPUTE_SECURED,
	EVENT_DEADLINE,
	EVENT_NUDGE, /* something changed in shared memory */
} Event;

typedef struct Phase {
	const char *name;
	uint32_t next; /* one bit for each phase that may follow */
	void (*enter)(Session *s);
	void (*event)(Session *s, Event e);
	void (*leave)(Session *s);
	const char *waits_for;
} Phase;

/* One of the two connections of a session. */
typedef struct Leg {
	Stream stream;
	Buf in; /* received and not yet understood: before the relay only */
} Leg;

/* A client's place among the TLS handshakes of its worker (handshake.h). */
typedef enum HandshakeState {
	HANDSHAKE_NONE,
	HANDSHAKE_AGREED, /* the client may begin, and costs nothing until it does */
	HANDSHAKE_WAITS,
	HANDSHAKE_RUNS,
} HandshakeState;
typedef struct Handshake {
	HandshakeState state;
	bool direct; /* TLS began without being asked for */
	int64_t since_ms;
} Handshake;

/* What a session needs until it is logged in, and not a moment longer. */
typedef struct Arrival {
	Access *access; /* TLS and rules as they were when the client came, as is its conf */
	Hello hello;
	Login login;
	const Database *database;
	char compute[ROUTE_NAME_SIZE];
	char address[ROUTE_ADDRESS_SIZE]; /* what the wake answered */
	WakeDepth depth;
	bool from_cache;     /* the address was known before this session asked */
	bool negotiated;     /* the client was told what we do not speak */
	uint32_t wake_turn;  /* of the route's state when the session began to wait */
	uint64_t generation; /* of the compute, as the wake answered */
	int attempts;        /* at dialling */
	int64_t login_left_ms, login_since_ms; /* of the client's own time to log in */
	int64_t wake_until_ms;                 /* 0 until the wait for the compute begins */
	int64_t accepted_us, routed_us, wanted_us, woken_us, ready_us;
	Fault last;                                  /* why the last attempt failed */
	Address peer;                                /* of the compute, once connected */
	char compute_server_name[ROUTE_SERVER_SIZE]; /* as the wake answered, or "" */
	uint8_t binding[TLS_HASH_MAX];               /* of the compute's connection */
	char compute_host[ROUTE_ADDRESS_SIZE];       /* that was dialled, or that name */
	char client[NAME_SIZE];
	ClientAddress from;    /* the client, also if it came through another proxy */
	ClientAddress reached; /* and what it connected to; of a Unix socket if that is not known */
	bool relayed;          /* a PROXY header said who it is */
	bool counted;          /* in the bucket of its address */
	bool header_read;      /* a PROXY header was there, or was not */
	char *user;            /* who the client says it is */
	bool replication;      /* it asks for physical replication */
	HbaMethod method;      /* how it has to prove that */
	int64_t queued_ms;     /* since when it waits for a place */
	bool paused;           /* it had to wait because logins had failed */
	const IdentMap *map;   /* of that rule, or NULL; in access */
	char *own_password;    /* with which we log in to the compute, or NULL; wiped */
	bool charged;          /* its try counts as a failed login until it is a good one */
	Handshake handshake;
	char server_name[TLS_NAME_MAX]; /* that the client asked for (SNI), in lower case */
} Arrival;

struct Session {
	Worker *worker;
	const Config *conf; /* as it was when the client came */
	const Proto *proto;
	const Phase *phase;
	Arrival *arrival; /* NULL once relaying */
	void *work;       /* what the present phase has under way; its own */
	Leg client, compute;
	Watch watch;
	Timer deadline;
	uint64_t id;
	int64_t since_us; /* wall clock */
	int64_t asked_us; /* when the request under way began; until one has, when it was let in */
	Tally *places[TALLY_KINDS]; /* that it has taken (places.h) */
	Tally *awaited;             /* for a place of which it waits, or NULL */
	uint32_t slot;              /* SLOT_NONE before admission */
	Route *route;               /* the row this session is counted in, or NULL */
	TrafficCell *traffic;       /* where its bytes are counted, or NULL */
	bool stranger;              /* it has not proved who it is, and may have to make room */
	bool opened;                /* a line was logged for its beginning */
	bool waiting;               /* it is on the worker's list of those to be nudged */
	bool client_left;           /* its socket has ended; nothing can be said to it */
	bool held;                  /* its requests wait for a cancel to be delivered */
	uint64_t received_client, received_compute;
	const char *reason;   /* why it ends */
	const char *ended_in; /* the phase it was in then */
	int wake_ms;          /* how long it waited for its compute; -1: it did not */
	char sqlstate[6];     /* with which it was refused, or "" */
	TAILQ_ENTRY(Session) all, waiters, handshakes, strangers;
};

TAILQ_HEAD(SessionList, Session);

/* Takes over a connection that was just accepted. */
void session_begin(Worker *w, int fd, const Address *from);

void session_advance(Session *s, PhaseId next);
void session_event(Session *s, Event e);
bool session_is_in(const Session *s, PhaseId phase);

/* Tells the client why it cannot be served, and closes. */
void session_refuse(Session *s, const Fault *why);

/* Closes without a word; the reason is for the log and must be a constant. */
void session_end(Session *s, const char *reason);

/* The client's connection has ended before the session began. */
void session_hung_up(Session *s);

/* EVENT_DEADLINE comes after that many milliseconds, unless the phase ends first. */
void session_deadline(Session *s, int64_t ms);

/* Whether to be nudged when shared memory changes. */
void session_wait(Session *s, bool on);

/* Adds what the client has sent to client.in; false if there was nothing, or the client is gone. */
bool session_receive(Session *s);

/*
 * For phases in which the client has nothing to say: keeps what it says
 * nevertheless, up to a bound, and ends the session if it hangs up.  True if the
 * event was one of the client's.
 */
bool session_hears_client(Session *s, Event e);

/* What the slot is to tell; session_publish() makes it so. */
void session_slot_info(const Session *s, SlotInfo *info);
void session_publish(Session *s, const SlotInfo *info);

/* TCP_NODELAY and keepalive as configured. */
void session_tune(const Session *s, Stream *stream);

/* What is left of the client's own time to log in, in milliseconds; before it is paused. */
int64_t session_login_left_ms(const Session *s);

/* Appends, the first time, what of the client's wish will not be spoken. */
void session_negotiate(Session *s, Buf *to_client);

/* The login is over: what only it needed goes. */
void session_arrived(Session *s);

/* From now on it need not make room for those who come; harmless if it is none. */
void session_no_stranger(Session *s);

#endif
