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

TEST(who_may_come_and_how_many_can_be_said_for_each_compute)
{
	Database d =
		good("host=h max_db_connections=20 max_db_client_connections=0 "
		     "allow_networks='10.0.0.0/8, unix' deny_networks=10.1.0.0/16,10.2.0.0/16");

	assert_int_equal(d.max_db_connections, 20);
	assert_int_equal(d.max_db_client_connections, 0);
	assert_int_equal(d.allow.n, 1);
	assert_true(d.allow.unix_too);
	assert_int_equal(d.deny.n, 2);
	assert_false(d.deny.unix_too);
	database_free(&d);
}

TEST(identity_can_be_said_for_each_compute)
{
	Database d = good("host=h user=app password='it''s' auth_user=asker auth_dbname=central "
			  "auth_query='SELECT * FROM lookup($1)'");

	assert_string_equal(d.user, "app");
	assert_string_equal(d.password, "it's");
	assert_string_equal(d.auth_user, "asker");
	assert_string_equal(d.auth_dbname, "central");
	assert_string_equal(d.auth_query, "SELECT * FROM lookup($1)");
	database_free(&d);
}

TEST(what_is_not_said_is_as_the_settings_say)
{
	Database d = good("wake=control_plane");

	assert_int_equal(d.max_db_connections, -1);
	assert_int_equal(d.max_db_client_connections, -1);
	assert_string_equal(d.auth_user, "");
	assert_null(d.auth_query);
	assert_string_equal(d.auth_dbname, "");
	assert_int_equal(d.allow.n + d.deny.n, 0);
	database_free(&d);
}

TEST(a_password_may_be_a_scram_secret_but_not_longer_than_it_fits)
{
	char value[400] = "host=h user=app password=";
	Database d = good("host=h user=app password=SCRAM-SHA-256$4096:"
			  "0123456789012345678901==$"
			  "0123456789012345678901234567890123456789012=:"
			  "0123456789012345678901234567890123456789012=");

	assert_int_equal(strlen(d.password), 133);
	database_free(&d);
	memset(value + strlen(value), 'p', 256);
	refused(value, "the value of password is longer than 255 bytes");
}

TEST(identity_and_limits_that_make_no_sense_are_refused)
{
	refused("host=h password=secret",
		"password is that of user=…, which is missing; to let each client log in under its "
		"own name, put the secrets into auth_file");
	refused("host=h auth_query='select 1'",
		"auth_query takes a query with $1, which is the user's name, not \"select 1\"");
	refused("host=h max_db_connections=-1",
		"max_db_connections takes a number from 0, which is no limit, to 1000000, not "
		"\"-1\"");
	refused("host=h max_db_client_connections=many",
		"max_db_client_connections takes a number from 0, which is no limit, to 1000000, "
		"not \"many\"");
	refused("host=h allow_networks=10.0.0.1/8",
		"allow_networks: \"10.0.0.1/8\" has bits set behind its mask; the network is "
		"10.0.0.0/8");
}

static void refused_keys(const char *const *keys, size_t n, const char *what)
{
	char value[100], detail[200];

	for (size_t i = 0; i < n; i++) {
		snprintf(value, sizeof(value), "host=h %s=1", keys[i]);
		snprintf(detail, sizeof(detail),
			 "%s needs a %s, which this version does not have; remove it", keys[i],
			 what);
		refused(value, detail);
	}
}

TEST(what_would_need_more_than_there_is_is_refused_by_name)
{
	static const char *const pool[] = {"pool_size",         "min_pool_size", "reserve_pool",
					   "reserve_pool_size", "pool_mode",     "server_lifetime"};
	static const char *const guard[] = {"deny",     "allow",     "mode",         "read_only",
					    "max_rows", "max_bytes", "query_timeout"};

	refused_keys(pool, N_OF(pool), "pool of our own");
	refused_keys(guard, N_OF(guard), "reader of queries");
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
		cmocka_unit_test(who_may_come_and_how_many_can_be_said_for_each_compute),
		cmocka_unit_test(identity_can_be_said_for_each_compute),
		cmocka_unit_test(what_is_not_said_is_as_the_settings_say),
		cmocka_unit_test(a_password_may_be_a_scram_secret_but_not_longer_than_it_fits),
		cmocka_unit_test(identity_and_limits_that_make_no_sense_are_refused),
		cmocka_unit_test(what_would_need_more_than_there_is_is_refused_by_name),
		cmocka_unit_test(a_key_that_nobody_knows_is_refused),
		cmocka_unit_test(what_is_no_pair_is_refused),
		cmocka_unit_test(a_value_that_no_field_could_hold_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
