/* TLS contexts and handshakes: who trusts whom, what is resumed, and why it failed. */
#include "tls_pair.h"

static const char *const versions[] = {"tlsv1.2", "tlsv1.3"};

static TlsSetup a_server(void)
{
	return setup_with("ec.crt", "ec.key", "");
}

static TlsSetup a_client(void)
{
	return setup_with("", "", "ca.crt");
}

static bool is_through(const End *e)
{
	return e->ended || e->failed || e->broken;
}

/* Each has heard the other, or why it cannot. */
static bool both_are_through(void)
{
	return (client.got == 10 || is_through(&client)) &&
	       (server.got == 10 || is_through(&server));
}

/* A session from an earlier connection, which the client shows; or NULL. */
static SSL_SESSION *session;

static void meet_as(const TlsSetup *servers, const TlsSetup *clients, const char *name, bool direct)
{
	TlsContext *s = server_context(servers), *c = client_context(clients);
	Tls *tls = tls_to_server(c, name);

	pair_close();
	pair_open();
	if (session)
		SSL_set_session(tls->ssl, session);
	client.to_send = server.to_send = 10;
	stream_secure(&server.stream, tls_from_client(s, direct), (Span){0});
	stream_secure(&client.stream, tls, (Span){0});
	tls_context_release(s);
	tls_context_release(c);
	run_until(both_are_through);
}

static void meet(const TlsSetup *servers, const TlsSetup *clients, const char *name)
{
	meet_as(servers, clients, name, false);
}

static void assert_met(void)
{
	Fault why;

	if (client.got == 10 && server.got == 10)
		return;
	tls_why(is_through(&server) ? server.stream.tls : client.stream.tls, &why);
	fail_msg("%s", why.detail);
}

/* Why one end gave up, and what would help it. */
static void assert_why(const End *e, const char *detail, const char *hint)
{
	Fault why;

	assert_true(e->broken || e->failed);
	tls_why(e->stream.tls, &why);
	assert_int_equal(why.code, FAULT_TLS);
	assert_string_equal(why.detail, detail);
	assert_string_equal(why.hint, hint);
}

#define OTHER_VERSION \
	"the TLS versions do not meet: see client_tls_protocols and server_tls_protocols"
#define CHECKED_AGAINST \
	"the certificate is checked against client_tls_ca_file or server_tls_ca_file"
#define HANDSHAKE  "the TLS handshake failed: "
#define CONNECTION "the TLS connection failed: "
#define HOST       "frog.db.example.com"

/* Runs what follows with each version of TLS, as `version`, for `s` and `c`. */
#define FOR_EACH_VERSION(s, c)                                                           \
	for (const char *const *version = versions; version < versions + N_OF(versions); \
	     version++)                                                                  \
		for (TlsSetup s = a_server(), c = a_client(), *once = &s;                \
		     once && (s.protocols = c.protocols = *version); once = NULL)

/* Servers' certificates, as clients see them. */

TEST(a_certificate_may_be_of_either_kind)
{
	FOR_EACH_VERSION(s, c)
	{
		c.verify = TLS_VERIFY_NAME;
		meet(&s, &c, HOST);
		assert_met();
		s.cert_file = certificate_path("rsa.crt");
		s.key_file = certificate_path("rsa.key");
		meet(&s, &c, HOST);
		assert_met();
	}
}

TEST(who_does_not_ask_takes_any_certificate)
{
	FOR_EACH_VERSION(s, c)
	{
		char name[TLS_NAME_MAX];

		c.ca_file = certificate_path("other.crt");
		meet(&s, &c, "toad.db.example.com");
		assert_met();
		assert_false(tls_peer(client.stream.tls, name));
	}
}

TEST(an_authority_that_is_not_known_is_not_trusted)
{
	FOR_EACH_VERSION(s, c)
	{
		c.verify = TLS_VERIFY_CA;
		c.ca_file = certificate_path("other.crt");
		meet(&s, &c, HOST);
		assert_why(&client,
			   HANDSHAKE "certificate verify failed: unable to get local issuer "
				     "certificate",
			   CHECKED_AGAINST);
		assert_why(&server, HANDSHAKE "tlsv1 alert unknown ca",
			   "the other side does not trust the authority of our certificate");
	}
}

TEST(a_name_is_looked_at_only_where_that_is_wanted)
{
	FOR_EACH_VERSION(s, c)
	{
		c.verify = TLS_VERIFY_CA;
		meet(&s, &c, "toad.db.example.com");
		assert_met();
		c.verify = TLS_VERIFY_NAME;
		meet(&s, &c, "toad.db.example.com");
		assert_why(&client, HANDSHAKE "certificate verify failed: hostname mismatch",
			   CHECKED_AGAINST);
		assert_why(&server, HANDSHAKE "sslv3 alert bad certificate",
			   "the other side does not accept our certificate");
	}
}

TEST(a_certificate_may_be_for_an_address)
{
	FOR_EACH_VERSION(s, c)
	{
		c.verify = TLS_VERIFY_NAME;
		meet(&s, &c, "127.0.0.1");
		assert_met();
		assert_string_equal(tls_server_name(server.stream.tls), "");
		meet(&s, &c, "127.0.0.2");
		assert_why(&client, HANDSHAKE "certificate verify failed: IP address mismatch",
			   CHECKED_AGAINST);
	}
}

/* OpenSSL takes these for no wish, and for a whole domain. */
TEST(without_a_name_no_certificate_is_right)
{
	static const char *const names[] = {"", ".", ".com", ".db.example.com", " "};

	for (size_t i = 0; i < N_OF(names); i++) {
		TlsSetup s = a_server(), c = a_client();

		c.verify = TLS_VERIFY_NAME;
		meet(&s, &c, names[i]);
		assert_why(&client, HANDSHAKE "certificate verify failed: hostname mismatch",
			   CHECKED_AGAINST);
	}
}

/* Clients' certificates, as servers see them. */

static void show(TlsSetup *c, const char *cert, const char *key)
{
	c->cert_file = certificate_path(cert);
	c->key_file = certificate_path(key);
}

TEST(a_client_that_has_to_show_a_certificate_has_a_name)
{
	FOR_EACH_VERSION(s, c)
	{
		char name[TLS_NAME_MAX];

		s.ca_file = certificate_path("ca.crt");
		s.verify = TLS_VERIFY_CA;
		show(&c, "bob.crt", "bob.key");
		meet(&s, &c, HOST);
		assert_met();
		assert_true(tls_peer(server.stream.tls, name));
		assert_string_equal(name, "bob");
	}
}

TEST(a_client_without_a_certificate_is_refused_where_one_is_needed)
{
	FOR_EACH_VERSION(s, c)
	{
		bool old = version == versions;

		s.ca_file = certificate_path("ca.crt");
		s.verify = TLS_VERIFY_CA;
		meet(&s, &c, HOST);
		assert_why(&server, HANDSHAKE "peer did not return a certificate",
			   "client_tls_sslmode asks for a client certificate, and there was none");
		assert_why(&client,
			   old ? HANDSHAKE "sslv3 alert handshake failure"
			       : CONNECTION "tlsv13 alert certificate required",
			   old ? "versions, ciphers or certificates do not meet"
			       : "the other side asks for a certificate: see server_tls_cert_file");
	}
}

TEST(a_clients_certificate_of_another_authority_is_refused)
{
	FOR_EACH_VERSION(s, c)
	{
		s.ca_file = certificate_path("ca.crt");
		s.verify = TLS_VERIFY_CA;
		show(&c, "eve.crt", "eve.key");
		meet(&s, &c, HOST);
		assert_why(&server,
			   HANDSHAKE "certificate verify failed: unable to get local issuer "
				     "certificate",
			   CHECKED_AGAINST);
	}
}

/* What is not wanted decides nothing, and is nobody's name either. */
TEST(a_certificate_that_was_only_asked_for_is_judged_later)
{
	FOR_EACH_VERSION(s, c)
	{
		char name[TLS_NAME_MAX];

		s.ca_file = certificate_path("ca.crt");
		s.verify = TLS_VERIFY_ASK;
		meet(&s, &c, HOST);
		assert_met();
		assert_false(tls_peer(server.stream.tls, name));
		show(&c, "eve.crt", "eve.key");
		meet(&s, &c, HOST);
		assert_met();
		assert_false(tls_peer(server.stream.tls, name));
		assert_string_equal(name, "");
		show(&c, "bob.crt", "bob.key");
		meet(&s, &c, HOST);
		assert_met();
		assert_true(tls_peer(server.stream.tls, name));
		assert_string_equal(name, "bob");
	}
}

TEST(a_name_with_a_zero_in_it_is_none)
{
	static const char trick[] = "bob\0.evil.org";
	Certificate ca = {.key = EVP_EC_gen("P-256")}, tricky = {.key = EVP_EC_gen("P-256")};
	TlsSetup s = a_server(), c = a_client();
	char name[TLS_NAME_MAX];

	ca.x509 = certificate_fill("Trickster", ca.key, NULL);
	X509_sign(ca.x509, ca.key, EVP_sha256());
	tricky.x509 = certificate_fill("x", tricky.key, &ca);
	X509_NAME_ENTRY_free(X509_NAME_delete_entry(X509_get_subject_name(tricky.x509), 0));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(tricky.x509), "CN", MBSTRING_UTF8,
				   (const uint8_t *)trick, sizeof(trick) - 1, -1, 0);
	X509_sign(tricky.x509, ca.key, EVP_sha256());
	certificate_write(&ca, "trickster.crt", "trickster.key");
	certificate_write(&tricky, "tricky.crt", "tricky.key");
	s.ca_file = certificate_path("trickster.crt");
	s.verify = TLS_VERIFY_CA;
	show(&c, "tricky.crt", "tricky.key");
	meet(&s, &c, HOST);
	assert_met();
	assert_true(tls_peer(server.stream.tls, name));
	assert_string_equal(name, "");
	certificate_free(&ca);
	certificate_free(&tricky);
}

/* What cannot agree. */

TEST(versions_have_to_meet)
{
	TlsSetup s = a_server(), c = a_client();

	for (int i = 0; i < 2; i++) {
		s.protocols = versions[i];
		c.protocols = versions[!i];
		meet(&s, &c, HOST);
		assert_why(&server, HANDSHAKE "unsupported protocol", OTHER_VERSION);
		assert_why(&client, HANDSHAKE "tlsv1 alert protocol version", OTHER_VERSION);
	}
}

TEST(ciphers_have_to_meet)
{
	FOR_EACH_VERSION(s, c)
	{
		s.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
		s.ciphers13 = "TLS_AES_256_GCM_SHA384";
		c.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
		c.ciphers13 = "TLS_AES_128_GCM_SHA256";
		meet(&s, &c, HOST);
		assert_why(&server, HANDSHAKE "no shared cipher",
			   "the ciphers do not meet: see client_tls_ciphers and "
			   "server_tls_ciphers");
		assert_why(&client, HANDSHAKE "sslv3 alert handshake failure",
			   "versions, ciphers or certificates do not meet");
	}
}

/* TLS that was not asked for might be meant for somebody else (ALPACA). */
TEST(direct_tls_names_our_protocol)
{
	static const struct {
		const char *alpn;
		bool direct, meets;
	} table[] = {{"postgresql", true, true}, {"postgresql", false, true},
		     {NULL, true, false},        {NULL, false, true},
		     {"http/1.1", true, false},  {"http/1.1", false, false},
		     {"postgres", true, false},  {"postgresqlx", true, false}};

	for (size_t i = 0; i < 2 * N_OF(table); i++) {
		TlsSetup s = a_server(), c = a_client();

		s.protocols = versions[i % 2];
		c.alpn = table[i / 2].alpn;
		meet_as(&s, &c, HOST, table[i / 2].direct);
		if (table[i / 2].meets)
			assert_met();
		else
			assert_why(&server, HANDSHAKE "no application protocol",
				   "TLS without a request for it before needs ALPN \"postgresql\"");
	}
}

static bool server_is_through(void)
{
	return is_through(&server);
}

static void says_instead(Span bytes, const char *detail, const char *hint)
{
	TlsSetup s = a_server();
	TlsContext *ctx = server_context(&s);

	pair_close();
	pair_open();
	stream_secure(&server.stream, tls_from_client(ctx, false), (Span){0});
	tls_context_release(ctx);
	assert_int_equal(write(client.stream.fd, bytes.at, bytes.n), bytes.n);
	run_until(server_is_through);
	assert_why(&server, detail, hint);
}

TEST(who_does_not_speak_tls_is_told_apart)
{
	static const char hint[] = "the other side does not speak TLS here";

	says_instead(BYTES("GET / HTTP/1.0\r\n\r\n"), HANDSHAKE "http request",
		     "this is an HTTP client");
	says_instead(BYTES("\0\0\0\022\0\3\0\0user\0bob\0\0"), HANDSHAKE "wrong version number",
		     hint);
	says_instead(BYTES("SSH-2.0-OpenSSH_9.2\r\n"), HANDSHAKE "wrong version number", hint);
}

/* Channel binding. */

static void assert_bound(const char *cert, size_t expected)
{
	TlsSetup s = a_server(), c = a_client();
	uint8_t ours[TLS_HASH_MAX], theirs[TLS_HASH_MAX], right[EVP_MAX_MD_SIZE];
	FILE *file = fopen(certificate_path(cert), "r");
	X509 *x509 = PEM_read_X509(file, NULL, NULL, NULL);
	char key[20];

	fclose(file);
	snprintf(key, sizeof(key), "%.*s.key", (int)strcspn(cert, "."), cert);
	show(&s, cert, key);
	X509_digest(x509, expected == 48 ? EVP_sha384() : EVP_sha256(), right, NULL);
	X509_free(x509);
	meet(&s, &c, HOST);
	assert_met();
	assert_int_equal(tls_own_binding(server.stream.tls, ours), expected);
	assert_int_equal(tls_peer_binding(client.stream.tls, theirs), expected);
	assert_memory_equal(ours, right, expected);
	assert_memory_equal(theirs, right, expected);
	assert_int_equal(tls_peer_binding(server.stream.tls, theirs), 0);
}

TEST(both_sides_have_the_same_hash_to_bind_to)
{
	assert_bound("ec.crt", 32);
	assert_bound("rsa.crt", 48);
}

TEST(a_signature_without_a_hash_binds_nothing)
{
	Certificate ed = {.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};

	ed.x509 = certificate_fill(HOST, ed.key, NULL);
	assert_true(X509_sign(ed.x509, ed.key, NULL) > 0);
	certificate_write(&ed, "ed.crt", "ed.key");
	certificate_free(&ed);
	assert_bound("ed.crt", 0);
}

/* Tickets. */

static TicketKeys some_keys(uint8_t first)
{
	TicketKeys keys = {.n = 1};

	memset(keys.at, first, sizeof(keys.at[0]));
	return keys;
}

static bool give_keys(void *arg, TicketKeys *out)
{
	*out = *(const TicketKeys *)arg;
	return out->n > 0;
}

static TlsSetup a_server_with_tickets(TicketKeys *keys, const char *version)
{
	TlsSetup s = a_server();

	s.protocols = version;
	s.ticket_keys = give_keys;
	s.arg = keys;
	return s;
}

static void forget(void)
{
	SSL_SESSION_free(session);
	session = NULL;
}

/* Keeps a copy of what the server gave to the client: the original dies with the connection. */
static void remember(void)
{
	forget();
	session = SSL_SESSION_dup(SSL_get_session(client.stream.tls->ssl));
}

/* Whether a ticket from the one is taken by the other; both have a context of their own. */
static bool resumes(const TlsSetup *one, const TlsSetup *other, const TlsSetup *c)
{
	bool resumed;

	meet(one, c, HOST);
	assert_met();
	assert_false(tls_is_resumed(server.stream.tls));
	remember();
	meet(other, c, HOST);
	assert_met();
	resumed = tls_is_resumed(server.stream.tls);
	assert_int_equal(tls_is_resumed(client.stream.tls), resumed);
	forget();
	return resumed;
}

TEST(a_ticket_is_taken_wherever_the_keys_are_the_same)
{
	FOR_EACH_VERSION(plain, c)
	{
		TicketKeys one = some_keys(1), two = some_keys(1);
		TlsSetup s = a_server_with_tickets(&one, *version);
		TlsSetup other = a_server_with_tickets(&two, *version);

		assert_true(resumes(&s, &other, &c));
		assert_string_equal(tls_server_name(server.stream.tls), HOST);
		assert_false(resumes(&plain, &plain, &c));
	}
}

/* The name is that of today's hello, whatever the ticket was given for. */
TEST(who_comes_back_may_want_another_server)
{
	static const char *const names[] = {"toad.db.example.com", "", HOST};

	FOR_EACH_VERSION(plain, c)
	{
		TicketKeys keys = some_keys(1);
		TlsSetup s = a_server_with_tickets(&keys, *version);

		for (size_t i = 0; i < N_OF(names); i++) {
			meet(&s, &c, HOST);
			remember();
			meet(&s, &c, names[i]);
			assert_met();
			assert_string_equal(tls_server_name(server.stream.tls), names[i]);
			forget();
		}
	}
}

TEST(a_ticket_of_other_keys_is_no_ticket)
{
	FOR_EACH_VERSION(plain, c)
	{
		TicketKeys one = some_keys(1), two = some_keys(2);
		TlsSetup s = a_server_with_tickets(&one, *version);
		TlsSetup other = a_server_with_tickets(&two, *version);

		assert_false(resumes(&s, &other, &c));
		two = some_keys(1);
		two.at[0].mac_key[0]++;
		assert_false(resumes(&s, &other, &c));
		assert_false(resumes(&s, &plain, &c));
	}
}

TEST(a_key_that_is_not_the_newest_opens_still)
{
	FOR_EACH_VERSION(plain, c)
	{
		TicketKeys one = some_keys(1), turned = one, fresh = some_keys(2);
		TlsSetup s = a_server_with_tickets(&one, *version);
		TlsSetup later = a_server_with_tickets(&turned, *version);

		ticket_keys_turn(&turned, &fresh.at[0]);
		assert_true(resumes(&s, &later, &c));
		/* What it got then was sealed with the newest. */
		meet(&s, &c, HOST);
		remember();
		meet(&later, &c, HOST);
		assert_true(tls_is_resumed(server.stream.tls));
		remember();
		turned.n = 1;
		meet(&later, &c, HOST);
		assert_met();
		assert_true(tls_is_resumed(server.stream.tls));
		forget();
	}
}

TEST(without_a_key_there_are_no_tickets_and_all_else_works)
{
	FOR_EACH_VERSION(plain, c)
	{
		TicketKeys none = {.n = 0}, one = some_keys(1);
		TlsSetup s = a_server_with_tickets(&none, *version);
		TlsSetup other = a_server_with_tickets(&one, *version);

		assert_false(resumes(&s, &other, &c));
		assert_false(resumes(&other, &s, &c));
	}
}

TEST(a_ticket_remembers_whose_certificate_it_was)
{
	FOR_EACH_VERSION(plain, c)
	{
		TicketKeys keys = some_keys(1);
		TlsSetup s = a_server_with_tickets(&keys, *version);
		char name[TLS_NAME_MAX];

		s.ca_file = certificate_path("ca.crt");
		s.verify = TLS_VERIFY_ASK;
		show(&c, "bob.crt", "bob.key");
		assert_true(resumes(&s, &s, &c));
		assert_true(tls_peer(server.stream.tls, name));
		assert_string_equal(name, "bob");
		show(&c, "eve.crt", "eve.key");
		assert_true(resumes(&s, &s, &c));
		assert_false(tls_peer(server.stream.tls, name));
	}
}

/* After a reload a ticket may not stand for a certificate that would be refused now. */
TEST(a_ticket_serves_only_under_the_same_rules)
{
	FOR_EACH_VERSION(plain, c)
	{
		TicketKeys keys = some_keys(1);
		TlsSetup s = a_server_with_tickets(&keys, *version), other = s;

		other.ca_file = certificate_path("ca.crt");
		s.ca_file = certificate_path("other.crt");
		s.verify = other.verify = TLS_VERIFY_ASK;
		show(&c, "eve.crt", "eve.key");
		assert_false(resumes(&s, &other, &c));
		s.ca_file = other.ca_file;
		s.verify = TLS_VERIFY_NONE;
		assert_false(resumes(&s, &other, &c));
		s.verify = other.verify;
		assert_true(resumes(&s, &other, &c));
	}
}

/* Contexts that cannot be made. */

static void refused(const TlsSetup *setup, const char *begins, const char *ends)
{
	Fault why = {0};

	assert_null(tls_server_context(setup, &why));
	assert_int_equal(why.code, FAULT_BAD_SETTING);
	assert_contains(why.detail, begins);
	assert_contains(why.detail, ends);
	assert_null(tls_client_context(setup, &why));
}

TEST(a_file_or_word_that_is_no_good_is_named)
{
	TlsSetup s = a_server();

	s.cert_file = "/nowhere/x.crt";
	refused(&s, "server_tls_cert_file \"/nowhere/x.crt\" cannot be used: ",
		"No such file or directory");
	s = a_server();
	s.cert_file = certificate_path("ec.key");
	refused(&s, "server_tls_cert_file \"", "there is nothing of the kind in it in PEM form");
	s = a_server();
	s.key_file = "/nowhere/x.key";
	refused(&s, "server_tls_key_file \"/nowhere/x.key\" cannot be used: ",
		"No such file or directory");
	s = a_server();
	s.key_file = certificate_path("bob.key");
	refused(&s, "server_tls_key_file \"", "it is not the key of the certificate");
	s = a_server();
	s.key_file = certificate_path("rsa.key");
	refused(&s, "server_tls_key_file \"", "cannot be used: ");
	s = a_server();
	s.ca_file = certificate_path("ec.key");
	refused(&s, "server_tls_ca_file \"", "no certificate or crl found");
	s = a_server();
	s.ciphers = "nonsense";
	refused(&s, "server_tls_ciphers \"nonsense\" cannot be used: ", "no cipher match");
	s = a_server();
	s.ciphers13 = "nonsense";
	refused(&s, "server_tls13_ciphers \"nonsense\" cannot be used: ", "no cipher match");
	s = a_server();
	s.curve = "nonsense";
	refused(&s, "server_tls_ecdhcurve \"nonsense\" cannot be used: ", "");
}

/* A reload makes a new one; connections that use the old keep it. */
TEST(a_context_lives_as_long_as_who_uses_it)
{
	TlsSetup s = a_server();
	TlsContext *ctx = server_context(&s);
	Tls *tls = tls_from_client(ctx, false);

	tls_context_release(tls_context_hold(ctx));
	tls_context_release(ctx);
	assert_string_equal(tls_server_name(tls), "");
	tls_free(tls);
	tls_free(NULL);
	tls_context_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(a_certificate_may_be_of_either_kind),
		PAIR_TEST(who_does_not_ask_takes_any_certificate),
		PAIR_TEST(an_authority_that_is_not_known_is_not_trusted),
		PAIR_TEST(a_name_is_looked_at_only_where_that_is_wanted),
		PAIR_TEST(a_certificate_may_be_for_an_address),
		PAIR_TEST(without_a_name_no_certificate_is_right),
		PAIR_TEST(a_client_that_has_to_show_a_certificate_has_a_name),
		PAIR_TEST(a_client_without_a_certificate_is_refused_where_one_is_needed),
		PAIR_TEST(a_clients_certificate_of_another_authority_is_refused),
		PAIR_TEST(a_certificate_that_was_only_asked_for_is_judged_later),
		PAIR_TEST(a_name_with_a_zero_in_it_is_none),
		PAIR_TEST(versions_have_to_meet),
		PAIR_TEST(ciphers_have_to_meet),
		PAIR_TEST(direct_tls_names_our_protocol),
		PAIR_TEST(who_does_not_speak_tls_is_told_apart),
		PAIR_TEST(both_sides_have_the_same_hash_to_bind_to),
		PAIR_TEST(a_signature_without_a_hash_binds_nothing),
		PAIR_TEST(a_ticket_is_taken_wherever_the_keys_are_the_same),
		PAIR_TEST(who_comes_back_may_want_another_server),
		PAIR_TEST(a_ticket_of_other_keys_is_no_ticket),
		PAIR_TEST(a_key_that_is_not_the_newest_opens_still),
		PAIR_TEST(without_a_key_there_are_no_tickets_and_all_else_works),
		PAIR_TEST(a_ticket_remembers_whose_certificate_it_was),
		PAIR_TEST(a_ticket_serves_only_under_the_same_rules),
		PAIR_TEST(a_file_or_word_that_is_no_good_is_named),
		PAIR_TEST(a_context_lives_as_long_as_who_uses_it),
	};

	return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
