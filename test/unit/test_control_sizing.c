/* Which sizes a compute may have, and whether its server knows. */
#include "unit.h"

#include <string.h>

#include "base/text.h"
#include "src/control/sizing.h"

static const ProjectSettings project = {.min_size = 250, .max_size = 2000};

static SizeBounds bounds(int own_cpu)
{
	ComputeSettings own = {.cpu = own_cpu};

	return sizing_bounds(&project, &own);
}

TEST(a_size_lies_within_what_its_project_allows)
{
	SizeBounds b = bounds(0);
	char reason[REASON_SIZE];
	Fault why;

	assert_int_equal(sizing_fit(500, &b, reason), 500);
	assert_int_equal(sizing_fit(4000, &b, reason), 2000);
	assert_int_equal(sizing_fit(100, &b, reason), 250);
	assert_string_equal(reason, "its project allows 0.25 to 2");
	assert_true(sizing_check(2000, &b, &why));
	assert_false(sizing_check(2001, &b, &why));
	assert_string_equal(why.detail, "size cannot be 2.001: its project allows 0.25 to 2");
}

TEST(its_own_config_cannot_go_beyond_what_its_project_was_given)
{
	ProjectSettings given = {.min_size = 250, .max_size = 2000, .has_max_size = true};
	ComputeSettings fits = {.cpu = 2000, .memory = 2000000}, much = {.cpu = 2001};
	ComputeSettings large = {.memory = 2000001};
	Fault why;

	assert_true(sizing_allows(&given, &fits, 1000000, &why));
	assert_false(sizing_allows(&given, &much, 1000000, &why));
	assert_string_equal(why.detail, "config.resources.cpu must not be more than the project's "
					"max_size, which is 2");
	assert_false(sizing_allows(&given, &large, 1000000, &why));
	assert_non_null(strstr(why.detail, "which is 2000000 bytes"));
	assert_true(sizing_allows(&project, &much, 1000000, &why));
	assert_int_equal(sizing_bounds(&given, &much).most, 2000);
}

TEST(what_its_own_config_says_is_its_only_size)
{
	SizeBounds b = bounds(3000);
	char reason[REASON_SIZE];
	Fault why;

	assert_int_equal(sizing_fit(500, &b, reason), 3000);
	assert_string_equal(reason, "its config.resources.cpu says 3");
	assert_false(sizing_check(500, &b, &why));
}

TEST(a_wish_is_due_until_the_record_says_the_same)
{
	Compute c = {.size = 250, .config = "{}"};
	Sizing s = {.wish = 0};

	assert_false(sizing_is_due(&s, &c));
	sizing_wish(&s, 500, "asked for");
	assert_true(sizing_is_due(&s, &c));
	c.size = 500;
	assert_false(sizing_is_due(&s, &c));
}

TEST(a_server_knows_what_it_was_told_in_its_life)
{
	Compute c = {.size = 250, .config = "{}"};
	Sizing s = {.wish = 0};

	assert_false(sizing_is_told(&s, &c));
	sizing_tell(&s, 250, 0);
	assert_true(sizing_is_told(&s, &c));
	text_copy(c.config, sizeof(c.config), "{\"resources\": {\"memory\": \"64MB\"}}");
	assert_false(sizing_is_told(&s, &c));
	sizing_tell(&s, 250, INT64_C(64) << 20);
	assert_true(sizing_is_told(&s, &c));
	sizing_forget(&s);
	assert_false(sizing_is_told(&s, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_lies_within_what_its_project_allows),
		cmocka_unit_test(its_own_config_cannot_go_beyond_what_its_project_was_given),
		cmocka_unit_test(what_its_own_config_says_is_its_only_size),
		cmocka_unit_test(a_wish_is_due_until_the_record_says_the_same),
		cmocka_unit_test(a_server_knows_what_it_was_told_in_its_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
