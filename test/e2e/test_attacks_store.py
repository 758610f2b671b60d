"""A store that does what it was asked, and then nobody hears that it did; or that says nothing more at all."""

import errno
import itertools
import os
import subprocess

import psycopg
import pytest

from harness import procs
from harness.control import Control, assert_problem, in_background
from harness.cutter import Cutter
from harness.proxy import make_folder
from harness.syscalls import can_be_counted, failing

numbers = itertools.count(1)


@pytest.fixture
def cutter(spare_pg):
    relay = Cutter(f"{spare_pg.folder}/.s.PGSQL.{spare_pg.port}")
    yield relay
    relay.close()


@pytest.fixture
def schema(spare_pg):
    name = f"lost{next(numbers)}"
    spare_pg.sql(f"create schema {name}")
    return name


@pytest.fixture
def control(start_proxy, schema, cutter):
    return Control(start_proxy, store=f"postgresql://postgres@127.0.0.1:{cutter.port}/postgres"
                                      f"?options=-csearch_path%3D{schema}")


def without_answer(control, cutter, method, path, body=None):
    cutter.lose_answer_of(b"COMMIT")
    assert_problem(control.call(method, path, body), 503, "does not answer")
    assert cutter.cuts == 1


def test_a_compute_whose_commit_was_not_heard_of_is_taken_care_of(control, cutter):
    project = control.project()
    without_answer(control, cutter, "POST", f"/api/v1/projects/{project}/compute", {"name": "db"})
    procs.wait_until(lambda: control.wake().status == 200, 20, "it to be known")
    assert len(control.servers()) == 1
    assert control.call("DELETE", "/api/v1/compute/db").status == 204


def test_a_role_whose_commit_was_not_heard_of_is_known(control, cutter):
    control.compute()
    without_answer(control, cutter, "POST", "/api/v1/compute/db/roles", {"name": "reader"})
    procs.wait_until(lambda: len(control.get("/api/v1/compute/db/roles").body["roles"]) == 2, 20,
                     "it to be known")
    assert control.call("POST", "/api/v1/compute/db/roles/reader/password").status == 200
    control.woken()
    assert control.call("DELETE", "/api/v1/compute/db/roles/reader").status == 204


def test_a_token_that_was_dropped_without_our_hearing_of_it_is_worth_nothing(control, cutter):
    token = control.call("POST", "/api/v1/tokens", {"name": "t", "scope": "admin"}).body
    path = f"/api/v1/tokens/{token['id']}"
    without_answer(control, cutter, "DELETE", path)
    procs.wait_until(lambda: control.call("DELETE", path).status in (204, 404), 20, "it to be dropped")
    assert control.get("/api/v1/projects", token=token["token"]).status == 401


def test_waking_and_suspending_go_on_where_a_commit_was_not_heard_of(control, cutter):
    control.compute(project=control.project(idle_timeout=0))
    for turn in range(1, 4):
        cutter.lose_answer_of(b"COMMIT")
        assert control.wake().status == 200
        cutter.lose_answer_of(b"COMMIT")
        control.suspend(mode="?mode=immediate")
        assert cutter.cuts == 2 * turn and control.servers() == []
    assert control.operations() == ["creating", "suspended"] + 3 * [
        "resuming", "active", "suspending", "suspended"]


def test_names_that_are_no_text_do_not_keep_the_causes_from_being_written(control):
    compute = control.compute()
    long_name = "é" * 40    # cut in the middle of a character
    assert control.wake("db&application_name=%FF%FE&role=%C3").status == 200
    report = {"proxy_id": "p", "computes": [{
        "compute_id": "db", "sessions": 1, "at_work": 1, "listening": 0, "transactions": 1,
        "idle_ms": 0, "causes": [{"role": long_name, "application_name": long_name,
                                  "network": "local", "sessions": 1, "at_work": 1,
                                  "listening": 0, "idle_ms": 0}]}]}
    assert control.call("POST", "/api/v1/activity", report).status == 200
    procs.wait_until(lambda: {"??", "?" * 63} <= {
        cause["application_name"] for cause in control.usage(compute["project_id"])["awake_causes"]},
                     20, "both causes")


def test_a_cursor_that_is_no_text_is_the_askers_mistake(control):
    for path in ("projects", "compute", "tokens"):
        for cursor in ("%FF", "", "a%27b", "x" * 64):
            assert_problem(control.get(f"/api/v1/{path}?cursor={cursor}"), 422, "cursor")


def forbid_writes(pg, on):
    with psycopg.connect(host=pg.folder, port=pg.port, user="postgres", dbname="postgres",
                         autocommit=True) as conn:
        conn.execute("set transaction_read_only = off")
        conn.execute(f"alter system set default_transaction_read_only = {'on' if on else 'off'}")
        conn.execute("select pg_reload_conf()")


def test_a_control_plane_whose_store_takes_no_writes_is_not_ready_and_says_why(control, spare_pg):
    assert control.get("/readyz").status == 200
    forbid_writes(spare_pg, True)
    procs.wait_until(lambda: control.get("/readyz").status == 503, 20, "it to be noticed")
    assert_problem(control.get("/readyz"), 503, "read-only")
    forbid_writes(spare_pg, False)
    procs.wait_until(lambda: control.get("/readyz").status == 200, 20, "that to be noticed, too")
    control.compute()


def test_a_store_that_says_nothing_more_is_told_of_and_who_was_in_charge_of_it_is_not_any_more(control, cutter):
    """Its connections stand, new ones are taken, and nothing comes back."""
    compute = control.compute(project=control.project(idle_timeout=0))
    with control.through_the_proxy(compute) as session:
        [server] = control.servers()
        leader = control.proxy.control()
        cutter.hold()
        asked = [in_background(lambda way=way: control.call(*way, timeout=40))
                 for way in (("POST", "/api/v1/projects", {"name": "p"}),
                             ("GET", "/api/v1/compute/db/operations"))]
        for thread, answer in asked:
            thread.join()
            assert_problem(answer[0], 503, "does not answer")
            assert answer[0].headers["Retry-After"]
        procs.wait_until(lambda: control.proxy.control() not in (None, leader), 20, "it to end")
        procs.wait_until(lambda: status(control) == 503, 10, "the next one to serve")
        session.execute("select 1")
        with control.through_the_proxy(compute) as another:
            another.execute("select 1")
        cutter.go_on()
        procs.wait_until(lambda: control.wake(timeout=20).status == 200, 40, "it to be back")
    assert control.servers() == [server]


def test_who_hears_from_the_store_that_another_is_in_charge_is_not_any_more(control, spare_pg, schema):
    control.compute()
    leader = control.proxy.control()
    spare_pg.sql(f"update {schema}.leadership set epoch = epoch + 1")
    procs.wait_until(lambda: control.proxy.control() not in (None, leader), 20, "it to end")
    control.wait_until_ready()
    assert control.wake().status == 200


def status(control):
    try:
        return control.wake(timeout=20).status
    except OSError:
        return None


@pytest.fixture
def small_disk():
    """A folder with 2 MiB of room."""
    folder = make_folder()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False).returncode:
        os.rmdir(folder)
        pytest.skip("mounts are not allowed here")
    procs.give_to_service_user(folder)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    os.rmdir(folder)


def fill(path):
    """Leaves no room at all beside this file."""
    with open(path, "wb", buffering=0) as ballast:
        for size in (65536, 512):
            try:
                while ballast.write(bytes(size)):
                    pass
            except OSError as e:
                assert e.errno == errno.ENOSPC


def test_on_a_full_disk_nothing_is_pretended_running_computes_serve_and_all_goes_on_when_there_is_room(
        start_proxy, small_disk):
    ballast = f"{small_disk}/ballast"
    control = Control(start_proxy, store=f"sqlite:{small_disk}/store/control.db")
    project = control.project(idle_timeout=0)
    running = control.compute("running", project=project)
    control.compute("asleep", project=project)
    control.woken("running")
    [server] = control.servers("running")
    fill(ballast)
    assert_problem(control.call("POST", "/api/v1/projects", {"name": "p"}), 503, "disk is full")
    assert_problem(control.wake("asleep"), 503, "takes no changes")
    assert_problem(control.call("POST", "/api/v1/compute/running/suspend"), 503, "takes no changes")
    assert control.wake("running").status == 200
    with control.through_the_proxy(running) as session:
        session.execute("select 1")
    assert "disk is full" in control.proxy.log()
    procs.kill_hard(control.proxy.control())
    procs.wait_until(lambda: status(control) == 503, 20, "the next one to say that it has no store")
    with control.through_the_proxy(running) as session:
        session.execute("select 1")
    os.unlink(ballast)
    control.wait_until_ready()
    control.woken("asleep")
    assert control.servers("running") == [server]
    for name in ("running", "asleep"):
        assert control.operations(name) == ["creating", "suspended", "resuming", "active"]


@can_be_counted
def test_whichever_write_of_the_store_fails_there_is_never_a_second_server_and_nothing_is_stuck(start_proxy):
    """Each of the next writes, and then all of them, and now and then it is killed as well."""
    control = Control(start_proxy)
    control.compute(project=control.project(idle_timeout=0))
    store = [control.db_path + end for end in ("", "-wal", "-shm")]
    ways = [("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("fdatasync", "EIO"), ("fsync", "EIO")]
    for turn, ((call, error), when) in enumerate(itertools.product(ways, ("1", "2", "3+4", "1+1"))):
        with failing(control.proxy.control(), store, call, error, when):
            assert control.wake().status in (200, 503)
            assert len(control.servers()) < 2
            assert control.call("POST", "/api/v1/compute/db/suspend?mode=immediate").status in (200, 503)
            if turn % 3 == 0:
                procs.kill_hard(control.proxy.control())
        control.wait_until_ready()
        assert len(control.servers()) < 2
        procs.wait_until(lambda: control.wake().status == 200, 20, "it to be awake")
        assert len(control.servers()) == 1
    assert control.store("pragma integrity_check") == [("ok",)]
    assert control.store("select count(*) from compute_usage a join compute_usage b using (compute_id) "
                         "where a.id < b.id and a.ended_at > b.started_at") == [(0,)]
