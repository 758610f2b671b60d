/*
 * Texts that only who has the key can read, and nobody can change: AES-256-GCM, as base64.
 *
 * A key is made of texts, so whoever knows those can make it again and nobody has to keep it.
 */
#ifndef SYS_SEAL_H
#define SYS_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SealKey {
	uint8_t bytes[32];
} SealKey;

/* By SHA-256; the first text says what the key is for. */
SealKey seal_key(const char *const *texts, int n);

/* False if the text is too long for out; then out is "". */
bool seal_text(char *out, size_t size, const SealKey *key, const char *text);

/* The text, to be freed with mem_wipe_text(); NULL if the key is another or bytes were changed. */
char *seal_open(const SealKey *key, const char *sealed);

#endif
