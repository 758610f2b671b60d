"""The first bytes of a connection: what is answered, what is refused, and what it may cost."""

import os
import random
import socket
import struct
import time

import pytest

from harness import procs
from harness.proxy import sanitized
from harness.wire import (GSS_REQUEST, SSL_REQUEST, VERSION_3_0, Closed, ServerError,
                          Wire, cancel_packet, message, query_message, startup_packet)

STARTUP = startup_packet(user="app", database="app")
REFUSED = {"08P01", "closed"}


def packet(code, body=b""):
    return struct.pack("!ii", len(body) + 8, code) + body


def verdict_on(proxy, *pieces):
    """What the proxy answers to these bytes, sent one after the other."""
    with proxy.wire() as w:
        try:
            for piece in pieces:
                w.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass    # closed before it had heard everything, which is an answer too
        return w.verdict()


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST], ids=["ssl", "gss"])
def test_a_request_for_encryption_is_answered_n_and_the_client_goes_on_in_plain_text(proxy,
                                                                                     request_):
    with proxy.wire() as w:
        w.send(request_)
        assert w.exactly(1) == b"N"
        assert w.login().value("select 'plain'") == "plain"


@pytest.mark.parametrize("first, second", [(SSL_REQUEST, GSS_REQUEST), (GSS_REQUEST, SSL_REQUEST)],
                         ids=["ssl-gss", "gss-ssl"])
def test_both_requests_for_encryption_may_be_made_once_each(proxy, first, second):
    with proxy.wire() as w:
        for request_ in (first, second):
            w.send(request_)
            assert w.exactly(1) == b"N"
        assert w.login().value("select 1") == "1"


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST], ids=["ssl", "gss"])
def test_a_second_request_for_the_same_encryption_is_refused(proxy, request_):
    with proxy.wire() as w:
        w.send(request_)
        assert w.exactly(1) == b"N"
        w.send(request_)
        assert w.verdict() in REFUSED


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST], ids=["ssl", "gss"])
def test_bytes_behind_a_request_for_encryption_end_the_connection(proxy, request_):
    with proxy.wire() as w:
        w.send(request_ + STARTUP + query_message("select 1"))
        answer = w.until_closed()
    assert b"R\0\0\0\x08\0\0\0\0" not in answer, "the smuggled startup packet was served"
    assert answer[:1] in (b"", b"N", b"E")


def test_protocol_options_are_named_as_not_understood_and_the_session_works(proxy):
    with proxy.wire() as w:
        w.login(**{"_pq_.compression": "zstd", "_pq_.other": "1"})
        newest, unknown = struct.unpack_from("!ii", w.negotiated)
        names = w.negotiated[8:].split(b"\0")[:-1]
        assert (newest & 0xffff, unknown) == (0, 2)
        assert sorted(names) == [b"_pq_.compression", b"_pq_.other"]
        assert w.value("select 1") == "1"


def test_what_the_server_would_not_negotiate_is_not_negotiated(proxy):
    with proxy.login() as w:
        assert w.negotiated is None


@pytest.mark.parametrize("version", [1 << 16, 2 << 16, 4 << 16, 9 << 16 | 7, 0x7fff << 16])
def test_another_major_version_is_refused_by_its_sqlstate(proxy, version):
    assert verdict_on(proxy, startup_packet(version, user="app", database="app")) == "0A000"


@pytest.mark.parametrize("params", [{}, {"database": "app"}, {"user": "", "database": "app"}],
                         ids=["nothing", "only-database", "empty-user"])
def test_a_client_without_a_user_is_refused_by_its_sqlstate(proxy, params):
    assert verdict_on(proxy, startup_packet(**params)) == "28000"


@pytest.mark.parametrize("length", [*range(0, 9), 10001, 10002, 65536, 1 << 24, 0x7fffffff,
                                    0x80000000, 0xffffffff])
def test_a_startup_packet_of_impossible_length_is_refused(proxy, length):
    assert verdict_on(proxy, struct.pack("!Ii", length, VERSION_3_0)) in REFUSED | {"28000"}


def test_a_startup_packet_of_10000_bytes_is_served_and_one_more_is_not(proxy):
    def filled(size):
        bare = len(startup_packet(user="app", database="app", application_name=""))
        return startup_packet(user="app", database="app", application_name="x" * (size - bare))

    assert len(filled(10000)) == 10000
    with proxy.wire() as w:
        w.send(filled(10000))
        w.read_until()
        assert w.value("select 1") == "1"
    assert verdict_on(proxy, filled(10001)) in REFUSED


@pytest.mark.parametrize("body", [
    b"user\0app\0database\0app\0",           # the last terminator is missing
    b"user\0app\0database\0app",             # that of the value is missing
    b"user\0app\0database",                  # a name without a value
    b"user\0app\0database\0app\0\0more",     # something behind the end
    b"user",
], ids=["no-end", "open-value", "open-name", "more-behind-end", "one-word"])
def test_a_startup_packet_with_wrong_terminators_is_a_protocol_error(proxy, body):
    assert verdict_on(proxy, packet(VERSION_3_0, body)) in REFUSED


@pytest.mark.parametrize("code", [1234 << 16 | 5681, 1234 << 16 | 5677, 1234 << 16, 0, -1])
def test_an_unknown_request_code_is_refused(proxy, code):
    assert verdict_on(proxy, packet(code, b"")) in REFUSED | {"0A000"}


@pytest.mark.parametrize("size", [9, 10, 12, 15, 17, 20, 264, 10000])
def test_a_cancel_request_of_wrong_length_gets_silence(proxy, size):
    body = cancel_packet(1, 1)[8:]
    body = (body + bytes(size))[:size - 8]
    assert verdict_on(proxy, packet(80877102, body)) in REFUSED


def test_a_truncated_startup_packet_is_forgotten_when_the_client_closes(proxy):
    for end in range(len(STARTUP)):
        with proxy.wire() as w:
            w.send(STARTUP[:end])
            w.half_close()
            assert w.verdict() in REFUSED, f"cut at byte {end}"
    with proxy.login() as w:
        assert w.value("select 1") == "1"


def test_a_startup_packet_may_be_cut_at_every_byte(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    with proxy.login() as other:
        cut = []
        for end in range(1, len(STARTUP)):
            w = proxy.wire()
            w.send(STARTUP[:end])
            cut.append((w, end))
        # The only worker answers this after it has seen the first halves.
        assert other.value("select 1") == "1"
        for w, end in cut:
            w.send(STARTUP[end:])
            w.read_until()
            assert w.value(f"select {end}") == str(end)
            w.close()


def test_requests_and_startup_may_come_in_single_bytes(proxy):
    with proxy.wire() as w:
        for byte in SSL_REQUEST:
            w.send(bytes([byte]))
        assert w.exactly(1) == b"N"
        for byte in STARTUP:
            w.send(bytes([byte]))
        w.read_until()
        assert w.value("select 1") == "1"


def drip(w, data, pause):
    """Sends a byte now and then until all is sent or the other side has had enough."""
    started = time.monotonic()
    w.sock.settimeout(pause)
    for byte in data:
        try:
            w.send(bytes([byte]))
            if w.sock.recv(4096) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - started


@pytest.mark.parametrize("beginning", [b"", SSL_REQUEST], ids=["at-once", "behind-ssl-request"])
def test_one_absolute_deadline_cuts_a_client_that_drips(start_proxy, pg, beginning):
    proxy = start_proxy({"*": pg.entry}, client_login_timeout="1")
    with proxy.wire() as w:
        if beginning:
            w.send(beginning)
            assert w.exactly(1) == b"N"
        took = drip(w, packet(VERSION_3_0, b"user\0" + b"a" * 9000), 0.1)
    assert 0.8 <= took < 5 * procs.PATIENCE


@pytest.mark.parametrize("sent", [b"", b"\0", SSL_REQUEST, STARTUP[:20]],
                         ids=["nothing", "one-byte", "ssl-request", "half-a-startup"])
def test_the_deadline_cuts_a_client_that_falls_silent(start_proxy, pg, sent):
    proxy = start_proxy({"*": pg.entry}, client_login_timeout="500ms")
    with proxy.wire() as w:
        w.send(sent)
        started = time.monotonic()
        answer = w.until_closed()
        assert 0.3 <= time.monotonic() - started < 5 * procs.PATIENCE
    assert b"08P01" in answer or answer in (b"", b"N")


def test_the_deadline_cuts_a_client_that_does_not_give_its_password(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, client_login_timeout="500ms")
    with proxy.wire() as w:
        w.send(startup_packet(user="user_md5", database="app"))
        kind, _ = w.read()
        assert kind == b"R"
        started = time.monotonic()
        w.until_closed()
        assert time.monotonic() - started < 5 * procs.PATIENCE


def test_a_session_outlives_the_login_deadline(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, client_login_timeout="300ms")
    with proxy.login() as w:
        assert w.value("select 'awake' from pg_sleep(1)") == "awake"


@pytest.mark.parametrize("size", [0, 3, 0x7fffffff, 0xffffffff], ids=hex)
def test_a_message_of_impossible_length_ends_a_session_without_harm(proxy, size):
    with proxy.login() as w, proxy.login() as other:
        w.send(b"Q" + struct.pack("!I", size) + b"select 1\0")
        if size == 0x7fffffff:      # a promise of 2 GB: the server says what it thinks of it
            w.half_close()
        w.until_closed()
        assert other.value("select 1") == "1"


def hostile_bytes(dice):
    """One of the many ways to be unpleasant."""
    kinds = [
        lambda: os.urandom(dice.randrange(1, 200)),
        lambda: struct.pack("!I", dice.randrange(1 << 32)) + os.urandom(dice.randrange(60)),
        lambda: STARTUP[:dice.randrange(len(STARTUP))],
        lambda: SSL_REQUEST * dice.randrange(1, 5),
        lambda: packet(VERSION_3_0, os.urandom(dice.randrange(300))),
        lambda: packet(80877102, os.urandom(dice.randrange(20))),
        lambda: packet(VERSION_3_0, b"user\0app\0database\0" + os.urandom(50).replace(b"\0", b"x")
                       + b"\0\0"),
        lambda: STARTUP + os.urandom(dice.randrange(100)),
        lambda: STARTUP + message(b"p", os.urandom(dice.randrange(100))),
        lambda: b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        lambda: b"\x16\x03\x01\x02\x00\x01" + os.urandom(200),
    ]
    return dice.choice(kinds)()


def be_hostile(proxy, dice, times):
    for _ in range(times):
        w = proxy.wire()
        try:
            w.send(hostile_bytes(dice))
            if dice.random() < 0.5:
                w.half_close()
                w.sock.settimeout(0.05)
                w.until_closed()
        except (OSError, TimeoutError):
            pass
        if dice.random() < 0.3:
            w.reset()
        else:
            w.sock.close()


@pytest.mark.slow
def test_after_2000_hostile_connections_workers_are_as_before(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, log_connections="no", log_disconnections="no")
    dice = random.Random(4)
    be_hostile(proxy, dice, 400)
    workers = proxy.workers()
    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 20,
                     "the hostile clients to be gone")
    files = [procs.descriptors(p) for p in workers]
    memory = [procs.rss_kib(p) for p in workers]

    be_hostile(proxy, dice, 2000)

    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 20,
                     "the hostile clients to be gone")
    assert proxy.workers() == workers, "a worker was replaced"
    procs.wait_until(lambda: all(procs.descriptors(p) <= n for p, n in zip(workers, files)), 10,
                     f"descriptors to be as before, {files}")
    if not sanitized():
        grown = [procs.rss_kib(p) - m for p, m in zip(workers, memory)]
        assert max(grown) < 1024, f"KiB grown: {grown}"
    with proxy.login() as w:
        assert w.value("select 1") == "1"





def test_more_clients_than_max_client_conn_are_refused_by_their_sqlstate(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, max_client_conn="5")
    guests = [proxy.login() for _ in range(5)]
    with pytest.raises(ServerError) as refused:
        proxy.login()
    assert (refused.value.sqlstate, refused.value.severity) == ("53300", "FATAL")
    guests.pop().close()

    def place():
        try:
            guests.append(proxy.login())
            return True
        except (ServerError, Closed):
            return False

    procs.wait_until(place, 5, "the place of the one that left")
    for w in guests:
        w.close()


def test_the_unix_socket_serves_as_the_port_does(proxy):
    with Wire(proxy.unix_address).login() as w:
        assert w.value("select 1") == "1"


def test_several_addresses_v4_and_v6_are_listened_on(start_proxy, pg):
    addresses = ["127.0.0.1", "127.0.0.7"]
    with socket.socket(socket.AF_INET6) as s:
        try:
            s.bind(("::1", 0))
            addresses.append("::1")
        except OSError:
            pass        # a machine without IPv6
    proxy = start_proxy({"*": pg.entry}, listen_addr=",".join(addresses))
    for address in addresses:
        with socket.create_connection((address, proxy.port), timeout=10) as s:
            s.sendall(SSL_REQUEST)
            assert s.recv(1) == b"N"
