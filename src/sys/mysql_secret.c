#include "sys/mysql_secret.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

void mysql_secret(char out[MYSQL_SECRET_SIZE], const char *password)
{
	uint8_t once[SHA_DIGEST_LENGTH], twice[SHA_DIGEST_LENGTH];

	SHA1((const uint8_t *)password, strlen(password), once);
	SHA1(once, sizeof(once), twice);
	out[0] = '*';
	for (size_t i = 0; i < sizeof(twice); i++)
		snprintf(out + 1 + 2 * i, 3, "%02X", twice[i]);
	OPENSSL_cleanse(once, sizeof(once));
}
