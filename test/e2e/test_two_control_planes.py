"""Several control planes on one PostgreSQL store: one is in charge, the others help, and take over."""

import itertools
import os
import shutil
import signal
import threading
import time

import psycopg
import pytest

from harness import procs
from harness.control import Control
from harness.proxy import end_computes, make_folder

numbers = itertools.count(1)


@pytest.fixture
def pair(start_proxy, spare_pg):
    """Two process trees with a control plane each, on one store and one folder of computes."""
    schema = f"cp{next(numbers)}"
    with psycopg.connect(host=spare_pg.folder, port=spare_pg.port, user="postgres", dbname="postgres",
                         autocommit=True) as conn:
        conn.execute(f"create schema {schema}")
    url = (f"postgresql://postgres@/postgres?host={spare_pg.folder}&port={spare_pg.port}"
           f"&options=-csearch_path%3D{schema}")
    shared = make_folder()
    process = {"data_dir": f"{shared}/computes"}
    token = f"{shared}/admin.token"
    trees = [Control(start_proxy, process=process, store=url, admin_token_file=token)
             for _ in range(2)]
    for tree in trees:
        tree.shared = shared
    yield trees
    for tree in trees:
        tree.proxy.finish()
    end_computes(f"{shared}/computes")
    shutil.rmtree(shared, ignore_errors=True)    # a process of a server may still write its last


def test_the_one_that_helps_serves_the_same_api(pair):
    first, second = pair
    project = first.project(idle_timeout=0)
    second.compute("db", project=project)
    assert first.show()["state"] == "suspended"
    assert second.woken()["cold_start_info"] == "cold"
    assert first.woken()["cold_start_info"] == "warm"
    assert second.get("/api/v1/compute/nobody").status == 404
    assert second.get("/api/v1/projects", token="wrong" * 5).status == 401
    assert [c["id"] for c in second.get("/api/v1/compute").body["computes"]] == ["db"]
    second.suspend()
    assert first.state() == "suspended"


def test_the_proxy_of_the_one_that_helps_is_let_in_by_the_one_in_charge(pair):
    first, second = pair
    password = first.compute("db", project=first.project())["connection_uri"].split(":")[2].split("@")[0]
    for tree in reversed(pair):
        with psycopg.connect(host="127.0.0.1", port=tree.proxy.port, user="app", password=password,
                             dbname="db/app") as conn:
            assert conn.execute("select 1").fetchone() == (1,)
    scopes = sorted(t["scope"] for t in first.get("/api/v1/tokens").body["tokens"])
    assert scopes == ["admin", "proxy", "proxy"]


def test_a_new_password_holds_at_once_at_both_proxies(pair):
    first, second = pair
    first.compute("db", project=first.project())
    old = second.call("POST", "/api/v1/compute/db/roles", {"name": "r"}).body["password"]
    new = second.call("POST", "/api/v1/compute/db/roles/r/password").body["password"]
    for tree in pair:
        def log_in(password):
            with psycopg.connect(host="127.0.0.1", port=tree.proxy.port, user="r",
                                 password=password, dbname="db/app") as conn:
                return conn.execute("select 1").fetchone()
        assert log_in(new) == (1,)
        with pytest.raises(psycopg.OperationalError):
            log_in(old)


def test_the_scheduler_moves_within_10_seconds_and_nothing_starts_twice(pair):
    first, second = pair
    project = first.project(idle_timeout=0)
    names = [f"db{i}" for i in range(3)]
    for name in names:
        first.compute(name, project=project)
    first.woken("db0")
    [server] = servers(first, "db0")
    ended, refused = threading.Event(), []

    def wake_all():
        while not ended.is_set():
            for name in names:
                for tree in pair:
                    try:
                        answer = tree.wake(name, timeout=30)
                    except OSError:
                        continue    # of the one that was killed
                    if answer.status not in (200, 503):
                        refused.append(answer)
    threads = [threading.Thread(target=wake_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    before = first.proxy.control()
    procs.kill_hard(before)
    began = time.monotonic()
    procs.wait_until(lambda: "this control plane is in charge" in second.proxy.log(), 20, "the lead to move")
    assert time.monotonic() - began < 10 * procs.PATIENCE
    procs.wait_until(lambda: all(second.wake(name).status == 200 for name in names), 20, "all to be awake")
    ended.set()
    for thread in threads:
        thread.join()
    assert not refused
    assert servers(second, "db0") == [server], "it was found again"
    for name in names:
        assert len(servers(second, name)) == 1
    first.wait_until_ready()
    procs.wait_until(lambda: first.wake("db0").status == 200, 10, "the killed one to help")
    assert second.show("db0")["state"] == "active"


def test_one_that_stood_still_does_no_harm_when_it_goes_on(pair):
    """Its lock is taken from it because it stands still; it ends when it goes on, and then helps."""
    first, second = pair
    project = first.project(idle_timeout=0)
    first.compute("db", project=project)
    first.woken()
    [server] = servers(first, "db")
    paused = first.proxy.control()
    os.kill(paused, signal.SIGSTOP)
    try:
        procs.wait_until(lambda: "this control plane is in charge" in second.proxy.log(), 40,
                         "the lead to move")
        procs.wait_until(lambda: second.wake().status == 200, 20, "the new one to know it")
        second.suspend()
        second.woken()
        [newer] = servers(second, "db")
        assert newer != server
    finally:
        os.kill(paused, signal.SIGCONT)
    procs.wait_until(lambda: first.proxy.control() not in (None, paused), 20, "the paused one to end")
    first.wait_until_ready()
    procs.wait_until(lambda: first.wake().status == 200, 10, "it to help")
    assert servers(second, "db") == [newer]


def test_while_the_store_is_away_it_says_so_and_goes_on_when_it_is_back(pair, spare_pg):
    """Computes run on, the API answers 503 with Retry-After, and nobody has to help."""
    first, second = pair
    first.compute("db", project=first.project(idle_timeout=0))
    first.woken()
    [server] = servers(first, "db")
    spare_pg.stop()
    procs.wait_until(lambda: first.wake(timeout=20).status == 503, 20, "the API to say so")
    answer = first.wake(timeout=20)
    assert answer.status == 503 and answer.headers["Retry-After"], answer
    assert first.get("/healthz").status == 200
    spare_pg.start()
    for tree in pair:
        procs.wait_until(lambda t=tree: t.wake(timeout=20).status == 200, 40, "it to be back")
    assert servers(first, "db") == [server]


def servers(control, name):
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if f" -D {control.shared}/computes/postgres/{name}/data " in procs.title(pid) and procs.alive(pid):
            found.append(pid)
    young = {child for pid in found for child in procs.children(pid)}
    return [pid for pid in found if pid not in young and procs.alive(pid)]
