/*
 * What a server keeps of a password for SCRAM-SHA-256: enough to check it, not
 * enough to log in with (RFC 5802, RFC 7677), written as PostgreSQL stores it
 * in pg_authid.rolpassword.
 */
#ifndef SYS_SCRAM_SECRET_H
#define SYS_SCRAM_SECRET_H

#include <stdint.h>

#define SCRAM_SALT_BYTES  16
#define SCRAM_ITERATIONS  4096 /* PostgreSQL's own number; 40 µs of CPU per 100 */
#define SCRAM_SECRET_SIZE 160

/*
 * The verifier of a password of printable ASCII (which SASLprep leaves as it
 * is), "SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY".
 */
void scram_secret(char out[SCRAM_SECRET_SIZE], const char *password,
		  const uint8_t salt[SCRAM_SALT_BYTES], int iterations);

#endif
