/* The types of settings: how each is read from text and printed. */
#include "unit.h"

#include "conf/conf.h"
#include "src/conf/type.h"

/* Any setting's value. */
typedef union Field {
	conf_int i;
	conf_bool b;
	conf_time t;
	conf_mode m;
	conf_text text;
	conf_choice choice;
} Field;

static void refused(const Type *type, const char *const *texts, size_t n)
{
	Field field;

	for (size_t i = 0; i < n; i++) {
		if (type->parse(&field, texts[i]))
			fail_msg("%s was made of \"%s\"", type->name, texts[i]);
	}
}

#define REFUSED(type, ...)                                  \
	refused((type), (const char *const[]){__VA_ARGS__}, \
		N_OF(((const char *const[]){__VA_ARGS__})))

TEST(a_whole_number_is_just_that)
{
	conf_int i;

	assert_true(type_INT.parse(&i, "0") && i == 0);
	assert_true(type_INT.parse(&i, "-7") && i == -7);
	assert_true(type_INT.parse(&i, "2147483647") && i == INT32_MAX);
	REFUSED(&type_INT, "", "x", "1x", "1 2", "1.5", "2147483648", "-2147483649",
		"99999999999999999999", "0x10");
}

TEST(yes_and_no_have_postgresqls_spellings)
{
	static const char *const yes[] = {"1", "yes", "on", "true", "Yes", "TRUE"};
	static const char *const no[] = {"0", "no", "off", "false", "Off"};
	conf_bool b;

	for (size_t i = 0; i < N_OF(yes); i++)
		assert_true(type_BOOL.parse(&b, yes[i]) && b);
	for (size_t i = 0; i < N_OF(no); i++)
		assert_true(type_BOOL.parse(&b, no[i]) && !b);
	REFUSED(&type_BOOL, "", "2", "ye", "yess", "y");
}

TEST(a_time_is_in_seconds_unless_it_says_otherwise)
{
	static const struct {
		const char *text;
		int64_t us;
	} times[] = {
		{"0", 0},
		{"5", 5000000},
		{"0.5", 500000},
		{".5", 500000},
		{"2s", 2000000},
		{"500ms", 500000},
		{"7us", 7},
		{"5min", 300000000},
		{"1h", 3600000000},
		{"1d", 86400000000},
		{"1.5h", 5400000000},
		{"5 min", 300000000},
		{"30d", 2592000000000},
	};
	conf_time t;

	for (size_t i = 0; i < N_OF(times); i++) {
		assert_true(type_TIME.parse(&t, times[i].text));
		assert_int_equal(t, times[i].us);
	}
}

TEST(what_is_no_time_is_refused)
{
	REFUSED(&type_TIME, "", "soon", "-1", "5m", "5minutes", "s", ".", "1 2", "inf", "nan",
		"99999999d", "1e400", "5s5", "5 s ");
}

TEST(a_time_has_no_hexadecimal_and_no_exponent)
{
	REFUSED(&type_TIME, "0x10", "1e3", "0x1p3");
}

TEST(permissions_are_octal)
{
	conf_mode m;
	char out[16];

	assert_true(type_MODE.parse(&m, "0770") && m == 0770);
	assert_true(type_MODE.parse(&m, "7") && m == 7);
	type_MODE.print(&m, out, sizeof(out));
	assert_string_equal(out, "0007");
	REFUSED(&type_MODE, "", "rw", "8", "0x1", "77777777777777");
}

TEST(text_has_a_longest_length)
{
	char text[CONF_VALUE_MAX + 1];
	Field field;

	memset(text, 'x', sizeof(text));
	text[CONF_VALUE_MAX - 1] = 0;
	assert_true(type_TEXT.parse(&field, text));
	assert_string_equal(field.text.s, text);
	text[CONF_VALUE_MAX - 1] = 'x';
	text[CONF_VALUE_MAX] = 0;
	assert_false(type_TEXT.parse(&field, text));
}

/* A reload compares fields byte by byte, so nothing of an old value may stay behind. */
TEST(equal_values_are_equal_bytes)
{
	Field a, b;

	memset(&a, 0xaa, sizeof(a));
	memset(&b, 0x55, sizeof(b));
	type_TEXT.parse(&a, "same"), type_TEXT.parse(&b, "same");
	assert_memory_equal(&a, &b, type_TEXT.size);
	type_CHOICE.parse(&a, "one"), type_CHOICE.parse(&b, "one");
	assert_memory_equal(&a, &b, type_CHOICE.size);
}

TEST(what_is_printed_is_read_back)
{
	static const struct {
		const Type *type;
		const char *text, *printed;
	} rows[] = {
		{&type_INT, "007", "7"},        {&type_BOOL, "ON", "yes"},
		{&type_BOOL, "0", "no"},        {&type_TIME, "60", "1min"},
		{&type_TIME, "90", "90s"},      {&type_TIME, "0", "0"},
		{&type_TIME, "1.5", "1500ms"},  {&type_TIME, "24h", "1d"},
		{&type_TIME, "1us", "1us"},     {&type_TEXT, "a b", "a b"},
		{&type_CHOICE, "json", "json"}, {&type_MODE, "777", "0777"},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		Field first, again;
		char out[CONF_VALUE_MAX];

		assert_true(rows[i].type->parse(&first, rows[i].text));
		rows[i].type->print(&first, out, sizeof(out));
		assert_string_equal(out, rows[i].printed);
		assert_true(rows[i].type->parse(&again, out));
		assert_memory_equal(&first, &again, rows[i].type->size);
	}
}

TEST(sizes_have_units)
{
	static const struct {
		const char *text, *printed;
	} cases[] = {{"1GB", "1GB"},    {"1.5GB", "1536MB"}, {"512 MB", "512MB"},
		     {"1024kB", "1MB"}, {"100", "100B"},     {"0", "0"}};
	char out[64];
	conf_size n;

	for (size_t i = 0; i < N_OF(cases); i++) {
		assert_true(type_SIZE.parse(&n, cases[i].text));
		type_SIZE.print(&n, out, sizeof(out));
		assert_string_equal(out, cases[i].printed);
	}
	assert_false(type_SIZE.parse(&n, "1XB"));
	assert_false(type_SIZE.parse(&n, "GB"));
	assert_false(type_SIZE.parse(&n, "1000000TB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(a_whole_number_is_just_that),
		cmocka_unit_test(yes_and_no_have_postgresqls_spellings),
		cmocka_unit_test(a_time_is_in_seconds_unless_it_says_otherwise),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_time_has_no_hexadecimal_and_no_exponent),
		cmocka_unit_test(permissions_are_octal),
		cmocka_unit_test(text_has_a_longest_length),
		cmocka_unit_test(equal_values_are_equal_bytes),
		cmocka_unit_test(what_is_printed_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
