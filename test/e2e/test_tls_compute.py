"""TLS towards computes: where it is asked for, what is checked, and whom it is spoken to."""

import socket
import ssl
import struct
import threading
import time

import pytest

from harness import procs
from harness.certs import client_tls, expired, server_tls
from harness.fakecompute import WELCOME
from harness.fakeplane import awake
from harness.tls import SecureWire, server_context
from harness.wire import (SSL_REQUEST, VERSION_3_0, ServerError, cancel, cancel_packet, message,
                          query_message)

NAME = "a.db.example.com"
SOON = {"wake_timeout": "700ms", "server_login_retry": "100ms"}

HBA = """
hostssl all by_cert  127.0.0.1/32 cert
hostssl all only_tls 127.0.0.1/32 trust
host    all app      127.0.0.1/32 trust
"""


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server(NAME, "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def tls_pg(start_postgres, pair, ca):
    """A server with a good certificate."""
    server = start_postgres(tls=pair, client_ca=ca, hba=HBA)
    server.sql("create role by_cert login")
    server.sql("create role only_tls login")
    return server


@pytest.fixture(scope="module")
def servers(start_postgres, pg, tls_pg, ca, other_ca):
    """Servers by what is wrong with their certificates."""
    return {"no ssl": pg, "good": tls_pg,
            "other name": start_postgres(tls=ca.server("other.example.com")),
            "other authority": start_postgres(tls=other_ca.server(NAME, "localhost")),
            "expired": start_postgres(tls=ca.server(NAME, "localhost", **expired()))}


class TlsCompute:
    """What a compute that speaks TLS has seen: server names, startups, cancels."""

    def __init__(self, pair, ca=None):
        self.names, self.clear, self.cancels, self.peers, self.alpn = [], [], [], [], []
        self.cancelled = threading.Event()
        self._ctx = server_context(pair, ca, alpn="postgresql")
        self._ctx.sni_callback = lambda tls, name, ctx: self.names.append(name)

    def serve(self, sock, number):
        first = sock.recv(8, socket.MSG_WAITALL)
        if first != SSL_REQUEST:
            self.clear.append(first)
            sock.close()
            return
        sock.sendall(b"S")
        tls = self._ctx.wrap_socket(sock, server_side=True)
        self.peers.append(tls.getpeercert())
        self.alpn.append(tls.selected_alpn_protocol())
        packet = tls.recv(10000)
        code, = struct.unpack("!i", packet[4:8])
        if code != VERSION_3_0:
            self.cancels.append(packet)
            self.cancelled.set()
            tls.close()
            return
        tls.sendall(WELCOME)
        while tls.recv(1000)[:1] == b"Q":
            self.cancelled.wait(20 * procs.PATIENCE)
            tls.sendall(message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))


def entry(server, host="localhost"):
    return {"*": f"host={host} port={server.port}"}


def outcome(proxy, user="app", database="app"):
    """What a session through the proxy comes to: "TLS", "plain", or the error."""
    try:
        with proxy.login(user, database) as w:
            return {"t": "TLS", "f": "plain"}[
                w.value("select ssl from pg_stat_ssl where pid = pg_backend_pid()")]
    except ServerError as e:
        assert e.sqlstate == "57P03", e
        return e.text


EXPECTED = {
    #               no ssl      good   other name         other authority   expired
    "disable":     ("plain",   "plain", "plain",          "plain",          "plain"),
    "allow":       ("plain",   "TLS", "TLS",              "TLS",            "TLS"),
    "prefer":      ("plain",   "TLS", "TLS",              "TLS",            "TLS"),
    "require":     ("has no TLS", "TLS", "TLS",           "TLS",            "TLS"),
    "verify-ca":   ("has no TLS", "TLS", "TLS",           "verify failed",  "expired"),
    "verify-full": ("has no TLS", "TLS", "hostname mismatch", "verify failed", "expired"),
}


@pytest.mark.parametrize("mode", EXPECTED)
def test_each_server_tls_sslmode_does_what_it_says(start_proxy, servers, ca, mode):
    ports = {name.replace(" ", "_"): f"host=localhost port={server.port} dbname=app"
             for name, server in servers.items()}
    proxy = start_proxy(ports, **server_tls(mode, ca), **SOON)
    for name, expected in zip(servers, EXPECTED[mode]):
        assert expected in outcome(proxy, database=name.replace(" ", "_")), (mode, name)


def test_tls_is_preferred_if_nothing_is_said(start_proxy, tls_pg):
    assert outcome(start_proxy(entry(tls_pg))) == "TLS"


def test_a_certificate_may_be_for_an_address(start_proxy, tls_pg, start_postgres, ca):
    proxy = start_proxy(entry(tls_pg, "127.0.0.1"), **server_tls("verify-full", ca))
    assert outcome(proxy) == "TLS"
    nameless = start_postgres(tls=ca.server("127.0.0.2", "127.0.0.1.example.com"))
    proxy = start_proxy(entry(nameless, "127.0.0.1"), **server_tls("verify-full", ca), **SOON)
    assert "address mismatch" in outcome(proxy)


def test_authorities_between_server_and_root_are_followed(start_proxy, start_postgres, ca):
    server = start_postgres(tls=ca.intermediate().server("localhost"))
    assert outcome(start_proxy(entry(server), **server_tls("verify-full", ca))) == "TLS"


def test_a_certificate_that_signs_itself_is_good_if_it_is_named(start_proxy, compute, ca):
    alone = ca.alone("localhost")
    serving = TlsCompute(alone)
    there = compute(serving.serve)
    for mode in ("verify-ca", "verify-full"):
        trusting = {**server_tls(mode), "server_tls_ca_file": alone.cert}
        start_proxy(entry(there), **trusting).login().close()
        assert "self-signed" in outcome(start_proxy(entry(there), **server_tls(mode, ca), **SOON))
    assert not serving.clear


@pytest.mark.parametrize("host, expected", [("localhost", "localhost"), ("127.0.0.1", None)])
def test_the_name_of_the_host_is_sent_if_it_is_one(start_proxy, compute, pair, host, expected):
    serving = TlsCompute(pair)
    proxy = start_proxy(entry(compute(serving.serve), host), **server_tls("require"))
    proxy.login().close()
    assert serving.names == [expected]
    assert serving.alpn == ["postgresql"]


def test_the_control_planes_server_name_is_sent_and_checked(start_proxy, plane, compute, pair, ca):
    serving = TlsCompute(pair)
    there = compute(serving.serve)
    plane.behave("good", awake(there.endpoint, server_name=NAME))
    plane.behave("bad", awake(there.endpoint, server_name="b.example.com"))
    proxy = start_proxy(plane=plane, **server_tls("verify-full", ca), **SOON)
    proxy.login(database="good/app").close()
    assert serving.names == [NAME]
    with pytest.raises(ServerError) as refused:
        proxy.login(database="bad/app")
    assert refused.value.sqlstate == "57P03" and "hostname mismatch" in refused.value.text


@pytest.mark.parametrize("mode", ["allow", "prefer", "require"])
def test_a_server_name_makes_tls_a_must(start_proxy, plane, pg, tls_pg, mode):
    plane.behave("without", awake(pg.endpoint, server_name=NAME))
    plane.behave("with", awake(tls_pg.endpoint, server_name=NAME))
    proxy = start_proxy(plane=plane, **server_tls(mode), **SOON)
    assert outcome(proxy, database="with/app") == "TLS"
    assert "has no TLS" in outcome(proxy, database="without/app")


# Certificates of ours.

def test_the_compute_is_shown_our_certificate(start_proxy, tls_pg, ca):
    proxy = start_proxy(entry(tls_pg), **server_tls("verify-full", ca, ca.client("by_cert")))
    assert outcome(proxy, user="by_cert") == "TLS"
    assert outcome(proxy, user="only_tls") == "TLS"


def test_without_our_certificate_the_computes_own_words_reach_the_client(start_proxy, tls_pg, ca):
    proxy = start_proxy(entry(tls_pg), **server_tls("verify-full", ca))
    with pytest.raises(ServerError) as refused:
        proxy.login(user="by_cert")
    assert refused.value.sqlstate == "28000"
    assert "connection requires a valid client certificate" in refused.value.text


def test_without_tls_the_computes_own_words_reach_the_client(start_proxy, tls_pg):
    proxy = start_proxy(entry(tls_pg), **server_tls("disable"))
    with pytest.raises(ServerError) as refused:
        proxy.login(user="only_tls")
    assert refused.value.sqlstate == "28000" and "no encryption" in refused.value.text


def test_a_certificate_that_the_compute_refuses_is_an_error_with_its_reason(start_proxy, compute,
                                                                            pair, ca, other_ca):
    serving = TlsCompute(pair, ca)
    proxy = start_proxy(entry(compute(serving.serve)),
                        **server_tls("require", pair=other_ca.client("reveille")), **SOON)
    with pytest.raises(ServerError) as refused:
        proxy.login()
    assert refused.value.sqlstate == "57P03"


def test_hup_takes_other_authorities_for_new_connections(start_proxy, tls_pg, ca, other_ca):
    proxy = start_proxy(entry(tls_pg), **server_tls("verify-full", ca), **SOON)
    with proxy.login() as old:
        proxy.sections["reveille"]["server_tls_ca_file"] = other_ca.cert
        proxy.write_ini()
        proxy.hup()
        procs.wait_until(lambda: "verify failed" in outcome(proxy), 10, "the new authority")
        assert old.value("select 1") == "1"


# Computes that behave badly.

@pytest.mark.parametrize("answer", [b"S" + WELCOME, b"S\x16\x03\x03", b"N" + WELCOME],
                         ids=["yes-and-plain", "yes-and-record", "no-and-plain"])
@pytest.mark.parametrize("mode", ["prefer", "require"])
def test_bytes_behind_the_answer_about_tls_are_refused(start_proxy, compute, mode, answer):
    def serve(sock, number):
        sock.recv(8, socket.MSG_WAITALL)
        sock.sendall(answer)
        sock.recv(1)

    proxy = start_proxy(entry(compute(serve)), **server_tls(mode), **SOON)
    with pytest.raises(ServerError) as refused:
        proxy.login()
    assert refused.value.sqlstate == "57P03" and "before TLS" in refused.value.text


def test_an_answer_that_is_neither_yes_nor_no_is_not_taken_for_a_no(start_proxy, compute):
    heard = []

    def serve(sock, number):
        sock.recv(8, socket.MSG_WAITALL)
        sock.sendall(b"E")
        heard.append(sock.recv(1))

    proxy = start_proxy(entry(compute(serve)), **server_tls("prefer"), **SOON)
    with pytest.raises(ServerError) as refused:
        proxy.login()
    assert refused.value.sqlstate == "57P03" and "request for TLS" in refused.value.text
    assert set(heard) == {b""}, "something was said in clear"


@pytest.mark.parametrize("mode", ["prefer", "verify-full"])
def test_plain_text_after_a_yes_is_no_handshake(start_proxy, compute, ca, mode):
    def serve(sock, number):
        sock.recv(8, socket.MSG_WAITALL)
        sock.sendall(b"S")
        sock.recv(5, socket.MSG_WAITALL)
        sock.sendall(WELCOME)

    proxy = start_proxy(entry(compute(serve)), **server_tls(mode, ca), **SOON)
    with pytest.raises(ServerError) as refused:
        proxy.login()
    assert refused.value.sqlstate == "57P03" and "TLS" in refused.value.text


@pytest.mark.parametrize("silence", ["before-answer", "in-handshake"])
def test_a_compute_that_falls_silent_is_bounded_by_server_connect_timeout(start_proxy, compute,
                                                                          silence):
    over = threading.Event()

    def serve(sock, number):
        if silence == "in-handshake":
            sock.recv(8, socket.MSG_WAITALL)
            sock.sendall(b"S")
        over.wait(60 * procs.PATIENCE)

    there = compute(serve)
    proxy = start_proxy(entry(there), **server_tls("prefer"), server_connect_timeout="300ms",
                        wake_timeout="1", server_login_retry="50ms")
    started = time.monotonic()
    with pytest.raises(ServerError) as refused:
        proxy.login()
    over.set()
    assert refused.value.sqlstate == "57P03" and "in time" in refused.value.text
    assert time.monotonic() - started < 5 * procs.PATIENCE
    assert there.opened > 1, "it was not tried again"


def test_a_host_that_is_silent_is_passed_over_for_the_next(start_proxy, compute, tls_pg):
    over = threading.Event()
    with socket.socket() as probe:
        probe.bind(("127.0.0.9", tls_pg.port))
        probe.listen()
        proxy = start_proxy({"*": f"host=127.0.0.9,127.0.0.1 port={tls_pg.port}"},
                            server_connect_timeout="200ms")
        assert outcome(proxy) == "TLS"
    over.set()


def test_a_compute_that_hangs_up_in_the_handshake_is_tried_again(start_proxy, compute, pair):
    serving = TlsCompute(pair)

    def serve(sock, number):
        if number == 0:
            sock.recv(8, socket.MSG_WAITALL)
            sock.sendall(b"S")
            sock.recv(100)
            sock.close()
        else:
            serving.serve(sock, number)

    proxy = start_proxy(entry(compute(serve)), server_login_retry="50ms")
    proxy.login().close()


# Cancels.

def test_a_cancel_goes_over_tls_if_its_session_does(start_proxy, plane, compute, pair, ca):
    serving = TlsCompute(pair)
    there = compute(serving.serve)
    plane.behave("db", awake(there.endpoint, server_name=NAME))
    proxy = start_proxy(plane=plane, workers=4, **server_tls("verify-full", ca))
    with proxy.login(database="db/app") as w:
        w.send(query_message("select 1"))
        assert cancel(proxy.address, w.pid, w.secret) == b""
        w.read_until()
    assert serving.cancels == [cancel_packet(4711, 42)]
    assert serving.names == [NAME, NAME] and not serving.clear


def test_a_cancel_reaches_a_real_compute_over_tls(start_proxy, tls_pg, ca):
    proxy = start_proxy(entry(tls_pg), workers=4, **server_tls("verify-full", ca))
    for _ in range(4):
        with proxy.login(user="only_tls", application_name="cancelled") as w:
            w.send(query_message("select pg_sleep(60)"))
            tls_pg.wait_for_sessions(1, "application_name = 'cancelled' and "
                                        "wait_event = 'PgSleep'")
            cancel(proxy.address, w.pid, w.secret)
            with pytest.raises(ServerError) as cancelled:
                w.read_until()
            assert cancelled.value.sqlstate == "57014"


def test_a_cancel_does_not_go_in_clear_when_tls_has_gone(start_proxy, compute, pair):
    serving = TlsCompute(pair)
    asked = []

    def serve(sock, number):
        if number == 0:
            serving.serve(sock, number)
            return
        sock.recv(8, socket.MSG_WAITALL)
        sock.sendall(b"N")          # somebody in between
        asked.append(sock.recv(1000))
        serving.cancelled.set()

    proxy = start_proxy(entry(compute(serve)), **server_tls("prefer"))
    with proxy.login() as w:
        w.send(query_message("select 1"))
        assert cancel(proxy.address, w.pid, w.secret) == b""
        w.read_until()
    assert asked == [b""]


# Where there is none.

@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
def test_tls_is_never_spoken_on_a_unix_socket(start_proxy, tls_pg, ca, mode):
    proxy = start_proxy({"*": f"host={tls_pg.folder} port={tls_pg.port}"},
                        **server_tls(mode, ca))
    assert outcome(proxy, user="postgres", database="app") == "plain"


# Both legs.

def test_much_goes_through_both_legs(start_proxy, tls_pg, pair, ca):
    proxy = start_proxy(entry(tls_pg), **client_tls(pair), **server_tls("verify-full", ca))
    with SecureWire(proxy.address).login(application_name="both") as w:
        w.query("create temp table t (filling text)")
        w.send(query_message("copy t from stdin"))
        assert w.read()[0] == b"G"
        for i in range(3000):
            w.send(message(b"d", b"%d" % i + b"z" * 1000 + b"\n"))
        w.send(message(b"c"))
        w.read_until()
        w.send(query_message("copy (select t.filling from t, generate_series(1, 4)) to stdout"))
        tls_pg.wait_for_sessions(1, "application_name = 'both' and wait_event = 'ClientWrite'")
        assert len(w.read_until(keep=b"d")) == 12000
        assert w.value("select 1") == "1"


def test_a_compute_that_dies_is_told_to_a_client_over_tls(start_proxy, compute, pair):
    serving = TlsCompute(pair)
    sockets = []

    def serve(sock, number):
        sockets.append(sock.dup())
        serving.serve(sock, number)

    proxy = start_proxy(entry(compute(serve)), **client_tls(pair))
    with SecureWire(proxy.address).login() as w:
        sockets[0].shutdown(socket.SHUT_RDWR)
        kind, body = w.read()
        assert kind == b"E" and ServerError(body).sqlstate == "08006"


def test_only_the_versions_that_are_allowed_are_spoken(start_proxy, tls_pg, compute, pair):
    serving = TlsCompute(pair)
    serving._ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    old = compute(serving.serve)
    start_proxy(entry(old), **server_tls("require"), server_tls_protocols="tlsv1.2",
                server_tls_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256").login().close()
    proxy = start_proxy(entry(old), **server_tls("require"), server_tls_protocols="tlsv1.3",
                        **SOON)
    with pytest.raises(ServerError) as refused:
        proxy.login()
    assert "protocol version" in refused.value.text
