"""What was used, by whom, and that it adds up: the rules of the ledger, E.2.1 to E.2.7."""

import csv
import datetime
import http.client
import io
import os
import signal
import sqlite3
import time

import psycopg
import pytest

from harness import procs
from harness.control import Control, assert_problem

SECOND = 1_000_000
HOUR = 3600 * SECOND


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy, reveille={"activity_interval": "100ms"})


def intervals(control):
    return control.store("select kind, size, started_at, ended_at, last_seen from compute_usage"
                         " order by id")


def active_us(control):
    return sum((end or seen) - begin for kind, _, begin, end, seen in intervals(control)
               if kind == "active")


def causes(control):
    return control.store("select kind, role, application, network, active_us from awake_causes")


def wait_for(control, statement, seconds=20):
    return procs.wait_until(lambda: control.store(statement), seconds, statement)


def test_e2_1_one_interval_is_open_and_none_overlap(control):
    control.compute()
    for _ in range(3):
        control.woken()
        assert control.store("select count(*) from compute_usage where ended_at is null") == [(1,)]
        control.suspend()
    rows = intervals(control)
    assert all(one[3] <= other[2] for one, other in zip(rows, rows[1:]))
    with pytest.raises(sqlite3.IntegrityError):
        control.write(*2 * [(
            "insert into compute_usage (project_id, compute_id, incarnation, size, boot_id,"
            " started_boot, started_at, last_seen) values ('p', 'x', 'i', 1, 'b', 0, 0, 0)",)])


def test_e2_2_state_and_interval_change_together(control):
    control.compute()
    control.woken()
    control.suspend()
    [(begin, end)] = control.store("select started_at, ended_at from compute_usage")
    at = dict(control.store("select to_state, at from operations order by id"))
    assert abs(begin - at["active"]) < 100_000 and abs(end - at["suspending"]) < 100_000


def test_e2_3_from_ready_to_the_decision_and_frozen_time_is_free(control):
    compute = control.compute()
    control.woken()
    answer = control.call("POST", "/api/v1/compute/db/suspend?mode=freeze")
    assert answer.status == 200, answer
    time.sleep(1.2)    # the very thing that is measured
    control.suspend()
    usage = control.usage(compute["project_id"])
    assert usage["frozen_seconds"] >= 1.1
    assert usage["active_seconds"] == pytest.approx(active_us(control) / SECOND)
    assert usage["computes"][0]["frozen_seconds"] == usage["frozen_seconds"]


def test_e2_4_what_is_open_is_seen_by_a_heartbeat(control):
    control.compute()
    control.woken()
    [(begin, seen)] = control.store("select started_at, last_seen from compute_usage")
    procs.wait_until(lambda: control.store("select last_seen from compute_usage")[0][0] > seen, 10,
                     "a heartbeat")
    [(now,)] = control.store("select last_seen from compute_usage")
    assert now > seen >= begin


def test_e2_5_a_server_that_died_unseen_is_billed_until_it_was_last_seen(control):
    control.compute()
    control.woken()
    [(seen,)] = control.store("select last_seen from compute_usage")
    os.kill(control.proxy.process.pid, signal.SIGSTOP)    # nobody replaces the control process
    pid = control.proxy.control()
    procs.kill_hard(pid)
    for server in control.servers():
        procs.kill_hard(server)
    os.kill(control.proxy.process.pid, signal.SIGCONT)
    procs.wait_until(lambda: control.proxy.control() not in (None, pid), 10, "another one")
    control.wait_until_ready()
    control.wait_for_state("suspended")
    [(begin, end)] = control.store("select started_at, ended_at from compute_usage")
    assert begin <= end and end - seen < 5.5 * SECOND


def test_e2_5_what_runs_on_while_nobody_watches_is_one_interval(control):
    control.compute()
    control.woken()
    control.kill()
    control.wait_for_state("active")
    assert len(intervals(control)) == 1


def test_e2_6_seconds_times_units_and_nothing_is_lost_by_rounding(control):
    project = control.project(min_size=0.25)
    control.compute(project=project)
    control.woken()
    control.suspend()
    usage = control.usage(project)
    assert usage["compute_seconds"] == pytest.approx(usage["active_seconds"] * 0.25, abs=1e-6)


def old_usage(control, project, compute="db"):
    """An interval of two hours and a half, and samples, long ago."""
    now = int(time.time()) * SECOND
    begin = now - now % HOUR - 30 * HOUR + HOUR // 2
    control.write(
          ("insert into compute_usage (project_id, compute_id, incarnation, size, boot_id,"
           " started_boot, started_at, last_seen, ended_at) values (?, ?, 'i', 1000, 'b', 0, ?, ?, ?)",
           (project, compute, begin, begin, begin + 5 * HOUR // 2)),
          ("insert into storage_usage (project_id, compute_id, at, bytes) values (?, ?, ?, 1000)",
           (project, compute, begin)),
          ("insert into traffic_hours (project_id, compute_id, hour, received, sent)"
           " values (?, ?, ?, 3, 4)", (project, compute, begin + HOUR // 2)))
    return begin


def test_e2_7_hours_add_up_exactly_wherever_they_are_cut(control):
    project = control.project()
    control.compute(project=project)
    begin = old_usage(control, project)
    at = f"/api/v1/projects/{project}/usage"
    one, other = (begin + HOUR // 3) // SECOND, (begin + 2 * HOUR) // SECOND
    whole = control.get(f"{at}?from={begin // SECOND}&to={other}").body
    parts = [control.get(f"{at}?from={a}&to={b}").body
             for a, b in ((begin // SECOND, one), (one, other))]
    hours = control.get(f"{at}?from={begin // SECOND}&to={other}&granularity=hourly").body
    assert len(hours["periods"]) == 3
    for member in ("active_seconds", "compute_seconds", "frozen_seconds", "storage_byte_seconds",
                   "proxied_bytes"):
        assert sum(p[member] for p in parts) == whole[member]
        assert sum(p[member] for p in hours["periods"]) == whole[member] == hours[member]
        assert sum(c[member] for c in whole["computes"]) == whole[member]
    assert whole["active_seconds"] == 7200 and whole["proxied_bytes"] == 7
    assert whole["storage_byte_seconds"] == 7200 * 1000


def test_usage_is_csv_for_who_wants_it(control):
    project = control.project()
    control.compute(project=project)
    begin = old_usage(control, project) // SECOND
    connection = http.client.HTTPConnection("127.0.0.1", control.proxy.control_port)
    path = f"/api/v1/projects/{project}/usage?from={begin}&to={begin + 7200}&granularity=hourly"
    texts = []
    for url, headers in ((path + "&format=csv", {}), (path, {"Accept": "text/csv"})):
        connection.request("GET", url, headers={"Authorization": f"Bearer {control.token()}",
                                                **headers})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.headers["Content-Type"] == "text/csv"
        texts.append(answer.read().decode())
    assert texts[0] == texts[1] and texts[0].endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(texts[0], newline="")))
    assert [float(r["active_seconds"]) for r in rows] == [1800, 3600, 1800]
    assert {r["compute_id"] for r in rows} == {"db"}
    assert_problem(control.get(path + "&format=xml"), 422, "format")
    assert_problem(control.get(f"/api/v1/projects/{project}/usage?from=0&granularity=hourly"), 422,
                   "periods")


def test_usage_of_a_deleted_project_stays_and_nothing_is_stored_any_more(control):
    project = control.project()
    control.compute(project=project)
    control.woken()
    wait_for(control, "select bytes from storage_usage where bytes > 0")
    assert control.call("DELETE", f"/api/v1/projects/{project}").status in (202, 204)
    procs.wait_until(lambda: control.get(f"/api/v1/projects/{project}").status == 404, 20, "the end")
    usage = control.usage(project)
    assert usage["active_seconds"] > 0
    assert control.store("select bytes from storage_usage order by id desc limit 1") == [(0,)]


def test_looking_at_usage_wakes_nothing_and_changes_nothing(control):
    project = control.project()
    control.compute(project=project)
    before = control.show()
    control.usage(project)
    control.get(f"/api/v1/projects/{project}/usage?granularity=daily")
    assert control.show() == before
    assert control.servers() == []


def test_who_kept_it_awake_is_known_and_adds_up_to_the_active_time(control):
    compute = control.compute()
    with control.through_the_proxy(compute, application_name="web") as web:
        web.execute("select 1")
        procs.wait_until(lambda: ("client", "app", "web") in
                         [row[:3] for row in causes(control)], 20, "web to be known")
    with control.through_the_proxy(compute, application_name="cron") as cron:
        cron.execute("select pg_sleep(1)")
        procs.wait_until(lambda: "cron" in [row[2] for row in causes(control)], 20, "cron")
    control.suspend()
    procs.wait_until(lambda: sum(row[4] for row in causes(control)) >= active_us(control) - 50_000,
                     20, "the last seconds")
    assert abs(sum(row[4] for row in causes(control)) - active_us(control)) < 50_000
    told = control.usage(compute["project_id"])["awake_causes"]
    assert {c["application_name"] for c in told} >= {"web", "cron"}
    assert [c["seconds"] for c in told] == sorted((c["seconds"] for c in told), reverse=True)
    assert all(c["compute_id"] == "db" and c["network"] for c in told
               if c["application_name"] == "web")


def test_who_asked_over_the_api_and_what_the_clock_woke_is_told_apart(control):
    control.compute()
    assert control.call("POST", "/api/v1/compute/db/resume").status in (200, 202)
    control.wait_for_state("active")
    wait_for(control, "select 1 from awake_causes where kind = 'api'")


def test_whoever_stays_only_for_a_moment_is_known_by_name(control):
    compute = control.compute()
    for name in ("who wakes it", "who comes later", "the last one"):
        with control.through_the_proxy(compute, application_name=name) as conn:
            conn.execute("select 1")
        wait_for(control, f"select 1 from awake_causes where application = '{name}'")
    assert {row[1] for row in causes(control)} == {"app"}


def test_who_is_exempt_keeps_nothing_awake_and_is_no_cause(control):
    compute = control.compute(project=control.project(
        exempt_applications=["probe*"], idle_timeout=3, freeze_after=0))
    control.woken()
    with control.through_the_proxy(compute, application_name="probe-1") as probe:
        probe.execute("select 1")
        stop = time.monotonic() + 30
        while control.state() == "active" and time.monotonic() < stop:
            try:
                probe.execute("select 1")
            except psycopg.Error:
                break
        assert control.state() != "active"
    assert "probe-1" not in [row[2] for row in causes(control)]


def test_a_crash_loses_the_causes_of_one_heartbeat_at_most(control):
    control.compute()
    control.woken()
    wait_for(control, "select 1 from awake_causes")
    control.kill()
    control.wait_for_state("active")
    control.suspend()
    procs.wait_until(
        lambda: active_us(control) - sum(row[4] for row in causes(control)) < 5.5 * SECOND, 20,
        "the rest of the causes")
    assert sum(row[4] for row in causes(control)) <= active_us(control) + 50_000


def test_e2_8_bytes_through_the_proxy_are_counted_once(control):
    compute = control.compute()
    with control.through_the_proxy(compute) as w:
        w.execute("select repeat('x', 100000)")
    procs.wait_until(lambda: control.usage(compute["project_id"])["proxied_bytes"] > 100_000, 20,
                     "the bytes")
    for _ in range(2):
        [(received, sent)] = control.store("select sum(received), sum(sent) from traffic_hours")
        assert received < 1000 and 100_000 < sent < 101_000
        control.kill()


def test_e2_9_what_cpus_did_is_counted_beside_the_time_of_units(control):
    compute = control.compute()
    with control.through_the_proxy(compute) as conn:
        conn.execute("select count(*) from generate_series(1, 2000000)")
        wait_for(control, "select 1 from compute_usage where cpu_us > 100000")
    control.kill()
    control.wait_for_state("active")
    control.suspend()
    [(start, used)] = control.store("select cpu_start, cpu_us from compute_usage")
    assert start == 0 and used > 100_000
    usage = control.usage(compute["project_id"])
    assert usage["cpu_seconds"] == pytest.approx(used / SECOND)
    assert usage["cpu_seconds"] < usage["active_seconds"] * os.cpu_count()


REPORT = {"proxy_id": "p", "computes": [
    {"compute_id": "db", "sessions": 1, "at_work": 1, "transactions": 5, "listening": 1,
     "idle_ms": 1, "traffic": {"epoch": "e", "received": 10, "sent": 20},
     "causes": [{"role": "app", "application_name": "web", "network": "local", "sessions": 1,
                 "at_work": 1, "listening": 1, "idle_ms": 1}]}]}


def changed(path, value):
    report = {**REPORT, "computes": [{**REPORT["computes"][0]}]}
    item = report["computes"][0]
    if path[0] == "causes":
        item["causes"] = [{**item["causes"][0], path[1]: value}]
    elif path[0] == "traffic":
        item["traffic"] = {**item["traffic"], path[1]: value}
    else:
        item[path[0]] = value
    return report


@pytest.mark.parametrize("path, value, says", [
    (("colour",), 1, "colour"), (("causes", "colour"), 1, "colour"),
    (("traffic", "colour"), 1, "colour"), (("listening",), -1, "listening"),
    (("causes", "at_work"), "x", "at_work"), (("traffic", "sent"), -1, "sent"),
    (("traffic", "epoch"), "x" * 64, "epoch"), (("causes",), {}, "causes")],
    ids=lambda v: str(v)[:20])
def test_a_bad_report_is_refused_by_the_name_of_what_is_bad(control, path, value, says):
    control.compute()
    report = changed(path, value) if len(path) > 1 or path[0] != "causes" else \
        {**REPORT, "computes": [{**REPORT["computes"][0], "causes": value}]}
    assert_problem(control.call("POST", "/api/v1/activity", report), 422, says)
    many = {**REPORT, "computes": [{**REPORT["computes"][0],
                                    "causes": REPORT["computes"][0]["causes"] * 65}]}
    assert_problem(control.call("POST", "/api/v1/activity", many), 422, "causes")
    assert control.store("select count(*) from traffic_hours") == [(0,)]


def last_activity(control):
    return datetime.datetime.fromisoformat(control.show()["last_activity"])


def test_a_report_of_a_compute_that_sleeps_changes_nothing_but_its_bytes(control):
    control.compute()
    before = last_activity(control)
    time.sleep(1)    # what must not count
    for _ in range(2):
        assert control.call("POST", "/api/v1/activity", REPORT).body == {"accepted": 1}
    assert last_activity(control) - before < datetime.timedelta(milliseconds=100)
    assert control.store("select received, sent from traffic_hours") == [(10, 20)]


def test_what_is_on_disk_is_measured_when_it_is_made_and_after_each_stop(control):
    control.compute()
    wait_for(control, "select 1 from storage_usage where bytes > 1000000")
    control.woken()
    control.suspend()
    wait_for(control, "select 1 from storage_usage limit 1 offset 1")
