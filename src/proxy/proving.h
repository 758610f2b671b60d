/*
 * The conversation in which a client proves to us who it is (phase prove).
 *
 * What is known of the user comes first (credential.c).  A user who is not known
 * is asked just the same, with a secret that nobody's proof fits, so that neither
 * words nor time tell who exists.  From a right proof come the keys with which we
 * log in to the compute: no password is needed, nor kept.
 */
#ifndef PROXY_PROVING_H
#define PROXY_PROVING_H

#include "credential.h"
#include "session.h"
#include "stretch.h"

/* What is under way; the work of the phase. */
typedef struct Proving {
	Proof proof;
	CredentialWait *wait;
	Stretch *stretch;
	char *password;    /* of the user, if it is known in plain; wiped */
	const char *cause; /* why no proof can be right, for the log; NULL: one can */
	bool asked;        /* the client was asked, and may answer */
	uint8_t binding[TLS_HASH_MAX];
} Proving;

/* Finds the user's secret, then asks the client; ends in prove_accept() or a refusal. */
void proving_begin(Session *s, ProofKind kind);

/* The client has said something. */
void proving_hear(Session *s);

/* The question about this session's user, without whom to tell. */
CredentialWish proving_wish(Session *s);

/* Sends and frees. */
void proving_say(Session *s, Buf *bytes);

/* The client may come in: from here on what the compute asks is ours to answer (phase_prove.c). */
void prove_accept(Session *s);

/* Whether the control plane's rules let this client come (phase_prove.c). */
bool prove_allows(const Session *s, const CredentialInfo *info, Fault *why);

#endif
