/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides (RFC 5802, RFC 7677; channel
 * binding tls-server-end-point, RFC 5929), as PostgreSQL speaks them: the user's
 * name is that of the startup packet, and the one in the messages is ignored.
 *
 * Neither side ever sees the password.  What the server keeps is a ScramSecret.
 * From a right proof it learns the client's key, and with that and its own
 * server key it can log in elsewhere, wherever the same secret is kept: that is
 * how a proxy logs in to a compute without a password.
 *
 * Messages are the SASL data alone, without PostgreSQL's framing.  Randomness is
 * handed in.  Passwords are taken as they are: SASLprep leaves printable ASCII
 * alone, and of other passwords the caller hands in the prepared form.
 */
#ifndef PROTO_SCRAM_H
#define PROTO_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

#define SCRAM_KEY_SIZE       32
#define SCRAM_SALT_MAX       64
#define SCRAM_ITERATIONS_MAX 600000 /* more is refused: each costs us or the client work */
#define SCRAM_NONCE_SIZE     24   /* of the printable nonce that a caller hands in, without zero */
#define SCRAM_MESSAGE_MAX    4096 /* a message that is longer is refused */

/* What a server keeps: enough to check a password, not enough to log in with. */
typedef struct ScramSecret {
	int iterations;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t salt_size;
	uint8_t stored_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
} ScramSecret;

/* With these one can log in: as secret as the password, of which they are made. */
typedef struct ScramKeys {
	uint8_t client_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
} ScramKeys;

/*
 * Reads "SCRAM-SHA-256$4096:SALT$STORED:SERVER", as in pg_authid.rolpassword;
 * false if the text is not exactly that, or asks for too much work.
 */
bool scram_secret_parse(ScramSecret *out, const char *text);

/* salt_size is at most SCRAM_SALT_MAX. */
void scram_secret_of_keys(ScramSecret *out, const ScramKeys *keys, const uint8_t *salt,
			  size_t salt_size, int iterations);

/*
 * For a user who does not exist: the same each time for one user, with the salt
 * and the iterations that PostgreSQL would make, and a stored key that nobody's
 * proof fits.  It costs about 3 µs; who minds that an unknown user is so much
 * slower to greet makes one for each user and reads the true one over it.
 */
void scram_secret_mock(ScramSecret *out, const uint8_t key[SCRAM_KEY_SIZE], const char *user);

/* The key for it, out of whatever stays the same for as long as users do. */
void scram_mock_key(uint8_t key[SCRAM_KEY_SIZE], Span seed);

/*
 * From a password to keys, in slices, so that one tenant's iterations do not
 * hold up a whole loop.  An iteration costs about 0.2 µs where the processor
 * has instructions for SHA-256, 0.5 µs where it has not.
 */
typedef struct ScramStretch {
	struct evp_md_ctx_st *inner, *outer, *work; /* HMAC's two hashes, behind their pads */
	uint8_t block[SCRAM_KEY_SIZE], salted[SCRAM_KEY_SIZE];
	int left; /* iterations to do */
} ScramStretch;

/* salt_size is at most SCRAM_SALT_MAX, iterations at least 1; scram_stretch_free() it. */
void scram_stretch_begin(ScramStretch *s, const char *password, const uint8_t *salt,
			 size_t salt_size, int iterations);

/* Does at most that many; true when all are done. */
bool scram_stretch_step(ScramStretch *s, int iterations);

/* After scram_stretch_step() has said true. */
void scram_stretch_keys(const ScramStretch *s, ScramKeys *out);

/* Wipes it; one that was zeroed may be freed too. */
void scram_stretch_free(ScramStretch *s);

/*
 * The hash of the server's certificate (tls-server-end-point), which both ends
 * of a TLS connection know.  Size 0: the connection has none to bind to.
 */
typedef struct ScramBinding {
	const uint8_t *hash;
	size_t size; /* at most 64 */
} ScramBinding;

typedef struct ScramServer {
	/* The caller's, before the first message. */
	ScramSecret secret;
	bool known;        /* false: secret is a mock, and no proof is right */
	bool offered_plus; /* a client that says 'y' was lied to by somebody in between */
	bool plus;         /* the client chose SCRAM-SHA-256-PLUS */
	/* The caller's again, after a right proof. */
	uint8_t client_key[SCRAM_KEY_SIZE];
	/* Ours. */
	char flag; /* the client's word on channel binding: p, y or n */
	Buf auth;  /* the messages so far, as they are signed */
	size_t nonce_at, nonce_size;
} ScramServer;

/*
 * The client's first message; nonce is ours, SCRAM_NONCE_SIZE printable
 * characters without comma, never used before.  Appends server-first.
 */
bool scram_server_first(ScramServer *x, Span client_first, const ScramBinding *binding,
			const char *nonce, Buf *out, Fault *why);

/*
 * The client's proof.  True: it is right, server-final is appended and
 * x->client_key is known.  FAULT_WRONG_PASSWORD: it is wrong, which takes the
 * same time whether the user is known or not.  FAULT_BAD_MESSAGE: malformed, or
 * bound to another connection than this.
 */
bool scram_server_final(ScramServer *x, Span client_final, const ScramBinding *binding, Buf *out,
			Fault *why);

/* Wipes it. */
void scram_server_free(ScramServer *x);

typedef struct ScramClient {
	/* What the server wants, after its challenge. */
	int iterations;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t salt_size;
	/* Ours. */
	bool plus;
	Buf auth;
	size_t nonce_at, nonce_size;
} ScramClient;

/*
 * Begins, in a zeroed *x, and appends client-first.  plus: binds to the channel
 * ("p=tls-server-end-point"), else says that we cannot ('n').  nonce as above.
 */
void scram_client_first(ScramClient *x, bool plus, const char *nonce, Buf *out);

/* The server's salt and iterations, bounded: the server may be hostile. */
bool scram_client_challenge(ScramClient *x, Span server_first, Fault *why);

/* After the challenge: appends the proof. */
void scram_client_final(ScramClient *x, const ScramKeys *keys, const ScramBinding *binding,
			Buf *out);

/*
 * After the proof: whether the server knows the secret too.  FAULT_WRONG_PASSWORD
 * if it says that it does not take our proof ("e="), else FAULT_BAD_MESSAGE.
 */
bool scram_client_check(const ScramClient *x, const ScramKeys *keys, Span server_final, Fault *why);

/* Wipes it. */
void scram_client_free(ScramClient *x);

#endif
