"""Requests with an Idempotency-Key: sent again, they are done once, whatever happens between."""

import http.client
import json
import random
import threading

import psycopg
import pytest

from harness import procs
from harness.control import Control, assert_problem, in_background


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


def post(control, path, body, key, **kwargs):
    return control.call("POST", path, body, headers={"Idempotency-Key": key}, **kwargs)


def replayed(answer):
    return answer.headers.get("Idempotency-Replayed") == "true"


def projects(control):
    return control.get("/api/v1/projects").body["projects"]


def test_the_same_again_gets_the_same_answer(control):
    first = post(control, "/api/v1/projects", {"name": "shop"}, "k1")
    again = post(control, "/api/v1/projects", {"name": "shop"}, "k1")
    assert first.status == again.status == 201 and first.body == again.body
    assert (replayed(first), replayed(again)) == (False, True)
    assert len(projects(control)) == 1
    other = post(control, "/api/v1/projects", {"name": "shop"}, "k2")
    assert other.status == 201 and len(projects(control)) == 2


def test_passwords_are_in_the_answer_again_and_nowhere_else(control):
    path = f"/api/v1/projects/{control.project()}/compute"
    first = post(control, path, {"name": "db"}, "compute")
    again = post(control, path, {"name": "db"}, "compute")
    assert replayed(again) and first.body == again.body
    role = post(control, "/api/v1/compute/db/roles", {"name": "r"}, "role")
    assert post(control, "/api/v1/compute/db/roles", {"name": "r"}, "role").body == role.body
    other = post(control, "/api/v1/compute/db/roles/r/password", None, "other")
    assert post(control, "/api/v1/compute/db/roles/r/password", None, "other").body == other.body
    token = post(control, "/api/v1/tokens", {"name": "t", "scope": "admin"}, "token")
    assert post(control, "/api/v1/tokens", {"name": "t", "scope": "admin"},
                "token").body == token.body
    with open(control.db_path, "rb") as f, open(f"{control.db_path}-wal", "rb") as wal:
        kept = f.read() + wal.read()
    for secret in (first.body["connection_uri"], role.body["password"], other.body["password"],
                   token.body["token"]):
        assert secret.encode() not in kept
    with psycopg.connect(other.body["connection_uri"]) as conn:
        assert conn.execute("select session_user").fetchone() == ("r",)


def test_another_request_with_the_same_key_is_refused(control):
    post(control, "/api/v1/projects", {"name": "shop"}, "k")
    for path, body in [("/api/v1/projects", {"name": "other"}),
                       ("/api/v1/tokens", {"name": "shop", "scope": "admin"})]:
        assert_problem(post(control, path, body, "k"), 422, "another request")
    assert len(projects(control)) == 1


def test_a_key_is_its_tokens_own(control):
    token = control.call("POST", "/api/v1/tokens", {"name": "t", "scope": "admin"}).body["token"]
    first = post(control, "/api/v1/projects", {"name": "shop"}, "k")
    other = post(control, "/api/v1/projects", {"name": "shop"}, "k", token=token)
    assert first.status == other.status == 201 and not replayed(other)
    assert first.body["id"] != other.body["id"]


def test_a_refusal_is_not_kept(control):
    path = f"/api/v1/projects/{control.project()}/compute"
    control.compute("db")
    assert_problem(post(control, path, {"name": "db"}, "k"), 409, "db")
    assert control.call("DELETE", "/api/v1/compute/db").status == 204
    assert post(control, path, {"name": "db"}, "k").status == 201
    assert_problem(post(control, "/api/v1/projects", {"name": ""}, "bad"), 422, "name must be")
    assert post(control, "/api/v1/projects", {"name": "x"}, "bad").status == 201


@pytest.mark.parametrize("key, good", [("x" * 255, True), ("a b!~", True), ("x" * 256, False),
                                       ("caf\xe9", False), ("", False)])
def test_a_key_is_printable_and_not_too_long(control, key, good):
    answer = post(control, "/api/v1/projects", {"name": "x"}, key)
    if good:
        assert answer.status == 201
    else:
        assert_problem(answer, 422, "Idempotency-Key must be")


def test_where_a_key_means_nothing_it_does_no_harm(control):
    control.compute()
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        assert control.call("GET", "/api/v1/projects", headers=headers).status == 200
        assert control.call("POST", "/compute/api/v2/computes/db/wake",
                            headers=headers).status == 200
        assert control.call("POST", "/api/v1/activity", {"proxy_id": "p", "computes": []},
                            headers=headers).status == 200
        assert control.call("PATCH", "/api/v1/compute/db", {"config": {}},
                            headers=headers).status == 200


def test_of_many_at_once_one_is_done(control):
    path = f"/api/v1/projects/{control.project()}/compute"
    asked = [in_background(post, control, path, {"config": {}}, "k") for _ in range(10)]
    for thread, _ in asked:
        thread.join()
    answers = [result[0] for _, result in asked]
    assert {a.status for a in answers} <= {201, 423}
    assert all(a.headers["Retry-After"] for a in answers if a.status == 423)
    assert len({a.body["id"] for a in answers if a.status == 201}) == 1
    assert len(control.get("/api/v1/compute").body["computes"]) == 1


def test_who_hung_up_finds_the_password_when_he_comes_again(control):
    path = f"/api/v1/projects/{control.project()}/compute"
    connection = http.client.HTTPConnection("127.0.0.1", control.proxy.control_port)
    connection.request("POST", path, json.dumps({"name": "db"}),
                       {"Authorization": f"Bearer {control.token()}", "Idempotency-Key": "k"})
    procs.wait_until(lambda: control.get("/api/v1/compute/db").status == 200, 10, "it to begin")
    connection.close()
    answer = procs.wait_until(lambda: (lambda a: a if a.status == 201 else None)(
        post(control, path, {"name": "db"}, "k")), 30, "the answer")
    with psycopg.connect(answer.body["connection_uri"]) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def insist(control, path, body, key):
    """As a client does that knows of nothing but its key: again, until there is an answer."""
    answers = []

    def attempt():
        try:
            answers.append(post(control, path, body, key, timeout=20))
        except OSError:
            return False
        return answers[-1].status not in (423, 503)
    procs.wait_until(attempt, 60, "an answer")
    return answers[-1]


def test_killed_at_any_moment_each_key_has_made_one_thing(control):
    project = control.project()
    told = {}

    def client(n):
        told[n] = (insist(control, "/api/v1/projects", {"name": f"p{n}"}, f"project {n}"),
                   insist(control, f"/api/v1/projects/{project}/compute", {"config": {}},
                          f"compute {n}"))
    for turn in range(3):
        clients = [threading.Thread(target=client, args=(5 * turn + i,)) for i in range(5)]
        killer = threading.Timer(random.uniform(0, 0.25), control.kill)
        for thread in [killer, *clients]:
            thread.start()
        for thread in [killer, *clients]:
            thread.join()
    assert len(told) == 15
    assert {a.status for pair in told.values() for a in pair} == {201}
    names = [p["name"] for p in projects(control) if p["id"] != project]
    assert sorted(names) == sorted(f"p{n}" for n in told)
    made = [c["id"] for c in control.get("/api/v1/compute").body["computes"]]
    assert sorted(made) == sorted(pair[1].body["id"] for pair in told.values())
    for n, (p, c) in told.items():
        assert insist(control, "/api/v1/projects", {"name": f"p{n}"},
                      f"project {n}").body["id"] == p.body["id"]
        assert "connection_uri" in c.body


def test_killed_while_roles_are_made_all_of_them_are_there_in_the_end(control):
    control.compute(project=control.project(idle_timeout=0))
    control.woken()
    made = {}

    def client(n):
        made[n] = (insist(control, "/api/v1/compute/db/roles", {"name": f"r{n}"}, f"role {n}"),
                   insist(control, "/api/v1/compute/db/databases",
                          {"name": f"d{n}", "owner": f"r{n}"}, f"database {n}"))
    for turn in range(3):
        clients = [threading.Thread(target=client, args=(4 * turn + i,)) for i in range(4)]
        killer = threading.Timer(random.uniform(0, 0.3), control.kill)
        for thread in [killer, *clients]:
            thread.start()
        for thread in [killer, *clients]:
            thread.join()
    assert {a.status for pair in made.values() for a in pair} == {201}

    def nothing_is_pending():
        return not any(one["pending"] for kind in ("roles", "databases")
                       for one in control.get(f"/api/v1/compute/db/{kind}").body[kind])
    procs.wait_until(nothing_is_pending, 30, "the server to be told")
    for n, (role, _) in made.items():
        password = role.body["password"] or insist(
            control, f"/api/v1/compute/db/roles/r{n}/password", None, f"again {n}").body["password"]
        with psycopg.connect(host=control.sockets(), user=f"r{n}", dbname=f"d{n}",
                             password=password) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
