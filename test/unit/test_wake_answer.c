/* What a control plane answered, and what follows from it. */
#include "unit.h"

#include "src/proxy/wake_answer.h"

static WakeVerdict judge(int status, const char *body, RouteAnswer *answer)
{
	FetchAnswer fetched = {
		.status = status, .error = "", .body = span_of_text(body), .retry_after_ms = -1};

	*answer = (RouteAnswer){.depth = DEPTH_NONE};
	return wake_judge(&fetched, "frog", answer);
}

TEST(a_good_answer_says_where_the_compute_is)
{
	RouteAnswer a;

	assert_int_equal(judge(200,
			       "{\"address\": \"10.0.0.7:5432\", \"generation\": 12, "
			       "\"cold_start_info\": \"cold\", \"aux\": {\"x\": []}, "
			       "\"server_name\": null}",
			       &a),
			 WAKE_OK);
	assert_string_equal(a.address, "10.0.0.7:5432");
	assert_int_equal(a.generation, 12);
	assert_int_equal(a.depth, DEPTH_COLD);
}

TEST(an_address_may_be_of_every_kind)
{
	static const char *const good[] = {"db.example:5432", "[::1]:5432", "/run/x/.s.PGSQL.1",
					   "@abstract",       "10.0.0.1:1", "h:65535",
					   "a-b.c_d.svc:5432"};

	for (size_t i = 0; i < N_OF(good); i++) {
		char body[100];
		RouteAnswer a;

		snprintf(body, sizeof(body), "{\"address\": \"%s\"}", good[i]);
		assert_int_equal(judge(200, body, &a), WAKE_OK);
		assert_string_equal(a.address, good[i]);
	}
}

TEST(a_compute_with_tls_has_a_name)
{
	static const struct {
		const char *word, *name;
	} good[] = {{"\"frog.db.example.com\"", "frog.db.example.com"},
		    {"\"Frog-1_x.svc\"", "Frog-1_x.svc"},
		    {"null", ""},
		    {"\"\"", ""},
		    {"7", ""}};

	for (size_t i = 0; i < N_OF(good); i++) {
		char body[200];
		RouteAnswer a;

		snprintf(body, sizeof(body), "{\"address\": \"h:1\", \"server_name\": %s}",
			 good[i].word);
		assert_int_equal(judge(200, body, &a), WAKE_OK);
		assert_string_equal(a.server_name, good[i].name);
	}
}

TEST(what_is_no_name_is_no_server_name)
{
	static const char *const bad[] = {"a b",   "a/b",   "*.example.com",
					  "a\\nb", "[::1]", "fr\xc3\xb6g"};

	for (size_t i = 0; i < N_OF(bad); i++) {
		char body[200];
		RouteAnswer a;

		snprintf(body, sizeof(body), "{\"address\": \"h:1\", \"server_name\": \"%s\"}",
			 bad[i]);
		assert_int_equal(judge(200, body, &a), WAKE_FAILED);
		assert_string_equal(a.fault.cause, "the server name is no DNS name");
	}
}

TEST(a_server_name_that_is_too_long_is_refused_not_cut)
{
	char body[600], name[ROUTE_SERVER_SIZE + 1] = {0};
	RouteAnswer a;

	memset(name, 'x', ROUTE_SERVER_SIZE);
	snprintf(body, sizeof(body), "{\"address\": \"h:1\", \"server_name\": \"%s\"}", name);
	assert_int_equal(judge(200, body, &a), WAKE_FAILED);
	name[ROUTE_SERVER_SIZE - 1] = 0;
	snprintf(body, sizeof(body), "{\"address\": \"h:1\", \"server_name\": \"%s\"}", name);
	assert_int_equal(judge(200, body, &a), WAKE_OK);
	assert_string_equal(a.server_name, name);
}

TEST(a_wake_has_a_depth)
{
	static const struct {
		const char *word;
		WakeDepth depth;
	} words[] = {{"\"cold\"", DEPTH_COLD}, {"\"frozen\"", DEPTH_FROZEN},
		     {"\"warm\"", DEPTH_WARM}, {"\"tepid\"", DEPTH_WARM},
		     {"null", DEPTH_WARM},     {"7", DEPTH_WARM}};

	for (size_t i = 0; i < N_OF(words); i++) {
		char body[100];
		RouteAnswer a;

		snprintf(body, sizeof(body), "{\"address\": \"h:1\", \"cold_start_info\": %s}",
			 words[i].word);
		assert_int_equal(judge(200, body, &a), WAKE_OK);
		assert_int_equal(a.depth, words[i].depth);
	}
}

/* Never retried: an answer that is not what it should be. */
TEST(a_good_status_with_a_bad_body_ends_the_wake)
{
	static const char *const bad[] = {
		"",
		"OK",
		"null",
		"[]",
		"\"10.0.0.1:5432\"",
		"{",
		"{\"address\": \"h:1\"} x",
		"{}",
		"{\"address\": null}",
		"{\"address\": 5432}",
		"{\"address\": [\"h:1\"]}",
		"{\"address\": \"\"}",
		"{\"addr\": \"h:1\"}",
		"{\"address\": \"h:1\xff\"}",
		"<html>",
	};

	for (size_t i = 0; i < N_OF(bad); i++) {
		RouteAnswer a;

		assert_int_equal(judge(200, bad[i], &a), WAKE_FAILED);
		assert_int_equal(a.fault.code, FAULT_WAKE_FAILED);
		assert_string_equal(a.fault.detail,
				    "the control plane's answer is not what it should be");
		assert_true(*a.fault.cause);
		assert_string_equal(a.address, "");
	}
}

TEST(an_address_that_leads_nowhere_ends_the_wake)
{
	static const char *const bad[] = {
		"h",    "h:",     "h:0",   "h:65536",       ":5432", "h:x",
		"h:-1", "[::1",   "[::1]", "[]:80",         "a b:1", "h: 1",
		"h:1 ", "h\\t:1", "[:1",   "h:1\\r\\nX: y", "h:+80"};

	for (size_t i = 0; i < N_OF(bad); i++) {
		char body[100];
		RouteAnswer a;

		snprintf(body, sizeof(body), "{\"address\": \"%s\"}", bad[i]);
		if (judge(200, body, &a) != WAKE_FAILED)
			fail_msg("\"%s\" was taken as an address", bad[i]);
		assert_string_equal(a.fault.cause, "the address is neither host:port nor a path");
	}
}

TEST(an_address_that_is_too_long_is_refused_not_cut)
{
	char body[700] = "{\"address\": \"/";
	RouteAnswer a;

	memset(body + strlen(body), 'x', ROUTE_ADDRESS_SIZE);
	strcat(body, "\"}");
	assert_int_equal(judge(200, body, &a), WAKE_FAILED);
}

TEST(every_status_has_its_consequence)
{
	static const struct {
		int status;
		WakeVerdict verdict;
		FaultCode code;
	} table[] = {
		{201, WAKE_FAILED, FAULT_WAKE_FAILED},   {204, WAKE_FAILED, FAULT_WAKE_FAILED},
		{301, WAKE_FAILED, FAULT_WAKE_FAILED},   {302, WAKE_FAILED, FAULT_WAKE_FAILED},
		{400, WAKE_FAILED, FAULT_WAKE_FAILED},   {401, WAKE_FAILED, FAULT_MISCONFIGURED},
		{403, WAKE_FAILED, FAULT_MISCONFIGURED}, {404, WAKE_FAILED, FAULT_NO_ROUTE},
		{409, WAKE_FAILED, FAULT_WAKE_FAILED},   {422, WAKE_FAILED, FAULT_WAKE_FAILED},
		{423, WAKE_RETRY, FAULT_WAKE_FAILED},    {429, WAKE_RETRY, FAULT_WAKE_FAILED},
		{500, WAKE_RETRY, FAULT_WAKE_FAILED},    {502, WAKE_RETRY, FAULT_WAKE_FAILED},
		{503, WAKE_RETRY, FAULT_WAKE_FAILED},    {504, WAKE_RETRY, FAULT_WAKE_FAILED},
		{599, WAKE_RETRY, FAULT_WAKE_FAILED},    {600, WAKE_FAILED, FAULT_WAKE_FAILED},
		{100, WAKE_FAILED, FAULT_WAKE_FAILED},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		RouteAnswer a;

		assert_int_equal(judge(table[i].status, "{}", &a), table[i].verdict);
		assert_int_equal(a.fault.code, table[i].code);
		assert_int_equal(judge(table[i].status, "garbage", &a), table[i].verdict);
		assert_int_equal(a.fault.code, table[i].code);
	}
}

TEST(no_answer_at_all_is_worth_another_try)
{
	FetchAnswer fetched = {.status = 0, .error = "Connection refused", .retry_after_ms = -1};
	RouteAnswer a = {.depth = DEPTH_NONE};

	assert_int_equal(wake_judge(&fetched, "frog", &a), WAKE_RETRY);
	assert_int_equal(a.fault.code, FAULT_CONTROL_PLANE);
	assert_string_equal(a.fault.detail,
			    "the control plane could not be asked to wake compute \"frog\"");
	assert_string_equal(a.fault.cause, "Connection refused");
}

/* It would be as large the next time. */
TEST(an_answer_that_is_too_large_ends_the_wake)
{
	FetchAnswer fetched = {.error = "the answer is too large", .too_large = true};
	RouteAnswer a = {.depth = DEPTH_NONE};

	assert_int_equal(wake_judge(&fetched, "frog", &a), WAKE_FAILED);
	assert_int_equal(a.fault.code, FAULT_WAKE_FAILED);
	assert_string_equal(a.fault.cause, "the answer is too large");
}

/* They may tell of the server's files and its log. */
TEST(the_control_planes_own_words_reach_the_log_and_not_the_client)
{
	RouteAnswer a;

	judge(409, "{\"detail\": \"the project is being deleted\"}", &a);
	assert_string_equal(
		a.fault.detail,
		"compute \"frog\" could not be woken (HTTP 409 from the control plane)");
	assert_string_equal(a.fault.cause, "the project is being deleted");
	judge(500, "<html>oops</html>", &a);
	assert_string_equal(
		a.fault.detail,
		"compute \"frog\" could not be woken (HTTP 500 from the control plane)");
	assert_string_equal(a.fault.cause, "");
	judge(404, "", &a);
	assert_string_equal(a.fault.detail, "there is no compute \"frog\"");
}

TEST(its_words_cannot_forge_a_log_line)
{
	RouteAnswer a;

	judge(500, "{\"detail\": \"a\\nb\\u001b[31m\"}", &a);
	assert_string_equal(a.fault.cause, "a?b?[31m");
}

TEST(a_quota_is_the_clients_business_and_a_bad_token_ours)
{
	RouteAnswer a;

	judge(403,
	      "{\"reason\": \"COMPUTE_TIME_QUOTA_EXCEEDED\", \"detail\": \"used 2 of 1 s\", "
	      "\"hint\": \"resets\\nsoon\"}",
	      &a);
	assert_int_equal(a.fault.code, FAULT_QUOTA);
	assert_string_equal(a.fault.detail, "compute \"frog\" may not run: its quota is used up");
	assert_string_equal(a.fault.figures, "used 2 of 1 s");
	assert_string_equal(a.fault.hint, "resets?soon");
	judge(403, "{\"reason\": \"ACTIVE_ENDPOINTS_LIMIT_EXCEEDED\"}", &a);
	assert_int_equal(a.fault.code, FAULT_QUOTA);
	assert_string_equal(a.fault.figures, "");
	judge(403, "{\"reason\": \"ENDPOINT_DISABLED\", \"detail\": \"disabled\"}", &a);
	assert_int_equal(a.fault.code, FAULT_QUOTA);
	judge(403, "{\"reason\": \"CONCURRENCY_LIMIT_REACHED\", \"detail\": \"used 2 of 2\"}", &a);
	assert_int_equal(a.fault.code, FAULT_LIMIT);
	judge(403, "{\"reason\": \"something else\"}", &a);
	assert_int_equal(a.fault.code, FAULT_MISCONFIGURED);
	judge(401, "{}", &a);
	assert_int_equal(a.fault.code, FAULT_MISCONFIGURED);
	assert_contains(a.fault.detail, "token_file");
}

TEST(a_failure_leaves_the_old_address_alone)
{
	static const int statuses[] = {0, 200, 404, 500};

	for (size_t i = 0; i < N_OF(statuses); i++) {
		FetchAnswer fetched = {.status = statuses[i], .error = "", .body = BYTES("{}")};
		RouteAnswer a = {.name = "frog", .address = "old:1", .generation = 3};

		assert_int_not_equal(wake_judge(&fetched, "frog", &a), WAKE_OK);
		assert_string_equal(a.address, "old:1");
		assert_string_equal(a.name, "frog");
		assert_int_equal(a.generation, 3);
	}
}

TEST(pauses_grow_to_a_limit)
{
	int64_t last = 0;

	for (int n = 1; n < 100; n++) {
		int64_t least = wake_backoff_ms(n, 0), most = wake_backoff_ms(n, 0.999);

		assert_true(least > 0 && least <= most);
		assert_true(least >= last * 3 / 4 && most >= last * 3 / 4);
		assert_true(most <= 5000);
		assert_true(least * 4 + 4 >= most * 3);
		last = most;
	}
	assert_int_equal(wake_backoff_ms(1, 0), 75);
	assert_int_equal(wake_backoff_ms(2, 0), 120);
	assert_int_equal(wake_backoff_ms(1000000, 0), 3750);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_answer_says_where_the_compute_is),
		cmocka_unit_test(an_address_may_be_of_every_kind),
		cmocka_unit_test(a_compute_with_tls_has_a_name),
		cmocka_unit_test(what_is_no_name_is_no_server_name),
		cmocka_unit_test(a_server_name_that_is_too_long_is_refused_not_cut),
		cmocka_unit_test(a_wake_has_a_depth),
		cmocka_unit_test(a_good_status_with_a_bad_body_ends_the_wake),
		cmocka_unit_test(an_address_that_leads_nowhere_ends_the_wake),
		cmocka_unit_test(an_address_that_is_too_long_is_refused_not_cut),
		cmocka_unit_test(every_status_has_its_consequence),
		cmocka_unit_test(no_answer_at_all_is_worth_another_try),
		cmocka_unit_test(an_answer_that_is_too_large_ends_the_wake),
		cmocka_unit_test(the_control_planes_own_words_reach_the_log_and_not_the_client),
		cmocka_unit_test(its_words_cannot_forge_a_log_line),
		cmocka_unit_test(a_quota_is_the_clients_business_and_a_bad_token_ours),
		cmocka_unit_test(a_failure_leaves_the_old_address_alone),
		cmocka_unit_test(pauses_grow_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
