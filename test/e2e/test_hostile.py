"""What clients do before they have proved anything, and what stands against it.

Cases that predecessors fell over, each with a test here that shows the defence, and where its
details are tested:

    startup bomb, impossible lengths     test_startup_bomb; test_startup.py
    slowloris                            test_slowloris; test_startup.py, test_tls.py
    plain text behind a TLS request      test_plaintext_behind_a_request_for_tls; test_tls.py
    ... behind the compute's answer      test_plaintext_behind_the_computes_answer;
                                         test_tls_compute.py
    repeated requests for encryption     test_repeated_requests_for_encryption; test_startup.py
    direct TLS, ALPN wrong or missing    test_direct_tls_with_wrong_or_no_alpn; test_tls.py
    brute force of cancel keys           test_brute_force_of_cancel_keys,
                                         test_the_time_of_a_cancel_tells_nothing;
                                         test_cancel.py, test_protocol32.py
    a cancel that hits the next query    test_a_cancel_never_hits_the_next_query; test_cancel.py
    enumeration of users                 test_enumeration_of_users_by_words, ..._by_time
    enumeration of computes              test_enumeration_of_computes
    split startup                        test_split_startup; test_startup.py, test_tls.py
    exhaustion of descriptors            test_exhaustion_of_descriptors
    spoofed PROXY header                 test_spoofed_proxy_header; test_proxy_protocol.py
    wakes before authentication          test_wakes_before_authentication
    handshakes without end               test_handshakes_without_end; test_tls.py
"""

import base64
import hashlib
import hmac
import os
import random
import socket
import ssl
import statistics
import struct
import time

import psycopg
import pytest

from harness import procs
from harness.certs import client_tls, server_tls
from harness.fakecompute import WELCOME, FakeCompute
from harness.fakeplane import access, awake
from harness.proxy import program, sanitized
from harness.tls import SecureWire, ask_for_tls, client_context, client_hello
from harness.wire import (GSS_REQUEST, SSL_REQUEST, VERSION_3_0, Closed, ServerError, Wire, cancel,
                          cancel_packet, message, query_message, startup_packet)

STARTUP = startup_packet(user="app", database="app")
REFUSED = {"08P01", "closed"}


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("localhost")


def serves(proxy):
    with proxy.login() as w:
        assert w.value("select 1") == "1"


def test_startup_bomb(start_proxy, pg):
    """A length is a claim: nothing is kept for it, and beyond 10,000 nothing is read for it."""
    proxy = start_proxy({"*": pg.entry}, workers=1, log_connections="no")
    worker, = proxy.workers()
    serves(proxy)
    if procs.running_as_root():
        procs.forget_peak(worker)
    before = procs.rss_kib(worker)
    bombs = []
    for claimed in [*range(8), 10001, 1 << 20, 1 << 30, 0x7fffffff, 0x80000000, 0xffffffff] * 8:
        w = proxy.wire()
        w.send(struct.pack("!Ii", claimed, VERSION_3_0))
        bombs.append(w)
    for w in bombs:
        assert w.verdict() in REFUSED
        w.sock.close()
    pending = []
    for _ in range(200):
        w = proxy.wire()
        w.send(struct.pack("!Ii", 10000, VERSION_3_0) + b"user\0")
        pending.append(w)
    serves(proxy)
    if not sanitized():
        assert procs.rss_kib(worker) - before < 200 * 12 + 2048
    for w in pending:
        w.sock.close()


def test_slowloris(start_proxy, pg, pair):
    """One deadline for all that comes before the login, however it drips."""
    proxy = start_proxy({"*": pg.entry}, workers=1, client_login_timeout="1",
                        **client_tls(pair, "prefer"))
    started = time.monotonic()
    dripping = []
    for i in range(30):
        w = proxy.wire(timeout=0.001)
        if i % 3 == 1:
            w.sock.settimeout(10)
            ask_for_tls(w)
            w.sock.settimeout(0.001)
        data = client_hello() + bytes(400) if i % 3 == 1 else struct.pack(
            "!Ii", 5000, VERSION_3_0) + b"user\0" + b"a" * 4000
        dripping.append((w, iter(data)))
    while dripping:
        assert time.monotonic() - started < 6 * procs.PATIENCE, f"{len(dripping)} still drip"
        for w, data in list(dripping):
            try:
                w.send(bytes([next(data)]))
                over = not w.sock.recv(1000)
            except TimeoutError:
                over = False
            except OSError:
                over = True
            if over:
                w.sock.close()
                dripping.remove((w, data))
        serves(proxy)
    assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST], ids=["ssl", "gss"])
def test_plaintext_behind_a_request_for_tls(start_proxy, pg, pair, request_):
    """CVE-2021-23222: what somebody in between has put there must not be taken for the client's."""
    proxy = start_proxy({"*": pg.entry}, **client_tls(pair, "prefer"))
    for smuggled in (STARTUP, b"\0", client_hello()):
        with proxy.wire() as w:
            w.send(request_ + smuggled)
            assert w.verdict() in REFUSED
    serves(proxy)


@pytest.mark.parametrize("answer", [b"S", b"N"])
def test_plaintext_behind_the_computes_answer(start_proxy, answer):
    """The same from the other side: an answer that brings more than itself."""
    def serve(sock, number):
        assert sock.recv(8, socket.MSG_WAITALL) == SSL_REQUEST
        sock.sendall(answer + WELCOME)
        sock.recv(1)

    there = FakeCompute(serve)
    proxy = start_proxy({"*": there.entry}, wake_timeout="500ms", **server_tls("prefer"))
    with pytest.raises(ServerError) as refused:
        proxy.login()
    there.stop()
    assert refused.value.sqlstate == "57P03" and "before TLS" in refused.value.text


def test_repeated_requests_for_encryption(start_proxy, pg, pair):
    """Each once, in either order, and none inside TLS."""
    proxy = start_proxy({"*": pg.entry}, **client_tls(pair, "prefer"))
    for _ in range(2):
        with proxy.wire() as w:
            w.send(GSS_REQUEST)
            assert w.exactly(1) == b"N"
            w.send(GSS_REQUEST)
            assert w.verdict() in REFUSED
    for request_ in (SSL_REQUEST, GSS_REQUEST):
        with SecureWire(proxy.address) as w:
            w.send(request_)
            answer = w.exactly(1)
            if answer == b"N":      # GSS was not asked for before
                w.send(request_)
                answer = w.exactly(1)
            assert answer == b"E"
    serves(proxy)


@pytest.mark.parametrize("alpn", [None, "http/1.1", "h2", "smtp"])
def test_direct_tls_with_wrong_or_no_alpn(start_proxy, pg, pair, alpn):
    """ALPACA: who did not ask in PostgreSQL's own words has to name its protocol."""
    proxy = start_proxy({"*": pg.entry}, **client_tls(pair))
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        SecureWire(proxy.address, client_context(alpn=alpn), direct=True)


def guess(proxy, pid, count, dice, width=4):
    """Cancels with random secrets, many at a time."""
    left = count
    while left:
        batch = [proxy.wire() for _ in range(min(left, 100))]
        for w in batch:
            w.send(cancel_packet(pid, dice.randbytes(width)))
        for w in batch:
            assert w.until_closed() == b""
            w.sock.close()
        left -= len(batch)


@pytest.mark.parametrize("width", [4, 32])
def test_brute_force_of_cancel_keys(start_proxy, pg, width):
    """Secrets are random, and who guesses much is not looked at any more."""
    proxy = start_proxy({"*": pg.entry}, workers=4, cancel_rate="50", cancel_burst="500")
    dice = random.Random(32)
    version = VERSION_3_0 if width == 4 else 3 << 16 | 2
    with proxy.wire() as w:
        w.login(version=version, application_name="guarded")
        w.send(query_message("select pg_sleep(60)"))
        pg.wait_for_sessions(1, "application_name = 'guarded' and wait_event = 'PgSleep'")
        guess(proxy, w.pid, 1500, dice, width)
        assert proxy.metric("reveille_cancels_limited_total") >= 500
        looked_at = proxy.metric("reveille_cancels_wrong_total")
        assert 500 <= looked_at <= 1000
        assert proxy.metric("reveille_cancels_total") == 0
        assert pg.sessions("application_name = 'guarded' and state = 'active'") == 1

        # Somebody else is not hindered by that.
        with socket.create_connection(proxy.address, source_address=("127.0.0.2", 0)) as s:
            s.sendall(cancel_packet(w.pid, w.key))
            assert s.recv(1) == b""
        with pytest.raises(ServerError) as cancelled:
            w.read_until()
        assert cancelled.value.sqlstate == "57014"


def test_the_time_of_a_cancel_tells_nothing(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    times = {"right": [], "wrong secret": [], "wrong pid": []}
    with proxy.login() as w:
        for _ in range(40):
            for kind, pid, secret in (("right", w.pid, w.secret),
                                      ("wrong secret", w.pid, w.secret ^ 1),
                                      ("wrong pid", w.pid ^ 1, w.secret)):
                started = time.monotonic()
                assert cancel(proxy.address, pid, secret) == b""
                times[kind].append(time.monotonic() - started)
    medians = [statistics.median(t) for t in times.values()]
    assert max(medians) - min(medians) < 0.004 * procs.PATIENCE, times


def test_a_cancel_never_hits_the_next_query(start_proxy, pg):
    """While a cancel is on its way, what the client asks next is held back."""
    proxy = start_proxy({"*": pg.entry}, workers=4)
    with proxy.login() as w:
        for i in range(60):
            w.send(query_message("select pg_sleep(0.001)"))
            with Wire(proxy.address) as c:
                c.send(cancel_packet(w.pid, w.secret))
                procs.wait_until(lambda seen=i: proxy.metric("reveille_cancels_total") > seen, 20,
                                 "the cancel to be seen")
                try:
                    w.read_until()
                except ServerError as e:
                    assert e.sqlstate == "57014"
                assert w.value(f"select {i} from pg_sleep(0.002)") == str(i)
                c.until_closed()


# Who exists.

def verifier(password, iterations=4096):
    """A secret as PostgreSQL keeps it."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    coded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{coded[0]}${coded[1]}:{coded[2]}"


@pytest.fixture
def start_scram(start_proxy, certs_folder):
    """A function that starts a proxy which knows the user app, and wants proof."""
    users = os.path.join(certs_folder, "users")
    with open(users, "w", encoding="ascii") as f:
        f.write(f'"app" "{verifier("right")}"\n')
    procs.give_to_service_user(users)

    def start(*args, **settings):
        return start_proxy(*args, auth_type="scram-sha-256", auth_file=users,
                           **{"login_throttle": "0", **settings})
    return start


def scram(proxy, user, password="wrong", database="app"):
    """What a client that tries this password hears: mechanisms, salt, iterations, and the end."""
    nonce = base64.b64encode(os.urandom(18))
    heard = []
    with proxy.wire() as w:
        w.send(startup_packet(user=user, database=database))
        kind, body = w.read()
        assert kind == b"R", ServerError(body)
        heard.append(body)
        bare = b"n=,r=" + nonce
        first = b"n,," + bare
        w.send(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
        kind, body = w.read()
        assert kind == b"R", ServerError(body)
        fields = dict(f.split(b"=", 1) for f in body[4:].split(b","))
        heard += [fields[b"s"], fields[b"i"], len(fields[b"r"])]
        without = b"c=biws,r=" + fields[b"r"]
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(),
                                     base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(),
                                bare + b"," + body[4:] + b"," + without, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        w.send(message(b"p", without + b",p=" + base64.b64encode(proof)))
        kind, body = w.read()
        heard.append(ServerError(body).fields if kind == b"E" else kind)
    return heard


def test_enumeration_of_users_by_words(start_scram, pg):
    """Unknown users are asked as known ones are, with a salt that is theirs for ever."""
    proxy = start_scram({"*": pg.entry}, workers=2)
    known, unknown = scram(proxy, "app"), scram(proxy, "nobody")
    assert known[0] == unknown[0] and known[2:4] == unknown[2:4]
    assert len(known[1]) == len(unknown[1])
    assert {k: v.replace("nobody", "app") for k, v in unknown[4].items()} == known[4]
    assert known[4]["C"] == "28P01"

    salts = {scram(proxy, "nobody")[1] for _ in range(6)}
    proxy.hup()
    salts |= {scram(proxy, "nobody")[1] for _ in range(6)}
    worker = proxy.workers()[0]
    procs.kill_hard(worker)
    procs.wait_until(lambda: len(proxy.workers()) == 2 and worker not in proxy.workers(), 20,
                     "a new worker")
    salts |= {scram(proxy, "nobody")[1] for _ in range(6)}
    assert salts == {unknown[1]}, "an unknown user's salt changes"
    assert scram(proxy, "somebody")[1] != unknown[1]


def test_enumeration_of_users_by_time(start_scram, pg):
    proxy = start_scram({"*": pg.entry}, workers=1, log_connections="no")
    times = {"app": [], "nobody": []}
    for i in range(60):
        for user in ("app", "nobody"):
            name = user if user == "app" else f"nobody{i % 5}"
            started = time.perf_counter()
            scram(proxy, name)
            times[user].append(time.perf_counter() - started)
    known, unknown = (statistics.median(t) for t in times.values())
    assert abs(known - unknown) < max(0.25 * known, 0.0015 * procs.PATIENCE), (known, unknown)


def test_enumeration_of_computes(start_scram, plane, pg):
    """With proof asked for first, a stranger hears the same of computes that are and are not."""
    plane.behave("here", awake(pg.endpoint))
    proxy = start_scram(plane=plane)
    here, nowhere = (scram(proxy, "app", database=f"{c}/app") for c in ("here", "nowhere"))
    assert here[0] == nowhere[0] and here[2:] == nowhere[2:]
    assert plane.all_calls().get("here", 0) == plane.all_calls().get("nowhere", 0) == 0


def test_split_startup(start_proxy, pg, pair):
    """Every way to cut a login in two is the same login."""
    proxy = start_proxy({"*": pg.entry}, workers=1, log_connections="no",
                        log_disconnections="no", **client_tls(pair, "prefer"))
    data = SSL_REQUEST
    with proxy.login() as other:
        for end in range(1, len(data)):
            with proxy.wire() as w:
                w.send(data[:end])
                assert other.value("select 1") == "1"
                w.send(data[end:])
                assert w.exactly(1) == b"S"
                w.sock = client_context().wrap_socket(w.sock)
                w.send(STARTUP[:end * 4])
                assert other.value("select 1") == "1"
                w.send(STARTUP[end * 4:])
                w.read_until()
                assert w.value("select 2") == "2"


def test_exhaustion_of_descriptors(start_proxy, pg, tmp_path, monkeypatch):
    """Without descriptors connections are shed, the worker rests between, and all comes back."""
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -n 80\nexec {program()} "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setenv("REVEILLE", str(limited))
    proxy = start_proxy({"*": pg.entry}, workers=1, max_client_conn="1000")
    worker, = proxy.workers()
    serves(proxy)
    crowd = []
    for _ in range(120):        # who is silent would make room for others
        crowd.append(proxy.wire())
        try:
            crowd[-1].send(STARTUP)
        except OSError:
            break
    proxy.wait_for_log("no descriptors are left")
    assert proxy.get("/healthz")[0] == 200

    before = cpu_ticks(worker)
    pg.sql("select pg_sleep(0.5)")
    assert cpu_ticks(worker) - before < 25, "the worker spins"

    for w in crowd:
        w.sock.close()

    def let_in():
        try:
            serves(proxy)
            return True
        except (ServerError, Closed, OSError):
            return False

    procs.wait_until(let_in, 20, "a client to be served again")
    assert proxy.workers() == [worker]


def cpu_ticks(pid):
    """CPU time of a process, in hundredths of a second."""
    with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_spoofed_proxy_header(start_proxy, pg):
    """Only who is trusted may speak for others, and once."""
    header = b"PROXY TCP4 192.0.2.66 198.51.100.1 1 2\r\n"
    for settings in ({}, {"proxy_protocol_networks": "192.0.2.0/24"}):
        proxy = start_proxy({"*": pg.entry}, allow_networks="192.0.2.0/24, 127.0.0.1", **settings)
        with proxy.wire() as w:
            w.send(header + STARTUP)
            assert w.verdict() in REFUSED
        assert "192.0.2.66" not in proxy.log()
    proxy = start_proxy({"*": pg.entry}, proxy_protocol_networks="127.0.0.1",
                        deny_networks="198.51.100.66")
    with proxy.wire() as w:
        w.send(b"PROXY TCP4 198.51.100.66 198.51.100.1 1 2\r\n" + STARTUP)
        assert w.verdict() == "28000", "rules are for the client, not for its balancer"


def test_wakes_before_authentication(start_scram, plane, pg):
    """Whoever does not prove who he is wakes nothing; who tries again and again waits longer."""
    plane.behave("asleep", awake(pg.endpoint))
    plane.admit("asleep", access())
    proxy = start_scram(plane=plane, workers=2, login_throttle="300ms", login_throttle_max="2")
    for user in ("app", "nobody", "app"):
        assert scram(proxy, user, database="asleep/app")[4]["C"] == "28P01"
    for half in (b"", STARTUP[:10], startup_packet(user="app", database="asleep/app")):
        with proxy.wire() as w:
            w.send(half)
            w.half_close()
            w.until_closed()
    with proxy.wire() as w:         # who does not wait for the question
        w.send(startup_packet(user="app", database="asleep/app") + message(b"p", b"right\0")
               + query_message("select 1"))
        assert w.read()[0] in b"RE"
    assert plane.all_calls().get("asleep", 0) == 0
    assert proxy.metric("reveille_logins_failed_total") >= 3
    assert proxy.metric("reveille_logins_throttled_total") >= 1

    with psycopg.connect(proxy.dsn(database="asleep/app", password="right")) as conn:
        assert conn.execute("select current_user::text").fetchone() == ("app",)
    assert plane.all_calls()["asleep"] == 1


def test_handshakes_without_end(start_proxy, pg, pair):
    """Places for handshakes are given back by those who do not use them."""
    proxy = start_proxy({"*": pg.entry}, workers=1, client_tls_max_handshakes=2,
                        **client_tls(pair))
    silent = [proxy.wire() for _ in range(6)]
    for i, w in enumerate(silent):
        w.send(SSL_REQUEST if i % 2 else client_hello())
    started = time.monotonic()
    with SecureWire(proxy.address).login() as w:
        assert w.value("select 1") == "1"
    assert time.monotonic() - started < 6 * procs.PATIENCE
    for w in silent:
        w.sock.close()
