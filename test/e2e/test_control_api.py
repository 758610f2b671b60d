"""The API's edge: bytes that are no request, rates, slow readers, and events."""

import concurrent.futures
import json
import select
import socket
import subprocess

import pytest

from harness import procs
from harness.control import Control, assert_problem
from harness.proxy import ctl_program
from harness.rawhttp import Listener, Raw, bearer, request


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


@pytest.fixture
def build(start_proxy):
    def make(**kwargs):
        return Control(start_proxy, **kwargs)
    return make


# Bytes that are no request.


HOSTILE = {
    "nonsense": (b"nonsense\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "zeros": (b"\0" * 100, 400),
    "PostgreSQL's startup": (b"\0\0\0\x08\x04\xd2\x16\x2f", 400),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: h\n\n", 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400),
    "length and chunks": (b"POST /api/v1/projects HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 9"
                    b"\r\n\r\n", 400),
    "a length that is none": (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1e3\r\n\r\n", 400),
    "a blank before the colon": (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length : 9\r\n\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400),
    "another encoding": (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
    "a long line": (b"GET /" + b"x" * 9000, 414),
    "a large head": (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: " + b"x" * 17000, 431),
    "many fields": (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
    "empty lines": (b"\r\n" * 20000, 431),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_request_is_a_problem_and_the_end(control, name):
    bytes_, status = HOSTILE[name]
    behind = request("GET /healthz HTTP/1.1")
    with Raw(control, bytes_ + behind.encode()) as raw:
        got, fields, body = raw.answer()
        assert got == status
        assert fields["content-type"] == "application/problem+json"
        assert fields["connection"] == "close"
        problem = json.loads(body)
        assert problem["status"] == status and problem["title"] and problem["detail"]
        assert raw.is_closed(), "what stood behind it was answered"
    assert control.get("/healthz").status == 200


def test_a_method_that_the_path_has_not_is_refused(control):
    for method in ("BREW", "OPTIONS", "TRACE", "CONNECT", "get"):
        with Raw(control, request(f"{method} /api/v1/projects HTTP/1.1")) as raw:
            status, fields, body = raw.answer()
            assert status == 405 and fields["allow"] == "post, get"
            assert json.loads(body)["status"] == 405


def test_head_is_get_without_a_body(control):
    with Raw(control, request("HEAD /healthz HTTP/1.1")) as raw:
        status, fields, _ = raw.answer(body=False)
        assert status == 200 and int(fields["content-length"]) > 0
        raw.say(request("GET /healthz HTTP/1.1"))
        assert raw.answer()[2] == b'{"status":"ok"}'


def test_requests_sent_at_once_are_answered_in_their_order(control):
    control.compute("one")
    paths = ["/healthz", "/api/v1/wake_compute?endpointish=one", "/api/v1/compute/one", "/readyz"]
    text = "".join(request(f"GET {path} HTTP/1.1", bearer(control)) for path in paths)
    with Raw(control, text) as raw:
        bodies = [json.loads(raw.answer()[2]) for _ in paths]
    assert bodies[0] == {"status": "ok"}
    assert bodies[1]["compute_id"] == "one"
    assert bodies[2]["state"] == "active"    # it was looked at when the wake had been answered
    assert bodies[3]["status"] == "ready"


def test_a_body_may_come_in_chunks(control):
    head = request("POST /api/v1/projects HTTP/1.1", bearer(control), "Transfer-Encoding: chunked")
    with Raw(control, head, "9\r\n{\"name\": \r\n", "4;x=y\r\n\"p\"}\r\n0\r\nT: x\r\n\r\n") as raw:
        status, _, body = raw.answer()
        assert status == 201 and json.loads(body)["name"] == "p"


def test_a_stranger_is_refused_before_his_body_is_read(control):
    with Raw(control, request("POST /api/v1/projects HTTP/1.1", "Content-Length: 1000000")) as raw:
        assert raw.answer()[0] == 401
        assert raw.is_closed()
    with Raw(control, request("GET /healthz HTTP/1.1", "Content-Length: 1000000")) as raw:
        assert raw.answer()[0] == 413
        assert raw.is_closed()
    with Raw(control, request("POST /api/v1/projects HTTP/1.1", bearer(control),
                              "Content-Length: 1048577")) as raw:
        assert raw.answer()[0] == 413
        assert raw.is_closed()


def test_an_answer_reaches_who_is_still_sending(control):
    """The reset of a connection with unread bytes must not overtake the answer."""
    with Raw(control, request("POST /api/v1/projects HTTP/1.1", "Content-Length: 1000000"),
             "x" * 500000) as raw:
        assert raw.answer()[0] == 401


def test_300_idle_connections_hinder_nobody(control):
    held = [Raw(control, "GET ") for _ in range(300)]
    try:
        assert control.get("/healthz").status == 200
    finally:
        for raw in held:
            raw.socket.close()


# Rates.


def test_an_admin_is_asked_to_slow_down_and_proxies_never(build):
    control = build(rate=1, burst=5)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: control.get("/api/v1/compute"), range(30)))
    refused = [a for a in answers if a.status == 429]
    assert len(refused) >= 20
    for answer in refused:
        assert_problem(answer, 429, "Retry-After", reason="RATE_LIMIT_EXCEEDED")
        assert int(answer.headers["Retry-After"]) >= 1
    for _ in range(50):
        report = {"proxy_id": "p", "computes": []}
        assert control.call("POST", "/api/v1/activity", report).status == 200
        assert control.wake("nowhere").status == 404


def test_who_has_no_token_is_limited_by_address_and_others_are_not(control):
    statuses = [control.get("/api/v1/projects", token="x" * 64).status for _ in range(60)]
    assert statuses[0] == 401 and statuses[-1] == 429
    assert 15 <= statuses.count(401) <= 40
    assert control.get("/api/v1/projects").status == 200
    assert control.get("/healthz").status == 200    # without a token, but none is needed


def test_a_reload_changes_the_rate(build):
    control = build(rate=1, burst=1)
    procs.wait_until(lambda: control.get("/api/v1/compute").status == 429, 10, "the limit")
    control.proxy.sections["control"]["rate"] = 0
    control.proxy.write_ini()
    control.proxy.hup()
    procs.wait_until(lambda: control.get("/api/v1/compute").status == 200, 10, "the new rate")
    assert {control.get("/api/v1/compute").status for _ in range(20)} == {200}


# Events.


def test_events_tell_all_there_is_and_then_each_change(control):
    project = control.project()
    control.compute("one", project)
    with Listener(control, "?proxy_id=p") as listener:
        assert listener.status == 200
        assert listener.fields["content-type"] == "text/event-stream"
        one = listener.snapshot()["one"]
        assert (one["state"], one["address"], one["project_id"]) == ("suspended", None, project)
        woken = control.woken("one")
        number, _, resuming = listener.next()
        assert resuming["state"] == "resuming"
        next_number, _, active = listener.next()
        assert next_number > number
        assert active["state"] == "active" and active["address"] == woken["address"]
        assert active["generation"] == woken["generation"] > one["generation"]
        control.suspend("one")
        assert listener.states("suspended") == ["suspending", "suspended"]
        control.compute("two", project)
        assert listener.states("suspended") == ["creating", "suspended"]
        control.call("DELETE", "/api/v1/compute/two")
        assert listener.states("gone") == ["destroying", "gone"]


def test_events_are_filtered(control):
    first, second = control.project(), control.project()
    for project, name in ((first, "a1"), (first, "a2"), (second, "b1")):
        control.compute(name, project)
    with Listener(control, f"?project={first}") as of_project, \
            Listener(control, "?compute=B1") as of_compute:
        assert set(of_project.snapshot()) == {"a1", "a2"}
        assert set(of_compute.snapshot()) == {"b1"}
        control.woken("b1")
        control.woken("a2")
        assert of_project.next()[2]["compute_id"] == "a2"
        assert of_compute.next()[2]["compute_id"] == "b1"
    for query in ("?project=not_an_id", f"?proxy_id={'x' * 64}"):
        assert_problem(control.get(f"/api/v1/events{query}"), 422)
    assert_problem(control.get("/api/v1/events", token=None), 401)


def test_there_is_a_beat_while_nothing_happens(control):
    with Listener(control) as listener:
        listener.snapshot()
        listener.raw.socket.settimeout(20)
        assert listener.raw._until(b"\n\n") == b": beat"


def test_more_listeners_than_there_is_room_for_are_told(control):
    """The proxy of the same process tree is one of them."""
    listeners = []
    try:
        for _ in range(300):
            listeners.append(Listener(control))
        refused = [listener for listener in listeners if listener.status != 200]
        assert {listener.status for listener in refused} == {503}
        assert all(listener.fields["retry-after"] for listener in refused)
        assert len(listeners) - len(refused) in (255, 256)
        assert_problem(control.get("/api/v1/events"), 503, "256")
        for listener in listeners[:100]:
            listener.raw.socket.close()
        procs.wait_until(lambda: not is_full(control, listeners), 10, "room for one more")
        control.compute("late")
        for listener in listeners[100:250]:
            assert listener.snapshot() == {}
            assert listener.states("suspended") == ["creating", "suspended"]
    finally:
        for listener in listeners:
            listener.raw.socket.close()


def is_full(control, listeners):
    listeners.append(Listener(control))
    full = listeners[-1].status != 200
    listeners.pop().raw.socket.close()
    return full


def test_a_listener_that_does_not_read_hinders_nobody(control):
    """That it is cut off in time is tested in test_control_serve.c."""
    control.compute("busy")
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect(("127.0.0.1", control.proxy.control_port))
    stuck.sendall(request("GET /api/v1/events HTTP/1.1", bearer(control)).encode())
    with Listener(control) as listener:
        listener.snapshot()
        for _ in range(20):
            control.woken("busy")
            control.suspend("busy", "?mode=immediate")
            assert listener.states("suspended")[-1] == "suspended"
    stuck.close()


def test_a_listener_hears_that_the_control_plane_ended(control):
    with Listener(control) as listener:
        listener.snapshot()
        control.kill()
        ready, _, _ = select.select([listener.raw.socket], [], [], 10)
        assert ready and listener.raw.is_closed()
    with Listener(control) as listener:
        listener.snapshot()


def test_events_go_on_over_a_reload(control):
    control.compute("one")
    with Listener(control) as listener:
        listener.snapshot()
        control.proxy.hup()
        control.woken("one")
        assert listener.states("active") == ["resuming", "active"]


def test_files_of_connections_are_given_back(control):
    """What hangs up, in whatever moment, leaves no descriptor open."""
    pid = control.proxy.control()
    control.compute("one")
    open_now = procs.descriptors(pid)
    for said in ("", "GET ", request("GET /healthz HTTP/1.1"),
                 request("GET /api/v1/events HTTP/1.1", bearer(control)),
                 request("GET /api/v1/wake_compute?endpointish=one HTTP/1.1", bearer(control)),
                 request("POST /api/v1/projects HTTP/1.1", bearer(control), "Content-Length: 9")):
        for _ in range(20):
            Raw(control, said).socket.close()
    control.woken("one")
    procs.wait_until(lambda: procs.descriptors(pid) <= open_now + 8, 10,
                     "descriptors to be closed")


# reveillectl watch.


class Watching:
    """reveillectl watch, whose lines are read as they come."""

    def __init__(self, control, *args):
        self.process = subprocess.Popen(
            [ctl_program(), "-c", control.proxy.ini, "watch", *args], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line_with(self, *words):
        """Reads on to a line that has these words."""
        for line in self.process.stdout:
            if all(word in line.split() for word in words):
                return line
        raise EOFError(words)


def test_reveillectl_watches(control):
    project = control.project()
    control.compute("one", project)
    control.compute("two")
    with Watching(control) as all_of_them, Watching(control, "--compute", "one", "--json") as one:
        all_of_them.line_with("one", "suspended")
        event = json.loads(one.process.stdout.readline())
        assert (event["event"], event["compute_id"], event["project_id"]) == ("compute", "one", project)
        assert json.loads(one.process.stdout.readline()) == {"event": "snapshot", "computes": 1}
        control.woken("two")
        control.woken("one")
        all_of_them.line_with("two", "active")
        assert json.loads(one.process.stdout.readline())["state"] == "resuming"
        control.kill()
        all_of_them.line_with("asking", "again")
        control.suspend("two")
        all_of_them.line_with("two", "suspended")


def test_reveillectl_says_why_it_cannot_watch(control):
    with Watching(control, "--project", "no_id") as watching:
        watching.line_with("project", "is", "no", "id")
        assert watching.process.wait(20) == 1
