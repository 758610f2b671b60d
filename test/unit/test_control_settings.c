/* What "config" of a project may hold beside what test_control_api has of it. */
#include "unit.h"

#include "src/control/settings.h"

static bool good(const char *text, Fault *why)
{
	json_t *config = json_loads(text, 0, NULL);
	bool result;

	assert_non_null(config);
	result = settings_check(SETTINGS_OF_PROJECT, config, why);
	json_decref(config);
	return result;
}

static ProjectSettings settings_of(const char *text)
{
	Fault why = {0};

	if (!good(text, &why))
		fail_msg("%s", why.detail);
	return settings_of_project(text);
}

TEST(what_is_not_set_is_as_it_was_promised)
{
	ProjectSettings s = settings_of("{}");
	ScalePolicy scale = SCALE_POLICY_DEFAULT;

	assert_int_equal(s.idle_timeout_ms, -1);
	assert_int_equal(s.freeze_after_ms, -1);
	assert_false(s.idle_clients_keep_awake || s.listeners_keep_awake || s.dry_run);
	assert_true(s.replication_keeps_awake);
	assert_int_equal(s.exempt.n_roles + s.exempt.n_applications + s.exempt.n_networks, 0);
	assert_int_equal(s.n_keep_warm + s.n_wake_at, 0);
	assert_true(s.scale.on);
	assert_memory_equal(&s.scale, &scale, sizeof(scale));
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		assert_int_equal(s.quota.limits[kind], 0);
	assert_int_equal(s.quota.soft, 80);
	assert_int_equal(s.quota.period_days, 0);
	assert_string_equal(s.webhook_url, "");
}

TEST(all_that_is_set_is_read)
{
	ProjectSettings s = settings_of(
		"{\"idle_timeout\": 0, \"freeze_after\": 10, \"idle_clients_keep_awake\": true,"
		" \"listeners_keep_awake\": true, \"replication_keeps_awake\": false,"
		" \"dry_run\": true, \"exempt_roles\": [\"monitor\", \"backup\"],"
		" \"exempt_applications\": [\"datadog*\"],"
		" \"exempt_networks\": [\"10.0.0.0/8\", \"local\"],"
		" \"keep_warm\": [{\"days\": \"mon-fri\", \"from\": \"08:00\", \"to\": \"18:00\","
		" \"timezone\": \"Europe/Berlin\"}, {\"from\": \"22:00\", \"to\": \"02:00\"}],"
		" \"wake_at\": [\"07:55\", \"2026-12-01T07:55:00Z\"],"
		" \"min_size\": 0.5, \"max_size\": 4, \"autoscale\": false,"
		" \"autoscale_cpu_up\": 70, \"autoscale_cpu_down\": 10,"
		" \"autoscale_up_window\": 20, \"autoscale_down_pause\": 60,"
		" \"quota_compute_seconds\": 4000000000, \"quota_storage_bytes\": 1125899906842624,"
		" \"quota_computes\": 3, \"quota_connections\": 50, \"quota_soft\": 90,"
		" \"quota_period_days\": 30, \"webhook_url\": \"https://example.com/hook?a=b\"}");

	assert_int_equal(s.idle_timeout_ms, 0);
	assert_int_equal(s.freeze_after_ms, 10000);
	assert_true(s.idle_clients_keep_awake && s.listeners_keep_awake && s.dry_run);
	assert_false(s.replication_keeps_awake);
	assert_int_equal(s.exempt.n_roles, 2);
	assert_string_equal(s.exempt.roles[1], "backup");
	assert_string_equal(s.exempt.applications[0], "datadog*");
	assert_int_equal(s.exempt.n_networks, 1);
	assert_true(s.exempt.local);
	assert_int_equal(s.n_keep_warm, 2);
	assert_string_equal(s.keep_warm[0].zone, "Europe/Berlin");
	assert_int_equal(s.keep_warm[1].days, 0x7f);
	assert_string_equal(s.keep_warm[1].zone, "UTC");
	assert_int_equal(s.n_wake_at, 2);
	assert_int_equal(s.max_size, 4000);
	assert_false(s.scale.on);
	assert_int_equal(s.scale.cpu_up, 70);
	assert_int_equal(s.scale.up_window_ms, 20000);
	assert_int_equal(s.scale.down_pause_ms, 60000);
	assert_true(s.quota.limits[QUOTA_COMPUTE] == INT64_C(4000000000));
	assert_true(s.quota.limits[QUOTA_STORAGE] == INT64_C(1) << 50);
	assert_int_equal(s.quota.limits[QUOTA_COMPUTES], 3);
	assert_int_equal(s.quota.limits[QUOTA_CONNECTIONS], 50);
	assert_int_equal(s.quota.soft, 90);
	assert_int_equal(s.quota.period_days, 30);
	assert_string_equal(s.webhook_url, "https://example.com/hook?a=b");
}

TEST(whatever_is_bad_is_named_with_what_would_be_right)
{
	static const struct {
		const char *config, *said;
	} rows[] = {
		{"{\"freeze_after\": -1}", "config.freeze_after must be a number of seconds"},
		{"{\"freeze_after\": \"30s\"}", "config.freeze_after must be a number of seconds"},
		{"{\"dry_run\": 1}", "config.dry_run must be true or false"},
		{"{\"dry_run\": \"true\"}", "config.dry_run must be true or false"},
		{"{\"exempt_roles\": \"monitor\"}", "must be a list of at most 16 names"},
		{"{\"exempt_roles\": [\"a\", 5]}", "config.exempt_roles[1]: it must be a text"},
		{"{\"exempt_roles\": [\"\"]}", "config.exempt_roles[0]: a role has 1 to 63 bytes"},
		{"{\"exempt_applications\": [\"*x\"]}",
		 "config.exempt_applications[0]: \"*x\": a * "
		 "may only stand at the end"},
		{"{\"exempt_networks\": [\"10.1.1.1\"]}",
		 "config.exempt_networks[0]: \"10.1.1.1\" is "
		 "narrower than /24"},
		{"{\"exempt_networks\": [\"10.1.1.1/8\"]}", "the network is 10.0.0.0/8"},
		{"{\"keep_warm\": {}}", "must be a list of at most 8 running hours"},
		{"{\"keep_warm\": [8]}", "config.keep_warm[0]: it must be an object"},
		{"{\"keep_warm\": [{}]}", "config.keep_warm[0]: \"\" is no time of the day"},
		{"{\"keep_warm\": [{\"from\": 8}]}", "\"from\" must be a text"},
		{"{\"keep_warm\": [{\"form\": \"08:00\"}]}", "\"form\" is not known"},
		{"{\"keep_warm\": [{\"from\": \"08:00\", \"to\": \"25:00\"}]}",
		 "\"25:00\" is no time of the day; write it as \"08:00\""},
		{"{\"keep_warm\": [{\"from\": \"08:00\", \"to\": \"18:00\", \"timezone\": "
		 "\"CEST!\"}]}",
		 "config.keep_warm: this machine knows no time zone \"CEST!\""},
		{"{\"wake_at\": [\"noon\"]}", "config.wake_at[0]: \"noon\" is no time to wake at"},
		{"{\"wake_at\": [\"07:55 Mars/Base\"]}", "knows no time zone \"Mars/Base\""},
		{"{\"min_size\": 0.0001}",
		 "config.min_size must be a number of compute units, 0.001"},
		{"{\"min_size\": 2, \"max_size\": 1}",
		 "config.max_size must not be less than min_size, which is 2"},
		{"{\"max_size\": 0.1}", "which is 0.25"},
		{"{\"autoscale_cpu_up\": 101}", "config.autoscale_cpu_up must be a percentage"},
		{"{\"autoscale_cpu_up\": 15}",
		 "config.autoscale_cpu_down must be less than autoscale_cpu_up, which is 15"},
		{"{\"autoscale_memory_down\": 80}", "autoscale_memory_up, which is 80"},
		{"{\"autoscale_up_window\": 1}", "a number of seconds, 5 to 3600"},
		{"{\"quota_compute_seconds\": -1}", "0 (any) to 4000000000"},
		{"{\"quota_storage_bytes\": 1e3}", "config.quota_storage_bytes must be a number"},
		{"{\"quota_soft\": 101}", "a percentage, 0 (no warning) to 100"},
		{"{\"webhook_url\": \"example.com\"}", "must be a URL"},
		{"{\"webhook_url\": \"https://\"}", "must be a URL"},
		{"{\"webhook_url\": \"ftp://example.com\"}", "begins with https:// or http://"},
		{"{\"webhook_url\": \"https://example.com/a b\"}", "must be a URL"},
		{"{\"webhook_url\": \"https://example.com/\\n\"}", "must be a URL"},
		{"{\"webhook_url\": \"https://example.com/\\u0000\"}", "must be a URL"},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		json_t *config = json_loads(rows[i].config, JSON_ALLOW_NUL, NULL);
		Fault why = {0};

		assert_non_null(config);
		assert_false(settings_check(SETTINGS_OF_PROJECT, config, &why));
		assert_contains(why.detail, rows[i].said);
		assert_int_equal(why.code, FAULT_BAD_VALUE);
		json_decref(config);
	}
}

static bool list_is_good(const char *name, const char *item, int n, Fault *why)
{
	json_t *list = json_array(), *config = json_pack("{s:o}", name, list);
	bool result;

	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_loads(item, JSON_DECODE_ANY, NULL));
	result = settings_check(SETTINGS_OF_PROJECT, config, why);
	json_decref(config);
	return result;
}

TEST(every_list_has_an_end)
{
	static const struct {
		const char *name, *item;
		int most;
	} rows[] = {
		{"exempt_roles", "\"r\"", EXEMPT_MOST},
		{"exempt_applications", "\"a*\"", EXEMPT_MOST},
		{"exempt_networks", "\"10.0.0.0/8\"", EXEMPT_MOST},
		{"keep_warm", "{\"from\": \"08:00\", \"to\": \"18:00\"}", SETTINGS_HOURS},
		{"wake_at", "\"07:55\"", SETTINGS_TIMES},
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		Fault why;

		assert_true(list_is_good(rows[i].name, rows[i].item, rows[i].most, &why));
		assert_false(list_is_good(rows[i].name, rows[i].item, rows[i].most + 1, &why));
		assert_contains(why.detail, "a list of at most");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_set_is_as_it_was_promised),
		cmocka_unit_test(all_that_is_set_is_read),
		cmocka_unit_test(whatever_is_bad_is_named_with_what_would_be_right),
		cmocka_unit_test(every_list_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
