/* The lines of an INI file. */
#include "unit.h"

#include "src/conf/ini.h"

/* Writes what it is called with as "LINE:[SECTION]" and "LINE:SECTION.NAME=VALUE", a line each. */
static bool write_down(void *arg, const IniLine *line, Fault *why)
{
	char *out = arg, *end = out + strlen(out);

	if (line->name && strcmp(line->name, "stop") == 0)
		return fault_set(why, FAULT_BAD_SETTING, "told to stop");
	if (line->name)
		sprintf(end, "%d:%s.%s=%s\n", line->number, line->section, line->name, line->value);
	else
		sprintf(end, "%d:[%s]\n", line->number, line->section);
	return true;
}

static void reads(const char *text, const char *expected)
{
	char seen[1000] = "";
	Fault why;
	int line;

	assert_true(ini_parse(text, write_down, seen, &line, &why));
	assert_string_equal(seen, expected);
}

static void refused(const char *text, int at_line, const char *detail)
{
	char seen[1000] = "";
	Fault why;
	int line;

	assert_false(ini_parse(text, write_down, seen, &line, &why));
	assert_int_equal(line, at_line);
	assert_string_equal(why.detail, detail);
	assert_int_equal(why.code, FAULT_BAD_SETTING);
}

TEST(sections_and_settings_come_in_order_with_their_lines)
{
	reads("[a]\nx = 1\n\n[b]\ny=2\nz=\n", "1:[a]\n2:a.x=1\n4:[b]\n5:b.y=2\n6:b.z=\n");
	reads("", "");
	reads("\n\n", "");
}

TEST(the_last_line_needs_no_end)
{
	reads("[a]\nx=1", "1:[a]\n2:a.x=1\n");
}

TEST(carriage_returns_and_white_space_do_not_matter)
{
	reads("  [ a ]\r\n\t x \t=\t 1 2 \r\n", "1:[a]\n2:a.x=1 2\n");
}

TEST(comments_stand_alone_or_behind_white_space)
{
	reads("; one\n# two\n[a] ; three\nx = 1 ; four\ny = 2 # five\n",
	      "3:[a]\n4:a.x=1\n5:a.y=2\n");
	reads("[a]\nx = a;b#c\ny = ;all\n", "1:[a]\n2:a.x=a;b#c\n3:a.y=\n");
}

TEST(in_single_quotes_nothing_is_a_comment)
{
	reads("[a]\nx = p='a ; b' c # d\n", "1:[a]\n2:a.x=p='a ; b' c\n");
}

TEST(a_value_may_hold_equals_signs)
{
	reads("[d]\nx = host=h port=1\n", "1:[d]\n2:d.x=host=h port=1\n");
}

TEST(a_line_has_no_longest_length)
{
	size_t n = 100000;
	char *text = malloc(n + 10), *seen = calloc(n + 100, 1);
	Fault why;
	int line;

	strcpy(text, "[a]\nx=");
	memset(text + 6, 'v', n);
	text[6 + n] = 0;
	assert_true(ini_parse(text, write_down, seen, &line, &why));
	assert_int_equal(strlen(seen), strlen("1:[a]\n2:a.x=\n") + n);
	free(text);
	free(seen);
}

TEST(what_is_no_line_is_refused_where_it_stands)
{
	refused("x = 1\n", 1, "\"x\" stands before the first [section]");
	refused("[a\n", 1, "a section's name ends in ]");
	refused("\n[a] x\n", 2, "\"x\" stands behind [a]");
	refused("[a]\nno sense\n", 2, "expected name = value, not \"no sense\"");
	refused("[a]\n\n = 1\n", 3, "there is no name before the =");
}

TEST(who_is_called_can_end_it)
{
	refused("[a]\nstop=1\nx=1\n", 2, "told to stop");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_and_settings_come_in_order_with_their_lines),
		cmocka_unit_test(the_last_line_needs_no_end),
		cmocka_unit_test(carriage_returns_and_white_space_do_not_matter),
		cmocka_unit_test(comments_stand_alone_or_behind_white_space),
		cmocka_unit_test(in_single_quotes_nothing_is_a_comment),
		cmocka_unit_test(a_value_may_hold_equals_signs),
		cmocka_unit_test(a_line_has_no_longest_length),
		cmocka_unit_test(what_is_no_line_is_refused_where_it_stands),
		cmocka_unit_test(who_is_called_can_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
