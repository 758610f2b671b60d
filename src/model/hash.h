/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash, so that strangers
 * who choose names cannot choose where they fall.
 */
#ifndef MODEL_HASH_H
#define MODEL_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint8_t key[16], const void *data, size_t n);

#endif
