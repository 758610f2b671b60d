/*
 * What SCRAM's messages are made of, for both sides: attributes with commas
 * between them, bytes in base64, and the two hashes.
 */
#ifndef SCRAM_MESSAGE_H
#define SCRAM_MESSAGE_H

#include "proto/scram.h"

#define SCRAM_HASH_MAX     64 /* of a certificate: SHA-512 */
#define SCRAM_BINDING_TYPE "tls-server-end-point"
#define SCRAM_BOUND        "p=" SCRAM_BINDING_TYPE ",," /* how such a first message begins */

/* Fills *why with what is wrong about a message; returns false. */
bool scram_malformed(Fault *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What holds of every message: neither empty nor too long, and no zeros in it. */
bool scram_message_check(Span message, Fault *why);

/* Takes "name=value" off the front, and the comma behind it. */
bool scram_take(Span *in, char name, Span *value, Fault *why);

/* As scram_take, whatever the attribute's name is. */
bool scram_take_any(Span *in, char *name, Span *value, Fault *why);

/* Takes all that is left, which must be attributes: extensions that nobody needs to know. */
bool scram_take_extensions(Span *in, Fault *why);

/* The first byte, for a message: 'x', 0x00 or "the end". */
#define SCRAM_BYTE_SIZE 8
const char *scram_byte(char out[SCRAM_BYTE_SIZE], Span in);

/* Whether a nonce is what the RFC calls printable, and there is one. */
bool scram_is_nonce(Span nonce);

bool scram_equal(Span a, Span b);

void scram_put(Buf *out, const char *text);
void scram_put_base64(Buf *out, const uint8_t *bytes, size_t n);

/*
 * Exactly what scram_put_base64 writes, of 1 to max bytes; *n is how many.  Room
 * for max is needed whatever the text says.
 */
bool scram_get_base64(Span text, uint8_t *out, size_t max, size_t *n);

/* A positive number without leading zeros, at most SCRAM_ITERATIONS_MAX. */
bool scram_get_iterations(Span text, int *out);

/* What channel binding signs: the client's flag and, if it is bound, the certificate's hash. */
void scram_put_binding(Buf *out, char flag, const ScramBinding *binding);

/* HMAC and hash of SHA-256; a libcrypto that has them not ends the process. */
void scram_hmac(uint8_t out[SCRAM_KEY_SIZE], const uint8_t key[SCRAM_KEY_SIZE], Span bytes);
void scram_hash(uint8_t out[SCRAM_KEY_SIZE], Span bytes);
void scram_need(bool worked);

void scram_xor(uint8_t to[SCRAM_KEY_SIZE], const uint8_t with[SCRAM_KEY_SIZE]);

#endif
