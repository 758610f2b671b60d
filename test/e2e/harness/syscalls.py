"""What a process of the program calls while pgbench runs through it, as strace counts it; and calls that fail."""

import contextlib
import os
import re
import shutil
import signal
import subprocess

import pytest

from . import procs
from .proxy import sanitized

PER_TRANSACTION = {"recvfrom": 2, "sendto": 2, "epoll_wait": 2}


def _strace_works():
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True,
                          check=False).returncode == 0


def can_be_counted(test):
    """Marks a test that needs strace, and a program that makes no calls but its own."""
    for cannot, reason in ((not _strace_works(), "strace is missing or may not trace"),
                           (sanitized(), "sanitizers make system calls of their own")):
        test = pytest.mark.skipif(cannot, reason=reason)(test)
    return test


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


def costs_six_calls(proxy, path, pgbench, count, others, warm=lambda: None, **env):
    """Asserts what a transaction of one pgbench client costs the proxy's only worker.

    others is how many calls strace itself may cause when it attaches; warm is called when
    the load runs."""
    load = subprocess.Popen(
        ["pgbench", "-n", "-c", "1", "-T", "60", *pgbench, "-h", proxy.host, "-p",
         str(proxy.port), "-U", "app", "app"], env={**os.environ, **env},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def pass_by(more):
            goal = proxy.metric("reveille_queries_total") + more
            procs.wait_until(lambda: proxy.metric("reveille_queries_total") >= goal, 30,
                             f"{more} transactions")

        pass_by(count // 10)
        warm()
        calls = calls_of(proxy.workers()[0], path, lambda: load.poll() is None,
                         lambda: pass_by(count))
    finally:
        load.kill()
        load.wait()
    transactions = calls["sendto"] / 2
    assert transactions > 0.75 * count
    rest = {name: n for name, n in calls.items() if name not in PER_TRANSACTION}
    assert sum(rest.values()) <= others, f"{rest} in {transactions:.0f} transactions"
    for name, n in PER_TRANSACTION.items():
        assert calls[name] / transactions == pytest.approx(n, abs=0.02), calls


@contextlib.contextmanager
def failing(pid, paths, call, error, when):
    """While a system call of a process on these files fails, at the times that strace's when= says."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid),
                               *(part for path in paths for part in ("-P", path)),
                               "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"],
                              stdin=subprocess.DEVNULL)
    procs.wait_until(lambda: procs.is_traced(pid), 20, "strace to be attached")
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait(20)
