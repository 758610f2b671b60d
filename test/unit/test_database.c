/* The connection strings of [databases]. */
#include "unit.h"

#include "conf/database.h"

static Database good(const char *value)
{
	Database d = {.name = "d"};
	Fault why;

	if (!database_parse(&d, value, &why))
		fail_msg("%s", why.detail);
	return d;
}

static void refused(const char *value, const char *detail)
{
	Database d = {.name = "d"};
	Fault why;

	assert_false(database_parse(&d, value, &why));
	assert_string_equal(why.detail, detail);
	assert_int_equal(why.code, FAULT_BAD_SETTING);
	database_free(&d);
}

TEST(a_static_entry_says_where_the_compute_is)
{
	Database d = good("host=10.0.0.5 port=6432 dbname=legacy user=bob");

	assert_false(d.wake);
	assert_int_equal(d.n_hosts, 1);
	assert_string_equal(d.hosts[0], "10.0.0.5");
	assert_int_equal(d.port, 6432);
	assert_string_equal(d.dbname, "legacy");
	assert_string_equal(d.user, "bob");
	database_free(&d);
}

TEST(a_sleeping_entry_asks_the_control_plane)
{
	Database d = good("wake=control_plane");

	assert_true(d.wake);
	assert_int_equal(d.n_hosts, 0);
	assert_int_equal(d.port, 5432);
	assert_null(d.connect_query);
	database_free(&d);
}

TEST(several_hosts_are_tried_in_turn)
{
	Database d = good("host=a.example,::1,/run/pg");

	assert_int_equal(d.n_hosts, 3);
	assert_string_equal(d.hosts[0], "a.example");
	assert_string_equal(d.hosts[1], "::1");
	assert_string_equal(d.hosts[2], "/run/pg");
	assert_true(d.round_robin);
	database_free(&d);
	d = good("host=a,b load_balance_hosts=disable");
	assert_false(d.round_robin);
	database_free(&d);
}

TEST(everything_that_can_be_said_of_a_session_is_kept)
{
	Database d = good("host=h client_encoding=UTF8 datestyle=ISO timezone=Europe/Berlin "
			  "application_name=app engine=postgres");

	assert_string_equal(d.client_encoding, "UTF8");
	assert_string_equal(d.datestyle, "ISO");
	assert_string_equal(d.timezone, "Europe/Berlin");
	assert_string_equal(d.application_name, "app");
	assert_string_equal(d.engine, "postgres");
	database_free(&d);
}

TEST(a_quoted_value_may_hold_anything)
{
	Database d = good("host = 'h' dbname='my db' connect_query='set x = ''a b''; select 1'");

	assert_string_equal(d.hosts[0], "h");
	assert_string_equal(d.dbname, "my db");
	assert_string_equal(d.connect_query, "set x = 'a b'; select 1");
	database_free(&d);
}

TEST(an_empty_value_is_the_clients_own)
{
	Database d = good("host=h dbname='' user='' connect_query=''");

	assert_string_equal(d.dbname, "");
	assert_string_equal(d.user, "");
	assert_null(d.connect_query);
	database_free(&d);
}

TEST(of_a_key_that_stands_twice_the_last_counts)
{
	Database d = good("host=a host=b connect_query='1' connect_query='2' port=1 port=2");

	assert_int_equal(d.n_hosts, 1);
	assert_string_equal(d.hosts[0], "b");
	assert_string_equal(d.connect_query, "2");
	assert_int_equal(d.port, 2);
	database_free(&d);
}

TEST(an_entry_has_a_host_or_is_woken)
{
	refused("", "an entry needs host=… or wake=control_plane");
	refused("dbname=x", "an entry needs host=… or wake=control_plane");
	refused("host=h wake=control_plane",
		"an entry has either host or wake=control_plane, not both");
}

TEST(a_value_out_of_bounds_is_refused_by_name)
{
	refused("host=h port=0", "port takes a port from 1 to 65535, not \"0\"");
	refused("host=h port=65536", "port takes a port from 1 to 65535, not \"65536\"");
	refused("host=h port=5432x", "port takes a port from 1 to 65535, not \"5432x\"");
	refused("host=h port=", "port takes a port from 1 to 65535, not \"\"");
	refused("wake=yes", "wake takes control_plane, not \"yes\"");
	refused("host=h engine=mysql", "engine takes postgres or mariadb, not \"mysql\"");
	refused("host=h load_balance_hosts=random",
		"load_balance_hosts takes round-robin or disable, not \"random\"");
	refused("host=a,,b", "host takes host names, addresses or folders, not \"a,,b\"");
	refused("host=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "host names more than 16 hosts");
	refused("host=h dbname="
		"0123456789012345678901234567890123456789012345678901234567890123",
		"the value of dbname is longer than 63 bytes");
}

TEST(what_would_need_a_pool_is_refused_by_name)
{
	static const char *const keys[] = {
		"auth_user",
		"auth_query",
		"auth_dbname",
		"pool_size",
		"min_pool_size",
		"reserve_pool",
		"reserve_pool_size",
		"pool_mode",
		"max_db_connections",
		"server_lifetime",
		"max_db_client_connections",
	};
	char value[100], detail[200];

	for (size_t i = 0; i < N_OF(keys); i++) {
		snprintf(value, sizeof(value), "host=h %s=1", keys[i]);
		snprintf(detail, sizeof(detail),
			 "%s needs a pool or verifiers of our own, which this version does not "
			 "have; remove it",
			 keys[i]);
		refused(value, detail);
	}
}

TEST(a_password_is_of_no_use)
{
	refused("host=h password=secret",
		"password is of no use with auth_type = passthrough: clients prove themselves to "
		"the compute; remove it");
}

TEST(a_key_that_nobody_knows_is_refused)
{
	refused("hots=h", "\"hots\" is not known in a connection string; a sleeping compute is "
			  "\"wake=control_plane\", a static one \"host=… port=…\"");
}

TEST(what_is_no_pair_is_refused)
{
	refused("host=h dbname", "expected key=value pairs, but \"dbname\" has no value");
	refused("host=h dbname x=1", "expected key=value pairs, but \"dbname\" has no value");
	refused("host='h", "a quote is not closed");
	refused("host='h''", "a quote is not closed");
	refused("0123456789012345678901234567890123456789012345678901234567890123456789=1",
		"a key is too long");
}

TEST(a_value_that_no_field_could_hold_is_refused)
{
	char value[1100] = "host=";

	memset(value + 5, 'h', 1050);
	refused(value, "a value is longer than 1023 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_static_entry_says_where_the_compute_is),
		cmocka_unit_test(a_sleeping_entry_asks_the_control_plane),
		cmocka_unit_test(several_hosts_are_tried_in_turn),
		cmocka_unit_test(everything_that_can_be_said_of_a_session_is_kept),
		cmocka_unit_test(a_quoted_value_may_hold_anything),
		cmocka_unit_test(an_empty_value_is_the_clients_own),
		cmocka_unit_test(of_a_key_that_stands_twice_the_last_counts),
		cmocka_unit_test(an_entry_has_a_host_or_is_woken),
		cmocka_unit_test(a_value_out_of_bounds_is_refused_by_name),
		cmocka_unit_test(what_would_need_a_pool_is_refused_by_name),
		cmocka_unit_test(a_password_is_of_no_use),
		cmocka_unit_test(a_key_that_nobody_knows_is_refused),
		cmocka_unit_test(what_is_no_pair_is_refused),
		cmocka_unit_test(a_value_that_no_field_could_hold_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
