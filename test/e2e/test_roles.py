"""Roles and databases over the API: told to real servers, whatever the compute is doing."""

import urllib.parse

import psycopg
import pytest

from harness import procs
from harness.control import Control, assert_problem, in_background


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


@pytest.fixture
def proving(start_proxy):
    """A proxy that judges by itself, with the secrets of the control plane."""
    return Control(start_proxy, reveille={"auth_type": "scram-sha-256"})


def at(kind, name=None, more="", compute="db"):
    path = f"/api/v1/compute/{compute}/{kind}"
    return path if name is None else f"{path}/{urllib.parse.quote(name, safe='')}{more}"


def make_role(control, name, **kwargs):
    answer = control.call("POST", at("roles", **kwargs), {"name": name})
    assert answer.status == 201, answer
    return answer.body


def make_database(control, name, owner="app"):
    answer = control.call("POST", at("databases"), {"name": name, "owner": owner})
    assert answer.status == 201, answer
    return answer.body


def rotate(control, name):
    answer = control.call("POST", at("roles", name, "/password"))
    assert answer.status == 200, answer
    return answer.body


def roles(control):
    return {r["name"]: r["pending"] for r in control.get(at("roles")).body["roles"]}


def databases(control):
    return {d["name"]: d["pending"] for d in control.get(at("databases")).body["databases"]}


def log_in(control, role, dbname="app", query="select session_user"):
    """To the server itself, past the proxy."""
    with psycopg.connect(host=control.sockets(), user=role["name"], dbname=dbname,
                         password=role["password"], autocommit=True) as conn:
        return conn.execute(query).fetchone()[0]


def run(control, role, dbname, statement):
    with psycopg.connect(host=control.sockets(), user=role["name"], dbname=dbname,
                         password=role["password"], autocommit=True) as conn:
        conn.execute(statement)


def through(uri, query="select session_user"):
    with psycopg.connect(uri, autocommit=True) as conn:
        return conn.execute(query).fetchone()[0]


def refused(uri):
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(uri).close()
    return str(caught.value)


ODD = 'Ein "O\'Brien"; drop \\ %s ü/€'


@pytest.mark.parametrize("name", ["reader", ODD])
def test_a_role_of_a_running_compute_may_log_in_at_once(control, name):
    control.compute()
    control.woken()
    role = make_role(control, name)
    assert (role["name"], role["pending"]) == (name, None)
    assert log_in(control, role) == name
    assert through(role["connection_uri"]) == name
    assert roles(control) == {"app": None, name: None}


def test_a_role_of_a_sleeping_compute_is_there_when_it_wakes(control):
    control.compute()
    role = make_role(control, "reader")
    assert role["pending"] == "put" and control.servers() == []
    assert through(role["connection_uri"]) == "reader"
    assert roles(control) == {"app": None, "reader": None}
    control.suspend()
    assert through(role["connection_uri"]) == "reader"


def test_a_role_of_a_frozen_compute_is_there_when_it_thaws(control):
    control.compute()
    control.woken()
    answer = control.call("POST", "/api/v1/compute/db/suspend?mode=freeze")
    if answer.status == 422:
        pytest.skip("computes cannot be frozen here")
    role = make_role(control, "reader")
    assert role["pending"] == "put" and control.state() == "frozen"
    assert through(role["connection_uri"]) == "reader"


def test_what_is_pending_survives_a_crash(control):
    control.compute()
    role = make_role(control, "reader")
    make_database(control, "books", "reader")
    control.kill()
    control.woken()
    assert log_in(control, role, "books", "select current_database()") == "books"
    assert set(roles(control).values()) == {None}


def test_no_password_is_kept(control):
    control.compute()
    role = make_role(control, "reader")
    (verifier, mysql), = control.store("select verifier, mysql_hash from roles where name='reader'")
    assert verifier.startswith("SCRAM-SHA-256$4096:") and mysql.startswith("*")
    assert len(mysql) == 41
    with open(control.db_path, "rb") as f, open(f"{control.db_path}-wal", "rb") as wal:
        assert role["password"].encode() not in f.read() + wal.read()
    assert "password" not in control.get(at("roles")).body["roles"][0]


def test_a_new_password_takes_the_place_of_the_old_one(control):
    control.compute()
    control.woken()
    old = make_role(control, "reader")
    new = rotate(control, "reader")
    assert log_in(control, new) == "reader"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(control, old)


def test_the_role_app_may_have_a_new_password_too(control):
    first = control.compute()
    control.woken()
    app = rotate(control, "app")
    assert log_in(control, app) == "app"
    assert "password" in refused(first["connection_uri"])
    control.suspend()
    again = rotate(control, "app")
    assert through(again["connection_uri"]) == "app"
    assert "password" in refused(app["connection_uri"])


def test_a_new_password_holds_at_once_where_the_proxy_judges(proving):
    proving.compute()
    role = make_role(proving, "reader")
    assert through(role["connection_uri"]) == "reader"
    for _ in range(3):
        new = rotate(proving, "reader")
        assert through(new["connection_uri"]) == "reader"
        procs.wait_until(lambda: "password" in refused(role["connection_uri"]), 10,
                         "the old password to be refused")
        role = new
    proving.call("DELETE", at("roles", "reader"))
    procs.wait_until(lambda: "password" in refused(role["connection_uri"]), 10,
                     "the dropped role to be refused")


def test_a_dropped_role_leaves_what_it_had_to_the_owners(control):
    compute = control.compute()
    control.woken()
    role = make_role(control, "writer")
    with control.connect(compute) as conn:
        conn.execute("grant all on schema public to writer")
    run(control, role, "app", "create table kept as select 7 as n")
    with psycopg.connect(host=control.sockets(), user="writer", dbname="app",
                         password=role["password"], autocommit=True) as conn:
        assert control.call("DELETE", at("roles", "writer")).status == 204
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")
    with control.connect(compute) as conn:
        assert conn.execute("select n from kept").fetchone() == (7,)
        assert conn.execute("select count(*) from pg_roles where rolname = 'writer'"
                            ).fetchone() == (0,)
        members = conn.execute("select count(*) from pg_auth_members where member ="
                               " 'reveille_control'::regrole and roleid = 'app'::regrole")
        assert members.fetchone() == (0,)
    assert roles(control) == {"app": None}


def test_a_role_dropped_while_it_sleeps_goes_at_the_next_wake(control):
    control.compute()
    control.woken()
    make_role(control, "reader")
    control.suspend()
    answer = control.call("DELETE", at("roles", "reader"))
    assert (answer.status, answer.body["pending"]) == (202, "drop")
    secret = control.get("/api/v1/get_endpoint_access_control?endpointish=db&role=reader")
    assert secret.body["role_secret"] == ""
    control.woken()
    assert roles(control) == {"app": None}


def test_databases_come_and_go_with_their_owners(control):
    control.compute()
    control.woken()
    owner = make_role(control, ODD)
    assert make_database(control, "Bücher & co", ODD)["pending"] is None
    assert databases(control) == {"app": None, "Bücher & co": None}
    run(control, owner, "Bücher & co", "create table t ()")
    assert_problem(control.call("DELETE", at("roles", ODD)), 422, "owns database")
    again = rotate(control, ODD)
    assert through(again["connection_uri"], "select current_database()") == "Bücher & co"
    with psycopg.connect(host=control.sockets(), user=ODD, dbname="Bücher & co",
                         password=again["password"]):
        assert control.call("DELETE", at("databases", "Bücher & co")).status == 204
    assert control.call("DELETE", at("roles", ODD)).status == 204
    assert_problem(control.call("DELETE", at("databases", "app")), 422, "last database")
    assert_problem(control.call("DELETE", at("roles", "app")), 422, "made with, and stays")


def test_the_last_database_may_be_another_one(control):
    control.compute()
    make_database(control, "other")
    assert control.call("DELETE", at("databases", "app")).status == 202
    role = rotate(control, "app")
    assert through(role["connection_uri"], "select current_database()") == "other"
    assert databases(control) == {"other": None}


@pytest.mark.parametrize("name, says", [
    ("", "name must be"), (7, "name must be"), ("x" * 64, "name must be"),
    ("pg_monitor", "kept for"), ("postgres", "kept for"), ("reveille_control", "kept for"),
    ("public", "kept for"), ("a\nb", "control characters"),
])
def test_a_name_that_cannot_be_is_refused(control, name, says):
    control.compute()
    assert_problem(control.call("POST", at("roles"), {"name": name}), 422, says)
    assert roles(control) == {"app": None}


def test_what_is_not_there_or_there_already_is_said(control):
    control.compute()
    make_role(control, "reader")
    make_database(control, "books")
    assert_problem(control.call("POST", at("roles"), {"name": "reader"}), 409, "reader")
    assert_problem(control.call("POST", at("databases"), {"name": "books"}), 409, "books")
    assert_problem(control.call("POST", at("databases"), {"name": "x", "owner": "nobody"}), 422,
                   "owner must be")
    assert_problem(control.call("POST", at("databases"), {"name": "template1"}), 422, "kept for")
    for kind in ("roles", "databases"):
        assert_problem(control.call("DELETE", at(kind, "nothing")), 404, "nothing")
        assert_problem(control.get(at(kind, compute="nowhere")), 404, "nowhere")
    assert_problem(control.call("POST", at("roles", "nothing", "/password")), 404, "nothing")


def test_what_a_server_refuses_stays_pending_with_its_words_and_delays_no_wake(control):
    compute = control.compute()
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("revoke connect on database app from public")
        conn.execute("grant connect on database app to app")
    make_role(control, "reader")
    answer = control.call("DELETE", at("roles", "reader"))
    assert (answer.status, answer.body["pending"]) == (202, "drop")
    assert "denied" in answer.body["failure"]
    control.suspend()
    assert control.woken()["ready_in_ms"] < 10000
    with control.connect(compute) as conn:
        conn.execute("grant connect on database app to public")
    control.suspend()
    control.woken()
    assert roles(control) == {"app": None}


def test_many_roles_at_once_are_all_told(control):
    control.compute()
    control.woken()
    making = [in_background(make_role, control, f"r{i}") for i in range(20)]
    for thread, _ in making:
        thread.join()
    for _, result in making:
        assert log_in(control, result[0]) == result[0]["name"]
