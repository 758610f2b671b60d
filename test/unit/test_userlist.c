/* PgBouncer's auth_file: names, secrets, and what is wrong with a line. */
#include "unit.h"

#include "conf/userlist.h"

static Userlist *good(const char *text)
{
	Fault why;
	Userlist *l = userlist_parse("u.txt", text, &why);

	if (!l)
		fail_msg("%s", why.detail);
	return l;
}

static void refused(const char *text, const char *detail)
{
	Fault why;

	assert_null(userlist_parse("u.txt", text, &why));
	assert_int_equal(why.code, FAULT_BAD_SETTING);
	assert_string_equal(why.detail, detail);
}

TEST(a_secret_is_found_as_it_stands)
{
	Userlist *l = good("; users\n"
			   "\"alice\" \"secret\"\n"
			   "\n"
			   "  \"bob\"\t\"md545f2603610af569b6155c45067268c6b\" and more\r\n"
			   "# \"not\" \"one\"\n"
			   "\"carol\" \"SCRAM-SHA-256$4096:c2FsdA==$a=:b=\"\r\n"
			   "\"dave\" \"\"\n"
			   "\"e\"\"v\"\"e\" \"a\"\"b;c#d\"");

	assert_string_equal(userlist_find(l, "alice"), "secret");
	assert_string_equal(userlist_find(l, "bob"), "md545f2603610af569b6155c45067268c6b");
	assert_string_equal(userlist_find(l, "carol"), "SCRAM-SHA-256$4096:c2FsdA==$a=:b=");
	assert_string_equal(userlist_find(l, "e\"v\"e"), "a\"b;c#d");
	assert_string_equal(userlist_find(l, "dave"), "");
	assert_null(userlist_find(l, "Alice"));
	assert_null(userlist_find(l, "not"));
	assert_null(userlist_find(l, ""));
	userlist_free(l);
}

static void note(void *arg, const char *user, const char *secret)
{
	strcat(arg, user);
	strcat(arg, "=");
	strcat(arg, secret);
	strcat(arg, ";");
}

TEST(everybody_is_told_of)
{
	Userlist *l = good("\"a\" \"\"\n\"b\" \"secret\"\n\"c\" \"md5x\"");
	char all[64] = "";

	userlist_each(l, note, all);
	assert_string_equal(all, "a=;b=secret;c=md5x;");
	userlist_free(l);
}

TEST(an_empty_file_has_nobody)
{
	static const char *const empty[] = {"", "\n\n", "; nobody", " \t\r\n#\n"};

	for (size_t i = 0; i < N_OF(empty); i++) {
		Userlist *l = good(empty[i]);

		assert_null(userlist_find(l, "alice"));
		userlist_free(l);
	}
	userlist_free(NULL);
}

TEST(a_bad_line_is_named_and_its_secret_is_not)
{
	static const struct {
		const char *text, *detail;
	} rows[] = {
		{"alice \"s\"\n", "u.txt:1: expected a name in double quotes: \"name\" \"secret\""},
		{"\"a\" \"s\"\n\n\"alice\" s\n",
		 "u.txt:3: expected a secret in double quotes: \"name\" \"secret\""},
		{"\"alice\"\n\"bob\" \"s\"\n",
		 "u.txt:1: expected a secret in double quotes: \"name\" \"secret\""},
		{"\"alice\"", "u.txt:1: expected a secret in double quotes: \"name\" \"secret\""},
		{"\"alice\n\" \"s\"", "u.txt:1: the quote around the name is not closed"},
		{"\"alice\" \"s\n\"", "u.txt:1: the quote around the secret is not closed"},
		{"\"alice\" \"s\"\"", "u.txt:1: the quote around the secret is not closed"},
		{"\"\" \"s\"", "u.txt:1: the name is empty"},
		{"\"a\" \"s\"\n\"a\" \"t\"\n", "u.txt:2: user \"a\" stands twice"},
	};

	for (size_t i = 0; i < N_OF(rows); i++)
		refused(rows[i].text, rows[i].detail);
}

/* Fills text with a line whose name and secret are that long. */
static void line_of(char *text, size_t name, size_t secret)
{
	char *p = text;

	*p++ = '"';
	p = (char *)memset(p, 'n', name) + name;
	p = stpcpy(p, "\" \"");
	p = (char *)memset(p, 's', secret) + secret;
	strcpy(p, "\"\n");
}

TEST(names_and_secrets_have_a_longest_length)
{
	char text[3000];

	line_of(text, USERLIST_NAME_MAX - 1, USERLIST_SECRET_MAX - 1);
	userlist_free(good(text));
	line_of(text, USERLIST_NAME_MAX, 1);
	refused(text, "u.txt:1: the name is longer than 127 bytes");
	line_of(text, 1, USERLIST_SECRET_MAX);
	refused(text, "u.txt:1: the secret is longer than 2047 bytes");
}

TEST(many_users_are_found)
{
	const int n = 20000;
	char *text = malloc((size_t)n * 40), *p = text, name[20], secret[20];
	Userlist *l;

	for (int i = 0; i < n; i++)
		p += sprintf(p, "\"user%d\" \"secret%d\"\n", i, i);
	l = good(text);
	for (int i = 0; i < n; i++) {
		sprintf(name, "user%d", i);
		sprintf(secret, "secret%d", i);
		assert_string_equal(userlist_find(l, name), secret);
	}
	assert_null(userlist_find(l, "user20000"));
	userlist_free(l);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_found_as_it_stands),
		cmocka_unit_test(everybody_is_told_of),
		cmocka_unit_test(an_empty_file_has_nobody),
		cmocka_unit_test(a_bad_line_is_named_and_its_secret_is_not),
		cmocka_unit_test(names_and_secrets_have_a_longest_length),
		cmocka_unit_test(many_users_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
