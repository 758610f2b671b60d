"""System calls of one busy session: two receives, two sends, two waits, and nothing else."""

import re
import shutil
import signal
import subprocess

import pytest

from harness import procs
from harness.proxy import sanitized

PER_TRANSACTION = {"recvfrom": 2, "sendto": 2, "epoll_wait": 2}


def strace_works():
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True,
                          check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not strace_works(), reason="strace is missing or may not trace"),
    pytest.mark.skipif(sanitized(), reason="sanitizers make system calls of their own"),
]


def calls_of(pid, path, still_running, transactions):
    """What a process calls while a load runs, by name."""
    tracer = subprocess.Popen(["strace", "-c", "-f", "-U", "name,calls", "-o", path, "-p",
                               str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    assert "attached" in tracer.stderr.readline()
    transactions()
    assert still_running(), "the load ended before the measurement did"
    tracer.send_signal(signal.SIGINT)
    tracer.wait(20)
    with open(path, encoding="ascii") as f:
        rows = re.findall(r"^\s*(\w+)\s+(\d+)\s*$", f.read(), re.M)
    return {name: int(count) for name, count in rows if name != "total"}


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_a_transaction_costs_six_system_calls(start_proxy, pg, tmp_path, mode, where):
    entry = pg.entry if where == "tcp" else f"host={pg.folder} port={pg.port}"
    proxy = start_proxy({"*": entry}, workers=1)
    if not pg.value("select to_regclass('pgbench_accounts') is not null", database="app"):
        subprocess.run(["pgbench", "-i", "-q", "-h", pg.host, "-p", str(pg.port), "-U", "app",
                        "app"], check=True, capture_output=True)
    load = subprocess.Popen(
        ["pgbench", "-n", "-S", "-c", "1", "-T", "60", "-M", mode, "-h", proxy.host, "-p",
         str(proxy.port), "-U", "app", "app"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def pass_by(count):
            goal = proxy.metric("reveille_queries_total") + count
            procs.wait_until(lambda: proxy.metric("reveille_queries_total") >= goal, 30,
                             f"{count} transactions")

        pass_by(200)
        calls = calls_of(proxy.workers()[0], str(tmp_path / "calls"),
                         lambda: load.poll() is None, lambda: pass_by(2000))
    finally:
        load.kill()
        load.wait()
    transactions = calls["sendto"] / 2
    assert transactions > 1500
    others = {name: count for name, count in calls.items() if name not in PER_TRANSACTION}
    # A call or two that strace itself interrupts when it attaches, and no more.
    assert sum(others.values()) <= 3, f"{others} in {transactions:.0f} transactions"
    for name, count in PER_TRANSACTION.items():
        assert calls[name] / transactions == pytest.approx(count, abs=0.02), calls


def test_idle_sessions_cost_no_system_calls(start_proxy, pg, tmp_path):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    sessions = [proxy.login() for _ in range(50)]
    calls = calls_of(proxy.workers()[0], str(tmp_path / "calls"), lambda: True,
                     lambda: pg.sql("select pg_sleep(2)"))
    for w in sessions:
        w.close()
    assert sum(calls.values()) < 50, calls
