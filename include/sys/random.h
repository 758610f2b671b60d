/* Bytes that nobody can guess. */
#ifndef SYS_RANDOM_H
#define SYS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* From the kernel's generator (getrandom(2)); ends the process if there is none. */
void random_bytes(void *out, size_t n);

/* n random bytes as 2n hexadecimal digits and a zero. */
void random_hex(char *out, size_t n);

/* n characters of which each has six bits of chance, without comma or quote, and a zero; n <= 64.
 */
void random_printable(char *out, size_t n);

/* Uniform in [0, below); below > 0.. */
uint32_t random_below(uint32_t below);

#endif
