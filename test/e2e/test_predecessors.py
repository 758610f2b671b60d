"""What went wrong in this program's predecessors, one test for each, so that it does not again.

a0 is the proxy of a PostgreSQL operator, which read the startup packet four bytes too early and
never got further. a1 is a control plane whose wakes and suspends trod on each other; of it, here
is what a client of the proxy would have noticed.
"""

import contextlib
import os
import re
import struct
import subprocess
import threading
import time

import psycopg
import pytest

from harness import procs
from harness.crowd import Guest, visit_all
from harness.fakeplane import awake, held, status
from harness.wire import ServerError, cancel, query_message, startup_packet
from test_real_wake import House, ask, connect, postmaster


@pytest.fixture
def known(start_proxy, plane, pg):
    """A proxy before the stand-in, which knows the compute branch-1."""
    def start(**settings):
        plane.behave("branch-1", awake(pg.endpoint))
        return start_proxy(plane=plane, **settings)
    return start


@pytest.fixture
def house(start_proxy):
    return lambda **control: House(start_proxy, **control)


def psql(proxy, **params):
    return subprocess.run(["psql", "-XAt", proxy.dsn(**params), "-c", "select 42"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * procs.PATIENCE, check=False)


def test_a0_01_the_startup_packet_is_read_from_behind_its_version(known, plane):
    assert psql(known(), database="branch-1/app").stdout == "42\n"
    assert plane.all_calls() == {"branch-1": 1}


@pytest.mark.parametrize("modes", [{}, {"sslmode": "prefer"}, {"gssencmode": "prefer"},
                                   {"sslmode": "disable"}], ids=str)
def test_a0_02_libpqs_default_of_asking_for_encryption_first_is_answered(known, modes):
    assert psql(known(), database="branch-1/app", **modes).stdout == "42\n"


def test_a0_03_a_cancel_request_has_no_database_and_still_finds_its_compute(known, pg):
    with known().login(database="branch-1/app", application_name="a0-03") as w:
        w.send(query_message("select pg_sleep(60)"))
        pg.wait_for_sessions(1, "application_name = 'a0-03' and wait_event = 'PgSleep'")
        cancel(w.sock.getpeername(), w.pid, w.secret)
        with pytest.raises(ServerError) as cancelled:
            w.read_until()
        assert cancelled.value.sqlstate == "57014"


def test_a0_04_every_failure_is_said_before_the_connection_is_closed(known, plane):
    plane.behave("broken", status(400))
    plane.behave("refused", awake(f"127.0.0.1:{procs.free_port()}"))
    proxy = known(wake_timeout="1")
    for database in ("nobody/app", "broken/app", "refused/app", "-/app"):
        done = psql(proxy, database=database)
        assert "FATAL" in done.stderr and "server closed the connection" not in done.stderr
        assert done.returncode == 2
    for packet in (startup_packet(database="branch-1/app"), startup_packet(4 << 16, user="app")):
        with proxy.wire() as w:
            w.send(packet)
            with pytest.raises(ServerError):
                w.read_until()


def test_a0_05_a_compute_that_is_ready_costs_no_tick(known):
    proxy = known(wake_cache_ttl="0")
    started = time.monotonic()
    for _ in range(20):
        proxy.login(database="branch-1/app").close()
    assert time.monotonic() - started < 10 * procs.PATIENCE, "a second for each connection"


def test_a0_06_the_database_need_not_be_called_like_the_compute(known):
    with known().login(database="branch-1/other") as w:
        assert w.value("select current_database()") == "other"


def test_a0_07_a_connection_to_a_known_compute_asks_the_control_plane_nothing(known, plane):
    proxy = known()
    for _ in range(20):
        proxy.login(database="branch-1/app").close()
    assert plane.all_calls() == {"branch-1": 1}


def test_a0_08_many_clients_cause_one_wake_and_a_conflict_is_no_error(known, plane, pg):
    proxy = known(workers=4)
    all_here = threading.Event()
    plane.behave("branch-1", held(all_here, status(423)), awake(pg.endpoint))
    guests = [Guest(proxy.address, database="branch-1/app") for _ in range(60)]
    assert visit_all(guests, "select 42", all_here.set) == [[["42"]]] * 60
    assert plane.calls("branch-1") == 2


def test_a0_09_what_is_not_used_goes_back_to_sleep(house):
    home = house(idle_timeout="1")
    assert ask(home.create()) == "42"
    home.wait_for_state("suspended")


def test_a0_10_connections_are_capped_and_a_half_close_ends_both_directions(known, pg):
    proxy = known(max_client_conn="3")
    guests = [proxy.login(database="branch-1/app", application_name="a0-10") for _ in range(3)]
    with pytest.raises(ServerError) as refused:
        proxy.login(database="branch-1/app")
    assert refused.value.sqlstate == "53300"
    for w in guests:
        w.half_close()
        assert w.until_closed() == b""
    pg.wait_for_sessions(0, "application_name = 'a0-10'")


def test_a0_11_an_unknown_code_is_refused_and_the_deadline_holds_behind_the_first_bytes(known):
    proxy = known(client_login_timeout="500ms")
    with proxy.wire() as w:
        w.send(startup_packet(1234 << 16 | 5, user="app", database="branch-1/app"))
        assert w.verdict() in ("08P01", "0A000", "closed")
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="branch-1/app")[:9])
        started = time.monotonic()
        w.until_closed()
        assert time.monotonic() - started < 5 * procs.PATIENCE


def test_a1_03_the_second_client_after_a_resume_goes_where_the_first_went(house):
    home = house()
    compute = home.create()
    for _ in range(2):
        home.suspend()
        with connect(compute) as first, connect(compute) as second:
            assert postmaster(compute, first) == postmaster(compute, second)


def test_a1_04_a_session_longer_than_the_idle_timeout_is_not_killed(house):
    home = house(idle_timeout="1")
    compute = home.create()
    with connect(compute) as conn:
        for _ in range(3):
            assert conn.execute("select 'alive' from pg_sleep(1.4)").fetchone() == ("alive",)


def test_a1_05_concurrent_wakes_do_not_restart_the_server_under_each_other(house):
    home = house()
    compute = home.create()
    home.suspend()
    started = []

    def wake():
        code, answer = home.proxy.api("GET", "/api/v1/wake_compute?endpointish=db")
        assert code == 200, answer
        started.append(ask(compute, "select pg_postmaster_start_time()"))

    wakers = [threading.Thread(target=wake) for _ in range(12)]
    for w in wakers:
        w.start()
    for w in wakers:
        w.join(60 * procs.PATIENCE)
    assert len(started) == 12 and len(set(started)) == 1


def test_a1_06_a_wake_during_a_suspend_makes_no_second_compute(house):
    home = house()
    compute = home.create()
    ask(compute, "create table one as select 1")
    for _ in range(3):
        home.proxy.api("POST", "/api/v1/compute/db/suspend")
        assert ask(compute, "select count(*) from one") == "1"
        code, listed = home.proxy.api("GET", f"/api/v1/projects/{compute['project_id']}/compute")
        assert code == 200 and str(listed).count("'id': 'db'") == 1


def test_a1_07_woken_means_that_the_server_accepts_sessions(house):
    home = house()
    compute = home.create()
    for _ in range(3):
        home.suspend()
        code, answer = home.proxy.api("GET", "/api/v1/wake_compute?endpointish=db")
        assert code == 200 and answer["address"]
        assert ask(compute) == "42"
    assert "57P03" not in home.proxy.log()


def test_a1_08_a_crash_in_the_middle_leaves_nothing_resuming_for_ever(house):
    home = house()
    compute = home.create()
    for action in ("suspend", "resume", "suspend"):
        home.proxy.api("POST", f"/api/v1/compute/db/{action}")
        control = home.proxy.control()
        procs.kill_hard(control)
        procs.wait_until(lambda: home.proxy.control() not in (None, control), 10,
                         "a new control process")

        def settled():
            try:
                return home.state() in ("active", "suspended")
            except OSError:
                return False

        procs.wait_until(settled, 30, "the state to settle")
    assert ask(compute) == "42"


def test_a1_11_a_projects_own_idle_timeout_holds(house):
    home = house(idle_timeout="1h")
    compute = home.create(idle_timeout=1)
    assert ask(compute) == "42"
    home.wait_for_state("suspended")


def test_a1_14_every_compute_has_a_password_of_its_own(house):
    home = house()
    passwords = {psycopg.conninfo.conninfo_to_dict(home.create(name=name)["connection_uri"])
                 ["password"] for name in ("one", "two", "three")}
    assert len(passwords) == 3 and min(map(len, passwords)) >= 16


@pytest.mark.parametrize("database", ["x&endpointish=branch-1/app", "x%26y/app", "../branch-1/app",
                                      "branch-1?/app", "branch-1#/app"])
def test_a1_15_what_a_client_says_cannot_change_the_url(known, plane, database):
    with pytest.raises(ServerError):
        known().login(database=database)
    assert plane.all_calls() == {}


def test_a1_01_who_claims_much_or_says_nothing_gets_neither_memory_nor_time(known):
    proxy = known(client_login_timeout="500ms")
    with proxy.wire() as w:
        w.send(struct.pack("!ii", 16 << 20, 3 << 16))
        assert w.verdict() in ("08P01", "closed")
    with proxy.wire() as w:
        started = time.monotonic()
        w.until_closed()
        assert time.monotonic() - started < 5 * procs.PATIENCE


def test_a1_02_the_store_on_postgresql_starts_and_keeps_one_open_interval(start_proxy, spare_pg):
    url = f"postgresql://postgres@/other?host={spare_pg.folder}&port={spare_pg.port}"
    home = House(start_proxy, store=url)
    compute = home.create()
    assert ask(compute) == "42"
    with psycopg.connect(host=spare_pg.folder, port=spare_pg.port, user="postgres",
                         dbname="other", autocommit=True) as store:
        assert store.execute("select count(*) from compute_usage where ended_at is null"
                             ).fetchone() == (1,)
        with pytest.raises(psycopg.errors.UniqueViolation):
            store.execute("insert into compute_usage (project_id, compute_id, incarnation, size, "
                          "boot_id, started_boot, started_at, last_seen) select project_id, "
                          "compute_id, incarnation, size, boot_id, started_boot, started_at, "
                          "last_seen from compute_usage")
    home.suspend()
    assert home.state() == "suspended"


def test_a1_10_sizes_are_decided_by_what_a_server_does_and_not_by_constants(house):
    """Half a CPU of load for all, and fewer than ten connections mean "smaller": no more.

    On machines where CPU cannot be limited the decision is made as well, and said.
    """
    home = house(scale_check_interval="1", idle_timeout="0")
    compute = home.create(autoscale=True, min_size=0.25, max_size=1, autoscale_up_window=5)

    def decisions():
        code, found = home.proxy.api("GET", "/api/v1/compute/db/operations")
        assert code == 200
        return [o["reason"] for o in found["operations"] if "cpu" in o["reason"].lower()]

    with connect(compute) as conn:
        assert not decisions()
        worker = threading.Thread(target=keep_busy, args=(conn,), daemon=True)
        worker.start()
        try:
            procs.wait_until(decisions, 40, "a decision")
        finally:
            conn.cancel()
            worker.join()
    assert re.search(r"cpu \d+ %", decisions()[-1]), decisions()


def keep_busy(conn):
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        conn.execute("select count(*) from generate_series(1, 1000000000)")


def test_a1_13_a_tenant_reaches_neither_files_nor_programs_nor_a_network(house):
    home = house()
    one, other = home.create("one"), home.create("other")
    ask(other)
    with connect(one) as conn:
        server = postmaster(one, conn)
        for attempt in ("select pg_read_file('/etc/passwd')", "copy (select 1) to '/tmp/a1-13'",
                        "copy (select 1) to program 'true'", "create extension file_fdw",
                        "create extension dblink", "select lo_import('/etc/passwd')",
                        "alter role app superuser", "set role postgres"):
            with pytest.raises(psycopg.Error):
                conn.execute(attempt)
    with open(f"/proc/{server}/net/tcp", encoding="ascii") as f:
        listening = {line.split()[9] for line in f if line.split()[3] == "0A"}
    held = {os.readlink(f"/proc/{server}/fd/{fd}") for fd in os.listdir(f"/proc/{server}/fd")}
    assert not {f"socket:[{inode}]" for inode in listening} & held


def test_a1_16_all_that_was_built_is_wired_in(house):
    home = house(idle_timeout="1")
    compute = home.create()
    assert ask(compute) == "42"
    home.wait_for_state("suspended")
    code, usage = home.proxy.api("GET", f"/api/v1/projects/{compute['project_id']}/usage")
    assert code == 200 and usage["active_seconds"] > 0
    assert home.proxy.metric("reveille_wakes_total") >= 1
    code, document = home.proxy.api("GET", "/api/v1/openapi.json")
    assert code == 200
    for path in ("/api/v1/wake_compute", "/api/v1/projects/{id}/usage", "/api/v1/events",
                 "/get_endpoint_access_control"):
        assert path in document["paths"]
