#include "sys/digest.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

void digest_of(char out[DIGEST_SIZE], Span bytes)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256(bytes.n ? bytes.at : (const uint8_t *)"", bytes.n, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void digest_of_texts(char out[DIGEST_SIZE], const char *const *texts, int n)
{
	Buf all = {0};

	for (int i = 0; i < n; i++)
		buf_append_text(&all, texts[i]);
	digest_of(out, buf_span(&all));
	if (buf_size(&all) > 0)
		explicit_bzero(all.bytes + all.start, buf_size(&all));
	buf_free(&all);
}
