"""What tenants do to their own servers so that the control plane cannot do its work on them."""

import contextlib
import socket

import psycopg
import pytest

from harness import procs
from harness.control import Control, assert_problem


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


def make_role(control, name):
    answer = control.call("POST", "/api/v1/compute/db/roles", {"name": name})
    assert answer.status == 201, answer
    return answer.body


def log_in(control, role, **kwargs):
    """To the server itself, past the proxy."""
    return psycopg.connect(host=control.sockets(), user=role["name"], dbname="app",
                           password=role["password"], **{"autocommit": True, **kwargs})


def drop(control, name):
    return control.call("DELETE", f"/api/v1/compute/db/roles/{name}")


def test_a_role_that_has_taken_all_connections_can_be_dropped(control):
    control.compute(project=control.project(max_connections=5, freeze_after=0))
    control.woken()
    thief = make_role(control, "thief")
    taken = [log_in(control, thief) for _ in range(5)]
    assert drop(control, "thief").status == 204
    for conn in taken:
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")


def test_who_keeps_a_lock_gathers_no_backends_that_wait_for_it(control):
    compute = control.compute(project=control.project(freeze_after=0, idle_timeout=0))
    control.woken()
    writer = make_role(control, "writer")
    with control.connect(compute) as app:
        app.execute("grant all on schema public to writer")
    with log_in(control, writer) as conn:
        conn.execute("create table kept as select 7 as n; grant all on kept to app")
    with control.connect(compute) as looks, control.connect(compute, autocommit=False) as keeps:
        keeps.execute("select * from kept")
        answer = drop(control, "writer")
        assert answer.status == 202 and "lock timeout" in answer.body["failure"], answer
        procs.wait_until(lambda: looks.execute(
            "select count(*) from pg_locks where not granted").fetchone() == (0,), 10,
            "nobody to wait for a lock")
        keeps.rollback()
    assert make_role(control, "another")["pending"] is None
    assert drop(control, "writer").status in (204, 404)


@pytest.mark.parametrize("rule", ["default_transaction_read_only = on", "statement_timeout = 1",
                                  "standard_conforming_strings = off"])
def test_what_the_owner_of_a_database_sets_there_keeps_no_role_in_it(control, rule):
    compute = control.compute()
    control.woken()
    writer = make_role(control, "wri'ter\\")
    with control.connect(compute) as app:
        app.execute("grant all on schema public to \"wri'ter\\\"")
    with log_in(control, writer) as conn:
        conn.execute("create table kept as select 7 as n")
    with control.connect(compute) as app:
        app.execute(f"alter database app set {rule}")
    assert drop(control, "wri%27ter%5C").status == 204


@pytest.mark.parametrize("resources, says", [
    ({"cpu": 1024}, "max_size, which is 1"),
    ({"cpu": "1001m"}, "max_size, which is 1"),
    ({"memory": 2**60}, "max_size, which is 1"),
])
def test_nobody_goes_beyond_a_projects_max_size(control, resources, says):
    project = control.project(max_size=1)
    control.compute(project=project)
    token = control.call("POST", "/api/v1/tokens", {"name": "t", "scope": "project",
                                                    "project_id": project}).body["token"]
    more = {"config": {"resources": resources}}
    for method, path in (("PATCH", "/api/v1/compute/db"),
                         ("POST", f"/api/v1/projects/{project}/compute")):
        for who in ({"token": token}, {}):    # the tenant, and the admin
            assert_problem(control.call(method, path, more, **who), 422, says)
    assert control.show()["size"] == 0.25


def test_a_max_size_that_is_lowered_holds_for_who_said_a_size_of_its_own(control):
    project = control.project()
    control.compute(project=project, resources={"cpu": 2})
    assert control.show()["size"] == 2
    answer = control.call("PATCH", f"/api/v1/projects/{project}", {"config": {"max_size": 0.5}})
    assert answer.status == 200
    procs.wait_until(lambda: control.show()["size"] == 0.5, 10, "it to be smaller")


def listen(control, token, query=""):
    """Begins to listen; the connection, and whether it was let in."""
    conn = socket.create_connection(("127.0.0.1", control.proxy.control_port), timeout=20)
    conn.sendall(f"GET /api/v1/events{query} HTTP/1.1\r\nHost: x\r\n"
                 f"Authorization: Bearer {token}\r\n\r\n".encode())
    return conn, conn.recv(15).split()[1]


def token_of(control, project):
    return control.call("POST", "/api/v1/tokens", {"name": "t", "scope": "project",
                                                   "project_id": project}).body["token"]


def test_listeners_of_projects_leave_room_for_proxies(control):
    greedy, modest = control.project(), control.project()
    with contextlib.ExitStack() as open_until_the_end:
        def answers(token, n):
            found = [listen(control, token) for _ in range(n)]
            for conn, _ in found:
                open_until_the_end.enter_context(conn)
            return [status for _, status in found]
        assert answers(token_of(control, greedy), 20) == 16 * [b"200"] + 4 * [b"503"]
        assert answers(token_of(control, modest), 1) == [b"200"]
        more = [token_of(control, control.project()) for _ in range(7)]
        assert sum(answers(token, 16).count(b"200") for token in more) == 128 - 17
        assert answers(control.token(), 20) == 20 * [b"200"]
