"""What strangers, vanished hosts and stuck processes tried, and must not achieve."""

import os
import select
import signal
import struct
import threading
import time

import psycopg.sql
import pytest

from harness import procs
from harness.fakecompute import WELCOME, read_startup, refusal
from harness.fakeplane import awake, held, status
from harness.proxy import sanitized
from harness.wire import Closed, ServerError, message, query_message, startup_packet


def deaf(release):
    """Accepts and never reads."""
    return lambda sock, number: release.wait(120)


def push(w, piece, most, patience=1.0):
    """Sends without waiting for answers until nobody takes any more."""
    w.sock.setblocking(False)
    sent = 0
    while sent < most and select.select([], [w.sock], [], patience)[1]:
        try:
            sent += w.sock.send(piece)
        except OSError:
            return


@pytest.mark.heavy
def test_a_stranger_cannot_fill_a_workers_memory_during_login(start_proxy, compute):
    proxy = start_proxy({"*": compute(deaf(threading.Event())).entry}, workers=1,
                        client_login_timeout="20")
    worker, = proxy.workers()
    before = procs.rss_kib(worker)
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="app"))
        push(w, message(b"p", b"x" * 60000), 400_000_000)
        if not sanitized():
            assert procs.rss_kib(worker) - before < 8192
    assert proxy.workers() == [worker]


@pytest.mark.heavy
def test_a_compute_cannot_fill_a_workers_memory_during_login(start_proxy, compute):
    notice = message(b"N", b"SNOTICE\0VNOTICE\0C00000\0M" + b"x" * 60000 + b"\0\0")
    taken, full = [0], threading.Event()

    def gossip(sock, number):
        read_startup(sock)
        sock.settimeout(1)
        try:
            while taken[0] < 400_000_000:
                taken[0] += sock.send(notice)
        except OSError:
            pass
        full.set()

    proxy = start_proxy({"*": compute(gossip).entry}, workers=1)
    worker, = proxy.workers()
    before = procs.rss_kib(worker)
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="app"))
        assert full.wait(60 * procs.PATIENCE)
        assert taken[0] < 50_000_000
        if not sanitized():
            assert procs.rss_kib(worker) - before < 8192
    assert proxy.workers() == [worker]


def test_what_is_pipelined_behind_the_startup_packet_survives_a_second_dial(start_proxy, compute):
    def starting_then_there(sock, number):
        read_startup(sock)
        if number == 0:
            sock.sendall(refusal("57P03", "the database system is starting up"))
            sock.close()
            return
        sock.sendall(WELCOME)
        asked = sock.recv(100)
        assert asked == query_message("select 'mine'")
        sock.sendall(message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))

    proxy = start_proxy({"*": compute(starting_then_there).entry})
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="app") + query_message("select 'mine'"))
        w.read_until()
        assert w.read_until() == [(b"C", b"SELECT 1\0")]


def test_what_is_pipelined_behind_the_startup_packet_does_not_overtake_connect_query(start_proxy,
                                                                                     pg):
    proxy = start_proxy({"*": f"{pg.entry} connect_query='set my.place = first'"})
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="app") + query_message("show my.place"))
        w.read_until()
        rows = [body for kind, body in w.read_until() if kind == b"D"]
        assert rows == [b"\0\1\0\0\0\5first"]
        assert w.value("select 2") == "2"


def test_a_worker_that_does_not_run_stops_no_other_from_accepting(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=2)
    stopped, other = proxy.workers()
    os.kill(stopped, signal.SIGSTOP)
    try:
        guests, deadline = [], time.monotonic() + 60 * procs.PATIENCE
        while len(guests) < 12:
            assert time.monotonic() < deadline, f"only {len(guests)} of 12 got in"
            w = proxy.wire(timeout=5)
            try:
                guests.append(w.login())
            except (TimeoutError, Closed):
                w.sock.close()      # accepted by the one that sleeps
        assert other in proxy.workers()
        for w in guests:
            w.close()
    finally:
        if procs.alive(stopped):
            os.kill(stopped, signal.SIGCONT)


def test_a_wake_that_a_stuck_worker_began_is_taken_over(start_proxy, plane, pg):
    never = threading.Event()
    plane.behave("db", held(never, awake(pg.endpoint)), awake(pg.endpoint))
    proxy = start_proxy(plane=plane, workers=2, wake_timeout="60", wake_request_timeout="1",
                        watchdog_timeout="4s")
    first = proxy.wire()
    first.send(startup_packet(user="app", database="db/app"))
    plane.wait_for_calls("db", 1)
    waker = procs.owner_of_connection(plane.caller_port("db"), plane.port, proxy.workers())
    os.kill(waker, signal.SIGSTOP)
    try:
        def served():
            w = proxy.wire(timeout=5 * procs.PATIENCE)
            try:
                return w.login(database="db/app").value("select 1") == "1"
            except (TimeoutError, Closed, ServerError):
                return False
            finally:
                w.sock.close()

        procs.wait_until(served, 50, "a client of the other worker to be served")
    finally:
        if procs.alive(waker):
            os.kill(waker, signal.SIGCONT)
    first.sock.close()


def logged_in_and_deaf(release):
    """Logs clients in and never reads again."""
    def serve(sock, number):
        read_startup(sock)
        sock.sendall(WELCOME)
        release.wait(120)
    return serve


@pytest.mark.parametrize("goodbye", ["terminate", "silence", "reset"])
def test_clients_of_a_frozen_compute_that_leave_leave_nothing_behind(start_proxy, compute,
                                                                     goodbye):
    release = threading.Event()
    proxy = start_proxy({"*": compute(logged_in_and_deaf(release)).entry}, max_client_conn="8")
    for _ in range(3):
        guests = [proxy.login() for _ in range(8)]
        for w in guests:
            {"terminate": w.close, "silence": w.sock.close, "reset": w.reset}[goodbye]()
        procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 20,
                         "the places of those that left")
    release.set()


@pytest.mark.parametrize("goodbye", ["terminate-and-reset", "terminate-and-close", "close"])
def test_a_client_that_leaves_its_large_answer_unread_leaves_nothing_behind(start_proxy, pg,
                                                                            goodbye):
    proxy = start_proxy({"*": pg.entry}, max_client_conn="5")
    guests = [proxy.login(application_name="unread") for _ in range(5)]
    for w in guests:
        w.send(query_message("select repeat('x', 1000) from generate_series(1, 50000)"))
        if goodbye.startswith("terminate"):
            w.send(message(b"X"))
    pg.wait_for_sessions(5, "application_name = 'unread' and wait_event = 'ClientWrite'")
    for w in guests:
        if goodbye.endswith("reset"):
            w.reset()
        else:
            w.sock.close()
    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 20,
                     "the places of those that left")
    pg.wait_for_sessions(0, "application_name = 'unread'")


@pytest.mark.parametrize("name, value", [
    ("database", 'x" sqlstate=00000 client=10.9.8.7 error="all is well'),
    ("user", 'u" compute=other client=6.6.6.6 x="'),
    ("application_name", 'a" reason="nothing" x="'),
    ("database", "x\n2026-01-01T00:00:00Z info supervisor[1]: ended"),
    ("application_name", "\x1b[2Jgone"),
])
def test_what_a_stranger_says_cannot_forge_the_log(start_proxy, pg, name, value):
    proxy = start_proxy({"app": pg.entry})      # any other database is refused by the proxy
    said = {"user": "app", "database": "app", name: value}
    if name == "user":
        pg.sql(psycopg.sql.SQL("create role {} login").format(psycopg.sql.Identifier(value)))
    with proxy.wire() as w:
        w.send(startup_packet(**said))
        try:
            w.read_until()
        except ServerError:
            pass
        w.close()
    proxy.wait_for_log("session (close|refused)")
    for line in proxy.log().splitlines():
        outside = outside_of_quotes(line)
        assert outside.count("client=") <= 1, line
        for lie in ("10.9.8.7", "6.6.6.6", "compute=other"):
            assert lie not in outside, line
        assert "\x1b" not in line and 'reason="nothing"' not in line
        assert not line.startswith("2026-01-01T00:00:00Z")


def outside_of_quotes(line):
    """What a reader of key=value lines takes for keys and bare values."""
    kept, quoted, escaped = [], False, False
    for c in line:
        if escaped:
            escaped = False
        elif c == "\\":
            escaped = True
        elif c == '"':
            quoted = not quoted
        elif not quoted:
            kept.append(c)
    assert not quoted, line
    return "".join(kept)


def test_a_waiter_that_pipelined_much_and_hangs_up_is_dropped_at_once(start_proxy, plane, pg):
    never = threading.Event()
    plane.behave("db", held(never, awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, wake_timeout="60")
    w = proxy.wire()
    w.send(startup_packet(user="app", database="db/app") + query_message("x" * 40000))
    plane.wait_for_calls("db", 1)
    procs.wait_until(lambda: proxy.metric("reveille_client_connections") == 1, 10, "the waiter")
    w.reset()
    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 5,
                     "the waiter to be dropped")
    plane.wait_for_abandoned("db", 5)


def test_an_old_address_that_is_dead_does_not_keep_clients_from_the_new_one(start_proxy, plane,
                                                                            pg, spare_pg):
    plane.behave("db", awake(spare_pg.endpoint))
    proxy = start_proxy(plane=plane, wake_cache_ttl="100ms", wake_stale_after="300ms",
                        wake_timeout="40")
    proxy.login(database="db/app").close()
    procs.wait_until(lambda: not proxy.metric("reveille_server_connections"), 20,
                     "the address to be used no more")
    spare_pg.stop()
    plane.behave("db", *[status(503)] * 8, awake(pg.endpoint))
    with proxy.login(database="db/app", timeout=60 * procs.PATIENCE) as w:
        assert int(w.value("show port")) == pg.port


def test_a_trailing_slash_in_the_control_planes_url_does_no_harm(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy({"*": "wake=control_plane"}, activity_interval="100ms",
                        wake={"control_plane_url": plane.url + "/"})
    with proxy.login(database="db/app") as w:
        assert w.value("select 1") == "1"
        plane.wait_for_activity()
    assert plane.activity[0][0] == "/api/v1/activity"


@pytest.mark.parametrize("first", [
    b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"R" + struct.pack("!I", 0xffffffff),
    b"R" + struct.pack("!I", 3) + b"x", message(b"R", b""), message(b"R", struct.pack("!i", 999)),
    message(b"R", struct.pack("!i", 0)) + message(b"K", b"x" * 4000),
    message(b"E", b""), message(b"E", b"garbage without an end"), message(b"Z", b"I"),
], ids=range(11))
def test_a_compute_that_talks_nonsense_at_login_is_an_error_and_a_close(start_proxy, compute,
                                                                        first):
    def nonsense(sock, number):
        read_startup(sock)
        sock.sendall(first)
        sock.close()

    proxy = start_proxy({"*": compute(nonsense).entry}, workers=1, wake_timeout="1")
    worker, = proxy.workers()
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="app"))
        answer = w.until_closed()
    assert b"FATAL" in answer or answer[:1] == b"E", answer[:100]
    assert proxy.workers() == [worker]
