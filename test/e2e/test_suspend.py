"""Two tiers of suspending: frozen after a short time, stopped after a long one; and who may stay."""

import os
import time

import pytest

from harness import procs
from harness.control import Control, assert_problem, in_background


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


def states(control, name="db"):
    return control.operations(name)


def is_stopped(pid):
    """Whether a process stands still: by a signal, or in a frozen control group."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        if f.read().rpartition(") ")[2][0] == "T":
            return True
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
        groups = [line.strip().split(":", 2) for line in f]
    for number, kind, path in groups:
        if number == "0":
            mount = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
            try:
                with open(f"{mount}{path}/cgroup.events", encoding="ascii") as f:
                    if "frozen 1" in f.read():
                        return True
            except OSError:
                pass
    return False


def freeze(control, name="db"):
    answer = control.call("POST", f"/api/v1/compute/{name}/suspend?mode=freeze")
    assert answer.status == 200 and answer.body["state"] == "frozen", answer


def test_a_frozen_compute_stands_still_and_a_wake_lets_it_go_on(control):
    compute = control.compute()
    first = control.woken()
    with control.connect(compute) as conn:
        conn.execute("create temp table t as select 1 as x")

        [server] = control.servers()
        freeze(control)
        assert is_stopped(server)
        woken = control.woken()
        assert woken["cold_start_info"] == "frozen"
        assert woken["address"] == first["address"]
        assert conn.execute("select x from t").fetchone() == (1,)
        assert control.servers() == [server]
    assert states(control)[-2:] == ["frozen", "active"]


def test_idle_means_frozen_soon_and_stopped_later(control):
    control.compute(project=control.project(freeze_after=1, idle_timeout=4))
    control.woken()
    control.wait_for_state("frozen", seconds=10)
    control.wait_for_state("suspended", seconds=10)
    assert states(control)[-4:] == ["active", "frozen", "suspending", "suspended"]
    assert control.servers() == []


def test_who_is_exempt_is_answered_and_that_is_no_use(start_proxy):
    control = Control(start_proxy, reveille={"activity_interval": "100ms"})
    compute = control.compute(project=control.project(
        freeze_after=2, idle_timeout=3600, exempt_applications=["probe*"]))
    used = control.show()["last_activity"]
    with control.through_the_proxy(compute, application_name="probe-1") as probe:
        for _ in range(3):
            assert probe.execute("select 'here'").fetchone() == ("here",)
            control.wait_for_state("frozen")
    with control.through_the_proxy(compute, application_name="probe-2") as probe:
        assert probe.execute("select 'me too'").fetchone() == ("me too",)
    control.wait_for_state("frozen")
    assert control.show()["last_activity"] == used
    with control.through_the_proxy(compute, application_name="web"):
        assert control.show()["last_activity"] > used


def test_whoever_is_exempt_may_come_as_often_as_he_likes_and_it_is_stopped_in_time(control):
    compute = control.compute(project=control.project(
        freeze_after=1, idle_timeout=4, exempt_applications=["probe*"]))
    control.woken()

    def stopped():
        with control.through_the_proxy(compute, application_name="probe-1") as probe:
            assert probe.execute("select 1").fetchone() == (1,)
        return states(control).count("suspended") > 1    # it was made so
    procs.wait_until(stopped, 30, "it to be stopped")
    assert "frozen" in states(control)


def test_what_is_at_work_is_not_frozen_even_when_asked(control):
    compute = control.compute(project=control.project(freeze_after=1, idle_timeout=0))
    control.woken()
    with control.connect(compute, autocommit=False) as conn:
        conn.execute("select 1")
        answer = control.call("POST", "/api/v1/compute/db/suspend?mode=freeze")
        assert_problem(answer, 423, "transactions are open: 1")
        assert control.state() == "active"
        conn.commit()
        freeze(control)
        control.woken()


def test_a_frozen_compute_can_be_suspended_deleted_and_outlives_the_control_plane(control):
    compute = control.compute()
    control.compute("other", project=compute["project_id"])
    for name in ("db", "other"):
        control.woken(name)
        freeze(control, name)
    [server] = control.servers()
    control.kill()
    assert control.state() == "frozen" and is_stopped(server)
    assert control.woken()["cold_start_info"] == "frozen"
    assert control.servers() == [server]
    freeze(control)
    control.suspend()
    assert control.servers() == []
    answer = control.call("DELETE", "/api/v1/compute/other")
    assert answer.status == 204, answer
    assert control.servers("other") == []


def test_frozen_time_is_recorded_and_free(control):
    compute = control.compute()
    control.woken()
    assert control.show()["load"]["kept_awake_by"]
    freeze(control)
    assert control.show()["load"]["kept_awake_by"] is None
    time.sleep(1.5)    # the very thing that is measured
    control.woken()
    control.suspend()
    rows = control.store("select kind, started_at, ended_at from compute_usage order by id")
    assert [kind for kind, _, _ in rows] == ["active", "frozen", "active"]
    assert rows[0][2] == rows[1][1] and rows[1][2] == rows[2][1], "without a gap"
    assert rows[1][2] - rows[1][1] >= 1_400_000
    active = sum(end - begin for kind, begin, end in rows if kind == "active")
    usage = control.usage(compute["project_id"])
    assert abs(usage["active_seconds"] * 1e6 - active) < 2


def test_a_dry_run_only_says_what_would_have_been(control):
    project = control.project(freeze_after=1, idle_timeout=2, dry_run=True)
    control.compute(project=project)
    control.woken()

    def reasons():
        answer = control.get("/api/v1/compute/db/operations")
        return [o["reason"] for o in answer.body["operations"] if "dry run" in o["reason"]]
    procs.wait_until(reasons, 15, "a dry run's note")
    assert "would have been" in reasons()[0]
    assert control.state() == "active"
    answer = control.call("PATCH", f"/api/v1/projects/{project}", {"config": {"dry_run": False}})
    assert answer.status == 200
    control.wait_for_state("suspended", seconds=20)
    assert "dry run: it is over; that would have saved" in reasons()[0]
    control.woken()
    assert not any("would have been woken" in r for r in reasons())


def test_a_hundred_concurrent_wakes_of_a_frozen_compute_are_one(control):
    control.compute()
    control.woken()
    freeze(control)
    threads = [in_background(control.woken) for _ in range(20)]
    for thread, _ in threads:
        thread.join()
    assert all(result[0]["cold_start_info"] in ("frozen", "warm") for _, result in threads)
    assert states(control).count("active") == 2


def test_a_client_that_comes_past_the_proxies_is_not_frozen_under(control):
    compute = control.compute(project=control.project(freeze_after=1, idle_timeout=0))
    control.woken()
    with control.connect(compute) as conn:
        conn.execute("select 1")
        procs.wait_until(lambda: "past the proxies" in str(control.show()["load"]), 20,
                         "it to be seen")
        assert control.state() == "active"
    control.wait_for_state("frozen", seconds=20)


@pytest.mark.parametrize("path", ["/proxy_wake_compute?endpointish=db", "/wake_compute?endpointish=db"])
def test_what_a_proxy_woke_that_hears_no_events_is_stopped_and_not_frozen(control, path):
    control.compute(project=control.project(freeze_after=1, idle_timeout=3))
    assert control.get(path).status == 200
    control.wait_for_state("suspended", seconds=20)
    assert "frozen" not in control.operations()
    control.woken()
    control.wait_for_state("frozen", seconds=20)
