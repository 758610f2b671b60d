"""System calls of one busy session: two receives, two sends, two waits, and nothing else."""

import subprocess

import pytest

from harness.syscalls import calls_of, can_be_counted, costs_six_calls


@can_be_counted
@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_a_transaction_costs_six_system_calls(start_proxy, pg, tmp_path, mode, where):
    entry = pg.entry if where == "tcp" else f"host={pg.folder} port={pg.port}"
    proxy = start_proxy({"*": entry}, workers=1)
    if not pg.value("select to_regclass('pgbench_accounts') is not null", database="app"):
        subprocess.run(["pgbench", "-i", "-q", "-h", pg.host, "-p", str(pg.port), "-U", "app",
                        "app"], check=True, capture_output=True)
    costs_six_calls(proxy, str(tmp_path / "calls"), ["-S", "-M", mode], count=2000, others=3)


@can_be_counted
def test_idle_sessions_cost_no_system_calls(start_proxy, pg, tmp_path):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    sessions = [proxy.login() for _ in range(50)]
    calls = calls_of(proxy.workers()[0], str(tmp_path / "calls"), lambda: True,
                     lambda: pg.sql("select pg_sleep(2)"))
    for w in sessions:
        w.close()
    assert sum(calls.values()) < 50, calls
