/* Letters, and how long they wait. */
#include "unit.h"

#include "src/control/outbox.h"

#define SECOND INT64_C(1000000)

TEST(pauses_double_from_a_second_up_to_an_hour)
{
	int64_t before = 0;

	assert_int_equal(outbox_pause_us(0), SECOND);
	assert_int_equal(outbox_pause_us(1), 2 * SECOND);
	for (int64_t failures = 0; failures < 100; failures++) {
		int64_t pause = outbox_pause_us(failures);

		assert_true(pause >= before && pause <= 3600 * SECOND);
		before = pause;
	}
	assert_int_equal(before, 3600 * SECOND);
	assert_int_equal(outbox_pause_us(INT64_MAX), 3600 * SECOND);
}

TEST(a_letter_holds_its_body_or_is_none)
{
	char *long_text = malloc(LETTER_SIZE);
	Letter *l = calloc(1, sizeof(Letter));

	assert_true(letter_write(l, "http://x/", "a|b", json_pack("{s:i}", "n", 1)));
	assert_string_equal(l->url, "http://x/");
	assert_string_equal(l->key, "a|b");
	assert_string_equal(l->body, "{\"n\":1}");
	memset(long_text, 'x', LETTER_SIZE);
	assert_false(letter_write(l, "http://x/", "a|b",
				  json_pack("{s:s#}", "t", long_text, LETTER_SIZE)));
	free(long_text);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_from_a_second_up_to_an_hour),
		cmocka_unit_test(a_letter_holds_its_body_or_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
