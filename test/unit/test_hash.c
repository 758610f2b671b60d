/* SipHash-2-4, against the vectors of its authors' reference implementation. */
#include "unit.h"

#include "src/model/hash.h"

/* Key 00 01 … 0f, data 00 01 … of that many bytes. */
static const struct {
	size_t n;
	uint64_t hash;
} vectors[] = {
	{0, 0x726fdb47dd0e0e31},  {1, 0x74f839c593dc67fd},  {2, 0x0d6c8009d9a94f5a},
	{7, 0xab0200f58b01d137},  {8, 0x93f5f5799a932462},  {15, 0xa129ca6149be45e5},
	{16, 0x3f2acc7f57c29bdb}, {63, 0x958a324ceb064572},
};

TEST(the_hash_is_what_its_authors_say)
{
	uint8_t key[16], data[64];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	memcpy(key, data, sizeof(key));
	for (size_t i = 0; i < N_OF(vectors); i++)
		assert_true(siphash(key, data, vectors[i].n) == vectors[i].hash);
}

TEST(another_key_is_another_hash)
{
	uint8_t a[16] = {0}, b[16] = {1};

	assert_true(siphash(a, "compute", 7) != siphash(b, "compute", 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_what_its_authors_say),
		cmocka_unit_test(another_key_is_another_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
