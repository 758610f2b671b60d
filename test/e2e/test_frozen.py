"""Computes that freeze under their sessions: nobody hangs, nobody is woken for nothing.

The servers are real, and frozen for real; only the control plane is a stand-in, because what is
asked here is what is told and called, when and how often.
"""

import os
import random
import signal
import threading

import psycopg
import pytest

from harness import procs
from harness.fakeplane import FakeControlPlane, awake, held, status
from harness.freezer import Freezer
from harness.postgres import Postgres
from harness.proxy import make_folder
from harness.wire import ServerError, cancel, message, query_message, row_values, startup_packet


@pytest.fixture
def events(plane):
    """A stand-in for a control plane that tells what becomes of computes."""
    return plane.open_events()


@pytest.fixture
def sleeper(events, spare_pg):
    """A compute called db that can be frozen."""
    frozen = Freezer(events, spare_pg)
    yield frozen
    frozen.go_on()


@pytest.fixture
def start(start_proxy, events):
    """A function that starts a proxy which listens, and says in its log what it hears."""
    def begin(**settings):
        proxy = start_proxy(plane=events, verbose=1, **settings)
        events.wait_for_listeners(1)
        return proxy
    return begin


def heard(proxy, state, generation, compute="db"):
    proxy.wait_for_log(rf"event: compute={compute} state={state} generation={generation}\b")


def freeze(proxy, sleeper):
    heard(proxy, "frozen", sleeper.freeze())


def answer(w):
    """The first value of what comes back for a query that was sent."""
    return [row_values(body) for kind, body in w.read_until() if kind == b"D"][0][0]


def wait_for_wakes(proxy, count):
    """The server answers as soon as it runs, which is before the wake's answer is counted."""
    procs.wait_until(lambda: proxy.metric("reveille_wakes_total", depth="frozen") == count, 10,
                     f"{count} wakes of a frozen compute")


def nothing_more_was_called(proxy, plane, calls):
    """News of another compute comes after all that came of earlier news."""
    plane.tell("other", "active", 1)
    heard(proxy, "active", 1, "other")
    assert plane.calls("db") == calls


# ---- what wakes -----------------------------------------------------------------------


def test_a_query_on_a_frozen_compute_wakes_it_and_is_answered(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        for turn in range(2, 6):
            freeze(proxy, sleeper)
            assert w.value("select 'thawed'") == "thawed"
            assert sleeper.plane.calls("db") == turn
    wait_for_wakes(proxy, 4)


def test_what_a_session_had_is_there_after_the_thaw(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        w.query("create temp table kept as select 7 as n")
        w.query("prepare p as select n from kept")
        w.query("listen bell")
        freeze(proxy, sleeper)
        assert w.value("execute p") == "7"
        sleeper.server.sql("notify bell", database="app")
        w.query("select 1")
        assert len(w.notifications) == 1


def test_a_query_that_was_sent_before_the_news_came_is_answered(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        sleeper.stop()
        w.send(query_message("select 'early'"))
        procs.wait_until(lambda: proxy.metric("reveille_queries_total") == 1, 10, "the query")
        assert sleeper.plane.calls("db") == 1
        sleeper.tell("frozen")
        assert answer(w) == "early"


def test_an_open_transaction_does_not_stay_frozen(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        w.query("begin")
        sleeper.freeze()
        sleeper.plane.wait_for_calls("db", 2)
        w.query("commit")


def test_a_copy_does_not_stay_frozen(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        w.query("create temp table t (i int)")
        w.send(query_message("copy t from stdin"))
        w.read_until(b"G")
        sleeper.freeze()
        sleeper.plane.wait_for_calls("db", 2)
        w.send(message(b"d", b"1\n") + message(b"c"))
        w.read_until()
        assert w.value("select count(*) from t") == "1"


def test_half_a_message_wakes(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        freeze(proxy, sleeper)
        query = query_message("select 'whole'")
        w.send(query[:7])
        sleeper.plane.wait_for_calls("db", 2)
        w.send(query[7:])
        assert answer(w) == "whole"


@pytest.mark.parametrize("tls, where", [("prefer", "waking"), ("disable", "login")],
                         ids=["asking_for_tls", "logging_in"])
def test_who_is_on_his_way_in_when_the_news_comes_gets_there(start, sleeper, tls, where):
    """The server froze after its address was given, and before that was told."""
    proxy = start(server_tls_sslmode=tls)
    proxy.login(database="db/app").close()
    sleeper.stop()
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="db/app"))
        procs.wait_until(lambda: proxy.metric("reveille_client_connections", state=where) == 1,
                         10, "a login to begin")
        assert sleeper.plane.calls("db") == 1
        sleeper.tell("frozen")
        w.read_until()
        assert w.value("select 1") == "1"


def test_a_new_session_for_a_frozen_compute_goes_through_a_wake(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app"):
        freeze(proxy, sleeper)
        with proxy.login(database="db/app") as w:
            assert w.value("select 1") == "1"
    assert sleeper.plane.calls("db") == 2
    wait_for_wakes(proxy, 1)


def test_sessions_of_all_workers_cause_one_wake(start, sleeper):
    proxy = start(workers=4)
    sessions = [proxy.login(database="db/app") for _ in range(24)]
    for turn in range(2, 5):
        freeze(proxy, sleeper)
        for w in sessions:
            w.send(query_message("select 'here'"))
        assert [answer(w) for w in sessions] == ["here"] * 24
        assert sleeper.plane.calls("db") == turn
    for w in sessions:
        w.close()


def test_a_cancel_wakes(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        freeze(proxy, sleeper)
        cancel(proxy.address, w.pid, w.secret)
        assert sleeper.plane.calls("db") == 2
        assert w.value("select 1") == "1"


# ---- what does not --------------------------------------------------------------------


def test_sessions_at_rest_wake_nobody(start, sleeper):
    proxy = start(workers=4)
    sessions = [proxy.login(database="db/app") for _ in range(8)]
    freeze(proxy, sleeper)
    nothing_more_was_called(proxy, sleeper.plane, 1)
    for w in sessions:
        w.close()


def test_who_takes_leave_wakes_nobody(start, sleeper):
    proxy = start()
    polite, rude = proxy.login(database="db/app"), proxy.login(database="db/app")
    freeze(proxy, sleeper)
    polite.close()
    rude.sock.close()
    procs.wait_until(lambda: proxy.metric("reveille_client_connections") == 0, 10,
                     "the sessions to end")
    nothing_more_was_called(proxy, sleeper.plane, 1)


def test_news_that_an_answer_has_overtaken_freezes_nobody(start, sleeper):
    proxy = start()
    sleeper.generation = 7
    with proxy.login(database="db/app") as w:
        sleeper.plane.tell("db", "frozen", 6, sleeper.address)
        heard(proxy, "frozen", 6)
        assert w.value("select 1") == "1"
    assert sleeper.plane.calls("db") == 1


def test_a_thaw_by_another_hand_clears_the_mark(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        freeze(proxy, sleeper)
        sleeper.go_on()
        heard(proxy, "active", sleeper.tell("active"))
        assert w.value("select 1") == "1"
    assert sleeper.plane.calls("db") == 1


# ---- when waking is not easy -----------------------------------------------------------


@pytest.mark.parametrize("trouble", [500, 400], ids=["retried", "final"])
def test_a_wake_that_fails_is_tried_again_for_who_waits(start, sleeper, trouble):
    proxy = start(wake_negative_ttl="100ms")
    with proxy.login(database="db/app") as w:
        freeze(proxy, sleeper)
        sleeper.plane.behave("db", status(trouble), status(trouble), sleeper.wake)
        assert w.value("select 1") == "1"
    assert sleeper.plane.calls("db") == 4


def test_who_waits_for_a_compute_without_quota_is_told(start, sleeper):
    proxy = start()
    idle = proxy.login(database="db/app")
    with proxy.login(database="db/app") as w:
        freeze(proxy, sleeper)
        sleeper.plane.behave("db", status(403, {
            "reason": "COMPUTE_TIME_QUOTA_EXCEEDED", "detail": "used 2 of 1 compute-seconds",
            "hint": "resets at 2026-12-01T00:00:00Z"}), sleeper.wake)
        with pytest.raises(ServerError) as e:
            w.query("select 1")
        assert e.value.sqlstate == "53400"
        assert e.value.fields["D"] == "used 2 of 1 compute-seconds"
        assert e.value.fields["H"] == "resets at 2026-12-01T00:00:00Z"
    procs.wait_until(lambda: proxy.metric("reveille_client_connections") == 1, 10,
                     "the session to end")
    idle.close()


def test_a_worker_that_is_killed_while_it_wakes_takes_nobody_with_it(start, sleeper):
    proxy = start(workers=2)
    sessions = {}
    while len(sessions) < 2:
        w = proxy.login(database="db/app")
        sessions.setdefault(proxy.worker_of(w), w)
    freeze(proxy, sleeper)
    sleeper.plane.behave("db", held(threading.Event(), status(500)), sleeper.wake)
    before = sleeper.plane.calls("db")
    for w in sessions.values():
        w.send(query_message("select 'served'"))
    sleeper.plane.wait_for_calls("db", before + 1)
    caller = procs.wait_until(
        lambda: procs.owner_of_connection(sleeper.plane.caller_port("db"), sleeper.plane.port,
                                          list(sessions)), 10, "the caller")
    procs.kill_hard(caller)
    assert all(answer(w) == "served" for pid, w in sessions.items() if pid != caller)


def test_a_wake_that_nobody_waits_for_any_more_is_given_up(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        freeze(proxy, sleeper)
        sleeper.plane.behave("db", held(threading.Event(), status(500)))
        w.send(query_message("select 1"))
        sleeper.plane.wait_for_calls("db", 2)
    sleeper.plane.wait_for_abandoned("db", 3)


def test_what_was_missed_is_made_good_when_the_stream_is_back(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        sleeper.stop()
        w.send(query_message("select 'late'"))
        sleeper.tell("frozen", quietly=True)
        sleeper.plane.hang_up()
        sleeper.plane.wait_for_listeners(2)
        assert answer(w) == "late"
    assert len(set(sleeper.plane.heard_by)) == 1, "one name for all of the proxy's life"


def test_a_new_monitor_listens_again(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        procs.kill_hard(proxy.monitor())
        sleeper.plane.wait_for_listeners(2)
        freeze(proxy, sleeper)
        assert w.value("select 1") == "1"
    assert len(set(sleeper.plane.heard_by)) == 1


def test_a_stream_that_makes_no_sense_is_asked_for_again(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        sleeper.plane.tell_raw("event: compute\ndata: {\"compute_id\": \"../db\"}\n\n")
        sleeper.plane.wait_for_listeners(2)
        sleeper.plane.tell_raw("data: " + "x" * 10000)
        sleeper.plane.wait_for_listeners(3)
        freeze(proxy, sleeper)
        assert w.value("select 1") == "1"


def test_a_control_plane_without_events_is_left_alone(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane)
    proxy.wait_for_log("the control plane has no events")
    with proxy.login(database="db/app") as w:
        assert w.value("select 1") == "1"


@pytest.mark.slow
def test_whatever_overtakes_what_nobody_hangs(start, sleeper):
    """Clients at random moments, a compute that freezes at any moment, news before and after the
    answers: the order is chance, with a seed that the failure shows."""
    proxy, plane, chance = start(workers=2), sleeper.plane, random.Random(4)
    over, failures, asked = threading.Event(), [], []
    news = threading.Lock()

    def wake(call):
        early = chance.random() < 0.5
        with news:
            depth = "frozen" if sleeper.frozen else "warm"
            if sleeper.frozen:
                sleeper.go_on()
                sleeper.generation += 1
            generation = sleeper.generation
        answer_it = awake(sleeper.address, generation=generation, cold_start_info=depth)
        if not early:
            answer_it(call)
        plane.tell("db", "active", generation, sleeper.address)
        if early:
            over.wait(chance.random() * 0.004)
            answer_it(call)

    def visit(seed):
        own = random.Random(seed)
        w = None
        try:
            while not over.is_set():
                w = w or proxy.login(database="db/app", timeout=10 * procs.PATIENCE)
                assert w.value("select 1") == "1"
                asked.append(seed)
                if own.random() < 0.2:
                    w, left = None, w
                    left.close()
                over.wait(own.random() * 0.03)
        except (OSError, ServerError, AssertionError) as e:
            failures.append(f"client {seed}: {e!r}")

    plane.behave("db", wake)
    clients = [threading.Thread(target=visit, args=(i,)) for i in range(8)]
    for c in clients:
        c.start()
    for _ in range(100):
        over.wait(chance.random() * 0.04)
        with news:
            sleeper.stop()
            over.wait(chance.random() * 0.003)
            sleeper.tell("frozen")
    over.set()
    for c in clients:
        c.join(30 * procs.PATIENCE)
    assert not failures, failures
    assert len(asked) > 200


# ---- the end of a compute --------------------------------------------------------------


def test_who_is_at_rest_on_a_compute_that_is_suspended_is_told(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        sleeper.tell("suspending")
        with pytest.raises(ServerError) as e:
            w.read_until()
        assert e.value.sqlstate == "57P01" and e.value.severity == "FATAL"
        assert e.value.text == 'compute "db" is being suspended'
        assert e.value.fields["H"] == "connect again: that wakes it"
        assert w.until_closed() == b""


def test_who_is_in_a_transaction_ends_it_first(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        w.query("begin")
        heard(proxy, "suspending", sleeper.tell("suspending"))
        assert w.value("select 'still here'") == "still here"
        w.send(query_message("commit"))
        w.read_until()
        with pytest.raises(ServerError) as e:
            w.read_until()
        assert e.value.sqlstate == "57P01"


def test_who_was_let_in_a_moment_ago_is_served_first_and_who_says_nothing_is_told(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as asks, proxy.login(database="db/app") as silent:
        sleeper.tell("suspending")
        assert asks.value("select 1") == "1"
        for w in (asks, silent):
            with pytest.raises(ServerError) as e:
                w.read_until()
            assert e.value.sqlstate == "57P01"


def test_a_compute_that_is_wanted_after_all_keeps_who_is_there(start, sleeper):
    proxy = start()
    with proxy.login(database="db/app") as w:
        w.query("begin")
        heard(proxy, "suspending", sleeper.tell("suspending"))
        heard(proxy, "active", sleeper.tell("active"))
        w.query("commit")
        assert w.value("select 'still here'") == "still here"
        sleeper.tell("suspending")
        with pytest.raises(ServerError) as e:
            w.read_until()
        assert e.value.sqlstate == "57P01"


def test_sessions_of_other_computes_stay(start, sleeper, pg):
    proxy = start()
    sleeper.plane.behave("calm", awake(pg.endpoint))
    with proxy.login(database="calm/app") as calm, proxy.login(database="db/app") as w:
        sleeper.tell("suspending")
        with pytest.raises(ServerError):
            w.read_until()
        assert calm.value("select 1") == "1"


@pytest.mark.parametrize("state", ["suspended", "failed", "destroying", "gone"])
def test_an_address_is_forgotten_when_it_is_no_longer_its_computes(start, sleeper, state):
    """Neon's issue 7501: nobody is sent to an address that may be another's by now."""
    proxy = start()
    proxy.login(database="db/app").close()
    proxy.login(database="db/app").close()
    assert sleeper.plane.calls("db") == 1
    heard(proxy, state, sleeper.tell(state))
    sleeper.generation += 1
    proxy.login(database="db/app").close()
    assert sleeper.plane.calls("db") == 2


def test_old_news_does_not_take_a_newer_address(start, sleeper):
    proxy = start()
    sleeper.generation = 9
    proxy.login(database="db/app").close()
    sleeper.plane.tell("db", "suspended", 8)
    heard(proxy, "suspended", 8)
    proxy.login(database="db/app").close()
    assert sleeper.plane.calls("db") == 1


def test_an_address_that_was_overtaken_on_its_way_is_not_used(start, sleeper):
    """The wake's answer was sent before the compute was stopped, and comes after the news."""
    proxy = start()
    late = threading.Event()

    def overtaken(call):
        held(late, awake("127.0.0.1:1", generation=3))(call)

    sleeper.plane.behave("db", overtaken, sleeper.wake)
    w = proxy.wire()
    w.send(startup_packet(user="app", database="db/app"))
    sleeper.plane.wait_for_calls("db", 1)
    sleeper.generation = 3
    heard(proxy, "suspended", sleeper.tell("suspended"))
    sleeper.generation += 1
    late.set()
    w.read_until()
    assert w.value("select 1") == "1"
    assert sleeper.plane.calls("db") == 2
    w.close()


def test_a_compute_that_was_moved_while_nobody_listened_is_asked_for_anew(start, sleeper):
    proxy = start()
    proxy.login(database="db/app").close()
    sleeper.generation += 2
    sleeper.plane.tell("db", "active", sleeper.generation, "127.0.0.1:1")
    heard(proxy, "active", sleeper.generation)
    proxy.login(database="db/app").close()
    assert sleeper.plane.calls("db") == 2


def test_a_compute_that_vanished_while_nobody_listened_is_asked_for_anew(start, sleeper):
    proxy = start()
    proxy.login(database="db/app").close()
    sleeper.plane.tell("db", "gone", sleeper.generation, quietly=True)
    sleeper.plane.hang_up()
    sleeper.plane.wait_for_listeners(2)
    proxy.login(database="db/app").close()
    procs.wait_until(lambda: proxy.login(database="db/app").close() or
                     sleeper.plane.calls("db") == 2, 10, "the address to be forgotten")


def test_a_compute_of_the_same_name_begins_anew(start, sleeper):
    """Its generations are lower than those of the one that is gone."""
    proxy = start()
    sleeper.generation = 90
    proxy.login(database="db/app").close()
    heard(proxy, "gone", sleeper.tell("gone"))
    sleeper.generation = 0
    heard(proxy, "creating", sleeper.tell("creating"))
    sleeper.generation = 2
    with proxy.login(database="db/app") as w:
        freeze(proxy, sleeper)
        assert w.value("select 1") == "1"


def test_a_socket_of_an_earlier_life_leads_nobody_astray(start, events, template):
    """Each incarnation has a folder of its own, so an old address is not there any more."""
    first, second = Postgres(make_folder(), template), Postgres(make_folder(), template)
    try:
        for server in (first, second):
            server.start().create_standard()
        events.behave("db", awake(first.socket, generation=1), awake(second.socket, generation=3))
        proxy = start()
        with proxy.login(database="db/app") as w:
            assert w.value("show port") == str(first.port)
        first.stop()
        assert not os.path.exists(first.socket)
        with proxy.login(database="db/app") as w:
            assert w.value("show port") == str(second.port)
        assert events.calls("db") == 2
    finally:
        for server in (first, second):
            server.stop(signal.SIGQUIT)


def test_our_own_control_plane_is_heard(start_proxy):
    """The same with what tells, stops and wakes for real."""
    proxy = start_proxy({"*": "wake=control_plane"}, verbose=1, control={})
    _, project = proxy.api("POST", "/api/v1/projects", {"name": "p"})
    _, compute = proxy.api("POST", f"/api/v1/projects/{project['id']}/compute",
                           {"engine": "postgres", "name": "db"})
    for _ in range(3):
        with psycopg.connect(compute["connection_uri"], autocommit=True) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
            proxy.api("POST", "/api/v1/compute/db/suspend")
            with pytest.raises(psycopg.OperationalError, match='compute "db" is being suspended'):
                conn.execute("select 1")
