/* Names that are made up: ids and passwords, from bytes that nobody can guess. */
#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define PASSWORD_SIZE 33

/*
 * Pure: `prefix`, a dash, and letters and digits that cannot be mistaken for one
 * another, five bits for each byte.  The result is a DNS label.
 */
void name_of_bytes(char *out, size_t size, const char *prefix, const uint8_t *bytes, size_t n);

void name_make(char out[ID_SIZE], const char *prefix);

/* 160 bits, nothing that needs quoting in a URL or in SQL. */
void password_make(char out[PASSWORD_SIZE]);

#endif
