"""Waking, against a stand-in that counts: once for everybody, and nothing left behind.

The computes are real servers; only the control plane is a stand-in, because what is asked here
is how often and when it is called, and what happens when it hangs.
"""

import os
import signal
import socket
import threading
import time

import psycopg
import pytest

from harness import procs
from harness.crowd import Guest, visit_all
from harness.fakeplane import awake, held, status
from harness.wire import Closed, ServerError, Wire, startup_packet


class Waiter(threading.Thread):
    """A client that logs in in the background and keeps what came of it."""

    def __init__(self, proxy, database="db/app", timeout=60):
        super().__init__(daemon=True)
        self.wire, self.error = proxy.wire(timeout=timeout * procs.PATIENCE), None
        self.wire.send(startup_packet(user="app", database=database))
        self.start()

    def run(self):
        try:
            self.wire.read_until()
        except (ServerError, Closed, OSError) as e:
            self.error = e

    def served(self):
        """Waits for the login and uses the session once."""
        self.join(60 * procs.PATIENCE)
        assert not self.is_alive(), "still waiting"
        if self.error:
            raise self.error
        assert self.wire.value("select 'served'") == "served"
        return self.wire

    def leave(self):
        self.wire.sock.shutdown(socket.SHUT_RDWR)
        self.wire.sock.close()


def waiting(proxy, count):
    """Waits until so many clients are known to the proxy."""
    procs.wait_until(lambda: proxy.metric("reveille_client_connections") == count, 20,
                     f"{count} clients to be counted")


@pytest.mark.heavy
@pytest.mark.slow
def test_2000_clients_of_one_sleeping_compute_cause_one_wake_and_all_get_their_row(
        start_proxy, plane, crowd_pg):
    proxy = start_proxy(plane=plane, workers=4, log_connections="no", log_disconnections="no",
                        client_login_timeout="120", wake_timeout="120")
    all_here = threading.Event()
    plane.behave("db", held(all_here, awake(crowd_pg.endpoint)))
    guests = [Guest(proxy.address, database="db/app") for _ in range(2000)]
    rows = visit_all(guests, "select 42", all_here.set, seconds=120 * procs.PATIENCE)
    failed = [r for r in rows if r != [["42"]]]
    assert not failed, f"{len(failed)} failed, the first: {failed[0]!r}"
    assert plane.all_calls() == {"db": 1}


@pytest.mark.slow
def test_50_sleeping_computes_cause_50_wakes(start_proxy, plane, crowd_pg):
    proxy = start_proxy(plane=plane, workers=4)
    all_here = threading.Event()
    names = [f"db{i}" for i in range(50)]
    for name in names:
        plane.behave(name, held(all_here, awake(crowd_pg.endpoint)))
    guests = [Guest(proxy.address, database=f"{name}/app") for _ in range(8) for name in names]
    rows = visit_all(guests, "select 42", all_here.set)
    failed = [r for r in rows if r != [["42"]]]
    assert not failed, f"{len(failed)} failed, the first: {failed[0]!r}"
    assert plane.all_calls() == {name: 1 for name in names}


def test_an_address_is_believed_while_it_is_fresh(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, workers=4)
    for _ in range(12):
        with proxy.login(database="db/app") as w:
            assert w.value("select 1") == "1"
    assert plane.calls("db") == 1


def test_an_address_older_than_wake_cache_ttl_is_asked_for_again(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, wake_cache_ttl="200ms")

    def asked_again():
        with proxy.login(database="db/app") as w:
            assert w.value("select 1") == "1"
        return plane.calls("db") >= 2

    procs.wait_until(asked_again, 10, "a second wake call")
    first, second = plane.times("db")[:2]
    assert second - first >= 0.19


def test_an_address_in_use_counts_as_fresh(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, wake_cache_ttl="100ms")
    with proxy.login(database="db/app") as w:
        assert w.value("select pg_sleep(0.3)") == ""
        for _ in range(4):
            with proxy.login(database="db/app") as another:
                assert another.value("select 1") == "1"
    assert plane.calls("db") == 1


def test_an_old_address_is_used_when_the_control_plane_does_not_confirm_it_in_time(
        start_proxy, plane, pg):
    never = threading.Event()
    plane.behave("db", awake(pg.endpoint), held(never, awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, wake_cache_ttl="0", wake_stale_after="300ms")
    proxy.login(database="db/app").close()
    procs.wait_until(lambda: not proxy.metric("reveille_server_connections"), 20,
                     "the address to be used no more")
    started = time.monotonic()
    with proxy.login(database="db/app") as w:
        assert w.value("select 1") == "1"
    assert 0.2 < time.monotonic() - started < 10 * procs.PATIENCE
    assert plane.calls("db") >= 2
    proxy.wait_for_log("old address|stale")


def test_an_address_may_be_a_unix_socket(start_proxy, plane, pg):
    plane.behave("db", awake(pg.socket))
    with start_proxy(plane=plane).login(database="db/app") as w:
        assert w.value("select coalesce(inet_server_addr()::text, 'unix')") == "unix"


def test_an_address_may_be_a_name(start_proxy, plane, pg):
    plane.behave("db", awake(f"localhost:{pg.port}"))
    with start_proxy(plane=plane).login(database="db/app") as w:
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("workers", [1, 4])
def test_the_client_that_began_a_wake_may_leave_and_the_others_are_served(start_proxy, plane, pg,
                                                                          workers):
    release = threading.Event()
    plane.behave("db", held(release, awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, workers=workers)
    first = Waiter(proxy)
    plane.wait_for_calls("db", 1)
    others = [Waiter(proxy) for _ in range(8)]
    waiting(proxy, 9)
    first.leave()
    waiting(proxy, 8)
    release.set()
    for w in others:
        w.served().close()
    assert plane.calls("db") == 1


@pytest.mark.parametrize("workers", [1, 4])
def test_a_wake_that_nobody_waits_for_any_more_is_given_up(start_proxy, plane, pg, workers):
    never = threading.Event()
    plane.behave("db", held(never, awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, workers=workers)
    crowd = [Waiter(proxy) for _ in range(12)]
    plane.wait_for_calls("db", 1)
    waiting(proxy, 12)
    for w in crowd:
        w.leave()
    plane.wait_for_abandoned("db", seconds=2)       # promised: 1.5 s
    waiting(proxy, 0)
    plane.behave("db", awake(pg.endpoint))
    with proxy.login(database="db/app") as w:
        assert w.value("select 1") == "1"
    assert plane.calls("db") == 2


def test_a_waiter_takes_over_when_the_waking_worker_is_killed(start_proxy, plane, pg):
    never = threading.Event()
    plane.behave("db", held(never, awake(pg.endpoint)), awake(pg.endpoint))
    proxy = start_proxy(plane=plane, workers=4)
    crowd = [Waiter(proxy)]
    plane.wait_for_calls("db", 1)
    waker = procs.owner_of_connection(plane.caller_port("db"), plane.port, proxy.workers())
    assert waker, "no worker makes the call"
    crowd += [Waiter(proxy) for _ in range(16)]
    waiting(proxy, 17)
    owners = [proxy.worker_of(w.wire) for w in crowd]
    survivors = [w for w, owner in zip(crowd, owners) if owner != waker]
    assert owners[0] == waker and survivors
    procs.kill_hard(waker)
    for w in survivors:
        w.served().close()
    for w, owner in zip(crowd, owners):
        if owner == waker:
            w.join(20)
            assert isinstance(w.error, (Closed, OSError))
    assert plane.calls("db") == 2


def test_more_waiters_than_max_wake_queue_are_refused_at_once(start_proxy, plane, pg):
    release = threading.Event()
    plane.behave("db", held(release, awake(pg.endpoint)))
    plane.behave("other", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, workers=4, max_wake_queue="5")
    crowd = [Waiter(proxy) for _ in range(8)]
    procs.wait_until(lambda: sum(not w.is_alive() for w in crowd) == 3, 10,
                     "three of eight to be refused")
    refused = [w for w in crowd if not w.is_alive()]
    assert [w.error.sqlstate for w in refused] == ["53300"] * 3
    with proxy.login(database="other/app") as w:
        assert w.value("select 1") == "1"
    release.set()
    for w in crowd:
        if w not in refused:
            w.served().close()
    assert plane.calls("db") == 1


def test_a_cached_address_that_refuses_is_forgotten_and_asked_for_once_more(start_proxy, plane,
                                                                            pg, spare_pg):
    plane.behave("db", awake(spare_pg.endpoint), awake(pg.endpoint))
    proxy = start_proxy(plane=plane, workers=4, wake_cache_ttl="1h")
    with proxy.login(database="db/app") as w:
        assert int(w.value("show port")) == spare_pg.port
    spare_pg.stop()
    for _ in range(6):
        with proxy.login(database="db/app") as w:
            assert int(w.value("show port")) == pg.port
    assert plane.calls("db") == 2


def test_many_clients_with_one_stale_address_ask_once_more_together(start_proxy, plane, pg,
                                                                    spare_pg):
    release = threading.Event()
    plane.behave("db", awake(spare_pg.endpoint), held(release, awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, workers=4, wake_cache_ttl="1h")
    proxy.login(database="db/app").close()
    spare_pg.stop()
    crowd = [Waiter(proxy) for _ in range(24)]
    plane.wait_for_calls("db", 2)
    waiting(proxy, 24)
    release.set()
    for w in crowd:
        w.served().close()
    assert plane.calls("db") == 2


def test_a_fresh_address_that_refuses_is_dialled_until_the_server_is_there(start_proxy, plane,
                                                                           spare_pg):
    plane.behave("db", awake(spare_pg.endpoint))
    spare_pg.stop()
    proxy = start_proxy(plane=plane)
    client = Waiter(proxy)
    plane.wait_for_calls("db", 1)
    waiting(proxy, 1)
    spare_pg.start()
    client.served().close()


def test_a_server_that_says_57p03_at_login_is_tried_again(start_proxy, plane, start_postgres):
    server = start_postgres()
    server.stop()
    server.touch("standby.signal")
    with open(f"{server.data}/postgresql.auto.conf", "a", encoding="ascii") as f:
        f.write("hot_standby = off\n")
    server.start()          # a real server in recovery, which lets nobody in
    plane.behave("db", awake(server.endpoint))
    proxy = start_proxy(plane=plane)
    with pytest.raises(ServerError) as asleep:
        server_directly(server)
    assert asleep.value.sqlstate == "57P03"
    client = Waiter(proxy)
    plane.wait_for_calls("db", 1)
    waiting(proxy, 1)
    server.touch("promote")
    with open(f"{server.data}/postmaster.pid", encoding="ascii") as f:
        os.kill(int(f.readline()), signal.SIGUSR1)
    client.served().close()


def server_directly(server):
    with Wire(server.address) as w:
        w.login()


def test_a_wake_that_takes_longer_than_wake_timeout_fails_by_its_sqlstate(start_proxy, plane, pg):
    never = threading.Event()
    plane.behave("db", held(never, awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, wake_timeout="1")
    started = time.monotonic()
    with pytest.raises(ServerError) as late:
        proxy.login(database="db/app")
    assert 0.9 <= time.monotonic() - started < 5 * procs.PATIENCE
    assert (late.value.sqlstate, late.value.severity) == ("57P03", "FATAL")
    assert "db" in late.value.text


def test_the_login_deadline_does_not_count_the_wake(start_proxy, plane, pg):
    release = threading.Event()
    plane.behave("db", held(release, awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, client_login_timeout="300ms")
    client = Waiter(proxy)
    plane.wait_for_calls("db", 1)
    client.join(1)          # longer than the login deadline: it must still be waiting
    assert client.is_alive()
    release.set()
    client.served().close()


def test_no_such_compute_is_remembered_for_wake_negative_ttl(start_proxy, plane, pg):
    plane.behave("db", status(404))
    proxy = start_proxy(plane=plane, workers=4, wake_negative_ttl="1")
    for _ in range(6):
        with pytest.raises(ServerError) as refused:
            proxy.login(database="db/app")
        assert refused.value.sqlstate == "3D000"
    assert plane.calls("db") == 1
    plane.behave("db", awake(pg.endpoint))

    def served():
        try:
            proxy.login(database="db/app").close()
            return True
        except ServerError:
            return False

    procs.wait_until(served, 10, "the compute to be known")
    assert plane.calls("db") == 2


def test_the_control_plane_is_told_who_wakes(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane)
    with psycopg.connect(proxy.dsn("app", "db/app", application_name="a&b=c é%")):
        pass
    [(role, application, network)] = plane.who_woke("db")
    assert role == "app" and network == "127.0.0.0/24"
    assert application == "a&b=c ??%"    # as reports have it: only what can be printed


def test_activity_of_sessions_is_reported_to_the_control_plane(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy(plane=plane, activity_interval="200ms")
    with proxy.login(database="db/app") as w:
        assert w.value("select 1") == "1"
        plane.wait_for_activity()
    path, body = plane.activity[0]
    assert path == "/api/v1/activity"
    assert b'"db"' in body


def test_wakes_are_counted_and_timed(start_proxy, plane, pg):
    plane.behave("db", awake(pg.endpoint, cold_start_info="cold"))
    plane.behave("gone", status(404))
    proxy = start_proxy(plane=plane)
    proxy.login(database="db/app").close()
    with pytest.raises(ServerError):
        proxy.login(database="gone/app")
    assert proxy.metric("reveille_wakes_total") == 2
    assert proxy.metric("reveille_wakes_total", depth="cold") >= 1
    assert proxy.metric("reveille_wake_seconds_count") >= 1
    assert proxy.metric("reveille_wake_seconds_sum") > 0
