"""Protocol 3.2: long cancel keys for clients that ask, and of computes that have them."""

import socket
import struct
import threading

import pytest

from harness import procs
from harness.fakecompute import FakeCompute
from harness.wire import (SSL_REQUEST, VERSION_3_0, VERSION_3_2, ServerError, cancel,
                          cancel_packet, message, query_message, startup_packet)

VERSION_3_9 = 3 << 16 | 9
LONG_KEY = bytes(range(100, 132))


@pytest.fixture
def four(start_proxy, pg):
    return start_proxy({"*": pg.entry}, workers=4)


def negotiated(w):
    """The minor version and the options that the proxy would not have."""
    if w.negotiated is None:
        return None
    newest, count = struct.unpack_from("!ii", w.negotiated)
    names = w.negotiated[8:].split(b"\0")[:-1]
    assert newest >> 16 == 3 and count == len(names)
    return newest & 0xffff, sorted(names)


@pytest.mark.parametrize("version, size", [(VERSION_3_0, 4), (VERSION_3_2, 32), (VERSION_3_9, 32)],
                         ids=["3.0", "3.2", "3.9"])
def test_each_version_gets_its_key_and_nobody_hears_of_what_the_compute_speaks(four, version, size):
    """The compute is a PostgreSQL 15, which knows of 3.0 only."""
    with four.wire() as w:
        w.login(version=version)
        assert len(w.key) == size
        assert negotiated(w) == ((2, []) if version == VERSION_3_9 else None)
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("version, newest", [(VERSION_3_0, 0), (VERSION_3_2, 2), (VERSION_3_9, 2)],
                         ids=["3.0", "3.2", "3.9"])
def test_options_of_the_protocol_are_negotiated_away(four, version, newest):
    with four.wire() as w:
        w.login(version=version, **{"_pq_.compression": "zstd", "_pq_.other": "1"})
        assert negotiated(w) == (newest, [b"_pq_.compression", b"_pq_.other"])
        assert w.value("select 1") == "1"


def test_3_1_is_answered_with_a_version_that_it_can_be(four):
    """3.1 is reserved: nobody speaks it, and 3.0 is all that is below."""
    with four.wire() as w:
        w.login(version=3 << 16 | 1)
        assert len(w.key) == 4
        assert w.value("select 1") == "1"


def test_a_long_key_cancels_on_whichever_worker_it_reaches(four, pg):
    for _ in range(8):
        with four.wire() as w:
            w.login(version=VERSION_3_2, application_name="long")
            w.send(query_message("select pg_sleep(60)"))
            pg.wait_for_sessions(1, "application_name = 'long' and wait_event = 'PgSleep'")
            assert cancel(four.address, w.pid, w.key) == b""
            with pytest.raises(ServerError) as cancelled:
                w.read_until()
            assert cancelled.value.sqlstate == "57014"
            assert w.value("select 'next'") == "next"


def test_a_long_key_has_to_be_right_to_its_last_bit_and_byte(four, pg):
    with four.wire() as w:
        w.login(version=VERSION_3_2, application_name="guarded")
        w.send(query_message("select pg_sleep(60)"))
        pg.wait_for_sessions(1, "application_name = 'guarded' and wait_event = 'PgSleep'")
        wrong = [w.key[:at] + bytes([w.key[at] ^ 1]) + w.key[at + 1:] for at in range(32)]
        wrong += [w.key[:4], w.key[:8], w.key[:31], w.key + b"\0", w.key + w.key, bytes(32)]
        for key in wrong:
            cancel(four.address, w.pid, key)
        cancel(four.address, w.pid ^ 1, w.key)
        assert pg.sessions("application_name = 'guarded' and state = 'active'") == 1
        cancel(four.address, w.pid, w.key)
        with pytest.raises(ServerError):
            w.read_until()


def test_long_keys_are_not_guessable_from_one_another(four):
    keys = []
    for _ in range(40):
        with four.wire() as w:
            keys.append(w.login(version=VERSION_3_2).key)
    # The first two bytes name the peer (PgBouncer's way), which is none here.
    assert all(k[:2] == b"\0\0" for k in keys)
    ones = sum(bin(int.from_bytes(k[2:], "big")).count("1") for k in keys) / (240 * len(keys))
    assert 0.45 < ones < 0.55
    for at in range(2, 32):
        assert len({k[at] for k in keys}) > 20, f"byte {at} hardly changes"


class Modern:
    """A compute that gives keys of 3.2, and says what it was asked for."""

    def __init__(self, key=LONG_KEY, negotiate=b""):
        self.key, self.negotiate = key, negotiate
        self.versions, self.cancels = [], []
        self.cancelled = threading.Event()

    def serve(self, sock, number):
        size, code = struct.unpack("!ii", sock.recv(8, socket.MSG_WAITALL))
        if struct.pack("!ii", size, code) == SSL_REQUEST:
            sock.sendall(b"N")
            size, code = struct.unpack("!ii", sock.recv(8, socket.MSG_WAITALL))
        rest = sock.recv(size - 8, socket.MSG_WAITALL)
        if code >> 16 != 3:
            self.cancels.append(struct.pack("!ii", size, code) + rest)
            self.cancelled.set()
            sock.close()
            return
        self.versions.append(code)
        sock.sendall(self.negotiate + message(b"R", bytes(4))
                     + (message(b"K", struct.pack("!i", 4711) + self.key) if self.key else b"")
                     + message(b"Z", b"I"))
        while sock.recv(1000)[:1] == b"Q":
            self.cancelled.wait(20 * procs.PATIENCE)
            sock.sendall(message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))


@pytest.fixture
def before(start_proxy):
    """A function that starts a proxy before a compute of our own making."""
    running = []

    def start(modern, **settings):
        running.append(FakeCompute(modern.serve))
        return start_proxy({"*": running[-1].entry}, workers=4, **settings)

    yield start
    for c in running:
        c.stop()


@pytest.mark.parametrize("version", [VERSION_3_0, VERSION_3_2], ids=["3.0", "3.2"])
def test_the_compute_is_asked_for_the_version_that_the_client_speaks(before, version):
    modern = Modern()
    proxy = before(modern)
    with proxy.wire() as w:
        w.login(version=version)
        assert w.key != modern.key
    assert modern.versions == [version]


def test_a_newer_client_is_brought_down_before_the_compute_is_asked(before):
    modern = Modern()
    with before(modern).wire() as w:
        w.login(version=VERSION_3_9, **{"_pq_.other": "1"})
        assert negotiated(w) == (2, [b"_pq_.other"])
    assert modern.versions == [VERSION_3_2]


def test_a_compute_that_speaks_less_is_no_matter_to_the_client(before):
    modern = Modern(b"abcd", message(b"v", struct.pack("!ii", VERSION_3_0, 0)))
    with before(modern).wire() as w:
        w.login(version=VERSION_3_2)
        assert len(w.key) == 32 and w.negotiated is None


@pytest.mark.parametrize("version", [VERSION_3_0, VERSION_3_2], ids=["3.0", "3.2"])
@pytest.mark.parametrize("key", [b"abcd", b"abcdefgh", LONG_KEY], ids=len)
def test_the_computes_own_key_is_used_for_the_cancel_whatever_the_client_has(before, version, key):
    modern = Modern(key)
    proxy = before(modern)
    with proxy.wire() as w:
        w.login(version=version)
        w.send(query_message("select 1"))
        assert cancel(proxy.address, w.pid, w.key) == b""
        w.read_until()
    assert modern.cancels == [cancel_packet(4711, key)]


@pytest.mark.parametrize("key", [None, b"", bytes(range(256))[:200]], ids=["none", "empty", "200"])
def test_a_compute_with_no_key_or_one_that_cannot_be_kept_is_served_without_cancels(before, key):
    modern = Modern(key)
    proxy = before(modern)
    with proxy.wire() as w:
        w.login(version=VERSION_3_2)
        w.send(query_message("select 1"))
        if w.key:
            assert cancel(proxy.address, w.pid, w.key) == b""
        modern.cancelled.set()
        assert w.read_until() == [(b"C", b"SELECT 1\0")]
    assert not modern.cancels


@pytest.mark.parametrize("kind", ["short", "long", "huge"])
def test_a_malformed_negotiation_of_the_compute_does_no_harm(before, kind):
    body = {"short": b"\0\3", "long": struct.pack("!ii", VERSION_3_0, 1 << 30),
            "huge": struct.pack("!ii", VERSION_3_0, 0) + bytes(60000)}[kind]
    proxy = before(Modern(LONG_KEY, message(b"v", body)), wake_timeout="500ms")
    with proxy.wire() as w:
        w.send(startup_packet(VERSION_3_2, user="app", database="app"))
        try:
            w.read_until()
        except ServerError as e:
            assert e.sqlstate in ("08P01", "57P03")
    assert len(proxy.workers()) == 4
