/* SHA-256, as 64 hexadecimal digits: what something is known by that nobody is to read. */
#ifndef SYS_DIGEST_H
#define SYS_DIGEST_H

#include "base/span.h"

#define DIGEST_SIZE 65 /* with a zero */

void digest_of(char out[DIGEST_SIZE], Span bytes);

/* Of several texts, each with its zero, so that none can be taken for the end of another. */
void digest_of_texts(char out[DIGEST_SIZE], const char *const *texts, int n);

#endif
