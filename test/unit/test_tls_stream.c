/* TLS as a layer in a stream: every byte arrives, however it is sent, received and held up. */
#include <event2/event.h>
#include <sys/ioctl.h>

#include "tls_pair.h"

static const char *const versions[] = {"tlsv1.2", "tlsv1.3"};

/* TLS of that version on a new pair, with the handshake under way. */
static void begin(const char *version)
{
	TlsSetup servers = setup_with("ec.crt", "ec.key", ""), clients = setup_with("", "", "");

	servers.protocols = clients.protocols = version;
	pair_secure(server_context(&servers), client_context(&clients), "frog.db.example.com");
}

static void begin_again(const char *version)
{
	pair_close();
	pair_open();
	begin(version);
}

TEST(the_handshake_ends_when_the_client_speaks_first)
{
	for (size_t i = 0; i < N_OF(versions); i++) {
		begin_again(versions[i]);
		client.to_send = 1;
		run_until(all_is_there);
		assert_true(both_are_secured());
		assert_string_equal(tls_version(server.stream.tls), i ? "TLSv1.3" : "TLSv1.2");
		assert_string_equal(tls_version(client.stream.tls), i ? "TLSv1.3" : "TLSv1.2");
		assert_string_equal(tls_server_name(server.stream.tls), "frog.db.example.com");
		assert_false(tls_is_resumed(server.stream.tls));
	}
}

static const size_t sizes[] = {1, 2, 5, 100, 1000, 16383, 16384, 16385, 32768, 65537, PATTERN_SIZE};

TEST(bytes_arrive_in_both_directions)
{
	for (size_t i = 0; i < 2 * N_OF(sizes); i++) {
		begin_again(versions[i % 2]);
		client.to_send = sizes[i / 2];
		server.to_send = sizes[i / 2];
		run_until(all_is_there);
	}
}

TEST(bytes_arrive_through_a_narrow_socket)
{
	for (size_t i = 0; i < 2 * N_OF(sizes); i++) {
		begin_again(versions[i % 2]);
		pair_narrow();
		client.to_send = sizes[i / 2];
		server.to_send = sizes[N_OF(sizes) - 1 - i / 2];
		run_until(all_is_there);
	}
	assert_null(client.stream.out.bytes);
	assert_null(server.stream.out.bytes);
	assert_false(client.stream.writing);
}

static bool client_has_ended(void)
{
	return client.ended;
}

static bool client_is_through(void)
{
	return client.ended || client.failed || client.broken;
}

static bool all_is_there_and_little_was_kept(void)
{
	assert_true(buf_size(&server.stream.out) < 5000 + 1000);
	return all_is_there();
}

/* A slow reader stops its writer: what is kept for him is no more than was sent at once. */
TEST(who_does_not_read_stops_who_sends)
{
	begin("secure");
	pair_narrow();
	client.rests = true;
	client.piece = 1000;
	server.chunk = 5000;
	server.to_send = PATTERN_SIZE / 4;
	client.to_send = 1;
	run_until(all_is_there_and_little_was_kept);
	assert_true(server.drained > 10);
}

/* Records that lie in OpenSSL already, of which no socket tells. */

static void secure(const char *version)
{
	begin(version);
	client.to_send = 1;
	run_until(all_is_there);
}

static bool client_has_all(void)
{
	return client.got == server.sent;
}

static void send_at_once(End *e, size_t records, size_t size)
{
	for (size_t i = 0; i < records; i++) {
		assert_true(tls_send(e->stream.tls, (Span){pattern + e->sent, size}));
		e->sent += size;
	}
	assert_true(stream_send(&e->stream, (Span){0}));
	assert_false(stream_is_blocked(&e->stream));
}

TEST(many_records_arrive_at_a_reader_of_small_pieces)
{
	static const size_t pieces[] = {1, 3, 9, 10, 11, 100, 2999, 3000, 65536};

	for (size_t i = 0; i < 4 * N_OF(pieces); i++) {
		pair_close();
		pair_open();
		secure(versions[i % 2]);
		client.piece = pieces[i / 4];
		client.rests = i / 2 % 2;
		send_at_once(&server, 300, 10);
		run_until(client_has_all);
	}
}

TEST(a_large_record_arrives_at_a_reader_of_small_pieces)
{
	static const size_t pieces[] = {1000, 16383, 16384, 16385, 30000, 65536};

	for (size_t i = 0; i < 2 * N_OF(pieces); i++) {
		pair_close();
		pair_open();
		secure("secure");
		client.piece = pieces[i / 2];
		client.rests = i % 2;
		send_at_once(&server, 4, 16384);
		run_until(client_has_all);
	}
}

static int unread(const End *e)
{
	int n;

	assert_int_equal(ioctl(e->stream.fd, FIONREAD, &n), 0);
	return n;
}

TEST(key_updates_without_end_take_turns_with_others)
{
	secure("tlsv1.3");
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(
			SSL_key_update(client.stream.tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(client.stream.tls->ssl), 1);
	}
	client.to_send += 10;
	end_write(&client);
	assert_true(unread(&server) > 80000);
	assert_int_equal(stream_recv(&server.stream, scrap, sizeof(scrap)), STREAM_AGAIN);
	assert_true(unread(&server) > 0);
	run_until(all_is_there);
}

static bool server_has_failed(void)
{
	assert_true(buf_size(&server.stream.out) < 100000);
	return server.failed;
}

TEST(who_asks_for_answers_without_end_and_reads_none_is_left)
{
	Fault why;

	secure("tlsv1.3");
	pair_narrow();
	stream_read_off(&client.stream);
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(SSL_key_update(client.stream.tls->ssl, SSL_KEY_UPDATE_REQUESTED),
				 1);
		assert_int_equal(SSL_do_handshake(client.stream.tls->ssl), 1);
	}
	client.to_send += 10;
	end_write(&client);
	run_until(server_has_failed);
	tls_why(server.stream.tls, &why);
	assert_non_null(strstr(why.detail, "does not read"));
}

static int client_events;

static void on_client_event(End *e, StreamEvent what)
{
	assert_int_equal(what, STREAM_READABLE);
	client_events++;
	end_read(e);
	stream_read_off(&e->stream);
}

static void turn_a_few_times(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

TEST(who_does_not_read_hears_nothing)
{
	secure("secure");
	client.on_event = on_client_event;
	client.piece = 10;
	client_events = 0;
	send_at_once(&server, 300, 10);
	turn_a_few_times();
	assert_int_equal(client_events, 1);
	stream_read_on(&client.stream);
	stream_read_off(&client.stream);
	turn_a_few_times();
	assert_int_equal(client_events, 1);
	stream_read_on(&client.stream);
	stream_read_on(&client.stream);
	turn_a_few_times();
	assert_int_equal(client_events, 2);
	assert_int_equal(client.got, 20);
}

TEST(an_end_behind_the_last_bytes_is_heard)
{
	static const size_t pieces[] = {1, 10, 15, 3000, 65536};

	for (size_t i = 0; i < 4 * N_OF(pieces); i++) {
		pair_close();
		pair_open();
		secure(versions[i % 2]);
		client.piece = pieces[i / 4];
		client.rests = i / 2 % 2;
		send_at_once(&server, 30, 10);
		end_close(&server);
		run_until(client_has_ended);
		assert_int_equal(client.got, 300);
	}
}

/* Bytes that came before it was known that TLS begins. */

static size_t early_size;

static void on_early(End *e, StreamEvent what)
{
	TlsSetup setup = setup_with("ec.crt", "ec.key", "");
	TlsContext *ctx = server_context(&setup);
	ssize_t n = stream_recv(&e->stream, scrap, early_size);

	assert_int_equal(what, STREAM_READABLE);
	assert_true(n > 0);
	e->on_event = NULL;
	stream_secure(&e->stream, tls_from_client(ctx, true), (Span){scrap, (size_t)n});
	tls_context_release(ctx);
}

TEST(bytes_that_came_early_belong_to_the_handshake)
{
	static const size_t early[] = {1, 2, 5, 6, 100, 65536};

	for (size_t i = 0; i < N_OF(early); i++) {
		TlsSetup setup = setup_with("", "", "");
		TlsContext *ctx = client_context(&setup);

		pair_close();
		pair_open();
		early_size = early[i];
		server.on_event = on_early;
		stream_read_on(&server.stream);
		stream_secure(&client.stream, tls_to_server(ctx, ""), (Span){0});
		tls_context_release(ctx);
		client.to_send = server.to_send = 100;
		run_until(all_is_there);
	}
}

/* Ends. */

static bool server_has_all(void)
{
	return server.got == client.sent;
}

TEST(a_half_close_leaves_the_other_half)
{
	for (size_t i = 0; i < N_OF(versions); i++) {
		pair_close();
		pair_open();
		secure(versions[i]);
		send_at_once(&server, 10, 100);
		stream_end(&server.stream);
		run_until(client_has_ended);
		assert_int_equal(client.got, 1000);
		client.to_send = 100000;
		end_write(&client);
		run_until(server_has_all);
		assert_int_equal(server.got, 100000);
	}
}

TEST(an_end_without_a_word_is_an_end)
{
	secure("secure");
	shutdown(server.stream.fd, SHUT_WR);
	run_until(client_has_ended);
	assert_false(client.failed);
}

static bool server_is_through(void)
{
	return server.ended || server.failed || server.broken;
}

TEST(bytes_that_are_not_tls_break_it)
{
	char got[100];
	Fault why;

	secure("secure");
	assert_int_equal(write(client.stream.fd, "this is no record of TLS", 24), 24);
	run_until(server_is_through);
	assert_true(server.failed);
	tls_why(server.stream.tls, &why);
	assert_int_equal(why.code, FAULT_TLS);
	assert_contains(why.detail, "the TLS connection failed: ");
	assert_false(stream_send(&server.stream, BYTES("too late")));
	assert_int_equal(stream_recv(&server.stream, got, sizeof(got)), STREAM_AGAIN);
	run_until(client_is_through);
	assert_true(client.failed);
	end_close(&client);
	assert_int_equal(stream_recv(&server.stream, got, sizeof(got)), 0);
}

/* A client that leaves while a lot is on its way to it. */
TEST(what_was_kept_for_who_left_is_broken)
{
	secure("secure");
	server.to_send = PATTERN_SIZE;
	stream_read_off(&client.stream);
	end_write(&server);
	assert_true(stream_is_blocked(&server.stream));
	end_close(&client);
	run_until(server_is_through);
	assert_false(server.failed);
}

/* Closing at any time, by either side: the other hears of it, and nothing is left. */

static void close_after(int turns, const char *version, End *leaves, bool (*other_is_through)(void))
{
	const End *other = leaves == &client ? &server : &client;
	Fault why;

	pair_close();
	pair_open();
	begin(version);
	pair_narrow();
	client.to_send = server.to_send = 100000;
	for (int i = 0; i < turns; i++)
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	end_close(leaves);
	run_until(other_is_through);
	tls_why(other->stream.tls, &why);
	if (!other->secured)
		assert_string_equal(why.detail,
				    "the TLS handshake failed: the connection was closed");
	else if (other->broken || other->failed)
		assert_true(why.code == FAULT_TLS && *why.detail);
}

TEST(either_side_may_close_at_any_time)
{
	for (int turns = 0; turns < 40; turns++) {
		close_after(turns, versions[turns % 2], &client, server_is_through);
		close_after(turns, versions[turns % 2], &server, client_is_through);
	}
}

TEST(a_handshake_that_cannot_be_answered_says_so)
{
	Fault why;

	shutdown(server.stream.fd, SHUT_WR);
	begin("secure");
	run_until(server_is_through);
	assert_true(server.broken);
	tls_why(server.stream.tls, &why);
	assert_int_equal(why.code, FAULT_TLS);
	assert_string_equal(why.detail, "the TLS handshake failed: the connection was closed");
}

static StreamEvent leaves_at;

static void on_event_close(End *e, StreamEvent what)
{
	if (what == leaves_at)
		end_close(e);
	else if (what == STREAM_READABLE)
		end_read(e);
	else if (what != STREAM_BROKEN)
		end_write(e);
}

/* What an event is told of may close the stream that tells. */
TEST(whoever_hears_of_an_event_may_close)
{
	static const StreamEvent events[] = {STREAM_SECURED, STREAM_READABLE, STREAM_DRAINED};

	for (size_t i = 0; i < 2 * N_OF(events); i++) {
		pair_close();
		pair_open();
		begin(versions[i % 2]);
		pair_narrow();
		leaves_at = events[i / 2];
		server.on_event = on_event_close;
		server.to_send = client.to_send = PATTERN_SIZE;
		run_until(client_is_through);
		assert_false(stream_is_open(&server.stream));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(the_handshake_ends_when_the_client_speaks_first),
		PAIR_TEST(bytes_arrive_in_both_directions),
		PAIR_TEST(bytes_arrive_through_a_narrow_socket),
		PAIR_TEST(who_does_not_read_stops_who_sends),
		PAIR_TEST(many_records_arrive_at_a_reader_of_small_pieces),
		PAIR_TEST(a_large_record_arrives_at_a_reader_of_small_pieces),
		PAIR_TEST(key_updates_without_end_take_turns_with_others),
		PAIR_TEST(who_asks_for_answers_without_end_and_reads_none_is_left),
		PAIR_TEST(who_does_not_read_hears_nothing),
		PAIR_TEST(an_end_behind_the_last_bytes_is_heard),
		PAIR_TEST(bytes_that_came_early_belong_to_the_handshake),
		PAIR_TEST(a_half_close_leaves_the_other_half),
		PAIR_TEST(an_end_without_a_word_is_an_end),
		PAIR_TEST(bytes_that_are_not_tls_break_it),
		PAIR_TEST(what_was_kept_for_who_left_is_broken),
		PAIR_TEST(either_side_may_close_at_any_time),
		PAIR_TEST(a_handshake_that_cannot_be_answered_says_so),
		PAIR_TEST(whoever_hears_of_an_event_may_close),
	};

	return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
