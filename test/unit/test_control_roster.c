/* What a server is to have: found by name, told in the right order; and names that may be. */
#include "unit.h"

#include "base/text.h"
#include "src/control/api/identifier.h"
#include "src/control/roster.h"
#include "sys/digest.h"
#include "sys/mysql_secret.h"
#include "sys/seal.h"

#include <stdlib.h>

static Role role(const char *name, const char *pending)
{
	Role r = {.created_at = 1};

	text_copy(r.name, sizeof(r.name), name);
	text_copy(r.pending, sizeof(r.pending), pending);
	return r;
}

static OwnedDatabase database(const char *name, const char *owner, const char *pending)
{
	OwnedDatabase d = {.created_at = 1};

	text_copy(d.name, sizeof(d.name), name);
	text_copy(d.owner, sizeof(d.owner), owner);
	text_copy(d.pending, sizeof(d.pending), pending);
	return d;
}

static void put_role(Roster *r, const char *name, const char *pending)
{
	Role one = role(name, pending);

	roster_put_role(r, &one);
}

static void put_database(Roster *r, const char *name, const char *owner, const char *pending)
{
	OwnedDatabase one = database(name, owner, pending);

	roster_put_database(r, &one);
}

TEST(a_compute_begins_with_the_role_and_the_database_of_its_folder)
{
	Compute c = {.id = "db", .verifier = "SCRAM-SHA-256$…"};
	Roster r = {.n_roles = 0};

	roster_begin(&r, &c);
	assert_string_equal(roster_role(&r, CLIENT_ROLE)->verifier, c.verifier);
	assert_string_equal(roster_database(&r, CLIENT_ROLE)->owner, CLIENT_ROLE);
	assert_false(roster_is_pending(&r));
	roster_free(&r);
}

TEST(what_is_on_its_way_out_counts_no_more)
{
	Roster r = {.n_roles = 0};

	put_role(&r, "a", "");
	put_role(&r, "b", "drop");
	put_database(&r, "x", "a", "");
	put_database(&r, "y", "b", "drop");
	assert_true(roster_has_role(&r, "a"));
	assert_false(roster_has_role(&r, "b"));
	assert_false(roster_has_role(&r, "c"));
	assert_int_equal(roster_count_databases(&r), 1);
	assert_string_equal(roster_owned_by(&r, "a")->name, "x");
	assert_null(roster_owned_by(&r, "b"));
	put_role(&r, "b", "put");
	assert_true(roster_has_role(&r, "b"));
	roster_remove_role(&r, "b");
	roster_remove_database(&r, "y");
	assert_null(roster_role(&r, "b"));
	assert_null(roster_database(&r, "y"));
	assert_int_equal(r.n_roles, 1);
	roster_free(&r);
}

/* A database needs its owner, and an owner cannot go before his databases. */
TEST(each_chore_finds_what_it_needs)
{
	static const char *const order[] = {"old books", "new", "new books", "old"};
	Roster r = {.n_roles = 0};
	Chore chore;

	put_role(&r, "old", "drop");
	put_role(&r, "new", "put");
	put_database(&r, "new books", "new", "put");
	put_database(&r, "old books", "old", "drop");
	for (size_t i = 0; i < N_OF(order); i++) {
		assert_true(roster_next(&r, &chore));
		assert_string_equal(chore.is_database ? chore.database.name : chore.role.name,
				    order[i]);
		if (chore.is_database)
			roster_remove_database(&r, chore.database.name);
		else
			roster_remove_role(&r, chore.role.name);
	}
	assert_false(roster_next(&r, &chore));
	roster_free(&r);
}

TEST(what_was_refused_is_passed_over_until_it_is_tried_again)
{
	Roster r = {.n_roles = 0};
	Chore chore;

	put_role(&r, "a", "put");
	text_copy(roster_role(&r, "a")->failure, FAILURE_SIZE, "no");
	assert_false(roster_next(&r, &chore));
	assert_true(roster_is_pending(&r));
	roster_forget_failures(&r);
	assert_true(roster_next(&r, &chore));
	roster_free(&r);
}

TEST(names_are_postgresqls_but_for_its_own_and_ours)
{
	static const char *const good[] = {"a", "A b", "\"'\\", "pgx", "\xc3\xbc", "template"};
	static const char *const bad[] = {"",     "pg_x", "postgres",         "public",
					  "none", "a\tb", "reveille_control", "a\x7f"};
	Fault why;

	for (size_t i = 0; i < N_OF(good); i++)
		assert_true(identifier_of_role(good[i], &why));
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_false(identifier_of_role(bad[i], &why));
		assert_contains(why.detail, "name");
	}
	assert_true(identifier_of_database("pg_x", &why));
	assert_false(identifier_of_database("template1", &why));
	assert_false(identifier_of_database("postgres", &why));
}

/* ---- what secrets become ----------------------------------------------- */

/* SELECT PASSWORD('mypass') of MySQL 5.7. */
TEST(a_mysql_secret_is_what_mysql_keeps)
{
	char secret[MYSQL_SECRET_SIZE];

	mysql_secret(secret, "mypass");
	assert_string_equal(secret, "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
}

TEST(a_digest_is_sha_256)
{
	static const char *const one[] = {"ab", "c"}, *const other[] = {"a", "bc"};
	char digest[DIGEST_SIZE], second[DIGEST_SIZE];

	digest_of(digest, span_of_text("abc"));
	assert_string_equal(digest,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_of_texts(digest, one, 2);
	digest_of_texts(second, other, 2);
	assert_string_not_equal(digest, second);
}

TEST(what_is_sealed_only_the_same_key_opens)
{
	static const char *const words[] = {"test", "key"}, *const wrong[] = {"test", "kez"};
	SealKey key = seal_key(words, 2), other = seal_key(wrong, 2);
	char sealed[200], again[200], long_text[200];
	char *text;

	for (int n = 0; n < 60; n++) {
		memset(long_text, 'x', (size_t)n);
		long_text[n] = 0;
		assert_true(seal_text(sealed, sizeof(sealed), &key, long_text));
		text = seal_open(&key, sealed);
		assert_string_equal(text, long_text);
		free(text);
		assert_null(seal_open(&other, sealed));
	}
	assert_true(seal_text(again, sizeof(again), &key, long_text));
	assert_string_not_equal(sealed, again); /* each has chance of its own */
	sealed[20] = sealed[20] == 'A' ? 'B' : 'A';
	assert_null(seal_open(&key, sealed));
	assert_null(seal_open(&key, ""));
	assert_null(seal_open(&key, "no base64 at all!"));
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = 0;
	assert_false(seal_text(sealed, sizeof(sealed), &key, long_text));
	assert_string_equal(sealed, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_compute_begins_with_the_role_and_the_database_of_its_folder),
		cmocka_unit_test(what_is_on_its_way_out_counts_no_more),
		cmocka_unit_test(each_chore_finds_what_it_needs),
		cmocka_unit_test(what_was_refused_is_passed_over_until_it_is_tried_again),
		cmocka_unit_test(names_are_postgresqls_but_for_its_own_and_ours),
		cmocka_unit_test(a_mysql_secret_is_what_mysql_keeps),
		cmocka_unit_test(a_digest_is_sha_256),
		cmocka_unit_test(what_is_sealed_only_the_same_key_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
