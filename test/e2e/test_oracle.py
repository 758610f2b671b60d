"""Whatever dies, and whatever the clock says: no compute has two servers, and the ledger is right.

The truth is what a sampler saw from outside (harness/sampler.py): when each server took sessions,
until it let nobody new in, and when it stood still.  ROUNDS says how often something is killed,
stopped, or told another time; 200 for an afternoon, fewer in the suite.
"""

import collections
import datetime
import glob
import json
import os
import shutil
import socket

import pytest

from harness import procs
from harness.control import Control
from harness.proxy import make_folder
from harness.sampler import Sampler
from harness.storm import HOUR, Storm
from harness.wallclock import Wallclock, lacks_wallclock
from harness.webhook import Webhook

ROUNDS = int(os.environ.get("ROUNDS", "25"))
COMPUTES = 4
HEARTBEAT = 5
"""Seconds that may go unbilled when somebody was killed: the heartbeat's distance."""
US_OF_HOUR = HOUR * 1_000_000
SLACK = 0.4
"""And when nobody was: from a server being ready to that being written, and the like."""


@pytest.fixture
def folder():
    made = make_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def hook():
    receiver = Webhook()
    receiver.answers = [500, None, 200] * 100
    yield receiver
    receiver.close()


@pytest.fixture
def clock(folder):
    return None if lacks_wallclock() else Wallclock(folder)


@pytest.fixture
def watch(folder):
    """A function that has data folders looked at, at most until the test is over."""
    begun = []

    def begin(folders):
        begun.append(Sampler(f"{folder}/lives", folders))
        return begun[-1]

    yield begin
    for sampler in begun:
        sampler.stop()


# Spells: lists of (begin, end), which do not overlap.


def length(spells):
    return sum(end - begin for begin, end in spells)


def common(spells, others):
    return [(max(a, c), min(b, d)) for a, b in spells for c, d in others if max(a, c) < min(b, d)]


def without(spell, others):
    """The spell less others, in order of time."""
    left, at = [], spell[0]
    for begin, end in sorted(others):
        if begin > at:
            left.append((at, min(begin, spell[1])))
        at = max(at, end)
    return [(a, b) for a, b in [*left, (at, spell[1])] if a < b]


def active_spells(life):
    """When a server could be asked and nobody had decided against it."""
    if life["ready"] is None:
        return []
    return without((life["ready"], life["closing"] or life["ended"]), life["frozen"])


# What the ledger says.


def intervals(control, kind="%"):
    """Of each compute: name, begin and end by the clock that never jumps, and by the wall's."""
    rows = control.store("select compute_id, started_boot, started_at, ended_at from compute_usage "
                         "where kind like ? order by compute_id, id", kind)
    return [(name, boot / 1e6, (boot + ended - began) / 1e6, began, ended)
            for name, boot, began, ended in rows]


def assert_nothing_overlaps(found):
    for (name, _, boot_end, _, wall_end), (next_name, boot, _, wall, _) in zip(found, found[1:]):
        if name == next_name:
            assert wall >= wall_end, f"{name}: intervals overlap by the wall's clock"
            assert boot >= boot_end - 0.001, f"{name}: intervals overlap"


def assert_billed_is_true(control, lives, deeds, gap):
    """Within [actual - 5 s for each crash, actual], for each server by itself."""
    wrong, sums = [], [0, 0]
    billed = intervals(control, "active")
    for name in {life["name"] for life in lives}:
        mine = [(begin, end) for n, begin, end, _, _ in billed if n == name]
        actual = [s for life in lives if life["name"] == name for s in active_spells(life)]
        over = [s for m in mine for s in without(m, actual) if s[1] - s[0] > gap + 0.02]
        sums[0] += length(mine)
        sums[1] += length(actual)
        if over:
            wrong.append(f"{name}: was billed while no server could be used: {over}")
    for life in lives:
        mine = [(begin, end) for n, begin, end, _, _ in billed if n == life["name"]]
        actual = active_spells(life)
        crashes = sum(1 for d in deeds if d.began < life["ended"] + 1 and d.ended > life["born"] - 1
                      and d.what not in ("worker", "monitor", "step_clock")
                      and d.name in (life["name"], d.name if "control" in d.what
                                     or d.what == "supervisor" else ""))
        missing = length(actual) - length(common(actual, mine))
        if missing > SLACK * procs.PATIENCE + HEARTBEAT * crashes:
            wrong.append(f"{life}: {missing:.3f} s were not billed, with {crashes} crashes; {mine}")
    print(f"billed {sums[0]:.3f} s of {sums[1]:.3f} s in {len(lives)} lives")
    assert not wrong, "\n".join(wrong)


def assert_sums_are_right(control, projects):
    """What the API answers is what comes of adding up the intervals."""
    for project in projects:
        rows = control.store("select kind, size, started_at, ended_at from compute_usage "
                             "where project_id = ?", project)
        usage = control.usage(project)
        active = [(size, end - begin) for kind, size, begin, end in rows if kind == "active"]
        assert usage["active_seconds"] * 1e6 == pytest.approx(sum(us for _, us in active), abs=2)
        assert usage["compute_seconds"] * 1e9 == \
            pytest.approx(sum(size * us for size, us in active), abs=2000)


def hours_of_intervals(control):
    """Of each compute and hour: active and frozen time, and active time by size."""
    found = collections.defaultdict(lambda: [0, 0, 0])
    for name, kind, size, began, ended in control.store(
            "select compute_id, kind, size, started_at, ended_at from compute_usage"):
        for hour in range(began - began % US_OF_HOUR, ended, US_OF_HOUR):
            us = min(ended, hour + US_OF_HOUR) - max(began, hour)
            sums = found[name, hour]
            sums[kind == "frozen"] += us
            sums[2] += us * size if kind == "active" else 0
    return {key: tuple(sums) for key, sums in found.items() if any(sums)}


def published_hours(control):
    rows = control.store("select compute_id, hour, active_us, frozen_us, compute_us "
                         "from usage_hours")
    return {(name, hour): tuple(sums) for name, hour, *sums in rows if any(sums)}


def exported_hours(hook):
    """What a receiver knows that drops what it has had: the last word of each hour."""
    found = {}
    for body in sorted(hook.bodies(type="usage"), key=lambda b: b["revision"]):
        hour = int(datetime.datetime.fromisoformat(body["hour"]).timestamp()) * 1_000_000
        for c in body["computes"]:
            found[c["compute_id"], hour] = tuple(
                round(c[m] * 1e6) for m in ("active_seconds", "frozen_seconds"))
    return {key: sums for key, sums in found.items() if any(sums)}


def assert_published_and_exported(control, hook):
    """Once more by one who begins anew, when all hours are over."""
    control.kill()
    procs.wait_until(lambda: published_hours(control) == hours_of_intervals(control), 40,
                     "all hours to be published")
    hook.answers.clear()
    expected = {key: sums[:2] for key, sums in hours_of_intervals(control).items()}
    procs.wait_until(lambda: exported_hours(hook) == expected, 90, "all hours to be exported")


def assert_at_rest(control, names):
    for name in names:
        control.wait_for_state("suspended", name, 60)
        assert not control.servers(name)
        # One that was killed while nobody watched leaves its socket until the next start.
        for path in glob.glob(f"{control.folder}/computes/run/{name}/*/.s.PGSQL.5432"):
            with socket.socket(socket.AF_UNIX) as s, pytest.raises(ConnectionRefusedError):
                s.connect(path)
    assert control.store("select count(*) from compute_usage where ended_at is null") == [(0,)]
    made = set(os.listdir(f"{control.folder}/computes/postgres"))
    assert made == set(names), "folders that nobody wants"


@pytest.mark.slow
@pytest.mark.timeout(120 + 6 * ROUNDS)
def test_nobody_has_two_servers_and_the_ledger_is_right_whatever_dies(
        start_proxy, watch, clock, hook):
    def start(*args, **kwargs):
        proxy = start_proxy(*args, launch=False, **kwargs)
        proxy.env = clock.env if clock else None
        return proxy.start()

    control = Control(start, reveille={"workers": 2, "activity_interval": "200ms"})
    projects = [control.project(freeze_after=1, idle_timeout=2, webhook_url=hook.url)
                for _ in range(2)]
    computes = [control.compute(f"db{i}", projects[i % 2]) for i in range(COMPUTES)]
    names = [c["id"] for c in computes]
    storm = Storm(control, computes, clock, seed=int(os.environ.get("SEED", "1")))
    sampler = watch({n: control.data(n) for n in names})
    storm.begin()
    try:
        storm.rounds(ROUNDS)
    finally:
        storm.end()
    if clock:
        clock.step(4 * HOUR)    # past all that was written, so that sums up to now are of all
    assert_at_rest(control, names)
    lives, wrong, gap = sampler.finish()
    print(json.dumps(storm.outcomes), f"{len(storm.deeds)} deeds, the sampler's gap {gap:.3f} s")
    assert not wrong, wrong
    assert not storm.failures, f"{len(storm.failures)}:\n" + "\n".join(storm.failures[:20])
    assert_nothing_overlaps(intervals(control))
    assert_billed_is_true(control, lives, storm.deeds, gap)
    assert_sums_are_right(control, projects)
    if clock:
        assert_published_and_exported(control, hook)
    assert storm.outcomes["answered"] > ROUNDS
