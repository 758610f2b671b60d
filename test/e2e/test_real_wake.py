"""The whole thing: Reveille's own control plane puts real servers to sleep and wakes them."""

import os
import signal
import subprocess
import threading
import time

import psycopg
import pytest

from harness import procs
from harness.proxy import ctl_program



class House:
    """A proxy with a control plane, and the handles tests need."""

    def __init__(self, start_proxy, **control):
        self.proxy = start_proxy({"*": "wake=control_plane"}, workers=2, activity_interval="100ms",
                                 control={"check_interval": "100ms", **control})

    def create(self, name="db", **config):
        """A project and a compute in it; returns what creating the compute answered."""
        code, project = self.proxy.api("POST", "/api/v1/projects",
                                       {"name": f"project of {name}", "config": config})
        assert code == 201, project
        code, compute = self.proxy.api("POST", f"/api/v1/projects/{project['id']}/compute",
                                       {"engine": "postgres", "name": name})
        assert code == 201, compute
        return compute

    def compute(self, name="db"):
        code, compute = self.proxy.api("GET", f"/api/v1/compute/{name}")
        assert code == 200, compute
        return compute

    def state(self, name="db"):
        return self.compute(name)["state"]

    def wait_for_state(self, *states, name="db", seconds=30):
        return procs.wait_until(lambda: self.state(name) in states and self.state(name), seconds,
                                f"{name} to be {' or '.join(states)}")

    def suspend(self, name="db"):
        """Asks for it; back when the compute is suspended, or awake again for a client."""
        code, answer = self.proxy.api("POST", f"/api/v1/compute/{name}/suspend")
        assert code < 300, answer


@pytest.fixture
def house(start_proxy):
    def build(**control):
        return House(start_proxy, **control)
    return build


def ask(compute, sql="select 42"):
    """psql, with the connection string as it was handed out."""
    done = subprocess.run(["psql", "-XAt", compute["connection_uri"], "-c", sql],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * procs.PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def connect(compute, **kwargs):
    return psycopg.connect(compute["connection_uri"], autocommit=True, **kwargs)


def postmaster(compute, conn):
    """The pid of the compute's server, from one of its sessions."""
    backend = conn.execute("select pg_backend_pid()").fetchone()[0]
    with open(f"/proc/{backend}/stat", encoding="ascii") as f:
        return int(f.read().rpartition(")")[2].split()[1])


def test_psql_connects_to_a_suspended_compute_and_gets_its_row(house):
    home = house()
    compute = home.create()
    home.suspend()
    assert home.state() == "suspended"
    assert ask(compute) == "42"
    assert home.state() == "active"


def test_what_was_written_before_sleep_is_there_after_it(house):
    home = house()
    compute = home.create()
    ask(compute, "create table kept as select 7 as n")
    for _ in range(3):
        home.suspend()
        assert ask(compute, "select n from kept") == "7"


def test_an_idle_compute_is_suspended_and_woken_by_the_next_client(house):
    home = house(idle_timeout="1")
    compute = home.create()
    for _ in range(2):
        assert ask(compute) == "42"
        home.wait_for_state("suspended")


def test_a_compute_at_work_is_not_suspended(house):
    home = house(idle_timeout="1")
    compute = home.create()
    with connect(compute) as conn:
        server = postmaster(compute, conn)
        assert conn.execute("select 'done' from pg_sleep(4)").fetchone() == ("done",)
        assert postmaster(compute, conn) == server


def test_an_open_transaction_keeps_a_compute_awake(house):
    home = house(idle_timeout="1")
    compute = home.create()
    with connect(compute) as conn:
        conn.execute("begin")
        conn.execute("create table half_done (i int)")
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            assert home.state() == "active"
        conn.execute("commit")
    assert ask(compute, "select count(*) from half_done") == "0"


def test_idle_timeout_zero_means_never(house):
    home = house(idle_timeout="1")
    compute = home.create(name="insomniac", idle_timeout=0)
    sleeper = home.create(name="sleeper")
    ask(compute)
    ask(sleeper)
    home.wait_for_state("suspended", name="sleeper")
    assert home.state("insomniac") == "active"


def test_forty_clients_of_a_suspended_compute_are_all_served(house):
    home = house()
    compute = home.create()
    home.suspend()
    generation = home.compute()["generation"]
    rows = []

    def visit():
        with connect(compute) as conn:
            rows.append(conn.execute("select pg_postmaster_start_time()").fetchone()[0])

    clients = [threading.Thread(target=visit) for _ in range(40)]
    for c in clients:
        c.start()
    for c in clients:
        c.join(60 * procs.PATIENCE)
    assert len(rows) == 40 and len(set(rows)) == 1, "one server, started once"
    assert home.compute()["generation"] > generation


def test_a_client_that_comes_while_its_compute_falls_asleep_is_served(house):
    home = house()
    compute = home.create()
    with connect(compute) as holdout:
        holdout.execute("begin")
        holdout.execute("create table kept as select 7 as n")
        suspending = threading.Thread(target=home.suspend)
        suspending.start()
        home.wait_for_state("suspending")
        rows = []
        clients = [threading.Thread(target=lambda: rows.append(ask(compute))) for _ in range(5)]
        for c in clients:
            c.start()
        procs.wait_until(lambda: home.proxy.metric("reveille_client_connections") == 6 or rows, 20,
                         "the clients to be there")
        holdout.execute("commit")
    for c in clients:
        c.join(60 * procs.PATIENCE)
    assert rows == ["42"] * 5
    assert ask(compute, "select n from kept") == "7"
    suspending.join(60 * procs.PATIENCE)


def test_killing_the_control_process_leaves_sessions_and_computes_alone(house):
    home = house(idle_timeout="1h")
    compute, asleep = home.create(), home.create(name="asleep")
    home.suspend("asleep")
    with connect(compute) as conn:
        server = postmaster(compute, conn)
        for _ in range(3):
            control = home.proxy.control()
            procs.kill_hard(control)
            assert conn.execute("select 1").fetchone() == (1,)
            assert ask(compute) == "42", "a running compute stays reachable"
            procs.wait_until(lambda: home.proxy.control() not in (None, control), 10,
                             "a new control process")
            procs.wait_until(lambda: answers(home), 10, "the API to answer")
            assert (home.state(), home.state("asleep")) == ("active", "suspended")
        assert postmaster(compute, conn) == server
    assert ask(asleep) == "42"


def answers(home):
    try:
        return home.proxy.api("GET", "/api/v1/compute/db", timeout=5)[0] == 200
    except OSError:
        return False


def test_a_wake_during_which_the_control_process_is_killed_still_ends_well(house):
    home = house()
    compute = home.create()
    home.suspend()
    rows = []
    client = threading.Thread(target=lambda: rows.append(ask(compute)))
    client.start()
    procs.wait_until(lambda: home.proxy.metric("reveille_client_connections") or rows, 10,
                     "the client to be there")
    procs.kill_hard(home.proxy.control())
    client.join(60 * procs.PATIENCE)
    assert rows == ["42"]
    procs.wait_until(lambda: answers(home), 10, "the API to answer")
    assert home.state() == "active"


def test_a_server_that_crashes_is_woken_for_the_next_client(house):
    home = house()
    compute = home.create()
    with connect(compute) as conn:
        server = postmaster(compute, conn)
    os.kill(server, signal.SIGKILL)

    def served():
        done = subprocess.run(["psql", "-XAt", compute["connection_uri"], "-c", "select 42"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60 * procs.PATIENCE, check=False)
        return done.stdout.strip() == "42"

    procs.wait_until(served, 30, "the compute to be served again")


def test_computes_outlive_the_whole_proxy_and_are_found_again(house, start_proxy):
    home = house()
    compute = home.create()
    with connect(compute) as conn:
        server = postmaster(compute, conn)
    first = home.proxy
    assert first.term() == 0
    assert procs.alive(server)
    first.start()
    with connect(compute) as conn:
        assert postmaster(compute, conn) == server
    assert home.state() == "active"


def test_reveillectl_lists_wakes_and_suspends(house):
    home = house()
    project = home.create()["project_id"]

    def ctl(*args):
        done = subprocess.run([ctl_program(), "--url", home.proxy.control_url, "--token-file",
                               f"{home.proxy.folder}/admin.token", *args],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=60 * procs.PATIENCE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert project in ctl("project", "list")
    assert "db" in ctl("compute", "list", project)
    ctl("suspend", "db")
    home.wait_for_state("suspended")
    ctl("wake", "db")
    home.wait_for_state("active")


def test_a_session_survives_the_kill_of_the_control_process_while_it_works(house):
    home = house()
    compute = home.create()
    with connect(compute) as conn:
        killer = threading.Timer(0.3, procs.kill_hard, (home.proxy.control(),))
        killer.start()
        assert conn.execute("select 'done' from pg_sleep(1.5)").fetchone() == ("done",)
        killer.join()
