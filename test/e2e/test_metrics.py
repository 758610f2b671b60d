"""What the monitor says: Prometheus text, true numbers, and an answer whatever else hangs."""

import os
import re
import signal
import socket

import pytest

from harness import procs
from harness.fakeplane import awake
from harness.wire import ServerError, message

PROMISED = ["reveille_client_connections", "reveille_server_connections",
            "reveille_connections_total", "reveille_queries_total", "reveille_transactions_total",
            "reveille_received_bytes_total", "reveille_sent_bytes_total",
            "reveille_worker_restarts_total", "reveille_worker_sessions"]

HISTOGRAMS = ["reveille_wake_seconds", "reveille_login_seconds", "reveille_query_seconds"]


def test_alive_and_ready_are_answered(proxy):
    assert proxy.get("/healthz")[0] == 200
    assert proxy.get("/readyz")[0] == 200


def test_an_unknown_path_is_404(proxy):
    assert proxy.get("/nothing")[0] == 404
    assert proxy.get("/metrics/../healthz")[0] == 404


def test_the_text_is_what_prometheus_reads(proxy):
    proxy.login().close()
    text = proxy.get("/metrics")[1]
    assert text.endswith("\n")
    sample = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? -?[0-9.e+-]+$')
    types, seen = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types
            types[name] = kind
        elif not line.startswith("#"):
            assert sample.match(line) or line.endswith("+Inf"), line
            series = line.rpartition(" ")[0]
            assert series not in seen, f"twice: {series}"
            seen.add(series)
            name = series.split("{")[0]
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in types or types.get(base) == "histogram", f"no TYPE for {name}"
    for name, kind in types.items():
        assert name.startswith("reveille_")
        assert (kind == "counter") == name.endswith("_total")


@pytest.mark.parametrize("name", PROMISED)
def test_each_promised_metric_is_there(proxy, name):
    proxy.login().close()
    assert any(s.split("{")[0] == name for s in proxy.metrics()), name


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_histograms_are_cumulative_and_end_in_inf(start_proxy, plane, pg, name):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane)
    with proxy.login(database="db/app") as w:
        w.query("select 1")
    samples = proxy.metrics()
    buckets = [v for s, v in samples.items() if s.startswith(name + "_bucket")]
    assert buckets == sorted(buckets) and len(buckets) > 5
    infinite = [v for s, v in samples.items()
                if s.startswith(name + "_bucket") and 'le="+Inf"' in s]
    assert infinite == [samples[name + "_count"]] and infinite[0] >= 1


def test_counters_count_what_happened(proxy):
    before = proxy.metrics()
    with proxy.login() as w:
        for _ in range(10):
            w.query("select 1")
        w.query("begin")
        w.query("select 1")
        w.query("commit")
        with pytest.raises(ServerError):
            w.query("select * from nowhere")
        procs.wait_until(lambda: delta(proxy, before, "reveille_queries_total") == 14, 5,
                         "14 queries to be counted")
        assert delta(proxy, before, "reveille_connections_total") == 1
        assert delta(proxy, before, "reveille_transactions_total") == 12
        assert proxy.metric("reveille_client_connections") == 1
        assert proxy.metric("reveille_server_connections") == 1
        assert proxy.metric("reveille_worker_sessions") == 1
    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 5,
                     "the session to be gone")
    assert not proxy.metric("reveille_server_connections")


def delta(proxy, before, name, label=""):
    return sum(v - before.get(s, 0) for s, v in proxy.metrics().items()
               if s.split("{")[0] == name and label in s)


def test_bytes_of_both_legs_are_counted(proxy):
    before = proxy.metrics()
    with proxy.login() as w:
        w.query("select repeat('x', 1000000)")
        w.query("select length('" + "y" * 500000 + "')")
        for name, leg, least in (("sent", "client", 1000000), ("received", "compute", 1000000),
                                 ("received", "client", 500000), ("sent", "compute", 500000)):
            procs.wait_until(
                lambda: least <= delta(proxy, before, f"reveille_{name}_bytes_total",
                                       f'leg="{leg}"') < least + 100000,
                5, f"{name} bytes of the {leg} leg")


def test_extended_queries_are_counted_too(proxy):
    before = proxy.metrics()
    with proxy.login() as w:
        for _ in range(5):
            w.send(message(b"P", b"\0select 1\0\0\0") + message(b"B", b"\0" * 8)
                   + message(b"E", b"\0" * 5) + message(b"S"))
            w.read_until()
        procs.wait_until(lambda: delta(proxy, before, "reveille_queries_total") == 5, 5,
                         "5 queries to be counted")


def test_refusals_are_counted_by_sqlstate(start_proxy, pg):
    proxy = start_proxy({"app": pg.entry})
    for _ in range(3):
        with pytest.raises(ServerError):
            proxy.login(database="nowhere")
    with proxy.wire() as w:
        w.send(b"\0\0\0\3")
        w.until_closed()
    procs.wait_until(lambda: proxy.metric("reveille_errors_total", sqlstate="3D000") == 3 and
                     proxy.metric("reveille_errors_total", sqlstate="08P01") == 1, 5,
                     "the refusals to be counted")


def test_the_monitor_answers_while_every_worker_hangs(proxy):
    workers = proxy.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert proxy.get("/healthz")[0] == 200
        assert proxy.get("/metrics")[0] == 200
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("nonsense", [
    b"\0" * 100, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"A" * 200000, b"\r\n" * 50000,
    b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 50000,
    b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
], ids=range(7))
def test_nonsense_does_not_hurt_the_monitor(proxy, nonsense):
    monitor = proxy.monitor()
    with socket.create_connection((proxy.host, proxy.http_port), timeout=5) as s:
        try:
            s.sendall(nonsense)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass
    assert proxy.get("/healthz")[0] == 200
    assert proxy.monitor() == monitor


@pytest.mark.slow
def test_clients_that_hold_the_monitor_open_are_got_rid_of(proxy):
    held = [socket.create_connection((proxy.host, proxy.http_port)) for _ in range(100)]
    procs.wait_until(lambda: proxy.get("/metrics", timeout=30)[0] == 200, 30,
                     "the monitor to answer again")
    for s in held:
        s.close()
