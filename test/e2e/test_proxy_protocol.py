"""PROXY headers: heard from those who are trusted with one, and sent to computes that want one."""

import ipaddress
import re
import socket
import struct
import threading
import time

import pytest

from harness import procs
from harness.certs import client_tls, server_tls
from harness.fakecompute import WELCOME
from harness.tls import SecureWire, client_context, client_hello, server_context
from harness.wire import (SSL_REQUEST, VERSION_3_0, Closed, ServerError, Wire, cancel_packet,
                          message, query_message, startup_packet)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
STARTUP = startup_packet(user="app", database="app")
CLIENT4, CLIENT6 = "192.0.2.7", "2001:db8::7"
LOCAL, PROXY = 0x20, 0x21
REFUSED = {"08P01", "closed"}


def line(client=CLIENT4, port=40007, to="198.51.100.1"):
    """A header of version 1."""
    protocol = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {protocol} {client} {to} {port} 5432\r\n".encode()


def binary(client=CLIENT4, port=40007, to="198.51.100.1", command=PROXY, tlvs=b""):
    """A header of version 2."""
    if client is None:
        return SIGNATURE + struct.pack("!BBH", command, 0, len(tlvs)) + tlvs
    addresses = ipaddress.ip_address(client).packed + ipaddress.ip_address(to).packed
    body = addresses + struct.pack("!HH", port, 5432) + tlvs
    how = 0x11 if len(addresses) == 8 else 0x21
    return SIGNATURE + struct.pack("!BBH", command, how, len(body)) + body


HEADERS = {
    "v1-tcp4": (line(), f"{CLIENT4}:40007"),
    "v1-tcp6": (line(CLIENT6, to="2001:db8::1"), f"[{CLIENT6}]:40007"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1-unknown-more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    "v2-tcp4": (binary(), f"{CLIENT4}:40007"),
    "v2-tcp6": (binary(CLIENT6, to="2001:db8::1"), f"[{CLIENT6}]:40007"),
    "v2-mapped": (binary("::ffff:192.0.2.7", to="::ffff:198.51.100.1"), f"{CLIENT4}:40007"),
    "v2-tlvs": (binary(tlvs=b"\x02\0\x04host" + b"\x04\0\x01\0" + b"\x05\0\x80" + bytes(128)),
                f"{CLIENT4}:40007"),
    "v2-local": (binary(None, command=LOCAL), None),
    "v2-local-with-address": (binary(command=LOCAL), None),
    "v2-unspec": (binary(None), None),
    "v2-unspec-tlvs": (binary(None, tlvs=b"\x04\0\x01\0"), None),
}


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("localhost")


@pytest.fixture
def behind(start_proxy, pg):
    """A proxy that trusts 127.0.0.1 with a header."""
    return start_proxy({"*": pg.entry}, proxy_protocol_networks="127.0.0.1")


def from_address(proxy, source):
    """A connection from another address of this machine."""
    w = proxy.wire()
    w.sock.close()
    w.sock = socket.create_connection(proxy.address, timeout=20, source_address=(source, 0))
    return w


def client_of(proxy, w):
    """The client that the log names for a session; it is told apart by its application."""
    pattern = rf'session open .*application="?{w.name}"? client="?([^" ]+)'
    return proxy.wait_for_log(pattern).group(1)


def login(proxy, header, number=[0]):
    number[0] += 1
    w = proxy.wire()
    w.name = f"visit{number[0]}"
    w.send(header + startup_packet(user="app", database="app", application_name=w.name))
    w.read_until()
    return w


# From load balancers.

@pytest.mark.parametrize("kind", HEADERS)
def test_the_client_is_whom_the_header_names(behind, kind):
    header, expected = HEADERS[kind]
    with login(behind, header) as w:
        assert w.value("select 1") == "1"
        assert client_of(behind, w) == (expected or f"127.0.0.1:{w.port}")


@pytest.mark.parametrize("kind", ["v1-tcp4", "v1-unknown", "v2-tcp6", "v2-local", "v2-tlvs"])
def test_a_header_may_be_cut_at_every_byte(start_proxy, pg, kind):
    proxy = start_proxy({"*": pg.entry}, workers=1, proxy_protocol_networks="127.0.0.0/8",
                        log_connections="no", log_disconnections="no")
    data = HEADERS[kind][0] + STARTUP
    with login(proxy, line()) as other:
        cut = []
        for end in range(1, len(HEADERS[kind][0]) + 2):
            w = proxy.wire()
            w.send(data[:end])
            cut.append((w, end))
            # The only worker answers this after it has seen the first half.
            assert other.value("select 1") == "1"
            w.send(data[end:])
            w.read_until()
            assert w.value(f"select {end}") == str(end)
            w.close()


def test_header_and_packets_may_come_in_single_bytes(behind):
    for header in (line(), binary()):
        with behind.wire() as w:
            for byte in header + STARTUP:
                w.send(bytes([byte]))
            w.read_until()
            assert w.value("select 1") == "1"


def test_an_ssl_request_may_follow_in_the_same_segment(start_proxy, pg, pair):
    proxy = start_proxy({"*": pg.entry}, proxy_protocol_networks="127.0.0.1", **client_tls(pair))
    for header in (line(), binary()):
        with proxy.wire() as w:
            w.send(header + SSL_REQUEST)
            assert w.exactly(1) == b"S"
            w.sock = client_context().wrap_socket(w.sock)
            assert w.login().value("select 1") == "1"
        with proxy.wire() as w:
            w.send(header + SSL_REQUEST + client_hello())
            assert w.verdict() in REFUSED
    proxy.wait_for_log(f"session open .*client=.?{CLIENT4}:40007")


@pytest.mark.parametrize("header", [line(), binary()], ids=["v1", "v2"])
def test_direct_tls_may_follow(start_proxy, pg, pair, header):
    proxy = start_proxy({"*": pg.entry}, proxy_protocol_networks="127.0.0.1", **client_tls(pair))
    with SecureWire(proxy.address, direct=True, before=header).login() as w:
        assert w.value("select 1") == "1"
    proxy.wait_for_log(f"session open .*client=.?{CLIENT4}:40007")


def test_a_cancel_may_follow(behind, pg):
    with login(behind, line()) as w, behind.wire() as c:
        w.send(query_message("select pg_sleep(60)"))
        pg.wait_for_sessions(1, f"application_name = '{w.name}' and wait_event = 'PgSleep'")
        c.send(binary() + cancel_packet(w.pid, w.secret))
        assert c.until_closed() == b""
        with pytest.raises(Exception, match="57014"):
            w.read_until()


@pytest.mark.parametrize("second", [line("198.51.100.66"), binary("198.51.100.66")],
                         ids=["v1", "v2"])
def test_a_second_header_is_a_malformed_startup_packet(behind, second):
    for first in (line(), binary()):
        with behind.wire() as w:
            w.send(first + second + STARTUP)
            assert w.verdict() in REFUSED
    assert "198.51.100.66" not in behind.log()


WRONG = {
    "v1-protocol": b"PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n",
    "v1-address": b"PROXY TCP4 192.0.2.700 198.51.100.1 1 2\r\n",
    "v1-family": b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    "v1-port": b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
    "v1-missing": b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
    "v1-no-cr": b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
    "v1-zero": b"PROXY TCP4 192.0.2.7\0 198.51.100.1 1 2\r\n",
    "v1-too-long": b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    "v1-endless": b"PROXY " + b"x" * 9000,
    "v2-version": SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
    "v2-command": SIGNATURE + b"\x22\x11\0\x0c" + bytes(12),
    "v2-family": SIGNATURE + b"\x21\x41\0\x0c" + bytes(12),
    "v2-too-short": SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
    "v2-too-long": SIGNATURE + b"\x21\x11\xff\xff" + bytes(65535),
    "v2-open-tlv": binary(tlvs=b"\x02\xff\xffabc"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_malformed_header_is_refused(behind, kind):
    with behind.wire() as w:
        try:
            w.send(WRONG[kind] + STARTUP)
        except OSError:
            pass
        assert w.verdict() in REFUSED
    assert behind.wait_for_log(r"session refused .*client=.?127\.0\.0\.1:\d+.*PROXY header")


@pytest.mark.parametrize("header", [b"", b"P", line()[:-1], SIGNATURE, binary()[:-1], line(),
                                    binary() + STARTUP[:9]],
                         ids=["nothing", "one-byte", "v1-open", "v2-signature", "v2-open",
                              "only-v1", "half-a-startup"])
def test_what_is_never_finished_is_bounded_by_client_login_timeout(start_proxy, pg, header):
    proxy = start_proxy({"*": pg.entry}, proxy_protocol_networks="127.0.0.1",
                        client_login_timeout="300ms")
    with proxy.wire() as w:
        w.send(header)
        started = time.monotonic()
        w.until_closed()
        assert 0.2 <= time.monotonic() - started < 5 * procs.PATIENCE


def test_a_header_cut_short_by_the_balancers_leave_is_forgotten(behind):
    for header in (line(), binary()):
        for end in range(len(header)):
            with behind.wire() as w:
                w.send(header[:end])
                w.half_close()
                assert w.verdict() in REFUSED, f"cut at byte {end}"
    with login(behind, line()) as w:
        assert w.value("select 1") == "1"


# From anybody else.

@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_from_who_is_not_trusted_is_a_malformed_startup_packet(behind, kind):
    with from_address(behind, "127.0.0.2") as w:
        w.send(HEADERS[kind][0] + STARTUP)
        assert w.verdict() in REFUSED
    behind.wait_for_log(r"session refused .*client=.?127\.0\.0\.2:\d+.*length of startup packet")
    assert CLIENT4 not in behind.log() and CLIENT6 not in behind.log()


def test_who_is_not_trusted_comes_without_one(behind):
    with from_address(behind, "127.0.0.2") as w:
        assert w.login().value("select 1") == "1"
    behind.wait_for_log(r"session open .*client=.?127\.0\.0\.2:\d+")


def test_a_client_cannot_be_trusted_by_the_address_that_its_header_names(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, proxy_protocol_networks="127.0.0.1,192.0.2.0/24")
    with proxy.wire() as w:
        w.send(line(CLIENT4) + line("198.51.100.66") + STARTUP)
        assert w.verdict() in REFUSED
    assert "198.51.100.66" not in proxy.log()


def test_unless_it_is_asked_for_a_header_is_a_malformed_startup_packet(proxy):
    for header, _ in HEADERS.values():
        with proxy.wire() as w:
            w.send(header + STARTUP)
            assert w.verdict() in REFUSED


def test_on_the_unix_socket_there_are_no_headers(behind):
    with Wire(behind.unix_address).login() as w:
        assert w.value("select 1") == "1"
    with Wire(behind.unix_address) as w:
        w.send(line() + STARTUP)
        assert w.verdict() in REFUSED


def test_hup_takes_other_networks_for_new_connections(behind):
    behind.sections["reveille"]["proxy_protocol_networks"] = "127.0.0.2"
    behind.write_ini()
    behind.hup()

    def trusts(source):
        with from_address(behind, source) as w:
            w.send(line("192.0.2.99") + STARTUP)
            try:
                w.read_until()
                return True
            except (ServerError, Closed):
                return False

    procs.wait_until(lambda: not any(trusts("127.0.0.1") for _ in range(6)), 10,
                     "127.0.0.1 not to be trusted any more")
    assert trusts("127.0.0.2")
    behind.wait_for_log("session open .*client=.?192.0.2.99:40007")


# To computes.

class Listening:
    """A compute behind a PROXY header: what came on each connection, header first."""

    def __init__(self, pair=None):
        self.headers, self.rest = [], []
        self.cancelled = threading.Event()
        self._ctx = server_context(pair) if pair else None

    def _header(self, sock):
        head = sock.recv(16, socket.MSG_WAITALL)
        assert head[:12] == SIGNATURE, head
        size, = struct.unpack("!H", head[14:])
        body = sock.recv(size, socket.MSG_WAITALL) if size else b""
        if head[12] == LOCAL:
            return "local"
        assert head[12] == PROXY
        width = {0x11: 4, 0x21: 16}[head[13]]
        port, = struct.unpack_from("!H", body, 2 * width)
        return str(ipaddress.ip_address(body[:width])), port

    def serve(self, sock, number):
        self.headers.append(self._header(sock))
        if self._ctx:
            assert sock.recv(8, socket.MSG_WAITALL) == SSL_REQUEST
            sock.sendall(b"S")
            sock = self._ctx.wrap_socket(sock, server_side=True)
        first = sock.recv(10000)
        self.rest.append(first)
        if struct.unpack("!i", first[4:8])[0] != VERSION_3_0:
            self.cancelled.set()
            sock.close()
            return
        sock.sendall(WELCOME)
        while sock.recv(1000)[:1] == b"Q":
            self.cancelled.wait(20 * procs.PATIENCE)
            sock.sendall(message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))


@pytest.fixture(params=["plain", "tls"])
def listening(request, pair):
    return Listening(pair if request.param == "tls" else None)


@pytest.fixture
def telling(start_proxy, compute, listening):
    """A proxy that tells its compute who the client is, and trusts 127.0.0.1 to tell it."""
    there = compute(listening.serve)
    secure = server_tls("require") if listening._ctx else server_tls("disable")
    return start_proxy({"*": there.entry}, server_proxy_protocol="yes",
                       proxy_protocol_networks="127.0.0.1", **secure)


def test_the_compute_is_told_who_the_client_is_before_anything_else(telling, listening):
    with from_address(telling, "127.0.0.2") as w:
        port = w.port
        w.login()
    assert listening.headers == [("127.0.0.2", port)]


@pytest.mark.parametrize("kind", ["v1-tcp4", "v2-tcp6", "v2-mapped"])
def test_the_compute_is_told_whom_a_balancer_named(telling, listening, kind):
    login(telling, HEADERS[kind][0]).close()
    address, port = re.fullmatch(r"\[?([^\]]+)\]?:(\d+)", HEADERS[kind][1]).groups()
    assert listening.headers == [(address, int(port))]


def test_the_compute_is_told_of_a_client_without_an_address(telling, listening):
    with Wire(telling.unix_address) as w:
        w.login()
    assert listening.headers == ["local"]


def test_a_cancel_begins_with_a_header_too(telling, listening):
    with login(telling, line()) as w, telling.wire() as c:
        w.send(query_message("select 1"))
        c.send(binary() + cancel_packet(w.pid, w.secret))
        assert c.until_closed() == b""
        w.read_until()
    assert len(listening.headers) == 2
    assert listening.rest[1] == cancel_packet(4711, 42)


def test_computes_that_are_not_told_get_no_header(start_proxy, compute):
    heard = []

    def serve(sock, number):
        heard.append(sock.recv(8, socket.MSG_WAITALL))
        sock.close()

    proxy = start_proxy({"*": compute(serve).entry}, wake_timeout="300ms",
                        proxy_protocol_networks="127.0.0.1")
    with proxy.wire() as w:
        w.send(line() + STARTUP)
        assert w.verdict() == "57P03"
    assert set(heard) == {SSL_REQUEST}
