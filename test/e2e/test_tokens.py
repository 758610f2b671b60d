"""Bearer tokens: what each scope may do, and that a project's token sees nothing of others."""

import json
import re
import urllib.request

import pytest

from harness import procs
from harness.control import Control, assert_problem
from harness.proxy import TOP


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


def make(control, scope, project=None, name="a token"):
    body = {"name": name, "scope": scope, **({"project_id": project} if project else {})}
    answer = control.call("POST", "/api/v1/tokens", body)
    assert answer.status == 201, answer
    return answer.body


def test_a_token_is_shown_once_and_kept_as_a_hash(control):
    token = make(control, "admin")
    assert len(token["token"]) == 64
    assert control.get("/api/v1/projects", token=token["token"]).status == 200
    listed = control.get("/api/v1/tokens").body["tokens"]
    assert token["id"] in [t["id"] for t in listed]
    assert not any("token" in t for t in listed)
    with open(control.db_path, "rb") as f, open(f"{control.db_path}-wal", "rb") as wal:
        assert token["token"].encode() not in f.read() + wal.read()


def test_a_dropped_token_is_worth_nothing_at_once_and_after_a_crash(control):
    kept, dropped = make(control, "admin"), make(control, "admin")
    assert control.call("DELETE", f"/api/v1/tokens/{dropped['id']}").status == 204
    assert control.get("/api/v1/projects", token=dropped["token"]).status == 401
    control.kill()
    assert control.get("/api/v1/projects", token=dropped["token"]).status == 401
    assert control.get("/api/v1/projects", token=kept["token"]).status == 200
    assert_problem(control.call("DELETE", f"/api/v1/tokens/{dropped['id']}"), 404, dropped["id"])


def test_what_the_process_tree_needs_itself_is_one_row_each_and_stays(control):
    own = control.get("/api/v1/tokens").body["tokens"]
    assert sorted(t["scope"] for t in own) == ["admin", "proxy"]
    for t in own:
        assert_problem(control.call("DELETE", f"/api/v1/tokens/{t['id']}"), 422, "itself")
    control.kill()
    assert control.get("/api/v1/tokens").body["tokens"] == own


@pytest.mark.parametrize("body, says", [
    ({"scope": "admin"}, "name must be"),
    ({"name": "x", "scope": "root"}, "scope must be"),
    ({"name": "x"}, "scope must be"),
    ({"name": "x", "scope": "project"}, "project_id must be"),
    ({"name": "x", "scope": "project", "project_id": "pr-nothing"}, "project_id must be"),
    ({"name": "x", "scope": "admin", "project_id": "pr-nothing"}, "project_id is for"),
    ({"name": "x", "scope": "admin", "hash": "y"}, "hash is not known"),
])
def test_a_bad_value_is_named(control, body, says):
    assert_problem(control.call("POST", "/api/v1/tokens", body), 422, says)


def test_a_proxys_token_wakes_and_reports_and_no_more(control):
    control.compute()
    token = make(control, "proxy")["token"]
    assert control.wake(token=token).status == 200
    assert control.get("/api/v1/get_endpoint_access_control?endpointish=db&role=app",
                       token=token).status == 200
    for method, path in [("GET", "/api/v1/projects"), ("GET", "/api/v1/compute/db"),
                         ("POST", "/api/v1/compute/db/suspend"), ("GET", "/api/v1/tokens")]:
        assert_problem(control.call(method, path, token=token), 403)


@pytest.fixture
def two(control):
    """Two projects with a compute each, and the token of the first."""
    mine, theirs = control.project(), control.project()
    control.compute("mine", mine)
    control.compute("theirs", theirs)
    return mine, theirs, make(control, "project", mine)["token"]


def test_a_projects_token_does_all_within_it(control, two):
    mine, _, token = two
    for method, path, body, status in [
            ("GET", f"/api/v1/projects/{mine}", None, 200),
            ("GET", f"/api/v1/projects/{mine}/usage", None, 200),
            ("GET", f"/api/v1/projects/{mine}/compute", None, 200),
            ("POST", f"/api/v1/projects/{mine}/compute", {"name": "second"}, 201),
            ("GET", "/api/v1/compute/mine", None, 200),
            ("GET", "/api/v1/wake_compute?endpointish=mine", None, 200),
            ("GET", f"/api/v1/wake_compute?endpointish={mine}", None, 200),
            ("POST", "/api/v1/compute/mine/suspend", None, 200),
            ("GET", "/api/v1/compute/mine/operations", None, 200),
            ("PATCH", "/api/v1/compute/mine", {"config": {"image": "x"}}, 200),
            ("DELETE", "/api/v1/compute/second", None, 204)]:
        assert control.call(method, path, body, token=token).status == status, path


def test_a_projects_token_neither_makes_projects_nor_changes_what_they_may_cost(control, two):
    mine, _, token = two
    for method, path, body in [("POST", "/api/v1/projects", {"name": "x"}),
                               ("PATCH", f"/api/v1/projects/{mine}", {"name": "x"}),
                               ("DELETE", f"/api/v1/projects/{mine}", None),
                               ("POST", "/api/v1/tokens", {"name": "x", "scope": "admin"}),
                               ("POST", "/api/v1/activity", {"proxy_id": "x", "computes": []})]:
        assert_problem(control.call(method, path, body, token=token), 403)


def test_a_projects_token_gives_no_compute_more_than_its_project_allows(control, two):
    mine, _, token = two
    computes, compute = f"/api/v1/projects/{mine}/compute", "/api/v1/compute/mine"
    for resources, says in ({"cpu": 0.5}, "which is 0.25"), ({"memory": "257MB"}, f"which is {256 << 20} bytes"):
        body = {"config": {"resources": resources}}
        assert_problem(control.call("POST", computes, body, token=token), 422, says)
        assert_problem(control.call("PATCH", compute, body, token=token), 422, says)
        assert control.call("PATCH", compute, body).status == 200
        assert control.call("PATCH", compute, {"config": {"image": "x"}}, token=token).status == 200
    assert_problem(control.call("PATCH", compute, {"size": 8}, token=token), 422)
    less = {"config": {"resources": {"cpu": 0.1, "memory": "256MB"}}}
    assert control.call("PATCH", compute, less, token=token).status == 200


def test_what_is_anothers_answers_like_what_is_not_there(control, two):
    _, theirs, token = two
    for method, path, body in [
            ("GET", "/api/v1/projects/{0}", None),
            ("GET", "/api/v1/projects/{0}/usage", None),
            ("GET", "/api/v1/projects/{0}/compute", None),
            ("POST", "/api/v1/projects/{0}/compute", {"name": "third"}),
            ("GET", "/api/v1/compute/{1}", None),
            ("PATCH", "/api/v1/compute/{1}", {"config": {}}),
            ("DELETE", "/api/v1/compute/{1}", None),
            ("POST", "/api/v1/compute/{1}/suspend", None),
            ("POST", "/api/v1/compute/{1}/resume", None),
            ("GET", "/api/v1/compute/{1}/operations", None),
            ("GET", "/api/v1/wake_compute?endpointish={1}", None),
            ("GET", "/api/v1/wake_compute?endpointish={0}", None),
            ("PUT", "/compute/api/v2/computes/{1}/wake", None)]:
        there = control.call(method, path.format(theirs, "theirs"), body, token=token)
        nowhere = control.call(method, path.format("pr-nothing", "nothing"), body, token=token)
        assert there.status == nowhere.status == 404, path
        assert (json.dumps(there.body).replace(theirs, "pr-nothing").replace("theirs", "nothing")
                == json.dumps(nowhere.body))


def test_lists_show_a_projects_token_its_own(control, two):
    mine, _, token = two
    projects = control.get("/api/v1/projects", token=token).body["projects"]
    assert [p["id"] for p in projects] == [mine]
    computes = control.get("/api/v1/compute", token=token).body["computes"]
    assert [c["id"] for c in computes] == ["mine"]


def test_events_tell_a_projects_token_of_its_own(control, two):
    mine, theirs, token = two
    def listen(query=""):
        request = urllib.request.Request(
            f"http://127.0.0.1:{control.proxy.control_port}/api/v1/events{query}",
            headers={"Authorization": f"Bearer {token}"})
        return urllib.request.urlopen(request, timeout=30)
    with listen() as stream:
        told = []
        while not told or told[-1].get("computes") is None:
            line = stream.readline().decode()
            if line.startswith("data: "):
                told.append(json.loads(line[6:]))
        assert [e.get("compute_id") for e in told[:-1]] == ["mine"]
        control.woken("theirs")
        control.woken("mine")
        while True:
            line = stream.readline().decode()
            if line.startswith("data: "):
                assert json.loads(line[6:])["compute_id"] == "mine"
                break
    answer = control.get(f"/api/v1/events?project={theirs}", token=token)
    assert_problem(answer, 404, theirs)


def test_a_deleted_projects_tokens_go_with_it(control, two):
    mine, _, token = two
    assert control.call("DELETE", f"/api/v1/projects/{mine}").status == 204
    assert control.get("/api/v1/projects", token=token).status == 401
    procs.wait_until(lambda: len(control.store("select id from tokens")) == 2, 10, "the row to go")


def routes():
    """Every route as api.def declares it: method, path, whose token will do, and what it must be asked with."""
    with open(f"{TOP}/src/control/api/api.def", encoding="utf-8") as f:
        return re.findall(r'^ROUTE\((\w+), +"([^"]+)", +(\w+), +"([^"]*)"', f.read(), re.M)


def of(path, query, compute, project):
    """That path, of somebody's compute and project."""
    path = path.replace("projects/:id", f"projects/{project}").replace(":name", "app").replace(":id", compute)
    asked = {"endpointish": compute, "role": "app"}
    must = [f"{name[:-1]}={asked[name[:-1]]}" for name in query.split() if name.endswith("!")]
    return path + ("?" + "&".join(must) if must else "")


def expected(scope, who, path):
    if scope == "NONE":
        return {200}
    if who in ("nobody", "a stranger", "one whose token was dropped"):
        return {401, 429}
    if scope == "ADMIN" or (scope == "PROJECT" and who == "a proxy") or (scope == "PROXY" and who != "a proxy"):
        return {403}
    if who == "a proxy":
        return {200, 422}    # what it sends is empty
    return {404} if ":id" in path or "wake" in path else {200}


@pytest.mark.parametrize("who", ["nobody", "a stranger", "one whose token was dropped", "a proxy",
                                 "another project"])
def test_whoever_shows_a_token_gets_from_each_route_what_is_his_and_no_more(control, two, who):
    _, theirs, of_another_project = two
    dropped = make(control, "admin")
    assert control.call("DELETE", f"/api/v1/tokens/{dropped['id']}").status == 204
    token = {"nobody": None, "a stranger": "x" * 43, "one whose token was dropped": dropped["token"],
             "a proxy": make(control, "proxy")["token"], "another project": of_another_project}[who]
    assert len(routes()) >= 40
    wrong = []
    for method, path, scope, query in routes():
        asked = of(path, query, "theirs", theirs)
        if path.endswith("/events"):
            method = "HEAD"    # the answer to GET has no end
        body = {} if method in ("POST", "PUT", "PATCH") else None
        status = control.call(method, asked, body, token=token).status
        if status not in expected(scope, who, path):
            wrong.append((method, asked, scope, status))
    assert not wrong
    assert control.show("theirs")["state"] == ("active" if who == "a proxy" else "suspended")
