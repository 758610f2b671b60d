"""Clients who come just when their compute is put to sleep: all are served, each by its own.

RACES says how many races are run; 10000 for an afternoon, a few in the suite.
"""

import os

import pytest

from harness import racing
from harness.control import Control

RACES = int(os.environ.get("RACES", "150"))
COMPUTES = 3


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy, reveille={"workers": 2, "activity_interval": "100ms"})


def assert_all_well(control, racers):
    problems = [f for r in racers for f in r.failures]
    problems += [f"{r.name}: a second server: {line}" for r in racers for line in r.second_servers()]
    assert not problems, f"{len(problems)} of {sum(r.clients for r in racers)}:\n" \
        + "\n".join(problems[:20])
    for r in racers:
        assert len(control.servers(r.name)) <= 1


@pytest.mark.slow
@pytest.mark.timeout(60 + RACES)
def test_who_comes_while_its_compute_falls_asleep_is_served_by_it(control):
    project = control.project(freeze_after=0, idle_timeout=0)
    racers = [racing.Racer(control, f"race{i}", project, seed=i) for i in range(COMPUTES)]
    seconds = racing.run(racers, RACES)
    print(f"{RACES} races in {seconds:.1f} s, {sum(r.clients for r in racers)} clients, "
          f"{sum(r.answered for r in racers)} answered, {sum(r.told for r in racers)} lodgers told "
          f"to go; {[dict(r.outcomes) for r in racers]}")
    assert_all_well(control, racers)
    assert sum(r.answered for r in racers) == sum(r.clients for r in racers) > RACES * 0.9
