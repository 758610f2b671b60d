/* The pure parts of the API: routes, settings, names, times, tokens, connection strings. */
#include "unit.h"

#include "base/text.h"
#include "src/control/api/route.h"
#include "src/control/api/schema.h"
#include "src/control/api/uri.h"
#include "src/control/names.h"
#include "src/control/settings.h"

/* ---- routes ------------------------------------------------------------ */

static char id[ID_SIZE], named[ID_SIZE], allow[ALLOW_SIZE];

static const Route *find(const char *method, const char *path)
{
	return route_find(method, path, id, named, allow);
}

TEST(a_request_takes_the_route_of_its_method_and_path)
{
	assert_ptr_equal(find("GET", "/healthz")->handle, api_health);
	assert_ptr_equal(find("POST", "/api/v1/projects")->handle, api_project_create);
	assert_ptr_equal(find("GET", "/api/v1/projects")->handle, api_project_list);
	assert_ptr_equal(find("DELETE", "/api/v1/compute/shop")->handle, api_compute_delete);
	assert_string_equal(id, "shop");
	assert_ptr_equal(find("PUT", "/compute/api/v2/computes/a-b/wake")->handle, api_wake);
	assert_string_equal(id, "a-b");
}

TEST(ids_are_compared_in_lower_case)
{
	assert_non_null(find("GET", "/api/v1/compute/SHOP"));
	assert_string_equal(id, "shop");
}

TEST(what_is_no_dns_label_is_no_path)
{
	static const char *const bad[] = {"",    "..",    "a.b", "-a",
					  "a/b", "a%2fb", "a_b", "caf\xc3\xa9"};
	char path[200];

	for (size_t i = 0; i < N_OF(bad); i++) {
		snprintf(path, sizeof(path), "/api/v1/compute/%s", bad[i]);
		assert_null(find("GET", path));
		assert_string_equal(allow, "");
	}
	memset(path, 'a', sizeof(path));
	memcpy(path, "/api/v1/compute/", 16);
	path[16 + 63] = 0;
	assert_non_null(find("GET", path));
	path[16 + 63] = 'a';
	path[16 + 64] = 0;
	assert_null(find("GET", path));
}

TEST(another_method_is_told_which_there_are)
{
	assert_null(find("PUT", "/api/v1/compute/shop"));
	assert_string_equal(allow, "GET, PATCH, DELETE");
	assert_null(find("POST", "/api/v1/wake_compute"));
	assert_string_equal(allow, "GET");
	assert_null(find("GET", "/api/v1/nothing"));
	assert_string_equal(allow, "");
	assert_null(find("GET", "/api/v1/projects/"));
}

TEST(a_name_in_a_path_may_hold_anything_if_it_is_encoded)
{
	char path[400] = "/api/v1/compute/shop/roles/";
	size_t n = strlen(path);

	assert_ptr_equal(find("DELETE", "/api/v1/compute/SHOP/roles/A%2fb%20+%c3%a9")->handle,
			 api_role_delete);
	assert_string_equal(id, "shop");
	assert_string_equal(named, "A/b +\xc3\xa9");
	assert_ptr_equal(find("POST", "/api/v1/compute/shop/roles/password/password")->handle,
			 api_role_rotate);
	assert_string_equal(named, "password");
	assert_null(find("DELETE", "/api/v1/compute/shop/roles/"));
	assert_null(find("DELETE", "/api/v1/compute/shop/roles/a/b"));
	assert_null(find("DELETE", "/api/v1/compute/shop/roles/a%00b"));
	assert_null(find("DELETE", "/api/v1/compute/shop/roles/a%2"));
	assert_null(find("DELETE", "/api/v1/compute/shop/roles/a%zz"));
	for (int i = 0; i < 63; i++)
		text_copy(path + n + 3 * i, 4, "%61");
	assert_non_null(find("DELETE", path));
	text_copy(path + n + 3 * 63, 4, "%61");
	assert_null(find("DELETE", path));
}

/* A.1 item 15 of the predecessors. GET of a wake is what other programs expect. */
TEST(nothing_but_a_wake_is_changed_by_get)
{
	for (int i = 0; i < n_routes; i++) {
		if (strcmp(routes[i].method, "GET") != 0 || routes[i].handle == api_wake)
			continue;
		for (int k = 0; k < n_routes; k++) {
			if (k != i && routes[k].handle == routes[i].handle)
				assert_string_equal(routes[k].method, "GET");
		}
	}
}

TEST(a_proxy_may_ask_who_may_connect_by_both_names)
{
	static const char *const paths[] = {"/api/v1/get_endpoint_access_control",
					    "/get_endpoint_access_control"};

	for (size_t i = 0; i < N_OF(paths); i++) {
		assert_ptr_equal(find("GET", paths[i])->handle, api_access_control);
		assert_int_equal(find("GET", paths[i])->scope, SCOPE_PROXY);
	}
}

TEST(only_health_and_description_want_no_token)
{
	for (int i = 0; i < n_routes; i++) {
		bool open = routes[i].handle == api_health || routes[i].handle == api_ready ||
			    routes[i].handle == api_openapi;

		assert_int_equal(routes[i].scope == SCOPE_NONE, open);
	}
}

TEST(a_body_has_no_members_but_those_of_its_schema)
{
	json_t *body = json_pack("{s:s, s:{}}", "name", "x", "config");
	Fault why;

	assert_true(schema_knows("ProjectBody", body, &why));
	assert_true(schema_knows("", body, &why));
	assert_false(schema_knows("ComputeChange", body, &why));
	assert_int_equal(why.code, FAULT_BAD_VALUE);
	assert_string_equal(why.detail, "name is not known");
	json_decref(body);
}

static bool is_there(const json_t *schemas, const char *type)
{
	json_t *schema = schema_of_type(type);
	const char *reference = json_string_value(json_object_get(schema, "$ref"));
	bool there = !reference || json_object_get(schemas, strrchr(reference, '/') + 1);

	json_decref(schema);
	return there;
}

static bool never(const char *schema)
{
	(void)schema;
	return false;
}

TEST(a_route_names_schemas_that_there_are)
{
	json_t *schemas = schemas_make(never);

	for (int i = 0; i < n_routes; i++)
		assert_true(is_there(schemas, routes[i].body));
	assert_false(is_there(schemas, "Nothing"));
	json_decref(schemas);
}

/* ---- tokens ------------------------------------------------------------ */

static Scope token_scope(const Tokens *t, const char *authorization)
{
	return tokens_caller(t, authorization).scope;
}

static void learn(Tokens *t, const char *token_id, const char *token, const char *scope,
		  const char *project_id)
{
	Token record = {0};

	text_copy(record.id, sizeof(record.id), token_id);
	text_copy(record.scope, sizeof(record.scope), scope);
	text_copy(record.project_id, sizeof(record.project_id), project_id);
	token_hash(record.hash, token);
	tokens_learn(t, &record);
}

TEST(a_token_is_worth_its_scope_and_nothing_else)
{
	Tokens t = {NULL};

	learn(&t, "admin-1", "adminadminadminadmin", "admin", "");
	learn(&t, "proxy-1", "proxyproxyproxyproxy", "proxy", "");
	learn(&t, "to-1", "oneprojectoneproject", "project", "pr-1");
	assert_int_equal(token_scope(&t, "Bearer adminadminadminadmin"), SCOPE_ADMIN);
	assert_int_equal(token_scope(&t, "bearer proxyproxyproxyproxy"), SCOPE_PROXY);
	assert_int_equal(token_scope(&t, "Bearer adminadminadminadmi"), SCOPE_NONE);
	assert_int_equal(token_scope(&t, "Bearer adminadminadminadmin2"), SCOPE_NONE);
	assert_int_equal(token_scope(&t, "adminadminadminadmin"), SCOPE_NONE);
	assert_int_equal(token_scope(&t, "Basic adminadminadminadmin"), SCOPE_NONE);
	assert_int_equal(token_scope(&t, "Bearer "), SCOPE_NONE);
	assert_int_equal(token_scope(&t, NULL), SCOPE_NONE);
	assert_int_equal(token_scope(&t, "Bearer oneprojectoneproject"), SCOPE_PROJECT);
	assert_string_equal(tokens_caller(&t, "Bearer oneprojectoneproject").project_id, "pr-1");
	tokens_forget_project(&t, "pr-1");
	assert_int_equal(token_scope(&t, "Bearer oneprojectoneproject"), SCOPE_NONE);
	tokens_forget(&t, "proxy-1");
	assert_int_equal(token_scope(&t, "Bearer proxyproxyproxyproxy"), SCOPE_NONE);
	tokens_forget(&t, "admin-1");
}

TEST(a_new_token_of_an_id_takes_the_place_of_the_old_one)
{
	Tokens t = {NULL};

	learn(&t, "admin-1", "adminadminadminadmin", "admin", "");
	learn(&t, "admin-1", "anotheranotheranother", "admin", "");
	assert_int_equal(token_scope(&t, "Bearer adminadminadminadmin"), SCOPE_NONE);
	assert_int_equal(token_scope(&t, "Bearer anotheranotheranother"), SCOPE_ADMIN);
	tokens_forget(&t, "admin-1");
}

TEST(a_scope_is_enough_for_its_routes)
{
	static const struct {
		Scope wanted;
		bool none, proxy, project, admin;
	} table[] = {
		{SCOPE_NONE, true, true, true, true},     {SCOPE_EITHER, false, true, true, true},
		{SCOPE_PROXY, false, true, false, true},  {SCOPE_PROJECT, false, false, true, true},
		{SCOPE_ADMIN, false, false, false, true},
	};

	for (size_t i = 0; i < N_OF(table); i++) {
		assert_int_equal(scope_suffices(SCOPE_NONE, table[i].wanted), table[i].none);
		assert_int_equal(scope_suffices(SCOPE_PROXY, table[i].wanted), table[i].proxy);
		assert_int_equal(scope_suffices(SCOPE_PROJECT, table[i].wanted), table[i].project);
		assert_int_equal(scope_suffices(SCOPE_ADMIN, table[i].wanted), table[i].admin);
	}
	assert_int_equal(scope_of_word("root"), SCOPE_NONE);
}

/* ---- settings ---------------------------------------------------------- */

static bool good(SettingsOf of, const char *text, Fault *why)
{
	json_t *json = json_loads(text, 0, NULL);
	bool result = settings_check(of, json, why);

	json_decref(json);
	return result;
}

TEST(good_settings_pass)
{
	Fault why;

	assert_true(good(SETTINGS_OF_PROJECT, "{}", &why));
	assert_true(
		good(SETTINGS_OF_PROJECT,
		     "{\"idle_timeout\": 0, \"max_connections\": 20, \"min_size\": 0.25,"
		     " \"max_size\": 4, \"page_server_url\": \"http://x\", \"freeze_after\": 0}",
		     &why));
	assert_true(
		good(SETTINGS_OF_PROJECT,
		     "{\"connect_rate\": 5, \"connect_burst\": 0, \"allowed_ips\": [\"192.0.2.7\","
		     " \"10.0.0.0/8\", \"0.0.0.0/0\", \"::1\", \"2001:db8::/32\","
		     " \"::ffff:192.0.2.1/128\"]}",
		     &why));
	assert_true(good(SETTINGS_OF_PROJECT, "{\"allowed_ips\": []}", &why));
	assert_true(good(
		SETTINGS_OF_COMPUTE,
		"{\"image\": \"x\", \"resources\": {\"cpu\": \"500m\", \"memory\": \"256MB\"}}",
		&why));
}

TEST(a_bad_setting_is_named)
{
	static const struct {
		SettingsOf of;
		const char *config, *says;
	} table[] = {
		{SETTINGS_OF_PROJECT, "{\"idle\": 1}", "config.idle is not known"},
		{SETTINGS_OF_PROJECT, "{\"idle_timeout\": -1}", "config.idle_timeout must be"},
		{SETTINGS_OF_PROJECT, "{\"idle_timeout\": \"5min\"}",
		 "config.idle_timeout must be"},
		{SETTINGS_OF_PROJECT, "{\"max_connections\": 0}", "config.max_connections must be"},
		{SETTINGS_OF_PROJECT, "{\"min_size\": 0}", "config.min_size must be"},
		{SETTINGS_OF_PROJECT, "{\"page_server_url\": 1}", "config.page_server_url must be"},
		{SETTINGS_OF_PROJECT, "{\"connect_rate\": 10001}", "config.connect_rate must be"},
		{SETTINGS_OF_PROJECT, "{\"connect_burst\": -1}", "config.connect_burst must be"},
		{SETTINGS_OF_PROJECT, "{\"allowed_ips\": \"10.0.0.1\"}", "config.allowed_ips must"},
		{SETTINGS_OF_PROJECT, "{\"allowed_ips\": [\"10.0.0.1\", \"10.0.0.300\"]}",
		 "config.allowed_ips[1] is no address or network: \"10.0.0.300\""},
		{SETTINGS_OF_PROJECT, "{\"allowed_ips\": [7]}", "config.allowed_ips[0] is no"},
		{SETTINGS_OF_PROJECT, "{\"image\": \"x\"}", "config.image is not known"},
		{SETTINGS_OF_COMPUTE, "{\"idle_timeout\": 1}", "config.idle_timeout is not known"},
		{SETTINGS_OF_COMPUTE, "{\"resources\": {\"disk\": 1}}", "config.resources must be"},
		{SETTINGS_OF_COMPUTE, "{\"resources\": {\"memory\": \"1\"}}",
		 "config.resources must be"},
		{SETTINGS_OF_COMPUTE, "{\"resources\": 1}", "config.resources must be"},
		{SETTINGS_OF_COMPUTE, "[]", "config must be an object"},
	};
	Fault why;

	for (size_t i = 0; i < N_OF(table); i++) {
		assert_false(good(table[i].of, table[i].config, &why));
		assert_int_equal(why.code, FAULT_BAD_VALUE);
		assert_contains(why.detail, table[i].says);
	}
}

TEST(what_is_no_network_is_refused)
{
	static const char *const bad[] = {
		"",          "/8",          "10.0.0.0/",    "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0/8",  "1.2.3.4/8x",  "::/129",       "1::2::3",     "fe80::1%eth0",
		"localhost", "10.0.0.0/08", "10.0.0.0/8/8", " 10.0.0.1",   "10.0.0.1-10.0.0.9",
	};
	char text[100];
	Fault why;

	for (size_t i = 0; i < N_OF(bad); i++) {
		snprintf(text, sizeof(text), "{\"allowed_ips\": [\"%s\"]}", bad[i]);
		assert_false(good(SETTINGS_OF_PROJECT, text, &why));
		assert_contains(why.detail, bad[i]);
	}
}

static bool list_of(int n, const char *item, Fault *why)
{
	json_t *list = json_array(), *config = json_pack("{s:o}", "allowed_ips", list);
	bool result;

	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_string(item));
	result = settings_check(SETTINGS_OF_PROJECT, config, why);
	json_decref(config);
	return result;
}

TEST(a_list_of_networks_is_bounded)
{
	char longer[200];
	Fault why;

	assert_true(list_of(64, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", &why));
	assert_false(list_of(65, "::1", &why));
	assert_contains(why.detail, "at most 64");
	memset(longer, '\xc3', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	for (size_t i = 1; i < sizeof(longer) - 1; i += 2)
		longer[i] = '\xa9';
	longer[sizeof(longer) - 2] = 0;
	assert_false(list_of(1, longer, &why));
	assert_string_equal(why.detail, "config.allowed_ips[0] is no address or network");
}

TEST(what_is_not_set_has_a_default)
{
	ProjectSettings p = settings_of_project("{}");
	ComputeSettings c = settings_of_compute("{}");

	assert_int_equal(p.idle_timeout_ms, -1);
	assert_int_equal(p.max_connections, 100);
	assert_int_equal(p.min_size, 250);
	assert_int_equal(p.connect_rate, 0);
	assert_int_equal(p.connect_burst, 0);
	assert_int_equal(c.cpu, 0);
	assert_int_equal(c.memory, 0);
	p = settings_of_project("{\"idle_timeout\": 0, \"min_size\": 2}");
	assert_int_equal(p.idle_timeout_ms, 0);
	assert_int_equal(p.max_size, 2000);
	p = settings_of_project("{\"connect_rate\": 5}");
	assert_int_equal(p.connect_burst, 5); /* an empty bucket would let nobody in */
	p = settings_of_project("{\"connect_rate\": 5, \"connect_burst\": 2}");
	assert_int_equal(p.connect_burst, 2);
	c = settings_of_compute("{\"resources\": {\"cpu\": 0.5, \"memory\": \"1Gi\"}}");
	assert_int_equal(c.cpu, 500);
	assert_int_equal(c.memory, 1 << 30);
}

static int64_t amount(const char *text, bool bytes)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	int64_t result = bytes ? settings_bytes(json) : settings_cpu(json);

	json_decref(json);
	return result;
}

TEST(amounts_are_written_as_people_write_them)
{
	assert_int_equal(amount("\"250m\"", false), 250);
	assert_int_equal(amount("\"0.5\"", false), 500);
	assert_int_equal(amount("2", false), 2000);
	assert_int_equal(amount("\"fast\"", false), -1);
	assert_int_equal(amount("\"1x\"", false), -1);
	assert_int_equal(amount("0", false), -1);
	assert_int_equal(amount("true", false), -1);
	assert_int_equal(amount("\"256MB\"", true), 256 << 20);
	assert_int_equal(amount("\"1G\"", true), 1000000000);
	assert_int_equal(amount("1048576", true), 1 << 20);
	assert_int_equal(amount("\"99999999999Gi\"", true), -1);
	assert_int_equal(amount("\"-1MB\"", true), -1);
	assert_int_equal(amount("\"1TBx\"", true), -1);
}

TEST(changes_take_the_place_of_what_was_there)
{
	json_t *changes = json_loads("{\"idle_timeout\": 9, \"max_connections\": null}", 0, NULL);
	json_t *merged = settings_merge(
		"{\"idle_timeout\": 5, \"max_connections\": 7, \"min_size\": 1}", changes);

	assert_int_equal(json_object_size(merged), 2);
	assert_int_equal(json_integer_value(json_object_get(merged, "idle_timeout")), 9);
	assert_int_equal(json_integer_value(json_object_get(merged, "min_size")), 1);
	json_decref(changes);
	json_decref(merged);
}

/* ---- names, times, addresses ------------------------------------------- */

TEST(a_made_up_id_is_a_dns_label)
{
	const uint8_t bytes[] = {0, 31, 32, 255, 7};
	char name[ID_SIZE], other[ID_SIZE], password[PASSWORD_SIZE];

	name_of_bytes(name, sizeof(name), "co", bytes, sizeof(bytes));
	assert_string_equal(name, "co-a9a9h");
	assert_true(text_is_label(name));
	name_make(name, "pr");
	name_make(other, "pr");
	assert_true(text_is_label(name));
	assert_string_not_equal(name, other);
	password_make(password);
	assert_int_equal(strlen(password), 32);
	assert_true(text_is_label(password)); /* so it needs no quotes anywhere */
}

TEST(times_are_read_as_they_are_shown)
{
	json_t *shown = json_of_time(INT64_C(1709208000123000));

	assert_string_equal(json_string_value(shown), "2024-02-29T12:00:00.123Z");
	assert_int_equal(time_of_text(json_string_value(shown)), INT64_C(1709208000123000));
	assert_int_equal(time_of_text("2024-02-29T12:00:00Z"), INT64_C(1709208000000000));
	assert_int_equal(time_of_text("1709208000"), INT64_C(1709208000000000));
	assert_int_equal(time_of_text("yesterday"), -1);
	assert_int_equal(time_of_text("2024-02-29"), -1);
	assert_int_equal(time_of_text("2024-02-29T12:00:00+01:00"), -1);
	assert_int_equal(time_of_text("-5"), -1);
	json_decref(shown);
}

static void assert_uri(const char *listen_addr, const char *expected)
{
	const UriParts parts = {"shop", "app", "secret", "app"};
	char text[200], uri[URI_SIZE];
	const Config *conf;
	Fault why;

	snprintf(text, sizeof(text), "[reveille]\nlisten_addr = %s\nlisten_port = 6543\n",
		 listen_addr);
	conf = conf_parse("test.ini", text, NULL, 0, &why);
	assert_non_null(conf);
	assert_true(uri_of_compute(uri, conf, &parts));
	assert_string_equal(uri, expected);
	conf_release(conf);
}

TEST(the_connection_string_leads_through_the_proxy)
{
	assert_uri("127.0.0.1", "postgresql://app:secret@127.0.0.1:6543/shop%2Fapp");
	assert_uri("10.0.0.1, 127.0.0.1", "postgresql://app:secret@10.0.0.1:6543/shop%2Fapp");
	assert_uri("*", "postgresql://app:secret@127.0.0.1:6543/shop%2Fapp");
	assert_uri("::1", "postgresql://app:secret@[::1]:6543/shop%2Fapp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_takes_the_route_of_its_method_and_path),
		cmocka_unit_test(ids_are_compared_in_lower_case),
		cmocka_unit_test(what_is_no_dns_label_is_no_path),
		cmocka_unit_test(another_method_is_told_which_there_are),
		cmocka_unit_test(a_name_in_a_path_may_hold_anything_if_it_is_encoded),
		cmocka_unit_test(nothing_but_a_wake_is_changed_by_get),
		cmocka_unit_test(a_proxy_may_ask_who_may_connect_by_both_names),
		cmocka_unit_test(a_body_has_no_members_but_those_of_its_schema),
		cmocka_unit_test(a_route_names_schemas_that_there_are),
		cmocka_unit_test(only_health_and_description_want_no_token),
		cmocka_unit_test(a_token_is_worth_its_scope_and_nothing_else),
		cmocka_unit_test(a_new_token_of_an_id_takes_the_place_of_the_old_one),
		cmocka_unit_test(a_scope_is_enough_for_its_routes),
		cmocka_unit_test(good_settings_pass),
		cmocka_unit_test(a_bad_setting_is_named),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(a_list_of_networks_is_bounded),
		cmocka_unit_test(what_is_not_set_has_a_default),
		cmocka_unit_test(amounts_are_written_as_people_write_them),
		cmocka_unit_test(changes_take_the_place_of_what_was_there),
		cmocka_unit_test(a_made_up_id_is_a_dns_label),
		cmocka_unit_test(times_are_read_as_they_are_shown),
		cmocka_unit_test(the_connection_string_leads_through_the_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
