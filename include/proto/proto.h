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
#include "proto/scram.h"
#include "proto/watch.h"

#define STARTUP_NAME_MAX 64

/*
 * The key of a running session, by which it can be cancelled: a process id and
 * a secret.  Computes may send longer secrets than they do today (protocol 3.2).
 */
#define CANCEL_SECRET_MAX 32
#define CANCEL_MARKED_MAX 40 /* with what proxies of one group put before it */
typedef struct CancelKey {
	uint32_t pid;
	uint8_t secret[CANCEL_MARKED_MAX];
	uint8_t secret_size; /* 0: there is no key */
} CancelKey;

/* What came before the session proper. */
typedef enum HelloVerdict {
	HELLO_MORE,    /* the packet is not complete */
	HELLO_ANSWER,  /* *reply is to be sent; then the next packet is to come */
	HELLO_SECURE,  /* the same, and TLS begins */
	HELLO_DIRECT,  /* TLS has begun without being asked for; its bytes lie in *in */
	HELLO_STARTUP, /* hello->startup is the client's wish */
	HELLO_CANCEL,  /* hello->cancel names a session to be cancelled */
	HELLO_FAULT,
} HelloVerdict;

/* A startup packet: name and value pairs, in the client's order. */
typedef struct Startup {
	Buf pairs;      /* name, zero, value, zero, … */
	uint16_t minor; /* of the protocol that is spoken: what the client asked for, as far as we
			   can */
	bool negotiate; /* the client asked for more than that */
} Startup;

typedef struct Hello {
	bool may_secure; /* we have a certificate to show */
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

/* How a client proves who it is, where that is for us to ask. */
typedef enum ProofKind { PROOF_SCRAM, PROOF_PASSWORD } ProofKind;

typedef enum ProofVerdict {
	PROOF_MORE,
	PROOF_SAID,  /* proof->password is what the client says: the caller compares */
	PROOF_RIGHT, /* it knows the secret; with scram.client_key so do we */
	PROOF_FAULT, /* FAULT_WRONG_PASSWORD, or it does not speak the protocol */
} ProofVerdict;

typedef struct Proof {
	/* The caller's. */
	ProofKind kind;
	ScramServer scram;    /* its secret, and whether it is a true one */
	ScramBinding binding; /* of the client's connection */
	char nonce[SCRAM_NONCE_SIZE + 1];
	/* Ours. */
	bool begun;     /* the client's first message was read */
	char *password; /* for PROOF_SAID; proof_free() wipes it */
} Proof;

void proof_free(Proof *proof);

/* How we log in to a compute ourselves, for a client that has proved to us who it is. */
typedef struct OwnLogin {
	/* The caller's. */
	bool on;
	bool private_leg;            /* nobody listens in: a password may be said in clear */
	const char *user, *password; /* password NULL: it is not known */
	bool has_keys;               /* keys open the secret `of` */
	ScramKeys keys;
	ScramSecret of;
	ScramBinding binding; /* of the compute's connection */
	char nonce[SCRAM_NONCE_SIZE + 1];
	/* Ours. */
	ScramClient scram;
	bool asked;   /* the compute has asked for a proof, which it does once */
	bool proving; /* ours is on its way, and the compute's own is to come */
	bool let_in;  /* the compute has said so */
} OwnLogin;

/* How far a login to the compute has come. */
typedef enum LoginVerdict {
	LOGIN_MORE,
	LOGIN_READY,   /* the compute takes requests */
	LOGIN_NOT_YET, /* it is starting or stopping and told us before anything else: try again */
	LOGIN_ENDED,   /* it refused; what it said is in to_client */
	LOGIN_STRETCH, /* the password is to be made into keys with own.scram's salt; then
			  stretched() */
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
	bool no_binding;           /* SCRAM-SHA-256-PLUS is not passed on: it would bind to us */
	bool hid_plus;             /* and was offered */
	OwnLogin own;
} Login;

/* Forgets what a compute has asked for: the login begins anew, on another connection. */
void login_begin(Login *login);

/* Wipes what is secret in it. */
void login_free(Login *login);

typedef enum TlsAnswer { TLS_AGREED, TLS_DECLINED, TLS_NO_ANSWER } TlsAnswer;

typedef struct Proto {
	const char *name; /* as engines are called */

	/* Reads the client's first packets from *in, taking what it used. */
	HelloVerdict (*hello)(Hello *hello, Buf *in, Buf *reply, Fault *why);

	/* Asks a server for TLS, and what its one byte of answer means. */
	void (*ask_tls)(Buf *to_server);
	TlsAnswer (*tls_answer)(uint8_t answer);

	/* Says, before anything else, what of the client's wish will not be spoken. */
	void (*negotiate)(const Startup *startup, Buf *to_client);

	/* The packet that begins a session on the compute. */
	void (*begin)(const Startup *startup, Buf *to_compute);

	/* Asks the client for a proof, reads what it says, and tells it that it may come in. */
	void (*ask_proof)(const Proof *proof, Buf *to_client);
	ProofVerdict (*prove)(Proof *proof, Buf *from_client, Buf *to_client, Fault *why);
	void (*welcome)(Buf *to_client);

	/* Passes on what a compute says while a session begins, taking what is complete. */
	LoginVerdict (*login)(Login *login, Buf *from_compute, Buf *to_client, Buf *to_compute,
			      Fault *why);

	/* The keys for which LOGIN_STRETCH asked. */
	void (*stretched)(Login *login, const ScramKeys *keys, Buf *to_compute);

	/*
	 * During a login only what the compute has asked for is passed on to it: the
	 * size of the client's next message if it is wanted and whole, else 0.
	 */
	size_t (*wanted)(const Login *login, const Buf *from_client);

	/* Whether that message can be passed on; else why not. */
	bool (*passable)(const Login *login, Span message, Fault *why);

	/* Follows the conversation (proto/watch.h). */
	bool (*watch)(Watch *watch, Side from, Span bytes, Fault *why);

	/* An error message that ends the session. */
	void (*refuse)(const Fault *fault, Buf *to_client);

	/* The packet that cancels the session with that key. */
	void (*cancel)(const CancelKey *key, Buf *to_compute);
} Proto;

extern const Proto proto_pg;

#endif
