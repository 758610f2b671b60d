"""Quotas: what is used up ends, says so, and begins again when there is more. Rule E.2.10."""

import datetime
import time

import psycopg
import pytest

from harness import procs
from harness.control import Control, assert_problem, in_background
from harness.webhook import Webhook
from harness.wire import ServerError

REASON = "COMPUTE_TIME_QUOTA_EXCEEDED"


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy, reveille={"activity_interval": "100ms"})


@pytest.fixture
def webhook():
    hook = Webhook()
    yield hook
    hook.close()


def limit(control, project, **config):
    answer = control.call("PATCH", f"/api/v1/projects/{project}", {"config": config})
    assert answer.status == 200, answer


def reasons(control, name="db"):
    answer = control.get(f"/api/v1/compute/{name}/operations?limit=100")
    return [o["reason"] for o in answer.body["operations"]]


def test_e2_10_a_used_up_quota_ends_what_runs_and_tells_who_comes(control):
    project = control.project(min_size=1, quota_compute_seconds=2)
    compute = control.compute(project=project)
    with control.through_the_proxy(compute, autocommit=False) as conn:
        conn.execute("create table t (i int)")
        control.wait_for_state("suspending", seconds=20)
        time.sleep(1)    # a transaction that is open has thirty seconds
        conn.execute("insert into t values (1)")
        conn.commit()
    control.wait_for_state("suspended", seconds=20)
    with pytest.raises(psycopg.OperationalError) as refused:
        control.through_the_proxy(compute)
    words = str(refused.value)
    assert "its quota is used up" in words and "used 2 of 2 compute-seconds" in words
    assert "resets at" in words and "quota_compute_seconds" in words
    with pytest.raises(ServerError) as raw:
        control.proxy.login("app", "db")
    assert raw.value.fields["C"] == "53400" and raw.value.fields["D"] and raw.value.fields["H"]
    answer = control.wake()
    assert_problem(answer, 403, "used 2 of 2 compute-seconds", REASON)
    assert answer.body["hint"].startswith("resets at ")
    assert_problem(control.call("POST", "/api/v1/compute/db/resume"), 403, "used 2", REASON)
    assert sum(reason.startswith(REASON) for reason in reasons(control)) == 1, reasons(control)
    assert control.servers() == []
    usage = control.usage(project)
    assert 2 <= usage["compute_seconds"] < 3

    limit(control, project, quota_compute_seconds=1000)
    assert control.woken()["cold_start_info"] == "cold"
    procs.wait_until(lambda: connects(control, compute), 5, "the proxy to ask again")


def connects(control, compute):
    try:
        with control.through_the_proxy(compute) as conn:
            return conn.execute("table t").fetchall() == [(1,)]
    except psycopg.OperationalError:
        return False


def test_it_ends_when_it_is_used_up_and_not_at_some_next_look(control):
    project = control.project(min_size=1, quota_compute_seconds=3)
    control.compute(project=project)
    control.woken()
    control.wait_for_state("suspended", seconds=20)
    [(begin, end)] = control.store("select started_at, ended_at from compute_usage")
    assert 3_000_000 <= end - begin < 4_000_000


def test_what_was_used_before_a_restart_counts(control):
    project = control.project(min_size=1, quota_compute_seconds=4)
    control.compute(project=project)
    control.woken()
    time.sleep(1.5)    # what is used
    control.suspend()
    control.kill()
    control.woken()
    control.wait_for_state("suspended", seconds=20)
    [(used,)] = control.store("select sum(ended_at - started_at) from compute_usage")
    assert 4_000_000 <= used < 5_000_000
    control.kill()
    assert_problem(control.wake(), 403, "used 4 of 4", REASON)


def test_a_quota_that_is_set_on_a_running_compute_counts_what_was_used(control):
    project = control.project(min_size=1)
    control.compute(project=project)
    control.woken()
    time.sleep(1.2)    # what is used
    limit(control, project, quota_compute_seconds=1)
    control.wait_for_state("suspended", seconds=20)
    assert_problem(control.wake(), 403, "used 1 of 1", REASON)
    limit(control, project, quota_compute_seconds=None)
    control.woken()


def test_neither_the_clock_nor_a_frozen_server_gets_past_a_quota(control):
    project = control.project(min_size=1, quota_compute_seconds=2)
    control.compute("db", project=project)
    control.compute("other", project=project)
    control.woken("other")
    answer = control.call("POST", "/api/v1/compute/other/suspend?mode=freeze")
    assert answer.status == 200, answer
    control.woken()
    control.wait_for_state("suspended", seconds=20)
    assert control.state("other") == "frozen"
    assert_problem(control.wake("other"), 403, "used 2 of 2", REASON)
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    limit(control, project, wake_at=[soon.strftime("%Y-%m-%dT%H:%M:%SZ")])
    procs.wait_until(lambda: any("not woken" in r for r in reasons(control)), 20, "the hour")
    assert control.state() == "suspended" and control.state("other") == "frozen"
    control.suspend("other")


def test_who_waits_for_a_compute_that_is_being_suspended_is_told(control):
    project = control.project(min_size=1, quota_compute_seconds=1)
    compute = control.compute(project=project)
    control.woken()
    with control.connect(compute, autocommit=False) as conn:
        conn.execute("select 1")
        control.wait_for_state("suspending", seconds=20)
        thread, answers = in_background(control.wake)
        thread.join(20)
        assert_problem(answers[0], 403, "used 1 of 1", REASON)
        conn.commit()


def test_a_used_up_storage_quota_refuses_and_a_raised_one_frees(control):
    project = control.project()
    control.compute(project=project)
    procs.wait_until(lambda: control.store("select 1 from storage_usage"), 20, "a measure")
    limit(control, project, quota_storage_bytes=1000)
    assert_problem(control.wake(), 403, "bytes of storage", "LOGICAL_SIZE_QUOTA_EXCEEDED")
    control.kill()
    assert_problem(control.wake(), 403, "bytes of storage", "LOGICAL_SIZE_QUOTA_EXCEEDED")
    limit(control, project, quota_storage_bytes=10**12)
    control.woken()
    limit(control, project, quota_storage_bytes=1000)
    control.wait_for_state("suspended", seconds=20)


def test_there_are_no_more_computes_than_the_quota_allows(control):
    project = control.project(quota_computes=2)
    path = f"/api/v1/projects/{project}/compute"
    threads = [in_background(control.call, "POST", path, {}) for _ in range(5)]
    for thread, _ in threads:
        thread.join()
    answers = [found[0] for _, found in threads]
    assert sorted(a.status for a in answers) == [201, 201, 403, 403, 403]
    for answer in answers:
        if answer.status == 403:
            assert_problem(answer, 403, "used 2 of 2 computes", "ACTIVE_ENDPOINTS_LIMIT_EXCEEDED")
    name = next(a.body["id"] for a in answers if a.status == 201)
    assert control.call("DELETE", f"/api/v1/compute/{name}").status == 204
    assert control.call("POST", path, {}).status == 201


def test_sessions_beyond_the_quota_of_connections_are_53300(control):
    project = control.project(quota_connections=1)
    compute = control.compute("one", project=project)
    other = control.compute("two", project=project)
    with control.through_the_proxy(compute):
        procs.wait_until(lambda: control.wake("two").status == 403, 20, "the session to be told")
        assert_problem(control.wake("two"), 403, "used 1 of 1 connections",
                       "CONCURRENCY_LIMIT_REACHED")
        with pytest.raises(psycopg.OperationalError, match="used 1 of 1 connections"):
            control.through_the_proxy(other)
    procs.wait_until(lambda: control.wake("two").status == 200, 20, "the session to be gone")


def test_a_webhook_is_warned_once_and_told_when_it_is_used_up(control, webhook):
    project = control.project(min_size=1, quota_compute_seconds=4, quota_soft=50,
                              webhook_url=webhook.url)
    control.compute(project=project)
    control.woken()
    [soft] = procs.wait_until(lambda: webhook.bodies(level="soft"), 20, "a warning")
    [hard] = procs.wait_until(lambda: webhook.bodies(level="hard"), 20, "the end")
    schemas = control.get("/api/v1/openapi.json").body["components"]["schemas"]
    assert set(soft) == set(hard) == set(schemas["QuotaLetter"]["properties"])
    assert soft["project_id"] == project and soft["type"] == "quota"
    assert soft["quota"] == "quota_compute_seconds" and soft["limit"] == 4
    assert 2 <= soft["used"] <= 4 and hard["used"] == 4
    assert soft["key"].startswith(f"{project}|quota_compute_seconds|{soft['period_start']}|soft")
    assert any("nearly used up" in reason for reason in reasons(control))
    assert webhook.count(soft["key"]) == webhook.count(hard["key"]) == 1
