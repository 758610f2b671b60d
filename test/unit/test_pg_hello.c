/* A client's first packets, and what we make of them for the compute. */
#include "wire.h"

/* One client's way through hello. */
typedef struct Visit {
	Hello hello;
	Buf in, reply;
	Fault why;
	HelloVerdict verdict;
} Visit;

static void listen_to(Visit *v)
{
	v->verdict = pg_hello(&v->hello, &v->in, &v->reply, &v->why);
}

static void end(Visit *v)
{
	hello_free(&v->hello);
	buf_free(&v->in);
	buf_free(&v->reply);
}

static void hear(Visit *v, uint32_t code, Span body)
{
	put_packet(&v->in, code, body);
	listen_to(v);
}

static Visit says(uint32_t code, Span body)
{
	Visit v = {.verdict = HELLO_MORE};

	hear(&v, code, body);
	return v;
}

#define HEAR(v, code, literal) hear((v), (code), BYTES(literal))
#define SAYS(code, literal)    says((code), BYTES(literal))

static void refused(Visit v, FaultCode code, const char *detail)
{
	assert_int_equal(v.verdict, HELLO_FAULT);
	assert_int_equal(v.why.code, code);
	assert_string_equal(v.why.detail, detail);
	end(&v);
}

TEST(a_startup_packet_is_the_clients_wish)
{
	Visit v = SAYS(VERSION(0), "user\0bob\0database\0app\0\0");

	assert_int_equal(v.verdict, HELLO_STARTUP);
	assert_string_equal(startup_get(&v.hello.startup, "user"), "bob");
	assert_string_equal(startup_get(&v.hello.startup, "database"), "app");
	assert_null(startup_get(&v.hello.startup, "options"));
	assert_null(startup_get(&v.hello.startup, "bob"));
	assert_false(v.hello.startup.negotiate);
	assert_int_equal(buf_size(&v.in), 0);
	assert_int_equal(buf_size(&v.reply), 0);
	end(&v);
}

TEST(what_stands_behind_the_startup_packet_stays_there)
{
	Visit v = {.verdict = HELLO_MORE};

	PACKET(&v.in, VERSION(0), "user\0bob\0\0");
	MESSAGE(&v.in, 'p', "secret\0");
	listen_to(&v);
	assert_int_equal(v.verdict, HELLO_STARTUP);
	assert_bytes(buf_span(&v.in), "p\0\0\0\013secret\0");
	end(&v);
}

TEST(a_packet_may_come_byte_by_byte)
{
	Buf packet = {0};
	Visit v = {.verdict = HELLO_MORE};

	PACKET(&packet, VERSION(0), "user\0bob\0\0");
	for (size_t i = 0; i < buf_size(&packet); i++) {
		assert_int_equal(v.verdict, HELLO_MORE);
		buf_append_u8(&v.in, buf_span(&packet).at[i]);
		listen_to(&v);
	}
	assert_int_equal(v.verdict, HELLO_STARTUP);
	end(&v);
	buf_free(&packet);
}

/* The length is judged as soon as it is there, so nobody can make us keep a megabyte. */
TEST(a_length_that_cannot_be_is_refused_at_once)
{
	static const uint32_t wrong[] = {0,     1,       4,          7,          10001,
					 20000, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < N_OF(wrong); i++) {
		Visit v = {.verdict = HELLO_MORE};

		buf_append_u32(&v.in, wrong[i]);
		listen_to(&v);
		refused(v, FAULT_BAD_MESSAGE, "invalid length of startup packet");
	}
}

TEST(the_longest_packet_is_as_long_as_the_servers)
{
	static uint8_t value[10000 - 8 - 11];
	Visit v = {.verdict = HELLO_MORE};

	memset(value, 'x', sizeof(value));
	buf_append_u32(&v.in, 10000);
	buf_append_u32(&v.in, VERSION(0));
	buf_append(&v.in, BYTES("user\0a\0b\0"));
	buf_append(&v.in, (Span){value, sizeof(value)});
	listen_to(&v);
	assert_int_equal(v.verdict, HELLO_MORE);
	buf_append(&v.in, BYTES("\0\0"));
	listen_to(&v);
	assert_int_equal(v.verdict, HELLO_STARTUP);
	assert_int_equal(strlen(startup_get(&v.hello.startup, "b")), sizeof(value));
	end(&v);
}

TEST(every_shorter_length_is_a_fault_or_needs_more)
{
	for (uint32_t length = 8; length <= 10000; length++) {
		Visit v = {.verdict = HELLO_MORE};

		buf_append_u32(&v.in, length);
		buf_append_u32(&v.in, VERSION(0));
		buf_append(&v.in, BYTES("user\0bob\0\0"));
		listen_to(&v);
		assert_int_equal(v.verdict, length == 18  ? HELLO_STARTUP
					    : length < 18 ? HELLO_FAULT
							  : HELLO_MORE);
		end(&v);
	}
}

TEST(encryption_is_refused_and_then_the_startup_comes)
{
	Visit v = SAYS(PG_SSL_REQUEST, "");

	assert_int_equal(v.verdict, HELLO_ANSWER);
	assert_bytes(buf_span(&v.reply), "N");
	PACKET(&v.in, PG_GSSENC_REQUEST, "");
	listen_to(&v);
	assert_int_equal(v.verdict, HELLO_ANSWER);
	assert_bytes(buf_span(&v.reply), "NN");
	PACKET(&v.in, VERSION(0), "user\0bob\0\0");
	listen_to(&v);
	assert_int_equal(v.verdict, HELLO_STARTUP);
	end(&v);
}

TEST(each_kind_of_encryption_is_asked_for_once)
{
	Visit v = SAYS(PG_SSL_REQUEST, "");

	PACKET(&v.in, PG_SSL_REQUEST, "");
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE, "a second SSL request");
	v = SAYS(PG_GSSENC_REQUEST, "");
	PACKET(&v.in, PG_GSSENC_REQUEST, "");
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE, "a second GSSAPI encryption request");
}

/* Somebody in between put them there (CVE-2021-23222 and its kin). */
TEST(bytes_behind_a_request_for_encryption_are_an_attack)
{
	Visit v = {.verdict = HELLO_MORE};

	PACKET(&v.in, PG_SSL_REQUEST, "");
	PACKET(&v.in, VERSION(0), "user\0bob\0\0");
	listen_to(&v);
	assert_int_equal(buf_size(&v.reply), 0);
	refused(v, FAULT_BAD_MESSAGE, "received unencrypted data after SSL request");
	v = (Visit){.verdict = HELLO_MORE};
	PACKET(&v.in, PG_GSSENC_REQUEST, "");
	buf_append_u8(&v.in, 'x');
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE, "received unencrypted data after GSSAPI encryption request");
}

/* With a certificate to show. */

static Visit secure(void)
{
	return (Visit){.hello.may_secure = true, .verdict = HELLO_MORE};
}

TEST(tls_begins_where_there_is_a_certificate)
{
	Visit v = secure();

	HEAR(&v, PG_SSL_REQUEST, "");
	assert_int_equal(v.verdict, HELLO_SECURE);
	assert_bytes(buf_span(&v.reply), "S");
	assert_int_equal(buf_size(&v.in), 0);
	HEAR(&v, VERSION(0), "user\0bob\0\0");
	assert_int_equal(v.verdict, HELLO_STARTUP);
	end(&v);
}

TEST(tls_may_be_asked_for_when_gssapi_was_refused)
{
	Visit v = secure();

	HEAR(&v, PG_GSSENC_REQUEST, "");
	assert_int_equal(v.verdict, HELLO_ANSWER);
	HEAR(&v, PG_SSL_REQUEST, "");
	assert_int_equal(v.verdict, HELLO_SECURE);
	assert_bytes(buf_span(&v.reply), "NS");
	end(&v);
}

TEST(gssapi_is_refused_inside_tls_too)
{
	Visit v = secure();

	HEAR(&v, PG_SSL_REQUEST, "");
	HEAR(&v, PG_GSSENC_REQUEST, "");
	assert_int_equal(v.verdict, HELLO_ANSWER);
	assert_bytes(buf_span(&v.reply), "SN");
	HEAR(&v, VERSION(0), "user\0bob\0\0");
	assert_int_equal(v.verdict, HELLO_STARTUP);
	end(&v);
}

TEST(there_is_no_tls_inside_tls)
{
	Visit v = secure();

	HEAR(&v, PG_SSL_REQUEST, "");
	HEAR(&v, PG_SSL_REQUEST, "");
	assert_bytes(buf_span(&v.reply), "S");
	refused(v, FAULT_BAD_MESSAGE, "a second SSL request");
	v = secure();
	HEAR(&v, PG_SSL_REQUEST, "");
	buf_append(&v.in, BYTES("\x16\3\1\0"));
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE, "invalid length of startup packet");
}

/* Not even a TLS handshake may stand there: it was not asked for yet. */
TEST(bytes_behind_a_request_for_tls_are_never_taken_for_tls)
{
	Visit v = secure();

	PACKET(&v.in, PG_SSL_REQUEST, "");
	buf_append_u8(&v.in, 0x16);
	listen_to(&v);
	assert_int_equal(buf_size(&v.reply), 0);
	refused(v, FAULT_BAD_MESSAGE, "received unencrypted data after SSL request");
	v = secure();
	PACKET(&v.in, PG_GSSENC_REQUEST, "");
	PACKET(&v.in, PG_SSL_REQUEST, "");
	listen_to(&v);
	assert_int_equal(buf_size(&v.reply), 0);
	refused(v, FAULT_BAD_MESSAGE, "received unencrypted data after GSSAPI encryption request");
}

TEST(tls_may_begin_without_being_asked_for)
{
	Visit v = secure();

	buf_append(&v.in, BYTES("\x16\3\1\2\0\1"));
	listen_to(&v);
	assert_int_equal(v.verdict, HELLO_DIRECT);
	assert_int_equal(buf_size(&v.reply), 0);
	assert_bytes(buf_span(&v.in), "\x16\3\1\2\0\1");
	buf_free(&v.in);
	HEAR(&v, PG_SSL_REQUEST, "");
	refused(v, FAULT_BAD_MESSAGE, "a second SSL request");
}

TEST(tls_that_was_not_asked_for_stands_first_or_nowhere)
{
	Visit v = secure();

	HEAR(&v, PG_GSSENC_REQUEST, "");
	buf_append(&v.in, BYTES("\x16\3\1\2"));
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE, "invalid length of startup packet");
}

TEST(without_a_certificate_there_is_no_tls_at_all)
{
	Visit v = {.verdict = HELLO_MORE};

	buf_append_u8(&v.in, 0x16);
	listen_to(&v);
	assert_int_equal(v.verdict, HELLO_MORE);
	buf_append(&v.in, BYTES("\3\1\2"));
	listen_to(&v);
	refused(v, FAULT_BAD_MESSAGE, "invalid length of startup packet");
}

/* The certificate may be there; nobody has to use it. */
TEST(a_client_may_begin_in_clear_where_tls_could_be_had)
{
	Visit v = secure();

	HEAR(&v, VERSION(0), "user\0bob\0\0");
	assert_int_equal(v.verdict, HELLO_STARTUP);
	end(&v);
	v = secure();
	HEAR(&v, PG_CANCEL_REQUEST, "\0\0\0\1abcd");
	assert_int_equal(v.verdict, HELLO_CANCEL);
	end(&v);
}

/* What a client says one after the other, each answered before the next. */
typedef struct Visitor {
	uint32_t packets[3];         /* codes; 0: no more */
	HelloVerdict plain, secured; /* the last verdict, without and with a certificate */
	const char *answers_plain, *answers_secured;
} Visitor;

static const Visitor visitors[] = {
	{{PG_SSL_REQUEST}, HELLO_ANSWER, HELLO_SECURE, "N", "S"},
	{{PG_GSSENC_REQUEST}, HELLO_ANSWER, HELLO_ANSWER, "N", "N"},
	{{PG_SSL_REQUEST, PG_GSSENC_REQUEST}, HELLO_ANSWER, HELLO_ANSWER, "NN", "SN"},
	{{PG_GSSENC_REQUEST, PG_SSL_REQUEST}, HELLO_ANSWER, HELLO_SECURE, "NN", "NS"},
	{{PG_SSL_REQUEST, PG_SSL_REQUEST}, HELLO_FAULT, HELLO_FAULT, "N", "S"},
	{{PG_SSL_REQUEST, VERSION(2)}, HELLO_STARTUP, HELLO_STARTUP, "N", "S"},
	{{PG_GSSENC_REQUEST, PG_SSL_REQUEST, VERSION(0)}, HELLO_STARTUP, HELLO_STARTUP, "NN", "NS"},
	{{PG_SSL_REQUEST, PG_CANCEL_REQUEST}, HELLO_CANCEL, HELLO_CANCEL, "N", "S"},
	{{VERSION(3)}, HELLO_STARTUP, HELLO_STARTUP, "", ""},
};

static void put_packet_of(Buf *out, uint32_t code)
{
	if (code == PG_CANCEL_REQUEST)
		PACKET(out, code, "\0\0\0\1abcd");
	else if (PG_MAJOR(code) == 3)
		PACKET(out, code, "user\0bob\0\0");
	else
		PACKET(out, code, "");
}

static void hear_cut(Visit *v, uint32_t code, size_t cut)
{
	Buf packet = {0};
	size_t n;

	put_packet_of(&packet, code);
	n = buf_size(&packet);
	buf_append(&v->in, (Span){buf_span(&packet).at, cut % n});
	listen_to(v);
	assert_int_equal(v->verdict, HELLO_MORE);
	buf_append(&v->in, span_skip(buf_span(&packet), cut % n));
	listen_to(v);
	buf_free(&packet);
}

static void visit_cut(const Visitor *visitor, bool may_secure, size_t cut)
{
	Visit v = {.hello.may_secure = may_secure, .verdict = HELLO_MORE};

	for (int i = 0; i < 3 && visitor->packets[i]; i++)
		hear_cut(&v, visitor->packets[i], cut);
	assert_int_equal(v.verdict, may_secure ? visitor->secured : visitor->plain);
	assert_span(buf_span(&v.reply),
		    span_of_text(may_secure ? visitor->answers_secured : visitor->answers_plain));
	end(&v);
}

TEST(every_packet_may_be_cut_anywhere)
{
	for (size_t i = 0; i < N_OF(visitors); i++) {
		for (size_t cut = 0; cut < 18; cut++) {
			visit_cut(&visitors[i], false, cut);
			visit_cut(&visitors[i], true, cut);
		}
	}
}

TEST(a_cancel_names_a_session)
{
	static const uint8_t secret[256];

	for (size_t n = 0; n <= sizeof(secret); n++) {
		Visit v = {.verdict = HELLO_MORE};

		buf_append_u32(&v.in, (uint32_t)(12 + n));
		buf_append_u32(&v.in, PG_CANCEL_REQUEST);
		buf_append_u32(&v.in, 4711);
		buf_append(&v.in, (Span){secret, n});
		listen_to(&v);
		if (n >= 1 && n <= CANCEL_MARKED_MAX) {
			assert_int_equal(v.verdict, HELLO_CANCEL);
			assert_int_equal(v.hello.cancel.pid, 4711);
			assert_int_equal(v.hello.cancel.secret_size, n);
			end(&v);
		} else {
			refused(v, FAULT_BAD_MESSAGE, "invalid length of cancel request");
		}
	}
}

TEST(a_cancels_secret_is_kept_as_it_is)
{
	Visit v = SAYS(PG_CANCEL_REQUEST, "\0\0\0\1abcd");

	assert_int_equal(v.verdict, HELLO_CANCEL);
	assert_memory_equal(v.hello.cancel.secret, "abcd", 4);
	end(&v);
}

TEST(a_cancel_shorter_than_its_head_is_a_fault)
{
	refused(SAYS(PG_CANCEL_REQUEST, ""), FAULT_BAD_MESSAGE, "invalid length of cancel request");
	refused(SAYS(PG_CANCEL_REQUEST, "\0\0\0"), FAULT_BAD_MESSAGE,
		"invalid length of cancel request");
}

TEST(another_major_version_is_not_spoken)
{
	static const char users[] = "user\0bob\0";
	static const uint32_t versions[] = {0, 1, 2u << 16, 4u << 16, 0xffff0000, 80877102 ^ 1};

	for (size_t i = 0; i < N_OF(versions); i++) {
		Visit v = says(versions[i], (Span){(const uint8_t *)users, sizeof(users)});

		assert_int_equal(v.verdict, HELLO_FAULT);
		assert_int_equal(v.why.code, FAULT_BAD_VERSION);
		assert_contains(v.why.detail, "server supports 3.0 to 3.2");
		end(&v);
	}
}

TEST(a_request_for_encryption_of_another_length_is_an_unknown_version)
{
	Visit v = SAYS(PG_SSL_REQUEST, "x");

	refused(v, FAULT_BAD_VERSION,
		"unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2");
}

TEST(nobody_comes_without_a_name)
{
	static const char detail[] = "no PostgreSQL user name specified in startup packet";

	refused(SAYS(VERSION(0), "database\0app\0\0"), FAULT_NO_USER, detail);
	refused(SAYS(VERSION(0), "user\0\0\0"), FAULT_NO_USER, detail);
	refused(SAYS(VERSION(0), "\0"), FAULT_NO_USER, detail);
	refused(SAYS(VERSION(0), "database\0user\0\0"), FAULT_NO_USER, detail);
}

TEST(what_is_not_pairs_of_texts_is_a_fault)
{
	static const char detail[] =
		"invalid startup packet layout: expected terminator as last byte";

	refused(SAYS(VERSION(0), ""), FAULT_BAD_MESSAGE, detail);
	refused(SAYS(VERSION(0), "user\0bob"), FAULT_BAD_MESSAGE, detail);
	refused(SAYS(VERSION(0), "user\0bob\0"), FAULT_BAD_MESSAGE, detail);
	refused(SAYS(VERSION(0), "user\0bob\0x"), FAULT_BAD_MESSAGE, detail);
	refused(SAYS(VERSION(0), "user\0bob\0database\0\0"), FAULT_BAD_MESSAGE, detail);
	refused(SAYS(VERSION(0), "user\0bob\0\0\0"), FAULT_BAD_MESSAGE, detail);
	refused(SAYS(VERSION(0), "\0bob\0\0"), FAULT_BAD_MESSAGE, detail);
	refused(SAYS(VERSION(0), "user\0bob\0\0x\0y\0\0"), FAULT_BAD_MESSAGE, detail);
}

TEST(of_a_parameter_that_stands_twice_the_last_counts)
{
	Visit v = SAYS(VERSION(0), "user\0alice\0user\0bob\0\0");

	assert_int_equal(v.verdict, HELLO_STARTUP);
	assert_string_equal(startup_get(&v.hello.startup, "user"), "bob");
	end(&v);
	refused(SAYS(VERSION(0), "user\0alice\0user\0\0\0"), FAULT_NO_USER,
		"no PostgreSQL user name specified in startup packet");
}

TEST(a_parameter_is_set_replaced_and_removed)
{
	Startup s = {.minor = 0};

	startup_set(&s, "none", NULL);
	startup_set(&s, "user", "bob");
	startup_set(&s, "database", "app");
	startup_set(&s, "user", "alice");
	assert_bytes(buf_span(&s.pairs), "database\0app\0user\0alice\0");
	startup_set(&s, "user", NULL);
	assert_bytes(buf_span(&s.pairs), "database\0app\0");
	startup_set(&s, "database", "");
	assert_string_equal(startup_get(&s, "database"), "");
	startup_set(&s, "database", NULL);
	assert_null(startup_get(&s, "database"));
	buf_free(&s.pairs);
}

TEST(of_every_copy_of_a_parameter_one_is_left)
{
	Visit v = SAYS(VERSION(0), "user\0a\0x\0y\0user\0b\0\0");

	startup_set(&v.hello.startup, "user", "c");
	assert_bytes(buf_span(&v.hello.startup.pairs), "x\0y\0user\0c\0");
	startup_set(&v.hello.startup, "user", NULL);
	assert_bytes(buf_span(&v.hello.startup.pairs), "x\0y\0");
	end(&v);
}

/* What the compute is sent for a client's startup packet; free it. */
static Buf begun(Visit *v)
{
	Buf out = {0};

	assert_int_equal(v->verdict, HELLO_STARTUP);
	pg_begin(&v->hello.startup, &out);
	end(v);
	return out;
}

TEST(the_compute_is_told_everything_unchanged)
{
	Visit v = SAYS(VERSION(0), "user\0bob\0replication\0database\0x\0\0\0");
	Buf out = begun(&v);

	assert_bytes(buf_span(&out), "\0\0\0\052\0\3\0\0user\0bob\0replication\0database\0x\0\0\0");
	buf_free(&out);
}

TEST(the_compute_is_not_told_what_we_have_refused)
{
	Visit v = SAYS(VERSION(0), "_pq_.a\0on\0user\0bob\0_pq_.b\0\0\0");
	Buf out = begun(&v);

	assert_bytes(buf_span(&out), "\0\0\0\022\0\3\0\0user\0bob\0\0");
	buf_free(&out);
}

/* What a client is told that asked for more than we speak; free it. */
static Buf negotiated(Visit v)
{
	Buf out = {0};

	assert_int_equal(v.verdict, HELLO_STARTUP);
	pg_negotiate(&v.hello.startup, &out);
	end(&v);
	return out;
}

TEST(a_newer_minor_version_is_negotiated_down)
{
	Buf out = negotiated(SAYS(VERSION(3), "user\0bob\0\0"));

	assert_bytes(buf_span(&out), "v\0\0\0\014\0\3\0\2\0\0\0\0");
	buf_free(&out);
	out = negotiated(SAYS(VERSION(65535), "user\0bob\0\0"));
	assert_bytes(buf_span(&out), "v\0\0\0\014\0\3\0\2\0\0\0\0");
	buf_free(&out);
}

TEST(the_compute_is_asked_for_what_is_spoken_with_the_client)
{
	static const uint16_t spoken[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 2}, {65535, 2}};

	for (size_t i = 0; i < N_OF(spoken); i++) {
		Visit v = SAYS(VERSION(spoken[i][0]), "user\0bob\0\0");
		Buf out;

		assert_int_equal(v.hello.startup.minor, spoken[i][1]);
		assert_int_equal(v.hello.startup.negotiate, spoken[i][0] > 2);
		out = begun(&v);
		assert_int_equal(get_u32(buf_span(&out).at + 4), VERSION(spoken[i][1]));
		buf_free(&out);
	}
}

TEST(options_of_the_protocol_are_named_as_not_spoken)
{
	Buf out = negotiated(SAYS(VERSION(0), "_pq_.one\0on\0user\0bob\0_pq_.two\0\0\0"));

	assert_bytes(buf_span(&out), "v\0\0\0\036\0\3\0\0\0\0\0\2_pq_.one\0_pq_.two\0");
	buf_free(&out);
	out = negotiated(SAYS(VERSION(2), "_pq_.one\0on\0user\0bob\0\0"));
	assert_bytes(buf_span(&out), "v\0\0\0\025\0\3\0\2\0\0\0\1_pq_.one\0");
	buf_free(&out);
}

TEST(who_asks_for_what_we_speak_is_told_nothing)
{
	Buf out = negotiated(SAYS(VERSION(0), "user\0_pq_.x\0application_name\0_pq_.y\0\0"));

	assert_int_equal(buf_size(&out), 0);
	out = negotiated(SAYS(VERSION(2), "user\0bob\0\0"));
	assert_int_equal(buf_size(&out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_startup_packet_is_the_clients_wish),
		cmocka_unit_test(what_stands_behind_the_startup_packet_stays_there),
		cmocka_unit_test(a_packet_may_come_byte_by_byte),
		cmocka_unit_test(a_length_that_cannot_be_is_refused_at_once),
		cmocka_unit_test(the_longest_packet_is_as_long_as_the_servers),
		cmocka_unit_test(every_shorter_length_is_a_fault_or_needs_more),
		cmocka_unit_test(encryption_is_refused_and_then_the_startup_comes),
		cmocka_unit_test(each_kind_of_encryption_is_asked_for_once),
		cmocka_unit_test(bytes_behind_a_request_for_encryption_are_an_attack),
		cmocka_unit_test(tls_begins_where_there_is_a_certificate),
		cmocka_unit_test(tls_may_be_asked_for_when_gssapi_was_refused),
		cmocka_unit_test(gssapi_is_refused_inside_tls_too),
		cmocka_unit_test(there_is_no_tls_inside_tls),
		cmocka_unit_test(bytes_behind_a_request_for_tls_are_never_taken_for_tls),
		cmocka_unit_test(tls_may_begin_without_being_asked_for),
		cmocka_unit_test(tls_that_was_not_asked_for_stands_first_or_nowhere),
		cmocka_unit_test(without_a_certificate_there_is_no_tls_at_all),
		cmocka_unit_test(a_client_may_begin_in_clear_where_tls_could_be_had),
		cmocka_unit_test(every_packet_may_be_cut_anywhere),
		cmocka_unit_test(a_cancel_names_a_session),
		cmocka_unit_test(a_cancels_secret_is_kept_as_it_is),
		cmocka_unit_test(a_cancel_shorter_than_its_head_is_a_fault),
		cmocka_unit_test(another_major_version_is_not_spoken),
		cmocka_unit_test(a_request_for_encryption_of_another_length_is_an_unknown_version),
		cmocka_unit_test(nobody_comes_without_a_name),
		cmocka_unit_test(what_is_not_pairs_of_texts_is_a_fault),
		cmocka_unit_test(of_a_parameter_that_stands_twice_the_last_counts),
		cmocka_unit_test(a_parameter_is_set_replaced_and_removed),
		cmocka_unit_test(of_every_copy_of_a_parameter_one_is_left),
		cmocka_unit_test(the_compute_is_told_everything_unchanged),
		cmocka_unit_test(the_compute_is_not_told_what_we_have_refused),
		cmocka_unit_test(a_newer_minor_version_is_negotiated_down),
		cmocka_unit_test(the_compute_is_asked_for_what_is_spoken_with_the_client),
		cmocka_unit_test(options_of_the_protocol_are_named_as_not_spoken),
		cmocka_unit_test(who_asks_for_what_we_speak_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
