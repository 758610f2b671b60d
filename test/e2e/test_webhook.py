"""What is exported: each hour once for who drops doubles, whatever is lost on the way. E.2.7."""

import socket
import sqlite3
import time

import pytest

from harness import procs
from harness.control import Control
from harness.webhook import Webhook

SECOND = 1_000_000
HOUR = 3600 * SECOND
FIRST_LOOK = 40    # seconds within which a new control plane looks at the hours


@pytest.fixture
def webhook():
    hook = Webhook()
    yield hook
    hook.close()


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


def use(control, project, compute="db"):
    """From half past, for two hours, long ago; returns when the first of the hours began."""
    now = int(time.time()) * SECOND
    hour = now - now % HOUR - 10 * HOUR
    control.write(
          ("insert into compute_usage (project_id, compute_id, incarnation, size, boot_id,"
           " started_boot, started_at, last_seen, ended_at) values (?, ?, 'i', 2000, 'b', 0, ?, ?, ?)",
           (project, compute, hour + HOUR // 2, hour, hour + HOUR // 2 + 2 * HOUR)))
    return hour


def text_of(hour):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(hour // SECOND))


def active_of(webhook, project):
    return sum(c["active_seconds"] for body in webhook.bodies(project_id=project, type="usage")
               for c in body["computes"])


def outbox(control):
    return control.store("select count(*) from outbox")[0][0]


def test_hours_nobody_has_published_arrive_once_though_answers_are_lost(control, webhook):
    project = control.project(webhook_url=webhook.url)
    control.compute(project=project)
    webhook.answers = [None, 500, 302, None, 503]
    hour = use(control, project)
    control.kill()
    procs.wait_until(lambda: active_of(webhook, project) == 7200 and outbox(control) == 0,
                     FIRST_LOOK, "three hours")
    bodies = webhook.bodies(type="usage")
    assert [b["hour"] for b in sorted(bodies, key=lambda b: b["hour"])] == [
        text_of(hour + i * HOUR) for i in range(3)]
    schemas = control.get("/api/v1/openapi.json").body["components"]["schemas"]
    for body in bodies:
        assert set(body) == set(schemas["UsageLetter"]["properties"])
        assert {"previous", *body["computes"][0]} == set(schemas["UsageOfHour"]["properties"])
        assert body["key"] == f"{project}|usage|{body['hour']}|1" and body["revision"] == 1
        assert body["computes"][0]["compute_seconds"] == 2 * body["computes"][0]["active_seconds"]
    assert len(webhook.arrived) == 3 + 5, "each was sent until it arrived"
    for path, headers, body in webhook.arrived:
        assert path == "/hook", "a redirect was followed"
        assert headers["Idempotency-Key"] == body["key"]
        assert headers["Content-Type"] == "application/json"


def test_what_is_learnt_late_is_told_as_a_revision_with_both_values(control, webhook):
    project = control.project(webhook_url=webhook.url)
    control.compute(project=project)
    hour = use(control, project)
    control.kill()
    procs.wait_until(lambda: len(webhook.bodies(type="usage")) == 3, FIRST_LOOK, "three hours")
    control.write(("update compute_usage set ended_at = ended_at + ?", (60 * SECOND,)))
    control.kill()
    procs.wait_until(lambda: webhook.bodies(revision=2), FIRST_LOOK, "a revision")
    [body] = webhook.bodies(revision=2)
    assert body["hour"] == text_of(hour + 2 * HOUR)
    [compute] = body["computes"]
    assert compute["active_seconds"] == 1860 and compute["previous"]["active_seconds"] == 1800
    latest = {b["hour"]: b for b in sorted(webhook.bodies(type="usage"),
                                           key=lambda b: b["revision"])}
    assert sum(b["computes"][0]["active_seconds"] for b in latest.values()) == 7260


def test_a_deleted_projects_last_hours_are_told_too(control, webhook):
    project = control.project(webhook_url=webhook.url)
    control.compute(project=project)
    control.kill()
    use(control, project)
    assert control.call("DELETE", f"/api/v1/projects/{project}").status == 204
    procs.wait_until(lambda: active_of(webhook, project) == 7200, FIRST_LOOK, "three hours")


def test_killed_again_and_again_it_publishes_the_same(control, webhook):
    project = control.project(webhook_url=webhook.url)
    control.compute(project=project)
    use(control, project)
    for _ in range(2):
        control.kill()
        procs.wait_until(lambda: control.store("select 1 from usage_hours where active_us > 0"),
                         FIRST_LOOK, "the first hour to be published")
    procs.wait_until(lambda: active_of(webhook, project) == 7200, FIRST_LOOK, "three hours")
    assert {b["revision"] for b in webhook.bodies(type="usage")} == {1}
    rows = control.store("select sum(active_us), count(*) from usage_hours where active_us > 0")
    assert rows == [(7200 * SECOND, 3)]


def test_who_cannot_be_reached_is_tried_again_and_holds_up_nobody(control, webhook):
    dead = Webhook()
    url = dead.url
    dead.close()
    lost, project = control.project(webhook_url=url), control.project(webhook_url=webhook.url)
    control.compute("lost", project=lost)
    control.compute(project=project)
    use(control, lost, "lost")
    use(control, project)
    control.kill()
    procs.wait_until(lambda: active_of(webhook, project) == 7200, FIRST_LOOK, "three hours")
    procs.wait_until(lambda: control.store("select 1 from outbox where attempts >= 2"), 20, "tries")
    assert outbox(control) == 3
    nexts = control.store("select next_at - created_at, attempts from outbox where attempts > 0")
    assert all(wait >= (2 ** (attempts - 1)) * SECOND * 0.9 for wait, attempts in nexts)


def test_a_receiver_that_takes_letters_and_never_answers_holds_up_nobody_else(control, webhook):
    """Though more of them are waiting than are looked at together; and after one all of them wait."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        letters = [(f"mute{i}", url, 1) for i in range(200)] + [("other", webhook.url, 2)]
        with sqlite3.connect(control.db_path, timeout=20) as db:
            db.executemany("insert into outbox (key, url, body, created_at, next_at) "
                           "values (?1, ?2, json_object('key', ?1), 1000000 * unixepoch(), ?3)", letters)
        db.close()
        control.kill()
        procs.wait_until(lambda: webhook.count("other") == 1, 10, "the other one's letter")
        procs.wait_until(lambda: control.store("select 1 from outbox where attempts = 1"), 30, "a failure")
        assert not control.store("select 1 from outbox where next_at = 1")
