/*
 * Two ends of one connection in one loop, a client and a server with TLS between
 * them.  What each sends is one long pattern, with which the other compares.
 */
#ifndef UNIT_TLS_PAIR_H
#define UNIT_TLS_PAIR_H

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificate.h"
#include "src/sys/tls_context.h"
#include "sys/stream.h"

#define PATTERN_SIZE (1 << 20)

typedef struct End {
	Stream stream;
	bool secured, ended, failed, broken; /* the handshake, the other's end, reading, sending */
	int drained;
	size_t sent, to_send, chunk; /* of the pattern; chunk: bytes that are sent at once */
	size_t got, piece;           /* piece: bytes that are received at once */
	bool rests;                  /* turns reading off behind each piece */
	Timer rest;
	void (*on_event)(struct End *e, StreamEvent what);
} End;

static Loop *loop;
static End client, server;
static uint8_t pattern[PATTERN_SIZE], scrap[65536];
static bool (*is_done)(void);
static Timer watchdog;

static inline void end_write(End *e)
{
	while (e->secured && e->sent < e->to_send && !stream_is_blocked(&e->stream)) {
		size_t n = e->to_send - e->sent < e->chunk ? e->to_send - e->sent : e->chunk;

		if (!stream_send(&e->stream, (Span){pattern + e->sent, n})) {
			e->broken = true;
			return;
		}
		e->sent += n;
	}
}

static inline void end_read(End *e)
{
	ssize_t n = stream_recv(&e->stream, scrap, e->piece);

	if (n == STREAM_AGAIN)
		return;
	e->ended = n == 0;
	e->failed = n == STREAM_ERROR;
	if (n > 0) {
		assert_true(e->got + (size_t)n <= PATTERN_SIZE);
		assert_memory_equal(scrap, pattern + e->got, (size_t)n);
		e->got += (size_t)n;
	}
	if (n <= 0 || e->rests)
		stream_read_off(&e->stream);
	if (n > 0 && e->rests)
		timer_arm(&e->rest, 0);
}

static inline void on_rested(void *arg)
{
	stream_read_on(&((End *)arg)->stream);
}

static inline void on_end_event(void *arg, StreamEvent what)
{
	End *e = arg;

	e->secured |= what == STREAM_SECURED;
	e->broken |= what == STREAM_BROKEN;
	e->drained += what == STREAM_DRAINED;
	if (e->on_event)
		e->on_event(e, what);
	else if (what == STREAM_READABLE)
		end_read(e);
	else if (what != STREAM_BROKEN)
		end_write(e);
	if (is_done && is_done())
		loop_stop(loop);
}

static inline void on_bark(void *arg)
{
	(void)arg;
	fail_msg("it takes too long: the client has sent %zu and got %zu, the server %zu and %zu",
		 client.sent, client.got, server.sent, server.got);
}

static inline void run_until(bool (*done)(void))
{
	is_done = done;
	timer_arm(&watchdog, 20000);
	if (!done())
		loop_run(loop);
	timer_stop(&watchdog);
	is_done = NULL;
}

static inline void end_open(End *e, int fd)
{
	*e = (End){.chunk = sizeof(scrap), .piece = sizeof(scrap)};
	stream_open(&e->stream, loop, fd, on_end_event, e);
	timer_init(&e->rest, loop, on_rested, e);
}

static inline void end_close(End *e)
{
	timer_stop(&e->rest);
	stream_close(&e->stream);
}

/* Two ends without TLS yet. */
static inline void pair_open(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	end_open(&client, fds[0]);
	end_open(&server, fds[1]);
}

static inline void pair_close(void)
{
	end_close(&client);
	end_close(&server);
}

/* So that little is under way at once. */
static inline void pair_narrow(void)
{
	int size = 4096;

	setsockopt(client.stream.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(server.stream.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Settings as they are by default, with the certificate that the files of that name hold. */
static inline TlsSetup setup_with(const char *cert, const char *key, const char *authority)
{
	return (TlsSetup){.names = "server_tls",
			  .key_file = *key ? certificate_path(key) : "",
			  .cert_file = *cert ? certificate_path(cert) : "",
			  .ca_file = *authority ? certificate_path(authority) : "",
			  .protocols = "secure",
			  .ciphers = "",
			  .ciphers13 = "",
			  .curve = "",
			  .alpn = "postgresql"};
}

static inline TlsContext *server_context(const TlsSetup *setup)
{
	Fault why = {0};
	TlsContext *ctx = tls_server_context(setup, &why);

	if (!ctx)
		fail_msg("%s", why.detail);
	return ctx;
}

static inline TlsContext *client_context(const TlsSetup *setup)
{
	Fault why = {0};
	TlsContext *ctx = tls_client_context(setup, &why);

	if (!ctx)
		fail_msg("%s", why.detail);
	return ctx;
}

/* Begins TLS on both ends, which hold the contexts from now on. */
static inline void pair_secure(TlsContext *servers, TlsContext *clients, const char *name)
{
	stream_secure(&server.stream, tls_from_client(servers, false), (Span){0});
	stream_secure(&client.stream, tls_to_server(clients, name), (Span){0});
	tls_context_release(servers);
	tls_context_release(clients);
}

static inline bool both_are_secured(void)
{
	return client.secured && server.secured;
}

static inline bool all_is_there(void)
{
	return client.got == server.to_send && server.got == client.to_send &&
	       client.sent == client.to_send && server.sent == server.to_send;
}

/* Authorities "ca" and "other"; of the first, servers "ec" and "rsa" and the client "bob". */
static inline int make_certificates(void **state)
{
	Certificate ca, other, ec, rsa, bob, eve;

	(void)state;
	if (!mkdtemp(certificate_folder))
		return -1;
	ca = certificate_make("Authority", false, EVP_sha256(), NULL);
	other = certificate_make("Other authority", false, EVP_sha256(), NULL);
	ec = certificate_make("frog.db.example.com", false, EVP_sha256(), &ca);
	rsa = certificate_make("frog.db.example.com", true, EVP_sha384(), &ca);
	bob = certificate_make("bob", false, EVP_sha256(), &ca);
	eve = certificate_make("bob", false, EVP_sha256(), &other);
	certificate_write(&ca, "ca.crt", "ca.key");
	certificate_write(&other, "other.crt", "other.key");
	certificate_write(&ec, "ec.crt", "ec.key");
	certificate_write(&rsa, "rsa.crt", "rsa.key");
	certificate_write(&bob, "bob.crt", "bob.key");
	certificate_write(&eve, "eve.crt", "eve.key");
	for (Certificate *each[] = {&ca, &other, &ec, &rsa, &bob, &eve}, **c = each; c < each + 6;
	     c++)
		certificate_free(*c);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)((i * 2654435761u) >> 24);
	return 0;
}

static inline int drop_certificates(void **state)
{
	DIR *folder = opendir(certificate_folder);
	struct dirent *entry;

	(void)state;
	while (folder && (entry = readdir(folder))) {
		if (*entry->d_name != '.')
			unlink(certificate_path(entry->d_name));
	}
	if (folder)
		closedir(folder);
	return rmdir(certificate_folder);
}

static inline int make_pair(void **state)
{
	(void)state;
	loop = loop_new();
	timer_init(&watchdog, loop, on_bark, NULL);
	pair_open();
	return 0;
}

static inline int drop_pair(void **state)
{
	(void)state;
	pair_close();
	loop_free(loop);
	return 0;
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, make_pair, drop_pair)

#endif
