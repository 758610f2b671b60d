"""Clients who come at the very moment at which their compute falls asleep.

A Racer has one compute. Each of its races puts the compute to sleep by one of the ways there are,
while clients connect through the proxy a few milliseconds before or after; whatever a client is
told that is not its answer is a failure, and so is an answer from another compute.
"""

import collections
import concurrent.futures
import random
import threading
import time
import urllib.parse

from . import procs, scram
from .wire import Closed, ServerError, Wire

HOW = {"freeze": "?mode=freeze", "stop": ""}

MOST_MS = 30
"""How much later than the order to sleep a client may come."""


class Racer:
    """One compute, and those who race against its sleep."""

    def __init__(self, control, name, project, seed=None):
        self.control, self.name = control, name
        self.random = random.Random(seed)
        uri = urllib.parse.urlsplit(control.compute(name, project)["connection_uri"])
        self.password = uri.password
        self.failures, self.outcomes = [], collections.Counter()
        self.clients = self.answered = self.told = 0
        self.lodger, self.lodger_may_be_told = None, False
        self._pool = concurrent.futures.ThreadPoolExecutor(4)
        with self.login() as w:
            w.query("create table marker as select current_setting('cluster_name') as name")

    def login(self, **params):
        w = Wire(self.control.proxy.address, timeout=60 * procs.PATIENCE)
        try:
            return scram.login(w, "app", self.password, f"{self.name}/app", **params)
        except BaseException:
            w.sock.close()
            raise

    def fail(self, what, error):
        self.failures.append(f"{time.strftime('%H:%M:%S')} {self.name}: {what}: {error}")

    def _read_marker(self, w):
        found = w.query("select name, current_setting('cluster_name') from marker")
        if found != [[self.name, self.name]]:
            self.fail("a client was on the wrong compute", found)

    def _visit(self, after):
        """Comes, asks, goes."""
        time.sleep(after)
        self.clients += 1
        try:
            with self.login() as w:
                self._read_marker(w)
                w.close()
            self.answered += 1
        except (ServerError, Closed, OSError) as e:
            self.fail("a client was refused", repr(e))

    def _lodge(self, after):
        """Asks in a session that was there before; only a stop may end that, with a word."""
        time.sleep(after)
        try:
            self._read_marker(self.lodger)
        except ServerError as e:
            self.told += 1
            self.lodger.sock.close()
            self.lodger = None
            if e.sqlstate != "57P01" or not self.lodger_may_be_told:
                self.fail("a session that was there", e)
        except (Closed, OSError) as e:
            self.lodger.sock.close()
            self.lodger = None
            self.fail("a session that was there", repr(e))

    def _order(self, how):
        answer = self.control.call("POST", f"/api/v1/compute/{self.name}/suspend{HOW[how]}")
        self.outcomes[how, answer.status, (answer.body or {}).get("state")] += 1
        if answer.status not in (200, 423):
            self.fail(f"the order to {how}", answer)

    def _soon(self):
        return self.random.uniform(0, MOST_MS / 1000)

    def race(self, how):
        """One race; back when all of it is over."""
        if self.random.random() < 0.1 and self.lodger is None:
            self.lodger, self.lodger_may_be_told = self.login(application_name="lodger"), False
        self.lodger_may_be_told |= how == "stop"
        visits = self.random.choice((1, 1, 2))
        tasks = [self._pool.submit(self._order, how)]
        tasks += [self._pool.submit(self._visit, self._soon()) for _ in range(visits)]
        if self.lodger:
            tasks.append(self._pool.submit(self._lodge, self._soon()))
        for task in tasks:
            task.result()

    def races(self, n, frozen_share=0.5):
        for _ in range(n):
            self.race("freeze" if self.random.random() < frozen_share else "stop")
        if self.lodger:
            self.lodger.close()
        self._pool.shutdown()

    def second_servers(self):
        """What servers say that found another one on their data folder."""
        with open(f"{self.control.folder}/computes/postgres/{self.name}/log", encoding="utf-8",
                  errors="replace") as f:
            return [line.strip() for line in f if "lock file" in line or "shared memory block" in line]


def run(racers, races, frozen_share=0.5):
    """All racers at once; returns the seconds that it took."""
    began = time.monotonic()
    threads = [threading.Thread(target=r.races, args=(races // len(racers), frozen_share))
               for r in racers]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return time.monotonic() - began
