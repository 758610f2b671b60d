"""The control plane by itself: what its API promises, and what becomes of it when it is killed.

Tests named a1_NN are the control plane's share of what went wrong in its predecessors
(anchors, section A.1, item NN).
"""

import glob
import http.client
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import threading
import time

import psycopg
import pytest

from harness import procs
from harness.control import Control, assert_problem, in_background
from harness.postgres import bin_dir
from harness.proxy import make_folder



@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


@pytest.fixture
def build(start_proxy):
    def make(**kwargs):
        return Control(start_proxy, **kwargs)
    return make


# What its predecessors got wrong.


def test_a1_03_a_later_wake_answers_the_address_of_the_server_that_runs(control):
    compute = control.compute()
    for _ in range(3):
        first, second = control.woken(), control.woken()
        assert first["address"] == second["address"] == control.show()["address"]
        assert (first["cold_start_info"], second["cold_start_info"]) == ("cold", "warm")
        assert os.path.exists(first["address"])
        with control.connect(compute) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
        control.suspend()
        assert control.show()["address"] is None


def test_a1_04_a_session_longer_than_the_idle_timeout_is_left_alone(build):
    control = build()
    compute = control.compute(project=control.project(idle_timeout=1))
    control.woken()
    with control.connect(compute) as conn:
        assert conn.execute("select 'done' from pg_sleep(3)").fetchone() == ("done",)
        assert control.state() == "active"
        conn.execute("begin")
        time.sleep(2.5)    # the very thing that is tested: nothing happens
        assert conn.execute("select 1").fetchone() == (1,)
        conn.execute("commit")
        control.wait_for_state("suspended")


def test_a1_05_concurrent_wakes_start_one_server(control):
    control.compute()
    wakes = [in_background(control.wake) for _ in range(50)]
    for thread, _ in wakes:
        thread.join()
    answers = [result[0] for _, result in wakes]
    assert {a.status for a in answers} == {200}
    assert len({a.body["generation"] for a in answers}) == 1
    assert len(control.servers()) == 1
    assert control.operations() == ["creating", "suspended", "resuming", "active"]


def test_a1_06_a_wake_while_suspending_is_held_and_makes_no_second_server(control):
    compute = control.compute()
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("begin; create table t (i int)")
        suspending, suspended = in_background(control.call, "POST",
                                              "/api/v1/compute/db/suspend")
        control.wait_for_state("suspending")
        waking, woken = in_background(control.wake)
        assert not woken and len(control.servers()) == 1
        conn.execute("commit")
        suspending.join()
        waking.join()
    assert suspended[0].status == 200 and woken[0].status == 200
    assert control.operations()[-4:] == ["suspending", "suspended", "resuming", "active"]
    assert len(control.servers()) == 1
    with control.connect(compute) as conn:
        conn.execute("table t")


def test_a1_07_it_answers_when_the_server_takes_queries_and_not_a_tick_later(control):
    compute = control.compute()
    took = []
    for _ in range(5):
        before = time.monotonic()
        answer = control.woken()
        took.append(time.monotonic() - before)
        with control.connect(compute) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
        assert answer["ready_in_ms"] <= took[-1] * 1000 + 1
        control.suspend()
    assert min(took) < 0.5 * procs.PATIENCE


@pytest.mark.parametrize("moment", ["creating", "resuming", "suspending", "destroying"])
def test_a1_08_what_a_killed_process_had_begun_is_finished(control, moment):
    project = control.project()

    def begin():
        try:
            if moment == "creating":
                control.call("POST", f"/api/v1/projects/{project}/compute", {"name": "db"})
            elif moment == "resuming":
                control.wake()
            elif moment == "suspending":
                control.call("POST", "/api/v1/compute/db/suspend")
            else:
                control.call("DELETE", "/api/v1/compute/db")
        except (OSError, http.client.HTTPException):
            pass    # it was killed, as it should be

    for _ in range(8):
        if moment != "creating":
            control.compute(project=project)
        if moment in ("suspending", "destroying"):
            control.woken()
        thread, _ = in_background(begin)
        time.sleep(random.uniform(0, 0.06))
        control.kill()
        thread.join()
        settled = procs.wait_until(lambda: settle(control), 30, f"the end of {moment}")
        if settled != "gone":
            control.woken()
            assert len(control.servers()) == 1
            assert control.call("DELETE", "/api/v1/compute/db").status == 204
        assert not control.servers()
        procs.wait_until(lambda: not glob.glob(f"{control.folder}/computes/postgres/db*"), 20,
                         "what was left over to be swept away")
        assert not os.path.exists(f"{control.folder}/computes/run/db")
    assert control.store("select count(*) from compute_usage where ended_at is null") == [(0,)]


def settle(control):
    """The state once it is one at rest, or "gone"."""
    answer = control.get("/api/v1/compute/db")
    state = "gone" if answer.status == 404 else answer.body["state"]
    return state if state in ("gone", "suspended", "active", "failed") else None


def test_a1_08_a_server_that_is_gone_does_not_stop_a_suspend(control):
    control.compute()
    control.woken()
    for pid in control.servers():
        os.kill(pid, signal.SIGQUIT)
    control.suspend()
    control.woken()


def test_a1_09_time_is_counted_once_and_not_while_nobody_watched(control):
    project = control.project()
    control.compute(project=project)
    before = time.monotonic()
    control.woken()
    time.sleep(1)
    control.suspend()
    upper = time.monotonic() - before
    assert 1 <= control.usage(project)["active_seconds"] <= upper

    control.woken()
    began = time.monotonic()
    server, = control.servers()
    control.kill()    # the server lives, so its interval goes on
    assert control.servers() == [server]
    assert len(control.store("select * from compute_usage")) == 2
    os.kill(control.proxy.control(), signal.SIGSTOP)
    os.kill(server, signal.SIGQUIT)
    procs.end_of(server, 10, "the server")
    stopped = time.monotonic() - began
    time.sleep(1)
    procs.kill_hard(control.proxy.control())
    procs.wait_until(control.is_ready, 20, "the control plane to be back")
    control.wait_for_state("suspended")
    assert control.store("select count(*) from compute_usage where ended_at is null") == [(0,)]
    assert control.usage(project)["active_seconds"] <= upper + stopped
    usage = control.usage(project)
    assert usage["compute_seconds"] == pytest.approx(usage["active_seconds"] * 0.25)


def test_a1_11_a_projects_own_settings_hold(build):
    control = build(idle_timeout="1h")
    hasty = control.compute("hasty", control.project(idle_timeout=1, max_connections=7))
    control.compute("patient")
    control.woken("patient")
    control.woken("hasty")
    with control.connect(hasty, "hasty") as conn:
        assert conn.execute("show max_connections").fetchone() == ("7",)
    control.wait_for_state("suspended", "hasty")
    assert control.state("patient") == "active"
    project = control.show("patient")["project_id"]
    changed = control.call("PATCH", f"/api/v1/projects/{project}", {"config": {"idle_timeout": 1}})
    assert changed.body["config"] == {"idle_timeout": 1}
    control.wait_for_state("suspended", "patient")


def test_a1_12_a_deleted_project_leaves_nothing_but_its_usage(control):
    project = control.project()
    for name in ("one", "two"):
        control.compute(name, project)
        control.woken(name)
    servers = control.servers("one") + control.servers("two")
    assert control.call("DELETE", f"/api/v1/projects/{project}").status == 204
    assert not any(map(procs.alive, servers))
    assert not glob.glob(f"{control.folder}/computes/postgres/*")
    assert not glob.glob(f"{control.folder}/computes/run/*")
    assert control.get(f"/api/v1/projects/{project}").status == 404
    assert control.wake("one").status == 404
    usage = control.usage(project)
    assert usage["active_seconds"] > 0
    assert {c["compute_id"] for c in usage["computes"]} == {"one", "two"}


def test_a1_14_every_compute_has_a_password_of_its_own_and_no_way_around_it(control):
    one, two = control.compute("one"), control.compute("two")
    assert one["connection_uri"] != two["connection_uri"].replace("/two", "/one")
    control.woken("one")
    for attempt in ({"user": "postgres", "dbname": "postgres"},
                    {"user": "postgres", "dbname": "postgres", "password": ""},
                    {"password": "wrong"},
                    {"user": "reveille_control", "dbname": "postgres"}):
        with pytest.raises(psycopg.OperationalError):
            control.connect(two, "one", **attempt)
    with control.connect(one, "one") as conn:
        assert conn.execute("select rolsuper, rolcreaterole, rolreplication from pg_roles "
                            "where rolname = current_user").fetchone() == (False, False, True)
        conn.execute("create table mine (i int)")
    assert oct(os.stat(f"{control.folder}/computes/run/one").st_mode & 0o777) == "0o700"
    assert "connection_uri" not in control.show("one")


def test_a1_15_get_changes_nothing_and_a_strange_name_reaches_nobody(control):
    control.compute()
    before = control.operations()
    for path in ("/api/v1/compute/db", "/api/v1/projects", "/api/v1/compute/db/operations",
                 "/healthz", "/readyz", "/api/v1/openapi.json"):
        assert control.get(path).status == 200
    assert control.operations() == before and control.state() == "suspended"
    for name in ("..%2fdb", "d_b", "%2e%2e", "a" * 64, "db%26x%3d1", "-db", "db%20", "",
                 "db%0d%0ax"):
        assert_problem(control.wake(name), 404, reason="ENDPOINT_NOT_FOUND")
    assert_problem(control.wake("db%00"), 400)
    assert_problem(control.get("/api/v1/wake_compute"), 400)
    assert control.operations() == before


# Waking.


def test_a_wake_tells_all_that_a_proxy_wants_to_know(control):
    compute = control.compute("Shop")
    answer = control.woken("SHOP")
    assert answer["compute_id"] == "shop" and answer["engine"] == "postgres"
    assert answer["address"].endswith("/.s.PGSQL.5432") and answer["server_name"] is None
    assert answer["generation"] == control.show("shop")["generation"]
    assert answer["aux"] == {"endpoint_id": "shop", "project_id": compute["project_id"],
                             "branch_id": compute["project_id"], "compute_id": "shop",
                             "cold_start_info": "cold"}
    by_project = control.woken(compute["project_id"])
    assert by_project["compute_id"] == "shop"
    for method, path in (("GET", "/proxy_wake_compute?endpointish=shop"),
                         ("POST", "/compute/api/v2/computes/shop/wake"),
                         ("PUT", "/compute/api/v2/computes/shop/wake")):
        answer = control.call(method, path)
        assert answer.status == 200 and answer.body["status"] == "scaled_up"


class Postgres:
    """The real server's programs, but starting can be made to take for ever."""

    def __init__(self):
        self.folder = make_folder()
        for name in ("initdb", "postgres.real"):
            os.symlink(f"{bin_dir()}/{name.split('.')[0]}", f"{self.folder}/{name}")
        with open(f"{self.folder}/postgres", "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\ntest -e {self.folder}/hang && exec sleep 600\n"
                    f"exec {bin_dir()}/postgres \"$@\"\n")
        os.chmod(f"{self.folder}/postgres", 0o755)

    def hang(self):
        with open(f"{self.folder}/hang", "w", encoding="ascii"):
            pass

    def work(self):
        os.unlink(f"{self.folder}/hang")


@pytest.fixture
def postgres():
    programs = Postgres()
    yield programs
    shutil.rmtree(programs.folder)


def test_a_wake_that_takes_too_long_says_so_and_the_start_is_given_up_in_time(build, postgres):
    control = build(process={"postgres_bin_dir": postgres.folder}, start_timeout="3")
    control.compute()
    postgres.hang()
    first, answer = in_background(control.wake)
    assert_problem(control.wake("db&timeout=1"), 504, reason="START_TIMEOUT")
    assert control.state() == "resuming"
    assert_problem(control.call("POST", "/api/v1/compute/db/suspend"), 423, "resuming")
    first.join()
    assert_problem(answer[0], 503, "not ready in time", "START_FAILED")
    assert control.state() == "failed"
    postgres.work()
    control.woken()


def test_a_start_that_fails_says_why_and_the_next_wake_tries_again(control):
    control.compute()
    os.rename(f"{control.data()}/global/pg_control", f"{control.data()}/global/away")
    for _ in range(2):
        answer = control.wake()
        assert_problem(answer, 503, "pg_control", "START_FAILED")
        assert answer.headers["Retry-After"]
        shown = control.show()
        assert shown["state"] == "failed" and "pg_control" in shown["failure"]
    os.rename(f"{control.data()}/global/away", f"{control.data()}/global/pg_control")
    control.woken()
    assert "failure" not in control.show()


def test_a_client_that_hangs_up_leaves_nothing_behind_and_the_start_goes_on(build, postgres):
    control = build(process={"postgres_bin_dir": postgres.folder})
    control.compute()
    pid = control.proxy.control()
    before = procs.descriptors(pid)
    postgres.hang()
    clients = []
    for _ in range(20):
        s = socket.create_connection(("127.0.0.1", control.proxy.control_port))
        s.sendall(b"GET /api/v1/wake_compute?endpointish=db HTTP/1.1\r\nHost: x\r\n"
                  b"Authorization: Bearer " + control.token().encode() + b"\r\n\r\n")
        clients.append(s)
    control.wait_for_state("resuming")
    procs.wait_until(lambda: procs.descriptors(pid) >= before + 20, 10, "all to be connected")
    for s in clients:
        s.close()
    procs.wait_until(lambda: procs.descriptors(pid) <= before + 4, 10, "all to be forgotten")
    assert control.state() == "resuming"


def test_more_computes_than_may_start_at_once_start_one_after_the_other(build):
    control = build(start_limit="1")
    project = control.project()
    names = [f"db{i}" for i in range(6)]
    for name in names:
        control.compute(name, project)
    wakes = [in_background(control.wake, name) for name in names]
    for thread, _ in wakes:
        thread.join()
    assert [r[0].status for _, r in wakes] == [200] * 6
    assert all(len(control.servers(name)) == 1 for name in names)


# Suspending.


def test_a_suspend_lets_open_transactions_end(control):
    compute = control.compute()
    control.woken()
    with control.connect(compute) as conn, control.connect(compute) as idle:
        conn.execute("begin; create table t (i int)")
        thread, answer = in_background(control.call, "POST", "/api/v1/compute/db/suspend")
        control.wait_for_state("suspending")
        conn.execute("insert into t values (1); commit")
        thread.join()
        assert answer[0].body["state"] == "suspended"
        with pytest.raises(psycopg.OperationalError, match="administrator command"):
            idle.execute("select 1")
    control.woken()
    with control.connect(compute) as conn:
        assert conn.execute("table t").fetchall() == [(1,)]


def test_nobody_is_let_in_whom_the_stop_would_end(control):
    compute = control.compute()
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("begin; create table t (i int)")
        thread, answer = in_background(control.call, "POST", "/api/v1/compute/db/suspend")

        def is_closed():
            try:
                control.connect(compute).close()
            except psycopg.OperationalError as e:
                return "the database system is shutting down" in str(e)
            return False
        procs.wait_until(is_closed, 10, "the server to let nobody in")
        assert control.state() == "suspending"
        conn.execute("commit")
        thread.join()
    assert answer[0].body["state"] == "suspended"


def test_an_immediate_suspend_ends_one_that_waits(control):
    compute = control.compute()
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("begin; create table t (i int)")
        thread, answer = in_background(control.call, "POST", "/api/v1/compute/db/suspend")
        control.wait_for_state("suspending")
        control.suspend(mode="?mode=immediate")
        thread.join()
        assert answer[0].body["state"] == "suspended"
        with pytest.raises(psycopg.OperationalError):
            conn.execute("commit")


def test_an_immediate_suspend_does_not_wait(control):
    compute = control.compute()
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("begin; create table t (i int)")
        control.suspend(mode="?mode=immediate")
        with pytest.raises(psycopg.OperationalError):
            conn.execute("commit")
    assert_problem(control.call("POST", "/api/v1/compute/db/suspend?mode=warm"), 422, "mode")
    control.suspend()    # one that is suspended already


def test_idle_clients_do_not_keep_a_compute_awake(build):
    control = build(idle_timeout="1")
    compute = control.compute()
    control.woken()
    with control.connect(compute) as one, control.connect(compute) as two:
        one.execute("select 1")
        two.execute("select 1")
        control.wait_for_state("suspended")
    assert any("nobody used it" in o["reason"] for o in
               control.get("/api/v1/compute/db/operations").body["operations"])


def test_what_libpq_reads_from_the_environment_is_none_of_ours(build, monkeypatch):
    with monkeypatch.context() as environment:
        environment.setenv("PGSERVICE", "nowhere")
        environment.setenv("PGHOSTADDR", "192.0.2.1")
        environment.setenv("PGSSLMODE", "verify-full")
        control = build()
    compute = control.compute(project=control.project(idle_timeout=1))
    control.woken()
    with control.connect(compute) as conn:      # so that the server has to be asked
        assert conn.execute("select 1").fetchone() == (1,)
        control.wait_for_state("suspended")


def test_replication_keeps_a_compute_awake(build):
    control = build(idle_timeout="1")
    compute = control.compute()
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("select pg_create_logical_replication_slot('s', 'pgoutput')")
        conn.execute("create publication p")
        walsender = psycopg.pq.PGconn.connect(
            (f"host={control.sockets()} user=app dbname=app replication=database "
             f"password={compute['connection_uri'].split(':')[2].split('@')[0]}").encode())
        assert walsender.status == psycopg.pq.ConnStatus.OK, walsender.error_message
        walsender.exec_(b"START_REPLICATION SLOT s LOGICAL 0/0 "
                        b"(proto_version '1', publication_names 'p')")
        time.sleep(2.5)    # nothing may happen
        assert control.state() == "active"
        walsender.finish()
        control.wait_for_state("suspended")


def test_what_proxies_report_keeps_a_compute_awake(build):
    control = build(idle_timeout="1")
    control.compute()
    control.woken()

    def report(**facts):
        return control.call("POST", "/api/v1/activity", {
            "proxy_id": "p1", "computes": [{"compute_id": "db", **facts},
                                           {"compute_id": "nobody", "at_work": 1}]})

    for _ in range(5):
        answer = report(sessions=3, at_work=1, transactions=10, idle_ms=0)
        assert answer.status == 200 and answer.body == {"accepted": 1}
        time.sleep(0.5)    # longer in all than the timeout
        assert control.state() == "active"
    report(sessions=3, at_work=0, idle_ms=0)
    control.wait_for_state("suspended")
    for bad in ({"at_work": -1}, {"at_work": "1"}, {"compute_id": 7}):
        assert_problem(report(**bad), 422, next(iter(bad)))


def test_a_new_idle_timeout_holds_after_a_reload(build):
    control = build(idle_timeout="1h")
    control.compute()
    control.woken()
    control.proxy.sections["control"]["idle_timeout"] = "1"
    control.proxy.write_ini()
    control.proxy.hup()
    control.wait_for_state("suspended")


# The API.


def test_tokens_are_wanted_everywhere_but_for_health(control):
    control.compute()
    for path in ("/healthz", "/readyz", "/api/v1/openapi.json"):
        assert control.get(path, token=None).status == 200
    for token in (None, "wrong", control.token()[:-1], ""):
        for method, path in (("GET", "/api/v1/projects"), ("POST", "/api/v1/projects"),
                             ("GET", "/api/v1/wake_compute?endpointish=db"),
                             ("DELETE", "/api/v1/compute/db"), ("POST", "/api/v1/activity")):
            answer = control.call(method, path, token=token)
            assert_problem(answer, 401, "Authorization")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert os.stat(control.token_file).st_mode & 0o777 == 0o600
    assert os.stat(control.db_path).st_mode & 0o777 == 0o600
    assert control.token() not in control.proxy.log()


def test_secrets_stay_out_of_log_and_store(control):
    compute = control.compute()
    password = compute["connection_uri"].split(":")[2].split("@")[0]
    control.woken()
    assert len(password) >= 24
    log = control.proxy.log()
    assert password not in log
    for row in control.store("select * from computes") + control.store("select * from operations"):
        assert password not in str(row)
    (verifier,), = control.store("select verifier from computes")
    assert verifier.startswith("SCRAM-SHA-256$4096:")
    (own,), = control.store("select control_password from computes")
    assert own not in log


def test_projects_are_made_shown_changed_and_listed(control):
    answer = control.call("POST", "/api/v1/projects",
                          {"name": "one", "config": {"idle_timeout": 300, "page_server_url": "x"}})
    project = answer.body
    assert answer.status == 201 and project["name"] == "one" and project["created_at"]
    assert project["config"] == {"idle_timeout": 300, "page_server_url": "x"}
    path = f"/api/v1/projects/{project['id']}"
    assert control.get(path).body == project
    changed = control.call("PATCH", path, {"name": "two", "config": {"idle_timeout": None}})
    assert changed.status == 200 and changed.body["name"] == "two"
    assert changed.body["config"] == {"page_server_url": "x"}
    ids = {project["id"]} | {control.project() for _ in range(4)}
    seen, cursor = set(), ""
    while cursor is not None:
        page = control.get(f"/api/v1/projects?limit=2{cursor and '&cursor=' + cursor}").body
        assert len(page["projects"]) <= 2
        seen |= {p["id"] for p in page["projects"]}
        cursor = page["next_cursor"]
    assert seen == ids
    assert control.call("DELETE", path).status == 204
    assert_problem(control.get(path), 404, project["id"])
    assert_problem(control.call("DELETE", path), 404)


def test_computes_are_made_shown_changed_and_listed(control):
    project = control.project(min_size=2)
    compute = control.compute(None, project, resources={"cpu": "500m", "memory": "128MB"})
    assert compute["state"] == "suspended" and compute["engine"] == "postgres"
    assert compute["size"] == 0.5 and compute["address"] is None
    assert compute["connection_uri"] == (
        f"postgresql://app:{compute['connection_uri'].split(':')[2].split('@')[0]}"
        f"@127.0.0.1:{control.proxy.port}/{compute['id']}%2Fapp")
    changed = control.call("PATCH", f"/api/v1/compute/{compute['id']}",
                           {"config": {"resources": {"cpu": 1, "memory": "256MB"}}})
    assert changed.body["size"] == 1
    control.woken(compute["id"])
    with control.connect(compute, compute["id"]) as conn:
        assert conn.execute("show shared_buffers").fetchone() == ("16MB",)
        assert conn.execute("show effective_cache_size").fetchone() == ("192MB",)
    assert control.compute("other", project)["size"] == 2
    listed = control.get(f"/api/v1/projects/{project}/compute").body
    assert {c["id"] for c in listed["computes"]} == {compute["id"], "other"}
    assert_problem(control.get("/api/v1/projects/nowhere/compute"), 404)
    control.compute("third", control.project())
    page = control.get("/api/v1/compute?limit=2").body
    rest = control.get(f"/api/v1/compute?limit=2&cursor={page['next_cursor']}").body
    assert sorted(c["id"] for c in page["computes"] + rest["computes"]) == sorted(
        [compute["id"], "other", "third"]) and rest["next_cursor"] is None
    assert control.call("POST", "/api/v1/compute/other/resume").status in (200, 202)
    control.wait_for_state("active", "other")


def test_bad_requests_are_told_what_is_wrong_with_them(control):
    project = control.project()
    control.compute("taken", project)
    computes = f"/api/v1/projects/{project}/compute"
    for path, body, status, says in (
            ("/api/v1/projects", b"{", 400, "JSON"),
            ("/api/v1/projects", b"[]", 400, "object"),
            ("/api/v1/projects", b'{"name":"a","name":"b"}', 400, "JSON"),
            ("/api/v1/projects", {}, 422, "name"),
            ("/api/v1/projects", {"name": 1}, 422, "name"),
            ("/api/v1/projects", {"name": "x" * 200}, 422, "name"),
            ("/api/v1/projects", {"name": "x", "colour": 1}, 422, "colour"),
            ("/api/v1/projects", {"name": "x", "config": {"idle": 1}}, 422, "config.idle"),
            ("/api/v1/projects", {"name": "x", "config": {"idle_timeout": "1"}}, 422,
             "config.idle_timeout"),
            ("/api/v1/projects", {"name": "x", "config": 1}, 422, "config"),
            (computes, {"name": "not_a_label"}, 422, "name"),
            (computes, {"name": "x" * 64}, 422, "name"),
            (computes, {"engine": "oracle"}, 422, "engine"),
            (computes, {"config": {"resources": {"cpu": "much"}}}, 422, "config.resources"),
            (computes, {"name": "taken"}, 409, "taken"),
            (computes, {"name": project}, 409, "taken"),
            ("/api/v1/projects/nowhere/compute", {}, 404, "nowhere")):
        assert_problem(control.call("POST", path, body), status, says)
    for path in ("/api/v1/projects?limit=0", "/api/v1/projects?limit=x",
                 f"/api/v1/projects/{project}/usage?from=yesterday",
                 f"/api/v1/projects/{project}/usage?granularity=weekly",
                 f"/api/v1/projects/{project}/usage?from=2026-01-02T00:00:00Z"
                 "&to=2026-01-01T00:00:00Z",
                 "/api/v1/wake_compute?endpointish=taken&timeout=never"):
        assert_problem(control.get(path), 422)
    answer = control.call("PUT", "/api/v1/projects", {})
    assert_problem(answer, 405)
    assert answer.headers["Allow"] == "POST, GET"
    assert_problem(control.get("/api/v1/nothing"), 404)
    too_much = http.client.HTTPConnection("127.0.0.1", control.proxy.control_port)
    too_much.putrequest("POST", "/api/v1/projects")
    too_much.putheader("Authorization", f"Bearer {control.token()}")
    too_much.putheader("Content-Length", (1 << 20) + 1)
    too_much.endheaders()
    assert too_much.getresponse().status == 413
    assert len(control.get("/api/v1/projects").body["projects"]) == 1


def test_usage_adds_up_over_periods(control):
    project = control.project()
    control.compute(project=project)
    control.woken()
    control.suspend()
    begin = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 2 * 86400))
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    for granularity in ("hourly", "daily", "monthly"):
        usage = control.get(f"/api/v1/projects/{project}/usage?from={begin}&to={end}"
                            f"&granularity={granularity}").body
        assert sum(p["active_seconds"] for p in usage["periods"]) == pytest.approx(
            usage["active_seconds"])
        assert usage["periods"][0]["from"].startswith(begin[:10])
        for one, next_one in zip(usage["periods"], usage["periods"][1:]):
            assert one["to"] == next_one["from"]
    assert usage["active_seconds"] > 0
    assert_problem(control.get("/api/v1/projects/nowhere/usage"), 404)


def test_openapi_names_every_path(control):
    document = control.get("/api/v1/openapi.json").body
    assert document["openapi"].startswith("3.")
    assert set(document["paths"]["/api/v1/compute/{id}"]) == {"get", "patch", "delete"}
    assert document["paths"]["/api/v1/projects/{id}/usage"]["get"]["parameters"][0]["name"] == "id"
    assert document["paths"]["/healthz"]["get"]["security"] == []


# Being killed.


def test_nothing_is_lost_or_doubled_however_often_it_is_killed(control):
    project = control.project()
    compute = control.compute(project=project)
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("create table t (i int)")
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            for call in (("GET", "/api/v1/wake_compute?endpointish=db"),
                         ("POST", "/api/v1/compute/db/suspend?mode=immediate")):
                try:
                    control.call(*call, timeout=20)
                except (OSError, ValueError, http.client.HTTPException):
                    pass

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(10):
            time.sleep(random.uniform(0, 0.1))
            control.kill()
            assert len(control.servers()) <= 1
    finally:
        stop.set()
        thread.join()
    control.woken()
    assert len(control.servers()) == 1
    with control.connect(compute) as conn:
        conn.execute("table t")
    intervals = control.store("select started_at, ended_at from compute_usage order by id")
    assert all(end is not None and start <= end for start, end in intervals[:-1])
    assert all(one[1] <= other[0] for one, other in zip(intervals, intervals[1:]))
    assert intervals[-1][1] is None


def test_a_pid_file_of_an_earlier_boot_is_no_obstacle(control):
    control.compute()
    control.woken()
    for pid in control.servers():
        procs.kill_hard(pid)
    with open(f"{control.data()}/postmaster.pid", "w", encoding="ascii") as f:
        f.write(f"{os.getpid()}\n{control.data()}\n1\n5432\n/x\n\n 0 0\nready   \n")
    procs.wait_until(lambda: control.wake().status == 200, 30, "the compute to be woken")
    assert os.getpid() not in control.servers() and len(control.servers()) == 1


def test_a_store_of_a_newer_version_is_refused(control):
    control.proxy.term()
    with sqlite3.connect(control.db_path) as db:
        db.execute("pragma user_version = 1000")
    control.proxy.launch()
    control.proxy.wait_for_log("the store has version 1000")
    control.proxy.term()


def deaths(proxy):
    return [int(ms) for ms in re.findall(r"a child died.*kind=control .*in_ms=(\d+)", proxy.log())]


def test_a_control_plane_that_cannot_start_is_tried_less_and_less_often_and_at_once_after_a_reload(
        control):
    control.proxy.term()
    with sqlite3.connect(control.db_path) as db:
        version = db.execute("pragma user_version").fetchone()[0]
        db.execute("pragma user_version = 1000")
    control.proxy.launch()
    procs.wait_until(lambda: len(deaths(control.proxy)) >= 3, 30, "three vain starts")
    first = deaths(control.proxy)
    assert first[:3] == [500, 1000, 2000]

    control.proxy.hup()
    procs.wait_until(lambda: 500 in deaths(control.proxy)[len(first):], 30, "a start anew")

    with sqlite3.connect(control.db_path) as db:
        db.execute(f"pragma user_version = {version}")
    control.proxy.hup()
    control.wait_until_ready()


def test_a_control_group_that_is_of_no_use_is_named_with_its_setting(start_proxy):
    control = Control(start_proxy, process={"cgroup_parent": "/nowhere/at/all"})
    control.proxy.wait_for_log('process.cgroup_parent is no use .*"/nowhere/at/all" freeze=no cpu=no')
