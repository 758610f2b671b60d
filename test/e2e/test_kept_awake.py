"""Who must not be put to sleep, for as long as what they do lasts; and who must be, and is told.

Each of the occupants has a compute of its own, whose project is frozen after one second without use
and stopped after two. All of them go on at the same time, since what is waited for is that nothing
happens.
"""

import contextlib
import os
import subprocess
import threading
import time
import urllib.parse

import psycopg
import pytest

from harness import procs
from harness.control import Control
from harness.postgres import bin_dir

SOON = {"freeze_after": 1, "idle_timeout": 2}
LONGER = 4.5
"""Seconds after which an idle compute would have been stopped, with something to spare."""


class Guest:
    """What occupants need of one compute."""

    def __init__(self, control, name, **config):
        self.control, self.name = control, name
        self.project = control.project(**SOON, **config)
        self.uri = control.compute(name, self.project)["connection_uri"]
        self.password = urllib.parse.urlsplit(self.uri).password

    def connect(self, **kwargs):
        return psycopg.connect(self.uri, **{"autocommit": True, "connect_timeout": 20, **kwargs})

    def fill(self, rows=100_000):
        with self.connect() as conn:
            conn.execute("create table t as select i, repeat('x', 100) as x "
                         f"from generate_series(1, {rows}) as i")

    def since(self, before):
        """The states that it has gone through since it had gone through so many."""
        return self.control.operations(self.name)[before:]

    def program(self, name, *args, **kwargs):
        """One of PostgreSQL's programs."""
        return subprocess.Popen([f"{bin_dir()}/{name}", *args], stdin=subprocess.DEVNULL,
                                env={**os.environ, "PGPASSWORD": self.password}, **kwargs)


# What keeps a compute awake: each is under way when it yields, and over when it returns.


def in_thread(function, *args):
    """A thread that does not hold up the end of a test that failed."""
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def run_until_cancelled(conn, sql):
    with contextlib.suppress(psycopg.Error):
        conn.execute(sql)


def a_long_transaction(guest, **_):
    conn = guest.connect(autocommit=False)
    conn.execute("select 1")
    yield
    conn.close()


def a_long_query(guest, **_):
    conn = guest.connect()
    thread = in_thread(run_until_cancelled, conn, "select pg_sleep(60)")
    yield
    assert thread.is_alive()
    conn.cancel()
    thread.join()
    conn.close()


def a_copy_that_trickles(guest, **_):
    over = threading.Event()
    conn = guest.connect()
    conn.execute("create table t (i int)")

    def trickle():
        with conn.cursor().copy("copy t from stdin") as copy:
            while not over.wait(0.3):
                copy.write_row((1,))

    thread = in_thread(trickle)
    yield
    assert thread.is_alive()
    over.set()
    thread.join()
    conn.close()


def a_listener(guest, **_):
    conn = guest.connect()
    conn.execute("listen news")
    yield
    with guest.connect() as other:
        other.execute("notify news, 'there you are'")
    assert next(conn.notifies()).payload == "there you are"
    conn.close()


def a_base_backup(guest, put, **_):
    folder, proxy = os.path.dirname(put("unused", "")), guest.control.proxy
    backup = guest.program(
        "pg_basebackup", "-D", f"{folder}/backup", "--max-rate=1M", "-X", "none", "--no-sync",
        "-c", "fast", "-d", f"host={proxy.host} port={proxy.port} user=app "
        f"options='endpoint={guest.name}'", stderr=subprocess.PIPE, text=True)
    procs.wait_until(lambda: os.path.exists(f"{folder}/backup/backup_label"), 20, "the backup")
    yield
    assert backup.poll() is None, backup.communicate()
    backup.terminate()
    backup.communicate()


def an_index_built_concurrently(guest, **_):
    """Held up by a transaction whose application does not count."""
    guest.fill(1000)
    blocker = guest.connect(autocommit=False, application_name="blocker")
    conn = guest.connect()
    blocker.execute("insert into t values (0, '')")
    thread = in_thread(conn.execute, "create index concurrently on t (i)")
    yield
    assert thread.is_alive()
    blocker.commit()
    thread.join()
    conn.close()
    blocker.close()


def a_logical_subscriber(guest, start_postgres, **_):
    subscriber = start_postgres(standard=False)
    with guest.connect() as conn:
        conn.execute("create table news (i int primary key)")
        conn.execute("create publication p for table news")
    subscriber.sql("create table news (i int primary key)")
    proxy = guest.control.proxy
    subscriber.sql(
        f"create subscription s connection 'host={proxy.host} port={proxy.port} user=app "
        f"password={guest.password} dbname={guest.name}/app' publication p")
    with guest.connect() as conn:
        conn.execute("insert into news values (7)")
    procs.wait_until(lambda: subscriber.sql("select i from news") == [(7,)], 20, "the news")
    yield
    with guest.connect() as conn:
        conn.execute("insert into news values (8)")
    procs.wait_until(lambda: subscriber.sql("select max(i) from news") == [(8,)], 20, "more news")
    subscriber.sql("alter subscription s disable")


def a_vacuum(guest, **_):
    guest.fill()
    conn = guest.connect()
    conn.execute("delete from t")
    conn.execute("set vacuum_cost_delay = 100")
    conn.execute("set vacuum_cost_limit = 1")
    thread = in_thread(run_until_cancelled, conn, "vacuum t")
    yield
    assert thread.is_alive()
    conn.cancel()
    thread.join()
    conn.close()


def a_dump(guest, **_):
    guest.fill(400_000)
    dump = guest.program("pg_dump", "-d", guest.uri, stdout=subprocess.PIPE)
    dump.stdout.read(1 << 20)
    yield
    assert dump.poll() is None
    dump.communicate()
    assert dump.returncode == 0


OCCUPANTS = {a_long_transaction: {}, a_long_query: {}, a_copy_that_trickles: {}, a_base_backup: {}, a_dump: {},
             a_logical_subscriber: {"replication_keeps_awake": True}, a_vacuum: {},
             an_index_built_concurrently: {"exempt_applications": ["blocker"]},
             a_listener: {"listeners_keep_awake": True}}


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy, reveille={"workers": 2, "activity_interval": "100ms"})


@pytest.mark.slow
def test_who_is_at_work_is_not_put_to_sleep_and_is_when_the_work_is_done(
        control, put, start_postgres):
    guests = {o: Guest(control, o.__name__.replace("_", "-"), **config)
              for o, config in OCCUPANTS.items()}
    occupied, before = [], {}
    for occupant, guest in guests.items():
        occupied.append(occupant(guest, put=put, start_postgres=start_postgres))
        next(occupied[-1])
        before[guest] = len(control.operations(guest.name))
    time.sleep(LONGER)    # the very thing that is tested: nothing happens
    assert {g.name: g.since(before[g]) for g in guests.values()} == \
        {g.name: [] for g in guests.values()}
    assert {control.state(g.name) for g in guests.values()} == {"active"}
    for occupant in occupied:
        assert next(occupant, "over") == "over"
    for guest in guests.values():
        control.wait_for_state("suspended", guest.name)


def psql(guest):
    """A real psql that has asked something and waits for what is typed."""
    client = subprocess.Popen(["psql", "-XAt", guest.uri], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    client.stdin.write("select 'here';\n")
    client.stdin.flush()
    assert client.stdout.readline() == "here\n"
    return client


@pytest.mark.heavy
def test_a_hundred_idle_sessions_are_put_to_sleep_in_time_and_told_so(control):
    """All that max_connections allows, so that the control plane cannot take one of them."""
    guest = Guest(control, "db", max_connections=100)
    clients = [psql(guest) for _ in range(100)]
    control.wait_for_state("suspended", "db", 10)
    assert control.operations("db")[-3:] == ["frozen", "suspending", "suspended"]
    for client in clients:
        said, _ = client.communicate("select 'still here';\n", timeout=20 * procs.PATIENCE)
        assert 'FATAL:  compute "db" is being suspended' in said, said
        assert "HINT:  connect again: that wakes it" in said
    with guest.connect() as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_who_sits_idle_keeps_a_compute_awake_only_if_the_project_says_so(control):
    hospitable = Guest(control, "hospitable", idle_clients_keep_awake=True)
    deaf = Guest(control, "deaf")
    with hospitable.connect() as stays, deaf.connect() as goes:
        goes.execute("listen news")
        control.wait_for_state("suspended", "deaf")
        assert control.state("hospitable") == "active"
        assert stays.execute("select 1").fetchone() == (1,)
    control.wait_for_state("suspended", "hospitable")
