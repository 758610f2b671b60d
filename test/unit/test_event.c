/* What an event of the control plane says of a compute. */
#include "unit.h"

#include "src/monitor/event.h"

static Fault why;

static bool read_event(const char *text, ComputeEvent *out)
{
	return event_read(span_of_text(text), out, &why);
}

TEST(an_event_says_who_is_how)
{
	ComputeEvent e;

	assert_true(
		read_event("{\"compute_id\": \"db\", \"project_id\": \"p\", \"state\": \"frozen\", "
			   "\"generation\": 12, \"address\": \"/run/x/.s.PGSQL.1\", "
			   "\"reason\": \"idle\"}",
			   &e));
	assert_string_equal(e.compute, "db");
	assert_string_equal(e.state, "frozen");
	assert_int_equal(e.kind, NEWS_FROZEN);
	assert_int_equal(e.generation, 12);
	assert_string_equal(e.address, "/run/x/.s.PGSQL.1");
}

TEST(a_compute_may_have_no_address)
{
	ComputeEvent e;

	assert_true(
		read_event("{\"compute_id\": \"db\", \"state\": \"suspended\", \"generation\": 13, "
			   "\"address\": null}",
			   &e));
	assert_int_equal(e.kind, NEWS_DOWN);
	assert_string_equal(e.address, "");
}

TEST(a_state_that_is_not_known_tells_nothing)
{
	ComputeEvent e;

	assert_true(read_event("{\"compute_id\": \"db\", \"state\": \"dream\\u0007ing\"}", &e));
	assert_int_equal(e.kind, NEWS_NONE);
	assert_string_equal(e.state, "dream?ing");
}

TEST(what_is_no_event_is_refused)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{}",
		"{\"compute_id\": 7}",
		"{\"compute_id\": \"../db\"}",
		"{\"compute_id\": \"db\", \"generation\": -1}",
		"{\"compute_id\": \"db\", \"generation\": 9223372036854775807}",
	};
	ComputeEvent e;

	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_false(read_event(bad[i], &e));
		assert_contains(why.detail, "an event");
	}
}

TEST(an_event_about_access_names_a_compute)
{
	char compute[ROUTE_NAME_SIZE];

	assert_true(event_read_access(span_of_text("{\"compute_id\": \"db\"}"), compute, &why));
	assert_string_equal(compute, "db");
	assert_false(event_read_access(span_of_text("{\"compute_id\": \"..\"}"), compute, &why));
	assert_false(event_read_access(span_of_text("[]"), compute, &why));
}

TEST(an_address_that_no_route_holds_is_none)
{
	char text[1000], address[400];
	ComputeEvent e;

	memset(address, 'x', sizeof(address));
	address[sizeof(address) - 1] = 0;
	snprintf(text, sizeof(text),
		 "{\"compute_id\": \"db\", \"state\": \"active\", \"address\": \"%s\"}", address);
	assert_true(read_event(text, &e));
	assert_string_equal(e.address, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_says_who_is_how),
		cmocka_unit_test(a_compute_may_have_no_address),
		cmocka_unit_test(a_state_that_is_not_known_tells_nothing),
		cmocka_unit_test(what_is_no_event_is_refused),
		cmocka_unit_test(an_event_about_access_names_a_compute),
		cmocka_unit_test(an_address_that_no_route_holds_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
