/*
 * What a session needs of a database protocol: one small table of pure functions.
 *
 * Towards the client we play the server, towards the compute the client.  The
 * functions take bytes and give bytes or a verdict; they do no I/O, read no
 * clock and keep nothing but the structs they are handed, and come to the same
 * result however the network cuts the bytes.
 */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "proto/watch.h"

#define STARTUP_NAME_MAX 64

/*
 * The key of a running session, by which it can be cancelled: a process id and
 * a secret.  Computes may send longer secrets than they do today (protocol 3.2).
 */
#define CANCEL_SECRET_MAX 32
typedef struct CancelKey {
	uint32_t pid;
	uint8_t secret[CANCEL_SECRET_MAX];
	uint8_t secret_size; /* 0: there is no key */
} CancelKey;

/* What came before the session proper. */
typedef enum HelloVerdict {
	HELLO_MORE,    /* the packet is not complete */
	HELLO_ANSWER,  /* *reply is to be sent; then the next packet is to come */
	HELLO_STARTUP, /* hello->startup is the client's wish */
	HELLO_CANCEL,  /* hello->cancel names a session to be cancelled */
	HELLO_FAULT,
} HelloVerdict;

/* A startup packet: name and value pairs, in the client's order. */
typedef struct Startup {
	Buf pairs; /* name, zero, value, zero, … */
	uint16_t minor;
	bool negotiate; /* the client asked for more than we speak */
} Startup;

typedef struct Hello {
	bool asked_ssl, asked_gss;
	Startup startup;
	CancelKey cancel;
} Hello;

void hello_free(Hello *hello);

/*
 * The value of a startup parameter, or NULL; of one that stands twice, the last.
 * Borrowed until the startup changes.
 */
const char *startup_get(const Startup *s, const char *wanted);

/* Sets, replaces or (replacement NULL) removes a parameter. */
void startup_set(Startup *s, const char *wanted, const char *replacement);

/* How far a login to the compute has come. */
typedef enum LoginVerdict {
	LOGIN_MORE,
	LOGIN_READY,   /* the compute takes requests */
	LOGIN_NOT_YET, /* it is starting or stopping and told us before anything else: try again */
	LOGIN_ENDED,   /* it refused; what it said is in to_client */
	LOGIN_FAULT,
} LoginVerdict;

typedef struct Login {
	CancelKey ours;            /* its secret is handed to the client in place of theirs */
	CancelKey theirs;          /* what the compute gave */
	const char *connect_query; /* NULL, or run before the client's first request */
	uint32_t wanted;           /* messages of the client that the compute has asked for */
	bool heard;                /* the compute has said something that was passed on */
	bool asking;               /* the connect query is under way */
	char refusal[6];           /* SQLSTATE with which the compute refused, or "" */
} Login;

typedef struct Proto {
	const char *name; /* as engines are called */

	/* Reads the client's first packets from *in, taking what it used. */
	HelloVerdict (*hello)(Hello *hello, Buf *in, Buf *reply, Fault *why);

	/* Says, before anything else, what of the client's wish will not be spoken. */
	void (*negotiate)(const Startup *startup, Buf *to_client);

	/* The packet that begins a session on the compute. */
	void (*begin)(const Startup *startup, Buf *to_compute);

	/* Passes on what a compute says while a session begins, taking what is complete. */
	LoginVerdict (*login)(Login *login, Buf *from_compute, Buf *to_client, Buf *to_compute,
			      Fault *why);

	/*
	 * During a login only what the compute has asked for is passed on to it: the
	 * size of the client's next message if it is wanted and whole, else 0.
	 */
	size_t (*wanted)(const Login *login, const Buf *from_client);

	/* Follows the conversation (proto/watch.h). */
	bool (*watch)(Watch *watch, Side from, Span bytes, Fault *why);

	/* An error message that ends the session. */
	void (*refuse)(const Fault *fault, Buf *to_client);

	/* The packet that cancels the session with that key. */
	void (*cancel)(const CancelKey *key, Buf *to_compute);
} Proto;

extern const Proto proto_pg;

#endif
