/* The keys of TLS session tickets: newest first, and not too many. */
#include "unit.h"

#include "base/ticket_key.h"

static TicketKey key_number(uint8_t i)
{
	return (TicketKey){.name = {i}, .cipher_key = {i}, .mac_key = {i}, .made_s = i};
}

static void turn(TicketKeys *keys, uint8_t i)
{
	TicketKey fresh = key_number(i);

	ticket_keys_turn(keys, &fresh);
}

static void assert_keys(const TicketKeys *keys, const char *expected)
{
	assert_int_equal(keys->n, strlen(expected));
	for (int i = 0; i < keys->n; i++) {
		TicketKey key = key_number((uint8_t)(expected[i] - '0'));

		assert_memory_equal(&keys->at[i], &key, sizeof(key));
	}
}

TEST(the_newest_key_stands_first_and_the_oldest_goes)
{
	TicketKeys keys = {0};

	assert_keys(&keys, "");
	turn(&keys, 1);
	assert_keys(&keys, "1");
	turn(&keys, 2);
	assert_keys(&keys, "21");
	turn(&keys, 3);
	assert_keys(&keys, "321");
	turn(&keys, 4);
	assert_keys(&keys, "432");
	turn(&keys, 5);
	assert_keys(&keys, "543");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_key_stands_first_and_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
