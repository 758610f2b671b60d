"""A worker that is killed takes its own sessions with it, and nothing else."""

import os
import signal
import subprocess
import threading

import pytest

from harness import procs
from harness.proxy import sanitized
from harness.wire import Closed, ServerError, cancel, query_message


def works(w):
    try:
        return w.value("select 'works'") == "works"
    except (Closed, OSError):
        return False


class Visitors(threading.Thread):
    """Connects, asks and leaves, again and again; keeps every failure that is not excused."""

    def __init__(self, proxy):
        super().__init__(daemon=True)
        self.proxy, self.visits, self.failures = proxy, 0, []
        self.enough = threading.Event()
        self.killing = 0        # counts kills; odd while one is under way
        self.start()

    def run(self):
        while not self.enough.is_set():
            before = self.killing
            try:
                with self.proxy.login(timeout=20 * procs.PATIENCE) as w:
                    assert w.value("select 1") == "1"
                self.visits += 1
            except (Closed, ServerError, OSError) as e:
                # Only a visit that was under way at the moment of a kill may have been its victim.
                if before % 2 == 0 and self.killing == before:
                    self.failures.append(repr(e))

    def stop(self):
        self.enough.set()
        self.join(60)


@pytest.mark.slow
def test_ten_killed_workers_end_only_their_own_sessions_and_leave_nothing_behind(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=4, max_client_conn="60")
    if not pg.value("select to_regclass('pgbench_accounts') is not null", database="app"):
        subprocess.run(["pgbench", "-i", "-q", "-h", pg.host, "-p", str(pg.port), "-U", "app",
                        "app"], check=True, capture_output=True)
    supervisor_files = procs.descriptors(proxy.pid)
    supervisor_memory = procs.rss_kib(proxy.pid)
    visitors = Visitors(proxy)
    for round_ in range(10):
        load = subprocess.Popen(
            ["pgbench", "-n", "-S", "-c", "6", "-T", "60", "-h", proxy.host, "-p",
             str(proxy.port), "-U", "app", "app"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sessions = [proxy.login(application_name="bystander") for _ in range(12)]
        owners = [proxy.worker_of(w) for w in sessions]
        victim = owners[round_ % len(owners)]

        visitors.killing += 1
        procs.kill_hard(victim)
        visitors.killing += 1

        for w, owner in zip(sessions, owners):
            assert works(w) == (owner != victim), f"round {round_}"
        with proxy.login() as w:
            assert w.value("select 1") == "1"
        procs.wait_until(lambda: len(proxy.workers()) == 4, 2, "a new worker within a second")
        load.kill()
        load.wait()
        for w in sessions:
            w.sock.close()
    visitors.stop()
    assert visitors.failures == [] and visitors.visits > 20

    # 60 slots would not have lasted if those of the dead had not been freed.
    procs.wait_until(lambda: proxy.metric("reveille_client_connections") == 0, 20,
                     "all slots to be free")
    pg.wait_for_sessions(0, "application_name in ('bystander', 'pgbench')")
    assert proxy.metric("reveille_worker_restarts_total") == 10
    assert procs.descriptors(proxy.pid) <= supervisor_files
    if not sanitized():    # a sanitizer keeps records of each child
        assert procs.rss_kib(proxy.pid) <= supervisor_memory + 512
    guests = [proxy.login() for _ in range(60)]
    for w in guests:
        assert works(w)
        w.close()


def test_connections_queued_while_all_workers_are_dead_are_served(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=2)
    for pid in proxy.workers():
        procs.kill_hard(pid)
    guests = [proxy.wire() for _ in range(20)]
    for w in guests:
        assert w.login().value("select 1") == "1"
        w.close()


def test_a_killed_workers_servers_are_left_too(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    guests = [proxy.login(application_name="orphan") for _ in range(5)]
    procs.kill_hard(proxy.workers()[0])
    pg.wait_for_sessions(0, "application_name = 'orphan'")
    for w in guests:
        w.sock.close()


def test_a_key_of_a_dead_workers_session_cancels_nobody(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    dead = proxy.login()
    procs.kill_hard(proxy.workers()[0])
    with proxy.login(application_name="successor") as w:
        w.send(query_message("select 'finished' from pg_sleep(1)"))
        pg.wait_for_sessions(1, "application_name = 'successor' and wait_event = 'PgSleep'")
        assert cancel(proxy.address, dead.pid, dead.secret) == b""
        assert w.read_until()[0][1].endswith(b"finished")
    dead.sock.close()


def test_a_killed_monitor_is_replaced_and_counts_on(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=2)
    proxy.login().close()
    before = proxy.metric("reveille_connections_total")
    procs.kill_hard(proxy.monitor())
    procs.wait_until(lambda: proxy.get("/readyz")[0] == 200, 5, "a new monitor")
    assert proxy.metric("reveille_connections_total") >= before >= 1


def test_totals_survive_a_killed_worker(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    with proxy.login() as w:
        for _ in range(10):
            w.query("select 1")
    before = proxy.metric("reveille_queries_total")
    assert before >= 10
    procs.kill_hard(proxy.workers()[0])
    proxy.login().close()
    assert proxy.metric("reveille_queries_total") >= before


def test_a_frozen_worker_does_not_stop_its_siblings(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=4)
    sessions = [proxy.login() for _ in range(12)]
    frozen = proxy.worker_of(sessions[0])
    os.kill(frozen, signal.SIGSTOP)
    try:
        served = [works(w) for w in sessions if proxy.worker_of(w) != frozen]
        assert served and all(served)
        assert proxy.get("/healthz")[0] == 200
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert all(works(w) for w in sessions)
    for w in sessions:
        w.close()


def test_a_worker_that_does_not_run_keeps_nobody_out_and_is_replaced(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=2, watchdog_timeout="4s")
    stopped = proxy.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    guests = [proxy.login(timeout=60) for _ in range(12)]
    procs.wait_until(lambda: stopped not in proxy.workers(), 20, "the stopped worker to be ended")
    procs.wait_until(lambda: len(proxy.workers()) == 2, 5, "another in its place")
    for w in guests:
        assert works(w)
        w.close()
