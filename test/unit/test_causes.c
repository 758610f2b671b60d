/* Who uses a compute, most active first. */
#include "unit.h"

#include "src/monitor/causes.h"

static void add(Causes *c, int compute, const char *role, const char *application,
		const Doing *what)
{
	Party who = {.network = "10.0.0.0/24"};

	snprintf(who.role, sizeof(who.role), "%s", role);
	snprintf(who.application_name, sizeof(who.application_name), "%s", application);
	cause_add(causes_find(c, compute, &who), what);
}

static json_t *list_of(Causes *c, int compute, int64_t now_ms)
{
	causes_prune(c);
	return causes_list(c, compute, now_ms);
}

static int64_t number(const json_t *list, size_t at, const char *name)
{
	return json_integer_value(json_object_get(json_array_get(list, at), name));
}

static const char *text(const json_t *list, size_t at, const char *name)
{
	return json_string_value(json_object_get(json_array_get(list, at), name));
}

TEST(sessions_of_one_kind_are_one_cause)
{
	Causes *c = causes_new(8);
	json_t *list;

	add(c, 3, "app", "web", &(Doing){1, 0, 1, 700});
	add(c, 3, "app", "web", &(Doing){1, 1, 0, 900});
	add(c, 3, "app", "cron", &(Doing){1, 0, 0, 100});
	add(c, 4, "app", "web", &(Doing){1, 0, 0, 100});
	list = list_of(c, 3, 1000);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text(list, 0, "application_name"), "web");
	assert_string_equal(text(list, 0, "role"), "app");
	assert_string_equal(text(list, 0, "network"), "10.0.0.0/24");
	assert_int_equal(number(list, 0, "sessions"), 2);
	assert_int_equal(number(list, 0, "at_work"), 1);
	assert_int_equal(number(list, 0, "listening"), 1);
	assert_int_equal(number(list, 0, "idle_ms"), 100);
	assert_int_equal(number(list, 1, "idle_ms"), 900);
	json_decref(list);
	causes_free(c);
}

TEST(who_has_just_left_is_a_cause_until_the_next_look)
{
	Causes *c = causes_new(8);
	json_t *list;

	add(c, 3, "app", "psql", &(Doing){.active_ms = 900});
	list = list_of(c, 3, 1000);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text(list, 0, "application_name"), "psql");
	assert_int_equal(number(list, 0, "sessions"), 0);
	assert_int_equal(number(list, 0, "idle_ms"), 100);
	json_decref(list);
	causes_clear(c);
	list = list_of(c, 3, 2000);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	causes_free(c);
}

TEST(who_is_at_work_comes_first_and_then_who_was_last)
{
	Causes *c = causes_new(1);
	json_t *list;

	add(c, 0, "a", "", &(Doing){1, 0, 0, 500});
	add(c, 0, "b", "", &(Doing){1, 0, 0, 800});
	add(c, 0, "c", "", &(Doing){1, 1, 0, 100});
	list = list_of(c, 0, 1000);
	assert_string_equal(text(list, 0, "role"), "c");
	assert_string_equal(text(list, 1, "role"), "b");
	assert_string_equal(text(list, 2, "role"), "a");
	json_decref(list);
	causes_free(c);
}

TEST(beyond_sixteen_the_rest_is_one)
{
	Causes *c = causes_new(1);
	char role[20];
	json_t *list;

	for (int i = 0; i < 100; i++) {
		snprintf(role, sizeof(role), "role %d", i);
		add(c, 0, role, "", &(Doing){1, 0, 1, 100 + i});
	}
	list = list_of(c, 0, 1000);
	assert_int_equal(json_array_size(list), CAUSES_TOLD + 1);
	assert_string_equal(text(list, 0, "role"), "role 99");
	assert_string_equal(text(list, CAUSES_TOLD, "network"), "other");
	assert_string_equal(text(list, CAUSES_TOLD, "role"), "");
	assert_int_equal(number(list, CAUSES_TOLD, "sessions"), 84);
	assert_int_equal(number(list, CAUSES_TOLD, "listening"), 84);
	assert_int_equal(number(list, CAUSES_TOLD, "idle_ms"), 1000 - 183);
	json_decref(list);
	causes_free(c);
}

TEST(a_new_look_begins_with_nobody)
{
	Causes *c = causes_new(1);
	json_t *list;

	add(c, 0, "a", "", &(Doing){1, 0, 0, 0});
	add(c, 0, "b", "", &(Doing){1, 0, 0, 0});
	list = list_of(c, 0, 0);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
	causes_clear(c);
	add(c, 0, "b", "", &(Doing){1, 0, 0, 0});
	list = list_of(c, 0, 0);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text(list, 0, "role"), "b");
	assert_int_equal(number(list, 0, "sessions"), 1);
	json_decref(list);
	causes_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_of_one_kind_are_one_cause),
		cmocka_unit_test(who_has_just_left_is_a_cause_until_the_next_look),
		cmocka_unit_test(who_is_at_work_comes_first_and_then_who_was_last),
		cmocka_unit_test(beyond_sixteen_the_rest_is_one),
		cmocka_unit_test(a_new_look_begins_with_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
