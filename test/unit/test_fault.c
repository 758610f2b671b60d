/* Why something failed: what is kept of it, and how the edges translate it. */
#include "unit.h"

#include "base/fault.h"

TEST(a_fault_says_what_happened)
{
	Fault f;

	assert_false(fault_set(&f, FAULT_NO_ROUTE, "there is no compute \"%s\"", "x"));
	assert_int_equal(f.code, FAULT_NO_ROUTE);
	assert_string_equal(f.detail, "there is no compute \"x\"");
	assert_string_equal(f.hint, "");
	assert_false(fault_hint(&f, "ask for %d", 1));
	assert_string_equal(f.hint, "ask for 1");
	assert_false(fault_figures(&f, "%d of %d", 2, 1));
	assert_string_equal(f.figures, "2 of 1");
	assert_false(fault_cause(&f, "errno %d", 2));
	assert_string_equal(f.cause, "errno 2");
}

TEST(a_new_fault_forgets_the_old_one)
{
	Fault f;

	fault_set(&f, FAULT_QUOTA, "one");
	fault_hint(&f, "wait");
	fault_figures(&f, "1 of 1");
	fault_cause(&f, "because");
	fault_set(&f, FAULT_LIMIT, "two");
	assert_string_equal(f.figures, "");
	assert_string_equal(f.hint, "");
	assert_string_equal(f.cause, "");
}

TEST(a_long_sentence_is_cut)
{
	char words[1000];
	Fault f;

	memset(words, 'x', sizeof(words));
	words[sizeof(words) - 1] = 0;
	fault_set(&f, FAULT_INTERNAL, "%s", words);
	fault_hint(&f, "%s", words);
	assert_int_equal(strlen(f.detail), sizeof(f.detail) - 1);
	fault_cause(&f, "%s", words);
	assert_int_equal(strlen(f.hint), sizeof(f.hint) - 1);
	assert_int_equal(strlen(f.cause), sizeof(f.cause) - 1);
}

TEST(every_fault_can_be_told_to_every_kind_of_client)
{
	for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
		const FaultInfo *info = fault_info((FaultCode)i);

		assert_int_equal(strlen(info->sqlstate), 5);
		assert_true(info->mysql_number >= 1000 && info->mysql_number < 10000);
		assert_true(info->http_status >= 400 && info->http_status < 600);
		assert_true(*info->text && *info->name);
	}
}

/* DESIGN, "Faults": programs outside depend on these. */
TEST(the_contracts_codes_are_these)
{
	static const struct {
		FaultCode code;
		const char *sqlstate;
		int mysql;
	} expected[] = {
		{FAULT_NO_ROUTE, "3D000", 1049},      {FAULT_BAD_MESSAGE, "08P01", 1835},
		{FAULT_WAKE_TIMEOUT, "57P03", 1105},  {FAULT_WAKE_FAILED, "57P03", 1105},
		{FAULT_CONTROL_PLANE, "57P03", 1105}, {FAULT_LIMIT, "53300", 1040},
		{FAULT_QUOTA, "53400", 1226},         {FAULT_SHUTDOWN, "57P01", 1053},
		{FAULT_BAD_VERSION, "0A000", 1251},   {FAULT_NO_USER, "28000", 1045},
		{FAULT_MISCONFIGURED, "58000", 1105}, {FAULT_WRONG_PASSWORD, "28P01", 1045},
	};

	for (size_t i = 0; i < N_OF(expected); i++) {
		const FaultInfo *info = fault_info(expected[i].code);

		assert_string_equal(info->sqlstate, expected[i].sqlstate);
		assert_int_equal(info->mysql_number, expected[i].mysql);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_says_what_happened),
		cmocka_unit_test(a_new_fault_forgets_the_old_one),
		cmocka_unit_test(a_long_sentence_is_cut),
		cmocka_unit_test(every_fault_can_be_told_to_every_kind_of_client),
		cmocka_unit_test(the_contracts_codes_are_these),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
