/* What a server keeps of a password. */
#include "unit.h"

#include "sys/scram_secret.h"

/* Salt and password of RFC 7677, section 3. */
TEST(the_secret_of_the_rfcs_password_is_the_rfcs)
{
	static const uint8_t salt[SCRAM_SALT_BYTES] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12,
						       0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14,
						       0x12, 0x36, 0xfa, 0x81};
	char secret[SCRAM_SECRET_SIZE];

	scram_secret(secret, "pencil", salt, 4096);
	assert_string_equal(secret, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
				    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
				    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

TEST(another_salt_makes_another_secret)
{
	char one[SCRAM_SECRET_SIZE], other[SCRAM_SECRET_SIZE];

	scram_secret(one, "pencil", (const uint8_t[SCRAM_SALT_BYTES]){1}, 4096);
	scram_secret(other, "pencil", (const uint8_t[SCRAM_SALT_BYTES]){2}, 4096);
	assert_string_not_equal(one, other);
	assert_null(strstr(one, "pencil"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_secret_of_the_rfcs_password_is_the_rfcs),
		cmocka_unit_test(another_salt_makes_another_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
