"""reveillectl, as somebody uses it who knows nothing but its help."""

import json
import re
import subprocess

import psycopg
import pytest

from harness import procs
from harness.control import Control
from harness.proxy import ctl_program


class Ctl:
    def __init__(self, control):
        self.control = control

    def run(self, *args):
        done = subprocess.run([ctl_program(), "-c", self.control.proxy.ini, *args],
                              capture_output=True, text=True, timeout=90, check=False,
                              stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *args):
        status, out, errors = self.run(*args)
        assert status == 0, (out, errors)
        return out

    def json(self, *args):
        return json.loads(self(*args, "--json"))


@pytest.fixture(name="control")
def fixture_control(start_proxy):
    return Control(start_proxy)


@pytest.fixture(name="ctl")
def fixture_ctl(control):
    return Ctl(control)


def value_of(out, name):
    """Of an answer that is shown as lines of name and value."""
    return re.search(rf"^{re.escape(name)} +(.+)$", out, re.M).group(1)


def test_from_nothing_to_a_row_and_what_it_cost(ctl):
    project = value_of(ctl("project", "create", "shop", "--set", "max_size=1"), "id")
    uri = value_of(ctl("compute", "create", project, "--name", "orders"), "connection_uri")
    with psycopg.connect(uri) as conn:
        assert conn.execute("select 'row'").fetchone() == ("row",)
        top = ctl("top")
        assert re.search(r"^orders +active +0.25 +\d+% +\d+MB +\d+ +\d+ ", top, re.M), top
        assert "1 computes: 1 awake with 0.25 compute units, 0 frozen, 0 asleep" in top
    why = ctl("why", "orders")
    assert re.match("orders is active: (it was used|sessions are at work)", why)
    assert "its server is ready" in why
    ctl("suspend", "orders")
    usage = ctl("usage", project, "--granularity", "monthly")
    assert re.search(r"^orders .* 0\.\d+ ", usage, re.M), usage
    assert ctl("usage", project, "--csv").startswith("project_id,compute_id,from,to,")
    assert re.search(r"^orders +postgres +suspended", ctl("compute", "list", project), re.M)
    assert "0 awake" in ctl("top", project)
    assert ctl("why", "orders").startswith("orders is suspended\n")


def test_a_compute_is_made_with_the_size_that_is_asked_for(control, ctl):
    project = control.project(max_size=1)
    assert ctl.json("compute", "create", project, "--name", "db", "--size", "0.5")["size"] == 0.5
    assert ctl.json("compute", "create", project, "--name", "usual")["size"] == 0.25
    status, _, errors = ctl.run("compute", "create", project, "--size", "2")
    assert status != 0 and "size cannot be 2: its project allows 0.25 to 1" in errors
    control.woken()
    assert control.show()["size"] == 0.5


def test_any_setting_can_be_said_changed_and_taken_away(ctl):
    project = ctl.json("project", "create", "p", "--idle-timeout", "60",
                       "--set", "keep_warm=[]", "--set", "webhook_url=http://127.0.0.1/hook",
                       "--set", "dry_run=true")
    assert project["config"] == {"idle_timeout": 60, "keep_warm": [], "dry_run": True,
                                 "webhook_url": "http://127.0.0.1/hook"}
    changed = ctl.json("project", "set", project["id"], "dry_run=", "--name", "q",
                       "--set", "idle_timeout=0")
    assert changed["name"] == "q"
    assert changed["config"] == {"idle_timeout": 0, "keep_warm": [],
                                 "webhook_url": "http://127.0.0.1/hook"}
    assert ctl.json("project", "show", project["id"]) == changed
    status, _, errors = ctl.run("project", "set", project["id"], "--set", "idle=1")
    assert status == 1 and "config.idle is not known" in errors


def test_computes_are_resized_frozen_and_deleted(ctl):
    project = ctl.json("project", "create", "p", "--set", "max_size=2")["id"]
    ctl("compute", "create", project, "--name", "db",
        "--set", 'resources={"memory": "300MB"}')
    assert ctl.json("compute", "resize", "db", "--size", "0.5")["size"] == 0.5
    ctl("wake", "db")
    ctl("freeze", "db")
    assert ctl.json("compute", "show", "db")["state"] == "frozen"
    assert "0 awake with 0 compute units, 1 frozen, 0 asleep" in ctl("top")
    ctl("compute", "resume", "db")
    procs.wait_until(lambda: ctl.json("compute", "show", "db")["state"] == "active", 10, "a thaw")
    assert ctl.json("compute", "set", "db", "--set", "resources=")["config"] == {}
    status, _, errors = ctl.run("resize", "db", "--size", "4")
    assert status == 1 and "its project allows 0.25 to 2" in errors
    reasons = [o["reason"] for o in ctl.json("operations", "db")["operations"]]
    assert "asked for" in reasons
    ctl("compute", "delete", "db")
    assert ctl.run("compute", "show", "db")[0] == 1
    ctl("project", "delete", project)


def test_exit_status_tells_refused_from_misunderstood_and_from_not_reached(ctl, tmp_path):
    status, _, errors = ctl.run("compute", "show", "nobody")
    assert status == 1 and "nobody" in errors
    status, _, errors = ctl.run("resize", "db")
    assert status == 2 and "resize needs --size UNITS" in errors and "--help" in errors
    status, _, errors = ctl.run("-u", f"http://127.0.0.1:{procs.free_port()}", "top")
    assert status == 3 and "is the control plane running there?" in errors
    (tmp_path / "token").write_text("0" * 64)
    status, _, errors = ctl.run("-t", str(tmp_path / "token"), "top")
    assert status == 1 and "does not know this token\nhint: -t names" in errors


def test_json_is_what_the_api_said(ctl, control):
    project = control.project()
    control.compute(project=project)
    assert ctl.json("project", "show", project) == control.get(f"/api/v1/projects/{project}").body
    [listed] = ctl.json("compute", "list", project)["computes"]
    for shown in (listed, ctl.json("compute", "show", "db"), ctl.json("why", "db")["compute"]):
        del shown["last_activity"]    # which is reckoned anew each time, to the millisecond
        assert shown == {name: control.show()[name] for name in shown}


def test_roles_databases_and_tokens(control, ctl):
    project = control.project()
    control.compute("db", project)
    role = ctl.json("role", "create", "db", "--name", "a reader")
    assert "a reader" in ctl("role", "list", "db") and "put" in ctl("role", "list", "db")
    assert ctl.json("database", "create", "db", "--name", "b/c", "--owner", "a reader")["owner"] == "a reader"
    other = ctl.json("role", "password", "db", "--role", "a reader")
    assert other["password"] != role["password"]
    with psycopg.connect(other["connection_uri"]) as conn:
        assert conn.execute("select current_database()").fetchone() == ("b/c",)
    assert "b/c" in ctl("database", "list", "db")
    ctl("database", "delete", "db", "--database", "b/c")
    assert "dropped from db" in ctl("role", "delete", "db", "--role", "a reader")
    token = ctl.json("token", "create", "ci", "--scope", "project", "--project-id", project)
    assert control.get("/api/v1/compute/db", token=token["token"]).status == 200
    assert token["id"] in ctl("token", "list")
    ctl("token", "delete", token["id"])
    assert control.get("/api/v1/compute/db", token=token["token"]).status == 401
    assert "its server is ready" in ctl("project", "operations", project)
    assert ctl.run("role", "delete", "db")[2].count("needs --role ROLE")
