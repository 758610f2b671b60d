"""Computes that grow and shrink by what they use, and sizes that are changed while they run."""

import contextlib
import random
import re
import subprocess
import time

import psycopg
import pytest

from harness import cgroups, procs
from harness.control import Control, assert_problem, in_background
from harness.postgres import bin_dir

QUICK = {"min_size": 0.1, "max_size": 0.25, "idle_timeout": 0, "freeze_after": 0,
         "autoscale_up_window": 5, "autoscale_up_pause": 0,
         "autoscale_down_window": 10, "autoscale_down_pause": 0}


@pytest.fixture(name="groups")
def fixture_groups():
    try:
        made = cgroups.CpuGroups()
    except cgroups.Unavailable as e:
        pytest.skip(str(e))
    yield made
    procs.wait_until(made.remove, 10, "the control groups to be empty")


@pytest.fixture(name="limited")
def fixture_limited(groups, start_proxy):
    """A control plane that can limit CPU."""
    control = Control(start_proxy, process={"cgroup_parent": groups.parent},
                      scale_check_interval=1)
    control.groups = groups
    return control


@pytest.fixture(name="unlimited")
def fixture_unlimited(start_proxy):
    return Control(start_proxy, process={"cgroup_parent": "off"}, scale_check_interval=1)


@contextlib.contextmanager
def load(compute, tmp_path):
    """pgbench, through the proxy, with all that it can do."""
    script = tmp_path / "busy.sql"
    script.write_text("select sum(i) from generate_series(1, 2000) as i;\n")
    with subprocess.Popen([f"{bin_dir()}/pgbench", "-n", "-c", "4", "-T", "120", "-f", script,
                           compute["connection_uri"]], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as pgbench:
        try:
            yield
            assert pgbench.poll() is None
        finally:
            pgbench.kill()


def operations(control, name="db"):
    answer = control.get(f"/api/v1/compute/{name}/operations?limit=1000")
    return list(reversed(answer.body["operations"]))


def reasons(control, name="db"):
    return [o["reason"] for o in operations(control, name)]


def wait_for_size(control, size, seconds=60):
    procs.wait_until(lambda: control.show()["size"] == size, seconds, f"a size of {size}")


def change(control, name="db", status=200, **body):
    answer = control.call("PATCH", f"/api/v1/compute/{name}", body)
    assert answer.status == status, answer
    return answer.body


def intervals(control):
    return control.store("select kind, size, started_at, ended_at from compute_usage"
                         " where compute_id = 'db' order by id")


def assert_ledger_agrees(control):
    """Each interval begins where the one before it ended, and the open one has the size."""
    rows = intervals(control)
    for before, after in zip(rows, rows[1:]):
        assert before[3] is not None and before[3] <= after[2], rows
    if control.state() == "active":
        assert rows[-1][3] is None and rows[-1][1] == round(control.show()["size"] * 1000), rows


def billed_by_intervals(control):
    """Compute-seconds up to now, by another sum than the API's."""
    now = time.time() * 1e6
    return sum(size * ((end or now) - begin) / 1e9
               for kind, size, begin, end in intervals(control) if kind == "active")


def test_load_makes_it_larger_and_idle_connections_do_not_keep_it_so(limited, tmp_path):
    project = limited.project(**QUICK)
    compute = limited.compute(project=project)
    with load(compute, tmp_path):
        wait_for_size(limited, 0.25)
        [server] = limited.servers()
        procs.wait_until(lambda: limited.groups.quota(server) == 0.25, 10, "the server's limit")
    assert re.search(r"cpu \d+ % of 0.1 over \d+ s, more than 80 %", reasons(limited)[-1])
    with psycopg.connect(compute["connection_uri"]):
        wait_for_size(limited, 0.1)
    assert re.search(r"cpu at most \d+ %, memory 0 % and connections [1-9] % for \d+ s",
                     reasons(limited)[-1])
    assert limited.groups.quota(server) == 0.1
    assert limited.servers() == [server]
    sizes = [size for _, size, _, _ in intervals(limited)]
    assert sizes == [100, 250, 100]
    limited.suspend()
    assert_ledger_agrees(limited)
    usage = limited.usage(project)
    assert usage["compute_seconds"] == pytest.approx(billed_by_intervals(limited), abs=0.001)


def test_what_is_billed_is_size_times_time_between_the_operations(limited):
    project = limited.project(**QUICK, autoscale=False)
    limited.compute(project=project)
    limited.woken()
    for size in (0.25, 0.1, 0.2):
        time.sleep(0.3)
        assert change(limited, size=size)["size"] == size
    limited.suspend()
    rows = limited.store("select to_state, at from operations where compute_id = 'db' order by id")
    at = [at for state, at in rows if state in ("active", "suspending")]
    expected = sum(size * (end - begin) / 1e6
                   for size, begin, end in zip((0.1, 0.25, 0.1, 0.2), at, at[1:]))
    assert len(at) == 5
    assert limited.usage(project)["compute_seconds"] == pytest.approx(expected, abs=0.02)


def test_where_cpu_cannot_be_limited_it_says_so_and_bills_no_more(unlimited, tmp_path):
    project = unlimited.project(**QUICK)
    compute = unlimited.compute(project=project)
    limits = unlimited.show()["limits"]
    assert limits["cpu"] is False and "CPU cannot be limited" in limits["note"]
    with load(compute, tmp_path):
        procs.wait_until(lambda: "would be right" in reasons(unlimited)[-1], 60, "an excuse")
        assert re.search(r"0.25 would be right for it \(cpu \d+ % of 0.1 .*\), but CPU cannot "
                         "be limited", reasons(unlimited)[-1])
        time.sleep(3)    # it decides again, and again
        assert unlimited.show()["size"] == 0.1
    assert sum("would be right" in r for r in reasons(unlimited)) == 1
    unlimited.suspend()
    usage = unlimited.usage(project)
    assert usage["compute_seconds"] == pytest.approx(usage["active_seconds"] * 0.1, abs=0.001)


def test_a_size_that_was_asked_for_says_what_could_not_be_limited(unlimited):
    unlimited.compute(project=unlimited.project(**QUICK))
    unlimited.woken()
    assert change(unlimited, size=0.25)["size"] == 0.25
    assert "no control group limits CPU here" in unlimited.show()["limits"]["note"]
    assert reasons(unlimited)[-2] == "asked for"
    assert "could not be given all of its size: no control group" in reasons(unlimited)[-1]
    change(unlimited, size=0.2)
    assert reasons(unlimited)[-1] == "asked for"    # it has been said


def test_a_size_holds_at_once_while_it_runs(limited):
    compute = limited.compute(project=limited.project(**QUICK, autoscale=False))
    limited.woken()
    [server] = limited.servers()
    with limited.connect(compute) as conn:
        procs.wait_until(lambda: limited.groups.quota(server) == 0.1, 10, "the server's limit")
        answer = change(limited, size=0.2)
        assert answer["size"] == 0.2 and answer["limits"]["cpu"] is True
        assert answer["limits"]["note"] is None or "memory" in answer["limits"]["note"]
        assert limited.groups.quota(server) == 0.2
        assert conn.execute("select 1").fetchone() == (1,)
    assert limited.servers() == [server]
    assert_ledger_agrees(limited)


def test_a_suspended_compute_starts_with_the_size_it_was_given(limited):
    limited.compute(project=limited.project(**QUICK, autoscale=False))
    assert change(limited, size=0.2)["size"] == 0.2
    assert limited.state() == "suspended"
    limited.woken()
    [server] = limited.servers()
    assert limited.groups.quota(server) == 0.2
    assert [size for _, size, _, _ in intervals(limited)] == [200]


def test_a_frozen_server_hears_of_its_size_when_it_is_thawed(limited):
    limited.compute(project=limited.project(**QUICK, autoscale=False))
    limited.woken()
    [server] = limited.servers()
    answer = limited.call("POST", "/api/v1/compute/db/suspend?mode=freeze")
    assert answer.status == 200, answer
    assert change(limited, size=0.2)["size"] == 0.2
    assert limited.state() == "frozen" and limited.groups.quota(server) == 0.1
    limited.woken()
    procs.wait_until(lambda: limited.groups.quota(server) == 0.2, 10, "the server's limit")
    assert_ledger_agrees(limited)


def test_its_own_cpu_is_its_size_and_nobody_changes_it(limited):
    limited.compute(project=limited.project(**QUICK))
    limited.woken()
    assert change(limited, config={"resources": {"cpu": "200m"}})["size"] == 0.2
    [server] = limited.servers()
    assert limited.groups.quota(server) == 0.2
    assert_problem(limited.call("PATCH", "/api/v1/compute/db", {"size": 0.1}), 422,
                   "size cannot be 0.1: its config.resources.cpu says 0.2")
    assert_problem(limited.call("PATCH", "/api/v1/compute/db",
                                {"config": {"resources": {"cpu": "500m"}}}), 422, "max_size")
    assert change(limited, config={"resources": None})["size"] == 0.2
    assert change(limited, size=0.1)["size"] == 0.1


@pytest.mark.parametrize("awake", [False, True])
def test_a_projects_bounds_hold_at_once(limited, awake):
    project = limited.project(**QUICK)
    limited.compute(project=project)
    if awake:
        limited.woken()
    assert_problem(limited.call("PATCH", "/api/v1/compute/db", {"size": 0.3}), 422,
                   "size cannot be 0.3: its project allows 0.1 to 0.25")
    for size in ("large", 0, -1, True):
        assert limited.call("PATCH", "/api/v1/compute/db", {"size": size}).status == 422
    answer = limited.call("PATCH", f"/api/v1/projects/{project}",
                          {"config": {"min_size": 0.3, "max_size": 0.4}})
    assert answer.status == 200, answer
    wait_for_size(limited, 0.3, 5)
    assert reasons(limited)[-1] == "its project allows 0.3 to 0.4"
    assert_ledger_agrees(limited)


def test_a_machine_has_only_so_much(groups, start_proxy, tmp_path):
    control = Control(start_proxy, process={"cgroup_parent": groups.parent},
                      scale_check_interval=1, capacity=1)
    project = control.project(**{**QUICK, "max_size": 4})
    control.compute("other", project, resources={"cpu": 0.9})
    control.woken("other")
    compute = control.compute(project=project)
    with load(compute, tmp_path):
        control.woken()
        time.sleep(9)
        assert control.show()["size"] == 0.1    # which, with the other, is all that there is
        control.suspend("other")
        procs.wait_until(lambda: control.show()["size"] > 0.1, 30, "room to grow")


def test_a_kill_in_the_middle_leaves_size_limits_and_intervals_in_agreement(limited):
    limited.compute(project=limited.project(**QUICK, autoscale=False))
    limited.woken()
    [server] = limited.servers()
    for _ in range(10):
        size = random.randrange(100, 251) / 1000

        def resize(size=size):
            with contextlib.suppress(OSError, Exception):
                limited.call("PATCH", "/api/v1/compute/db", {"size": size})
        thread, _ = in_background(resize)
        time.sleep(random.uniform(0, 0.02))
        limited.kill()
        thread.join()
        limited.woken()
        procs.wait_until(lambda: limited.groups.quota(server) == limited.show()["size"], 10,
                         "the limit to be the size")
        assert_ledger_agrees(limited)
    assert limited.servers() == [server]
