/*
 * The RFC's user and his password, for all who prove something with SCRAM.
 */
#ifndef UNIT_PROOF_H
#define UNIT_PROOF_H

#include "unit.h"

#include "proto/scram.h"

/* RFC 7677, section 3: user "user", password "pencil". */
#define RFC_SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define RFC_SECRET                                                                      \
	"SCRAM-SHA-256$4096:" RFC_SALT "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define CLIENTS_NONCE "0123456789abcdefghijklmn"
#define SERVERS_NONCE "nmlkjihgfedcba9876543210"

static const uint8_t certificate[32] = "sha-256 of the certificate";
static const ScramBinding unbound, bound = {certificate, sizeof(certificate)};

static inline ScramSecret rfc_secret(void)
{
	ScramSecret secret;

	assert_true(scram_secret_parse(&secret, RFC_SECRET));
	return secret;
}

static inline ScramKeys keys_of(const char *password, const uint8_t *salt, size_t salt_size,
				int iterations)
{
	ScramStretch s;
	ScramKeys keys;

	scram_stretch_begin(&s, password, salt, salt_size, iterations);
	while (!scram_stretch_step(&s, iterations))
		;
	scram_stretch_keys(&s, &keys);
	scram_stretch_free(&s);
	return keys;
}

#endif
