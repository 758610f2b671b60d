"""What a proxy tells its control plane of the sessions it has: who uses a compute, and how much."""

import json

import psycopg
import pytest

from harness import procs
from harness.fakeplane import awake
from harness.wire import message, query_message


@pytest.fixture
def proxy(start_proxy, plane, pg):
    plane.behave("*", awake(pg.endpoint))
    return start_proxy(plane=plane, activity_interval="100ms")


def reports(plane, compute="db"):
    """All that was told of a compute, oldest first."""
    return [c for _, body in list(plane.activity) for c in json.loads(body)["computes"]
            if c["compute_id"] == compute]


def wait_for_report(plane, true_of_it, what, compute="db"):
    """The first report of a compute from now on of which that is true."""
    seen = len(plane.activity)

    def look():
        for _, body in list(plane.activity)[seen:]:
            for c in json.loads(body)["computes"]:
                if c["compute_id"] == compute and true_of_it(c):
                    return c
        return None

    return procs.wait_until(look, 20, what)


def ask(w, sql):
    """Asks, and says how many bytes went to the server and came back."""
    question = query_message(sql)
    w.send(question)
    answered = 0
    while True:
        kind, body = w.read()
        answered += 5 + len(body)
        if kind == b"Z":
            return len(question), answered


def test_who_listens_is_told_until_all_is_discarded(proxy, plane):
    with proxy.login(database="db/app") as w:
        wait_for_report(plane, lambda c: c["sessions"] == 1 and c["listening"] == 0, "a session")
        w.query("listen bell")
        told = wait_for_report(plane, lambda c: c["listening"] == 1, "a listener")
        assert told["causes"][0]["listening"] == 1
        w.query("discard temp")
        w.query("discard all")
        wait_for_report(plane, lambda c: c["listening"] == 0, "nobody to listen")


def test_a_computes_bytes_are_counted_whatever_becomes_of_sessions_and_processes(proxy, plane):
    received = sent = 0
    for turn in range(3):
        w = proxy.login(database="db/app")
        for statement in ("select 1", "select repeat('x', 10000)", "select generate_series(1, 50)"):
            there, back = ask(w, statement)
            received, sent = received + there, sent + back
        if turn == 0:
            procs.kill_hard(proxy.worker_of(w))
        elif turn == 1:
            procs.kill_hard(proxy.monitor())
            w.sock.close()
        else:
            w.close()
            received += len(message(b"X"))
    wait_for_report(plane, lambda c: c["traffic"]["received"] == received and
                    c["traffic"]["sent"] == sent, "the right sums")
    told = [c["traffic"] for c in reports(plane)]
    assert len({t["epoch"] for t in told}) == 1
    assert told == sorted(told, key=lambda t: (t["received"], t["sent"])), "sums only grow"
    assert len({json.loads(body)["proxy_id"] for _, body in plane.activity}) == 1


def test_causes_tell_who_uses_a_compute(proxy, plane):
    idle = [proxy.login(database="db/app", application_name="web") for _ in range(3)]
    with proxy.login(user="user_trust", database="db/app", application_name="cron") as busy:
        busy.query("begin")
        told = wait_for_report(plane, lambda c: c["sessions"] == 4 and c["at_work"] == 1,
                               "four sessions")
        assert [{**c, "idle_ms": 0} for c in told["causes"]] == [
            {"role": "user_trust", "application_name": "cron", "network": "127.0.0.0/24",
             "sessions": 1, "at_work": 1, "listening": 0, "idle_ms": 0},
            {"role": "app", "application_name": "web", "network": "127.0.0.0/24",
             "sessions": 3, "at_work": 0, "listening": 0, "idle_ms": 0}]
        busy.query("commit")
        wait_for_report(plane, lambda c: c["at_work"] == 0, "nobody to be at work")
        idle[0].query("select 1")
        wait_for_report(plane, lambda c: c["causes"][0]["application_name"] == "web",
                        "the last to come first")
        assert told["causes"][0]["idle_ms"] == 0, "who is at work is not idle"
        wait_for_report(plane, lambda c: min(k["idle_ms"] for k in c["causes"]) > 250,
                        "both to have been idle for a while")
    for w in idle:
        w.close()


def test_of_many_causes_the_rest_is_told_as_one(proxy, plane):
    sessions = [proxy.login(database="db/app", application_name=f"app {i}") for i in range(20)]
    told = wait_for_report(plane, lambda c: c["sessions"] == 20, "twenty sessions")
    assert len(told["causes"]) == 17
    assert told["causes"][-1]["network"] == "other"
    assert sum(c["sessions"] for c in told["causes"]) == 20
    for w in sessions:
        w.close()


def test_a_client_of_the_unix_socket_is_local(proxy, plane):
    with psycopg.connect(host=proxy.folder, port=proxy.port, user="app", dbname="db/app"):
        told = wait_for_report(plane, lambda c: c["sessions"] == 1, "a session")
        assert told["causes"][0]["network"] == "local"


def test_many_computes_are_told_in_several_batches(proxy, plane):
    """Names that have to be escaped make reports as long as they get."""
    name = '"' * 63
    sessions = [proxy.login(database=f"db{i}/app", application_name=name + str(k))
                for i in range(40) for k in range(2)]
    told = set()

    def all_told():
        for _, body in list(plane.activity):
            told.update(c["compute_id"] for c in json.loads(body)["computes"])
        return len(told) == 40

    procs.wait_until(all_told, 20, "forty computes")
    for w in sessions:
        w.close()
