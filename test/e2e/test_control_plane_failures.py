"""A control plane on its bad days: each ends as the manual says, and within its deadline."""

import threading
import time

import pytest

from harness import procs
from harness.fakeplane import FakeControlPlane, awake, drop, held, raw, status
from harness.proxy import sanitized
from harness.wire import ServerError, startup_packet


def refusal(proxy, database="db/app"):
    """How a login fails, and how long that took."""
    started = time.monotonic()
    with pytest.raises(ServerError) as refused:
        proxy.login(database=database, timeout=60 * procs.PATIENCE)
    assert refused.value.severity == "FATAL"
    assert len(refused.value.text) > 15, "a sentence that a person can act on"
    return refused.value.sqlstate, time.monotonic() - started


def served(proxy, database="db/app"):
    started = time.monotonic()
    with proxy.login(database=database, timeout=60 * procs.PATIENCE) as w:
        assert w.value("select 'served'") == "served"
    return time.monotonic() - started


def test_unreachable_is_retried_until_the_deadline(start_proxy):
    proxy = start_proxy({"*": "wake=control_plane"}, wake_timeout="2",
                        wake={"control_plane_url": f"http://127.0.0.1:{procs.free_port()}"})
    state, took = refusal(proxy)
    assert state == "57P03"
    assert 1.5 <= took < 8 * procs.PATIENCE


def test_unreachable_and_then_there_is_waited_for(start_proxy, pg):
    plane = FakeControlPlane()
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, wake_timeout="20")
    plane.stop()
    outcome = []
    client = threading.Thread(target=lambda: outcome.append(served(proxy)))
    client.start()
    procs.wait_until(lambda: proxy.metric("reveille_client_connections") == 1, 10, "the client")
    late = FakeControlPlane(plane.port)
    late.behave("db", awake(pg.endpoint))
    client.join(30 * procs.PATIENCE)
    late.stop()
    assert outcome, "the client was not served"


def test_slow_is_waited_for(start_proxy, plane, pg):
    def slowly(call):
        threading.Event().wait(1.0)
        awake(pg.endpoint)(call)
    plane.behave("db", slowly)
    assert served(start_proxy(plane=plane)) >= 0.9
    assert plane.calls("db") == 1


GARBAGE = {
    "no-json": b"<html>it works!</html>",
    "empty": b"",
    "a-number": b"42",
    "an-array": b"[]",
    "no-address": b'{"compute_id": "db"}',
    "address-null": b'{"address": null}',
    "address-number": b'{"address": 5432}',
    "address-empty": b'{"address": ""}',
    "no-port": b'{"address": "127.0.0.1"}',
    "port-zero": b'{"address": "127.0.0.1:0"}',
    "port-large": b'{"address": "127.0.0.1:65536"}',
    "port-words": b'{"address": "127.0.0.1:http"}',
    "cut-short": b'{"address": "127.0.0.1:54',
    "nul-bytes": b'{"address": "127.0.0.1\\u0000:5432"}',
    "deep": b"[" * 50000,
    "address-endless": b'{"address": "' + b"a" * 5000 + b':5432"}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_fails_at_once_and_is_not_asked_for_again(start_proxy, plane, body):
    plane.behave("db", status(200, body))
    proxy = start_proxy(plane=plane, wake_timeout="20")
    state, took = refusal(proxy)
    assert state == "57P03"
    assert took < 5 * procs.PATIENCE
    assert plane.calls("db") == 1
    assert "db" in proxy.log()


@pytest.mark.parametrize("code, state", [(404, "3D000"), (400, "57P03"), (409, "57P03"),
                                         (422, "57P03"), (401, "58000"), (403, "58000")])
def test_a_refusal_is_final_and_has_its_sqlstate(start_proxy, plane, code, state):
    plane.behave("db", status(code))
    proxy = start_proxy(plane=plane, wake_timeout="20")
    got, took = refusal(proxy)
    assert got == state
    assert took < 5 * procs.PATIENCE
    assert plane.calls("db") == 1


@pytest.mark.parametrize("code", [302, 204, 418])
def test_an_answer_that_makes_no_sense_is_final(start_proxy, plane, code):
    plane.behave("db", status(code, b"", Location="http://127.0.0.1:1/elsewhere"))
    state, took = refusal(start_proxy(plane=plane, wake_timeout="20"))
    assert state == "57P03"
    assert took < 5 * procs.PATIENCE
    assert plane.all_calls() == {"db": 1}


def test_a_used_up_quota_is_53400(start_proxy, plane):
    plane.behave("db", status(403, {"title": "quota", "status": 403,
                                    "reason": "COMPUTE_TIME_QUOTA_EXCEEDED",
                                    "detail": "used 3600 of 3600 compute-seconds",
                                    "hint": "resets at 2026-12-01T00:00:00Z"}))
    assert refusal(start_proxy(plane=plane))[0] == "53400"
    assert plane.calls("db") == 1


def test_a_used_up_quota_says_how_much_and_until_when(start_proxy, plane):
    plane.behave("db", status(403, {"reason": "COMPUTE_TIME_QUOTA_EXCEEDED",
                                    "detail": "used 3600 of 3600 compute-seconds",
                                    "hint": "resets at\n2026-12-01T00:00:00Z"}))
    proxy = start_proxy(plane=plane)
    with pytest.raises(ServerError) as e, proxy.wire() as w:
        w.login(database="db/app")
    assert e.value.fields["D"] == "used 3600 of 3600 compute-seconds"
    assert e.value.fields["H"] == "resets at?2026-12-01T00:00:00Z"


@pytest.mark.parametrize("code", [500, 502, 503, 504, 423, 429])
def test_trouble_that_passes_is_retried_and_the_client_served(start_proxy, plane, pg, code):
    plane.behave("db", status(code), status(code), awake(pg.endpoint))
    served(start_proxy(plane=plane))
    assert plane.calls("db") == 3


def test_retries_back_off_until_the_deadline(start_proxy, plane):
    plane.behave("db", status(500))
    state, took = refusal(start_proxy(plane=plane, wake_timeout="3"))
    assert state == "57P03"
    assert 2.5 <= took < 8 * procs.PATIENCE
    times = plane.times("db")
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert 3 <= len(times) <= 15, f"{len(times)} calls in {took:.1f} s"
    assert max(gaps) > 2 * gaps[0], f"pauses do not grow: {gaps}"


@pytest.mark.parametrize("code", [429, 503, 423])
def test_retry_after_is_honoured(start_proxy, plane, pg, code):
    plane.behave("db", status(code, Retry_After=1), awake(pg.endpoint))
    served(start_proxy(plane=plane))
    first, second = plane.times("db")
    assert second - first >= 0.95


def test_a_retry_after_beyond_the_deadline_fails_at_once(start_proxy, plane):
    plane.behave("db", status(429, Retry_After=3600))
    state, took = refusal(start_proxy(plane=plane, wake_timeout="20"))
    assert state == "57P03"
    assert took < 5 * procs.PATIENCE
    assert plane.calls("db") == 1


@pytest.mark.parametrize("value", ["soon", "-5", "99999999999999999999", ""])
def test_a_retry_after_that_makes_no_sense_does_not_confuse(start_proxy, plane, pg, value):
    plane.behave("db", status(503, Retry_After=value), awake(pg.endpoint))
    proxy = start_proxy(plane=plane, wake_timeout="5")
    try:
        served(proxy)
    except ServerError as e:
        assert e.sqlstate == "57P03" and value.startswith("9")


def test_a_connection_that_is_dropped_is_retried(start_proxy, plane, pg):
    plane.behave("db", drop, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"addr"),
                 awake(pg.endpoint))
    served(start_proxy(plane=plane))
    assert plane.calls("db") == 3


def test_what_is_not_http_fails_within_the_deadline(start_proxy, plane):
    plane.behave("db", raw(b"220 mail.example.com ESMTP\r\n"))
    state, took = refusal(start_proxy(plane=plane, wake_timeout="2"))
    assert state == "57P03"
    assert took < 8 * procs.PATIENCE


def test_a_call_that_hangs_is_made_again_after_wake_request_timeout(start_proxy, plane, pg):
    never = threading.Event()
    plane.behave("db", held(never, awake(pg.endpoint)), awake(pg.endpoint))
    took = served(start_proxy(plane=plane, wake_request_timeout="500ms"))
    assert took >= 0.45
    assert plane.calls("db") == 2


def test_an_answer_that_drips_is_cut_by_the_call_timeout(start_proxy, plane, pg):
    def drip(call):
        try:
            for _ in range(600):
                call.wfile.write(b"H")
                threading.Event().wait(0.05)
        except OSError:
            pass
        call.close_connection = True

    plane.behave("db", drip, awake(pg.endpoint))
    took = served(start_proxy(plane=plane, wake_request_timeout="500ms"))
    assert took < 20 * procs.PATIENCE


def test_an_endless_body_is_capped(start_proxy, plane):
    sent = []

    def endless(call):
        call.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Content-Length: 200000000\r\n\r\n{\"address\": \"")
        try:
            for _ in range(3000):
                call.wfile.write(b"x" * 65536)
                sent.append(65536)
        except OSError:
            pass
        call.close_connection = True

    plane.behave("db", endless)
    proxy = start_proxy(plane=plane, wake_timeout="20", workers=1)
    worker, = proxy.workers()
    procs.forget_peak(worker)
    before = procs.peak_kib(worker)
    state, took = refusal(proxy)
    assert state == "57P03"
    assert took < 10 * procs.PATIENCE
    if not sanitized():
        assert procs.peak_kib(worker) - before < 4096
    assert sum(sent) < 50_000_000 and plane.calls("db") == 1


def test_endless_headers_are_capped(start_proxy, plane):
    def endless(call):
        call.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            for i in range(20000):
                call.wfile.write(b"X-%d: " % i + b"x" * 1000 + b"\r\n")
        except OSError:
            pass
        call.close_connection = True

    plane.behave("db", endless)
    proxy = start_proxy(plane=plane, wake_timeout="3", workers=1)
    worker, = proxy.workers()
    assert refusal(proxy)[0] == "57P03"
    if not sanitized():
        assert procs.rss_kib(worker) < 32 << 10


def test_a_running_compute_stays_reachable_when_the_control_plane_is_gone(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, wake_cache_ttl="100ms", wake_stale_after="200ms")
    with proxy.login(database="db/app") as w:
        plane.stop()
        # Old by now, in use or not: a dead control plane is no reason to refuse.
        assert w.value("select pg_sleep(0.3)") == ""
        served(proxy)
    procs.wait_until(lambda: not proxy.metric("reveille_server_connections"), 20,
                     "the address to be used no more")
    served(proxy)


def test_one_compute_in_trouble_does_not_delay_another(start_proxy, plane, pg):
    never = threading.Event()
    for i in range(20):
        plane.behave(f"sick{i}", held(never, awake(pg.endpoint)))
    plane.behave("well", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, workers=1)
    stuck = []
    for i in range(20):
        stuck.append(proxy.wire())
        stuck[-1].send(startup_packet(user="app", database=f"sick{i}/app"))
        plane.wait_for_calls(f"sick{i}", 1)
    assert served(proxy, "well/app") < 5 * procs.PATIENCE
    for w in stuck:
        w.sock.close()


def test_the_token_is_sent_and_never_logged(start_proxy, plane, pg):
    seen = []

    def look(call):
        seen.append(call.headers.get("Authorization"))
        awake(pg.endpoint)(call)

    plane.behave("db", look)
    proxy = start_proxy(plane=plane, launch=False)
    token = f"{proxy.folder}/token"
    with open(token, "w", encoding="ascii") as f:
        f.write("a-secret-token\n")
    procs.give_to_service_user(token)
    proxy.sections["wake"]["token_file"] = token
    proxy.write_ini()
    proxy.start()
    served(proxy)
    assert seen == ["Bearer a-secret-token"]
    assert "a-secret-token" not in proxy.log()
