/* pg_hba.conf and pg_ident.conf: which rule fits whom, and what is wrong with a line. */
#include "unit.h"

#include "conf/hba.h"

static HbaRules *good(const char *hba, const char *ident)
{
	Fault why;
	HbaRules *r = hba_parse("hba", hba, "ident", ident, &why);

	if (!r)
		fail_msg("%s", why.detail);
	return r;
}

static void refused(const char *hba, const char *ident, const char *detail)
{
	Fault why;

	assert_null(hba_parse("hba", hba, "ident", ident, &why));
	assert_int_equal(why.code, FAULT_BAD_SETTING);
	assert_string_equal(why.detail, detail);
}

/* Who asks: an address or "unix", "tls" and "cert" and "replication" behind it. */
static HbaMethod match(const HbaRules *r, const char *who, const char *database, const char *user,
		       const IdentMap **map)
{
	char address[64];
	ClientAddress client = {.family = 0};
	HbaRequest q = {.client = &client, .database = database, .user = user};

	snprintf(address, sizeof(address), "%.*s", (int)strcspn(who, " "), who);
	q.tls = strstr(who, " tls");
	q.client_cert = strstr(who, " cert");
	q.replication = strstr(who, " replication");
	if (strcmp(address, "unix") != 0)
		assert_true(client_address_parse(&client, address));
	return hba_match(r, &q, map);
}

typedef struct Case {
	const char *rules, *who, *database, *user;
	HbaMethod method;
} Case;

static void check(const Case *c)
{
	HbaRules *r = good(c->rules, NULL);
	const IdentMap *map;

	if (match(r, c->who, c->database, c->user, &map) != c->method)
		fail_msg("%s %s %s: %s", c->who, c->database, c->user, c->rules);
	assert_null(map);
	hba_free(r);
}

#define CHECK_ALL(cases)                            \
	for (size_t i_ = 0; i_ < N_OF(cases); i_++) \
	check(&(cases)[i_])

TEST(every_method_has_its_name)
{
	static const Case cases[] = {
		{"local all all trust", "unix", "d", "u", HBA_TRUST},
		{"local all all reject", "unix", "d", "u", HBA_REJECT},
		{"local all all scram-sha-256", "unix", "d", "u", HBA_SCRAM},
		{"local all all md5", "unix", "d", "u", HBA_SCRAM},
		{"local all all password", "unix", "d", "u", HBA_PLAIN},
		{"local all all peer", "unix", "d", "u", HBA_PEER},
		{"local all all passthrough", "unix", "d", "u", HBA_PASSTHROUGH},
		{"hostssl all all all cert", "::1 tls", "d", "u", HBA_CERT},
		{"hostssl all all all cert clientcert=verify-full", "::1 tls", "d", "u", HBA_CERT},
	};

	CHECK_ALL(cases);
}

TEST(a_rule_is_for_one_way_in)
{
	static const Case cases[] = {
		{"local all all trust", "127.0.0.1", "d", "u", HBA_REJECT},
		{"host all all all trust", "unix", "d", "u", HBA_REJECT},
		{"host all all all trust", "127.0.0.1", "d", "u", HBA_TRUST},
		{"host all all all trust", "127.0.0.1 tls", "d", "u", HBA_TRUST},
		{"hostssl all all all trust", "127.0.0.1", "d", "u", HBA_REJECT},
		{"hostssl all all all trust", "127.0.0.1 tls", "d", "u", HBA_TRUST},
		{"hostssl all all all trust", "unix tls", "d", "u", HBA_REJECT},
		{"hostnossl all all all trust", "127.0.0.1", "d", "u", HBA_TRUST},
		{"hostnossl all all all trust", "127.0.0.1 tls", "d", "u", HBA_REJECT},
		{"hostssl all all all trust clientcert=verify-ca", "::1 tls", "d", "u", HBA_REJECT},
		{"hostssl all all all trust clientcert=verify-ca", "::1 tls cert", "d", "u",
		 HBA_TRUST},
	};

	CHECK_ALL(cases);
}

TEST(a_rule_is_for_a_network)
{
	static const Case cases[] = {
		{"host all all 10.0.0.0/8 trust", "10.1.2.3", "d", "u", HBA_TRUST},
		{"host all all 10.0.0.0/8 trust", "11.1.2.3", "d", "u", HBA_REJECT},
		{"host all all 10.0.0.0/8 trust", "::ffff:10.1.2.3", "d", "u", HBA_TRUST},
		{"host all all 10.0.0.0 255.0.0.0 trust", "10.1.2.3", "d", "u", HBA_TRUST},
		{"host all all 10.0.0.0 255.0.0.0 trust", "11.1.2.3", "d", "u", HBA_REJECT},
		{"host all all ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff trust", "::1", "d", "u",
		 HBA_TRUST},
		{"host all all 0.0.0.0/0 trust", "::1", "d", "u", HBA_REJECT},
		{"host all all ::/0 trust", "::1", "d", "u", HBA_TRUST},
		{"host all all all trust", "::1", "d", "u", HBA_TRUST},
		{"host all all \"10.0.0.0/8\" trust", "10.1.2.3", "d", "u", HBA_TRUST},
	};

	CHECK_ALL(cases);
}

TEST(a_rule_is_for_databases_and_users)
{
	static const Case cases[] = {
		{"local a all trust", "unix", "a", "u", HBA_TRUST},
		{"local a all trust", "unix", "b", "u", HBA_REJECT},
		{"local a,b all trust", "unix", "b", "u", HBA_TRUST},
		{"local a, b all trust", "unix", "b", "u", HBA_TRUST},
		{"local all u,v trust", "unix", "d", "v", HBA_TRUST},
		{"local all u,v trust", "unix", "d", "w", HBA_REJECT},
		{"local sameuser all trust", "unix", "u", "u", HBA_TRUST},
		{"local sameuser all trust", "unix", "d", "u", HBA_REJECT},
		{"local sameuser,d all trust", "unix", "d", "u", HBA_TRUST},
		{"local \"sameuser\" all trust", "unix", "u", "u", HBA_REJECT},
		{"local \"all\" all trust", "unix", "d", "u", HBA_REJECT},
		{"local \"all\" all trust", "unix", "all", "u", HBA_TRUST},
		{"local all \"all\" trust", "unix", "d", "u", HBA_REJECT},
		{"local all sameuser trust", "unix", "d", "sameuser", HBA_TRUST},
		{"local \"a b,c\" all trust", "unix", "a b,c", "u", HBA_TRUST},
		{"local \"a\"\"b\" all trust", "unix", "a\"b", "u", HBA_TRUST},
		{"local \"+a\",\"/b\",\"@c\" all trust", "unix", "/b", "u", HBA_TRUST},
		{"local A all trust", "unix", "a", "u", HBA_REJECT},
	};

	CHECK_ALL(cases);
}

TEST(only_the_word_replication_is_for_replication)
{
	static const Case cases[] = {
		{"local all all trust", "unix replication", "d", "u", HBA_REJECT},
		{"local d all trust", "unix replication", "d", "u", HBA_REJECT},
		{"local sameuser all trust", "unix replication", "u", "u", HBA_REJECT},
		{"local replication all trust", "unix replication", "d", "u", HBA_TRUST},
		{"local all,replication all trust", "unix replication", "d", "u", HBA_TRUST},
		{"local \"replication\" all trust", "unix replication", "replication", "u",
		 HBA_REJECT},
		{"local replication all trust", "unix", "replication", "u", HBA_REJECT},
		{"local \"replication\" all trust", "unix", "replication", "u", HBA_TRUST},
	};

	CHECK_ALL(cases);
}

TEST(the_first_rule_that_fits_decides)
{
	static const char rules[] = "# who may come\n"
				    "\n"
				    "local all,replication postgres peer # admins\n"
				    "host all evil all reject\r\n"
				    "hostssl all \\\n"
				    "  all all scram-\\\n"
				    "sha-256\n"
				    "host\tapp\tapp\t10.0.0.0/8\tpassword";
	static const Case cases[] = {
		{rules, "unix", "d", "postgres", HBA_PEER},
		{rules, "unix replication", "d", "postgres", HBA_PEER},
		{rules, "unix", "d", "u", HBA_REJECT},
		{rules, "10.0.0.1 tls", "app", "evil", HBA_REJECT},
		{rules, "10.0.0.1 tls", "app", "app", HBA_SCRAM},
		{rules, "10.0.0.1", "app", "app", HBA_PLAIN},
		{rules, "11.0.0.1", "app", "app", HBA_REJECT},
	};

	CHECK_ALL(cases);
}

static const char idents[] = "# map system database\n"
			     "staff alice alice\n"
			     "staff \"Alice A\" app\n"
			     "staff root all\n"
			     "other bob \"all\"\n";

TEST(a_map_says_who_may_be_whom)
{
	static const struct {
		const char *system_user, *database_user;
		bool staff, other, none;
	} rows[] = {
		{"alice", "alice", true, false, true}, {"Alice A", "app", true, false, false},
		{"alice", "app", false, false, false}, {"root", "anyone", true, false, false},
		{"bob", "bob", false, false, true},    {"bob", "all", false, true, false},
		{"Root", "x", false, false, false},
	};
	HbaRules *r = good("local a all peer map=staff\nlocal b all peer map=\"other\"\n"
			   "local c all peer\nhostssl all all all cert map=staff",
			   idents);
	const IdentMap *staff, *other, *none, *cert;

	assert_int_equal(match(r, "unix", "a", "u", &staff), HBA_PEER);
	assert_int_equal(match(r, "unix", "b", "u", &other), HBA_PEER);
	assert_int_equal(match(r, "unix", "c", "u", &none), HBA_PEER);
	assert_int_equal(match(r, "::1 tls", "c", "u", &cert), HBA_CERT);
	assert_null(none);
	assert_ptr_equal(staff, cert);
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *s = rows[i].system_user, *d = rows[i].database_user;

		assert_int_equal(ident_allows(staff, s, d), rows[i].staff);
		assert_int_equal(ident_allows(other, s, d), rows[i].other);
		assert_int_equal(ident_allows(none, s, d), rows[i].none);
	}
	hba_free(r);
	hba_free(NULL);
}

TEST(what_is_not_understood_is_named_with_its_line)
{
	static const struct {
		const char *hba, *detail;
	} rows[] = {
		{"", "hba: there is no rule in it, so nobody could connect"},
		{"# local all all trust\n", "hba: there is no rule in it, so nobody could connect"},
		{"local all all trust\nhosts all all all trust",
		 "hba:2: \"hosts\" is no kind of rule; there are local, host, hostssl and "
		 "hostnossl"},
		{"local all \\\nall trust\nx", "hba:3: \"x\" is no kind of rule; there are local, "
					       "host, hostssl and hostnossl"},
		{"hostnogssenc all all all trust",
		 "hba:1: \"hostnogssenc\": GSS encryption is never spoken here; write host"},
		{"include other.conf", "hba:1: \"include\": other files are not read from here; "
				       "put their lines into this one"},
		{"local", "hba:1: the line ends before its databases"},
		{"local all", "hba:1: the line ends before its users"},
		{"local all all", "hba:1: the line ends before its method"},
		{"host all all", "hba:1: the line ends before its address"},
		{"host all all 10.0.0.0/8", "hba:1: the line ends before its method"},
		{"host all all 10.0.0.1", "hba:1: the line ends before its mask"},
		{"local samerole all trust", "hba:1: \"samerole\": who is in a role is not known "
					     "here; write the names themselves"},
		{"local all +admins trust", "hba:1: \"+admins\": who is in a role is not known "
					    "here; write the names themselves"},
		{"local @dbs all trust", "hba:1: \"@dbs\": other files are not read from here; "
					 "write the names themselves"},
		{"local /^a all trust", "hba:1: \"/^a\": regular expressions are not understood "
					"here; write the names themselves"},
		{"host all all samehost trust", "hba:1: \"samehost\": our own addresses are not "
						"known here; write the network itself"},
		{"host all all samenet trust", "hba:1: \"samenet\": our own addresses are not "
					       "known here; write the network itself"},
		{"host all all db.example.com trust",
		 "hba:1: \"db.example.com\" is no address, and host names are not looked up here; "
		 "write a network (10.0.0.0/8) or all"},
		{"host all all .example.com trust",
		 "hba:1: \".example.com\" is no address, and host names are not looked up here; "
		 "write a network (10.0.0.0/8) or all"},
		{"host all all \"all\" trust",
		 "hba:1: \"all\" is no address, and host names are not looked up here; write a "
		 "network (10.0.0.0/8) or all"},
		{"host all all 10.0.0.1 trust",
		 "hba:1: \"trust\" is no mask for 10.0.0.1; write 10.0.0.1/32"},
		{"host all all 10.0.0.1/8 trust", "hba:1: \"10.0.0.1/8\" has bits set behind its "
						  "mask; the network is 10.0.0.0/8"},
		{"host all all 10.0.0.0/8,::1 trust",
		 "hba:1: the address is one word, and no list that begins with \"10.0.0.0/8\""},
		{"local all all ident",
		 "hba:1: \"ident\" is no method here; there are trust, reject, scram-sha-256, md5 "
		 "(which means scram-sha-256), password, cert, peer and passthrough"},
		{"host all all all peer",
		 "hba:1: \"peer\" works over Unix sockets only; the rule must begin with local"},
		{"host all all all cert",
		 "hba:1: \"cert\" works over TLS only; the rule must begin with hostssl"},
		{"local all all peer ldapserver=x", "hba:1: \"ldapserver=x\" is no option; there "
						    "are map=NAME and clientcert=verify-ca"},
		{"local all all peer map=x", "hba:1: \"map=x\" needs auth_ident_file, which has "
					     "the map"},
		{"local all all trust map=x", "hba:1: \"map=x\" is for methods cert and peer only"},
		{"local all all trust clientcert=verify-ca",
		 "hba:1: \"clientcert=verify-ca\" works over TLS only; the rule must begin with "
		 "hostssl"},
		{"hostssl all all all cert clientcert=verify-ca",
		 "hba:1: \"clientcert=verify-ca\": method cert means clientcert=verify-full; "
		 "remove it"},
		{"hostssl all all all trust clientcert=verify-full",
		 "hba:1: \"clientcert=verify-full\" is not clientcert=verify-ca; for a certificate "
		 "that names the user, use method cert"},
		{"local \"all all trust", "hba:1: a quote is not closed"},
		{"local a ,b all trust",
		 "hba:1: a comma stands where a word should; write lists as "
		 "a,b"},
		{"local a,,b all trust",
		 "hba:1: a comma stands where a word should; write lists as "
		 "a,b"},
		{"local all all trust,", "hba:1: the line ends in a comma"},
		{"local all all, # trust", "hba:1: the line ends in a comma"},
	};

	for (size_t i = 0; i < N_OF(rows); i++)
		refused(rows[i].hba, NULL, rows[i].detail);
}

TEST(what_is_not_understood_of_a_map_is_named_with_its_line)
{
	static const struct {
		const char *ident, *detail;
	} rows[] = {
		{"m /^(.*)@x$ \\1", "ident:1: \"/^(.*)@x$\": regular expressions are not "
				    "understood here; write the names themselves"},
		{"m a +admins", "ident:1: \"+admins\": who is in a role is not known here; write "
				"the names themselves"},
		{"\nm a", "ident:2: the line ends before its database user"},
		{"m", "ident:1: the line ends before its system user"},
		{"m a b c", "ident:1: \"c\" stands behind the database user"},
		{"m a,b c", "ident:1: the system user is one word, and no list that begins with "
			    "\"a\""},
		{"m \"a b", "ident:1: a quote is not closed"},
		{"n a b", "hba:1: \"map=m\": there is no map of that name in ident"},
		{"", "hba:1: \"map=m\": there is no map of that name in ident"},
	};

	for (size_t i = 0; i < N_OF(rows); i++)
		refused("local all all peer map=m", rows[i].ident, rows[i].detail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_has_its_name),
		cmocka_unit_test(a_rule_is_for_one_way_in),
		cmocka_unit_test(a_rule_is_for_a_network),
		cmocka_unit_test(a_rule_is_for_databases_and_users),
		cmocka_unit_test(only_the_word_replication_is_for_replication),
		cmocka_unit_test(the_first_rule_that_fits_decides),
		cmocka_unit_test(a_map_says_who_may_be_whom),
		cmocka_unit_test(what_is_not_understood_is_named_with_its_line),
		cmocka_unit_test(what_is_not_understood_of_a_map_is_named_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
