#!/usr/bin/python3
"""How long clients wait for computes that sleep, and what sleeping computes cost.

Times are from connect() to the first DataRow, through the proxy, by a client in raw bytes that
logs in with SCRAM and asks one thing.  Run it on a quiet machine; the load is printed beside.
"""

import argparse
import concurrent.futures
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from harness import procs, scram    # noqa: E402
from harness.control import Control    # noqa: E402
from harness.proxy import Proxy    # noqa: E402
from harness.wire import Wire, query_message    # noqa: E402

QUESTION = query_message("select 42")


class Bench:
    """A proxy with a control plane, and what is measured of it."""

    def __init__(self, **settings):
        self.proxies = []
        # Nobody wakes one compute as often as this does, so its rate must not hold.
        settings = {"workers": 2, "verbose": 0, "wake_rate": 1000, "wake_burst": 1000, **settings}
        self.control = Control(self._start, reveille=settings, check_interval="30s")
        self.project = self.control.project(freeze_after=0, idle_timeout=0)
        self.passwords = {}

    def _start(self, *args, **kwargs):
        self.proxies.append(Proxy(*args, **kwargs))
        return self.proxies[-1].start()

    def make(self, name):
        compute = self.control.compute(name, self.project)
        self.remember(name, compute)

    def remember(self, name, compute):
        self.passwords[name] = urllib.parse.urlsplit(compute["connection_uri"]).password

    def login(self, name):
        return scram.login(Wire(self.control.proxy.address, timeout=60), "app",
                           self.passwords[name], f"{name}/app")

    def visit(self, name):
        """From connect() to the first row, in seconds."""
        began = time.perf_counter()
        w = self.login(name)
        w.send(QUESTION)
        w.read_until(b"D")
        took = time.perf_counter() - began
        w.read_until()
        w.close()
        return took

    def freeze(self, name):
        procs.wait_until(lambda: self.control.call(
            "POST", f"/api/v1/compute/{name}/suspend?mode=freeze").status == 200, 20, "a freeze")

    def end(self):
        for proxy in self.proxies:
            proxy.finish()
            proxy.remove()


# What is measured.


def frozen_existing(bench, n):
    bench.visit("db")
    with bench.login("db") as w:
        for _ in range(n):
            bench.freeze("db")
            time.sleep(0.05)
            began = time.perf_counter()
            w.send(QUESTION)
            w.read_until(b"D")
            yield time.perf_counter() - began
            w.read_until()


def frozen_new(bench, n):
    for _ in range(n):
        bench.freeze("db")
        time.sleep(0.05)
        yield bench.visit("db")


def stopped_new(bench, n):
    for _ in range(n):
        bench.control.suspend("db")
        time.sleep(0.05)
        yield bench.visit("db")


def running_new(bench, n):
    for _ in range(n):
        yield bench.visit("db")


def create_first(bench, n):
    control = bench.control
    for i in range(n):
        time.sleep(0.5)    # for the spares to be made again, as they would be
        began = time.perf_counter()
        project = control.project(freeze_after=0, idle_timeout=0)
        bench.remember(f"new{i}", control.compute(f"new{i}", project))
        bench.visit(f"new{i}")
        yield time.perf_counter() - began
        control.call("DELETE", f"/api/v1/compute/new{i}")


ROWS = (("frozen, existing session", frozen_existing, 5), ("frozen, new client", frozen_new, 10),
        ("stopped, new client", stopped_new, 45), ("running, new client", running_new, None),
        ("project, compute, first row", create_first, 150))


def say(name, times, target):
    times = sorted(t * 1000 for t in times)
    print(f"{name:32} median {statistics.median(times):7.1f} ms  least {times[0]:7.1f}  "
          f"p90 {times[int(len(times) * 0.9)]:7.1f}  "
          + (f"target {target}" if target else "") + f"  n={len(times)}", flush=True)


# Many at once.


def started_directly(bench, names, at_once):
    """Seconds to the first row of each of the servers, started as the driver does, but by us."""
    commands = {}
    for name in names:
        bench.visit(name)
        with open(f"/proc/{bench.control.servers(name)[0]}/cmdline", "rb") as f:
            commands[name] = [os.fsdecode(word) for word in f.read().split(b"\0") if word]
    for name in names:
        bench.control.suspend(name)
    took, began = [], time.perf_counter()

    def start(name):
        path = f"{bench.control.folder}/notify-{name}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            os.chmod(path, 0o777)
            folder = next(w.partition("=")[2] for w in commands[name] if "directories=" in w)
            subprocess.run(procs.as_service_user(["mkdir", "-p", folder]), check=True)
            server = subprocess.Popen(
                procs.as_service_user(commands[name]), cwd=os.path.dirname(commands[name][2]),
                env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": path},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            while b"READY=1" not in notify.recv(4096):
                pass
        with scram.login(Wire(f"{folder}/.s.PGSQL.5432"), "app", bench.passwords[name], "app") as w:
            w.send(QUESTION)
            w.read_until(b"D")
            took.append(time.perf_counter() - began)
        return server

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        servers = list(pool.map(start, names))
    for server in servers:
        server.send_signal(2)
        server.wait()
    return took


def many_at_once(bench, n):
    names = [f"many{i}" for i in range(n)]
    for name in names:
        bench.make(name)
        bench.visit(name)
    direct = started_directly(bench, names, 4 * os.cpu_count())
    for name in names:
        bench.control.suspend(name)
    time.sleep(1)
    started, took = threading.Barrier(n), {}

    def come(name):
        started.wait()
        took[name] = bench.visit(name)

    threads = [threading.Thread(target=come, args=(name,)) for name in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    say(f"{n} at once", took.values(), None)
    say(f"{n} servers, started directly", direct, None)
    print(f"{'the last against the servers':32} {max(took.values()) / max(direct):.2f} "
          "(target 1.2)")


# What sleep costs.


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_cost(bench, what, n, seconds=20):
    pids = {"control": bench.control.proxy.control(), "monitor": bench.control.proxy.monitor()}
    time.sleep(6)
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    print(f"{n} {what}: " + ", ".join(
        f"{name} {100 * (cpu_seconds(pid) - before[name]) / seconds:.2f} % CPU"
        for name, pid in pids.items()) + " (target 1 %)", flush=True)


def idle_costs(bench, n):
    names = [f"idle{i}" for i in range(n)]
    for name in names:
        bench.make(name)
    idle_cost(bench, "suspended", n)
    for name in names:
        bench.control.woken(name)
        bench.freeze(name)
    idle_cost(bench, "frozen", n)
    for name in names:
        bench.control.suspend(name, "?mode=immediate")


# Where the time goes.


def timeline(bench):
    for pid in (bench.control.proxy.control(),):
        trace = subprocess.Popen(["strace", "-f", "-r", "-p", str(pid), "-e",
                                  "trace=!epoll_wait,clock_gettime"], stderr=subprocess.PIPE,
                                 text=True)
        select.select([trace.stderr], [], [], 5)
        bench.visit("db")
        trace.terminate()
        print(trace.communicate()[1])
    log = bench.control.proxy.log().splitlines()
    print("\n".join(line for line in log[-12:] if re.search("compute|session", line)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=100, help="how often each is measured")
    parser.add_argument("--many", type=int, default=40, help="how many at once")
    parser.add_argument("--idle", type=int, default=200, help="how many idle computes; 0: none")
    parser.add_argument("--timeline", action="store_true", help="where the time of one wake goes")
    options = parser.parse_args()
    bench = Bench()
    try:
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
        bench.make("db")
        bench.visit("db")
        if options.timeline:
            bench.control.suspend("db")
            timeline(bench)
            return
        for name, measure, target in ROWS:
            n = options.n if measure is not create_first else max(options.n // 5, 1)
            say(name, list(measure(bench, n)), target)
        if options.many:
            many_at_once(bench, options.many)
        if options.idle:
            idle_costs(bench, options.idle)
        print(f"load {os.getloadavg()[0]:.1f}")
    finally:
        bench.end()


if __name__ == "__main__":
    main()
