"""Each compute under an operating system user of its own: what that takes, and what it keeps apart."""

import glob
import os

import psycopg
import pytest

from harness import procs
from test_control_plane import build, control  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give users away")

FIRST = 500000000 + 50 * os.getpid()    # nobody else's: a user's processes are killed
LAST = FIRST + 49


def privileges(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        rows = dict(line.split(":\t", 1) for line in f if ":\t" in line)
    return int(rows["CapPrm"], 16), int(rows["CapEff"], 16)


@pytest.fixture(name="left_groups")
def fixture_left_groups():
    """Control groups outlive their servers' control plane; those of a test go when all has ended."""
    names = []
    yield names
    for group in (g for name in names for g in glob.glob(f"/sys/fs/cgroup/**/{name}", recursive=True)):
        for child in glob.glob(f"{group}/*/"):
            procs.wait_until(lambda child=child: removed(child), 10, f"{child} to be empty")
        os.rmdir(group)


def removed(group):
    try:
        os.rmdir(group)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


@pytest.fixture(name="tenants")
def fixture_tenants(left_groups, build):  # noqa: F811
    control = build(process={"user_range": f"{FIRST}-{LAST}"})  # noqa: F811
    at = os.stat(f"{control.folder}/computes")
    left_groups.append(f"reveille-{at.st_dev:x}-{at.st_ino:x}")
    return control


def test_servers_are_users_of_their_own_and_clients_notice_nothing(tenants):
    project = tenants.project()
    computes = {name: tenants.compute(name, project) for name in ("one", "two")}
    owners = set()
    for name, compute in computes.items():
        tenants.woken(name)
        (server,) = tenants.servers(name)
        owners.add(os.stat(f"/proc/{server}").st_uid)
        assert privileges(server) == (0, 0)
        with psycopg.connect(compute["connection_uri"]) as conn:
            assert conn.execute("select 'row'").fetchone() == ("row",)
    assert len(owners) == 2 and all(FIRST <= uid <= LAST for uid in owners)
    tenants.suspend("one")
    with psycopg.connect(computes["one"]["connection_uri"]) as conn:
        assert conn.execute("select 'row'").fetchone() == ("row",)


def test_only_the_control_process_has_privileges(tenants):
    kept = privileges(tenants.proxy.control())
    assert kept[0] == kept[1] != 0
    assert bin(kept[0]).count("1") == 6
    for pid in [*tenants.proxy.workers(), tenants.proxy.monitor()]:
        assert privileges(pid) == (0, 0)
    assert privileges(tenants.proxy.pid) == (kept[0], 0)


def test_without_a_range_nobody_has_privileges(control):  # noqa: F811
    for pid in [*control.proxy.workers(), control.proxy.monitor(), control.proxy.control(),
                control.proxy.pid]:
        assert privileges(pid) == (0, 0)


def test_tenants_survive_the_control_process_and_are_adopted(tenants):
    compute = tenants.compute()
    before = tenants.woken()["address"]
    pid = tenants.proxy.control()
    os.kill(pid, 9)
    procs.wait_until(lambda: tenants.proxy.control() not in (None, pid), 10,
                     "a new control process")
    tenants.wait_until_ready()
    assert tenants.woken()["address"] == before
    with psycopg.connect(compute["connection_uri"]) as conn:
        assert conn.execute("select 'row'").fetchone() == ("row",)
