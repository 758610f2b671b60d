/* Small helpers for text. */
#include "unit.h"

#include "base/text.h"

TEST(a_copy_that_does_not_fit_is_cut_and_says_so)
{
	char to[4];

	assert_true(text_copy(to, sizeof(to), "abc"));
	assert_string_equal(to, "abc");
	assert_false(text_copy(to, sizeof(to), "abcd"));
	assert_string_equal(to, "abc");
	assert_true(text_copy_n(to, sizeof(to), "xyz!", 2));
	assert_string_equal(to, "xy");
	assert_false(text_copy_n(to, sizeof(to), "xyz!", 4));
	assert_string_equal(to, "xyz");
	assert_true(text_copy(to, 1, ""));
}

TEST(white_space_goes_at_both_ends_only)
{
	char some[] = " \t a b \r", none[] = "a", all[] = "  ", empty[] = "";

	assert_string_equal(text_trim(some), "a b");
	assert_string_equal(text_trim(none), "a");
	assert_string_equal(text_trim(all), "");
	assert_string_equal(text_trim(empty), "");
}

TEST(a_label_is_what_dns_says)
{
	char longest[65];

	memset(longest, 'a', sizeof(longest));
	longest[63] = 0;
	assert_true(text_is_label("a"));
	assert_true(text_is_label("0"));
	assert_true(text_is_label("ep-cool-frog-123"));
	assert_true(text_is_label("a--b"));
	assert_true(text_is_label(longest));
}

TEST(nothing_else_is_a_label)
{
	static const char *const bad[] = {"",      "-",   "-a",     "a-",   "A",   "a.b",
					  "a/b",   "a_b", "a b",    "a%2e", "a\n", "ä",
					  "a?b=c", "a&b", "../etc", "a#"};
	char long_one[65];

	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(text_is_label(bad[i]));
	memset(long_one, 'a', 64);
	long_one[64] = 0;
	assert_false(text_is_label(long_one));
}

TEST(only_ascii_is_lower_cased)
{
	char text[] = "AZaz09-\xc3\x84[@`";

	text_lower(text);
	assert_string_equal(text, "azaz09-\xc3\x84[@`");
}

TEST(a_text_starts_with_its_beginning)
{
	assert_true(text_starts("sqlite:/x", "sqlite:"));
	assert_true(text_starts("a", ""));
	assert_false(text_starts("sqlit", "sqlite:"));
	assert_false(text_starts("", "a"));
}

TEST(a_stranger_cannot_forge_a_log_line)
{
	char text[] = "bob\n2026-01-01 level=error\r\t\x1b[31m\x7f\xff ok";

	text_printable(text);
	assert_string_equal(text, "bob?2026-01-01 level=error???[31m?? ok");
}

TEST(a_secret_is_equal_only_to_itself)
{
	uint8_t a[32] = {0}, b[32] = {0};

	assert_true(bytes_equal_in_constant_time(a, b, sizeof(a)));
	assert_true(bytes_equal_in_constant_time(a, "x", 0));
	for (size_t i = 0; i < sizeof(a); i++) {
		for (int bit = 0; bit < 8; bit++) {
			b[i] = (uint8_t)(1 << bit);
			assert_false(bytes_equal_in_constant_time(a, b, sizeof(a)));
		}
		assert_true(bytes_equal_in_constant_time(a, b, i));
		b[i] = 0;
	}
}

TEST(a_quoted_text_ends_where_its_quote_does)
{
	char out[16];

	assert_string_equal(text_quote(out, sizeof(out), "plain"), "\"plain\"");
	assert_string_equal(text_quote(out, sizeof(out), "a\" b=\\"), "\"a\\\" b=\\\\\"");
	assert_string_equal(text_quote(out, sizeof(out), ""), "\"\"");
	assert_string_equal(text_quote(out, 6, "longer"), "\"lo\"");
}

TEST(what_could_mean_something_in_a_url_is_written_as_a_number)
{
	char out[16];

	text_percent_encode(out, sizeof(out), "aZ0-._~");
	assert_string_equal(out, "aZ0-._~");
	text_percent_encode(out, sizeof(out), "a/&\xc3 ");
	assert_string_equal(out, "a%2F%26%C3%20");
	text_percent_encode(out, sizeof(out), "////////");
	assert_string_equal(out, "%2F%2F%2F%2F");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_could_mean_something_in_a_url_is_written_as_a_number),
		cmocka_unit_test(a_copy_that_does_not_fit_is_cut_and_says_so),
		cmocka_unit_test(white_space_goes_at_both_ends_only),
		cmocka_unit_test(a_label_is_what_dns_says),
		cmocka_unit_test(nothing_else_is_a_label),
		cmocka_unit_test(only_ascii_is_lower_cased),
		cmocka_unit_test(a_text_starts_with_its_beginning),
		cmocka_unit_test(a_stranger_cannot_forge_a_log_line),
		cmocka_unit_test(a_secret_is_equal_only_to_itself),
		cmocka_unit_test(a_quoted_text_ends_where_its_quote_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
