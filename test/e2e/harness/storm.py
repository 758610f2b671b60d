"""Constant wakes and suspends, while whatever may die is killed, stopped, and told another time.

A Storm has computes, clients who come and go, somebody who orders them about by the API, and
deeds(): each does one bad thing and returns when it is done.  What was done when is remembered, so
that a client's failure can be laid at its door.
"""

import collections
import contextlib
import http.client
import os
import random
import signal
import threading
import time
import urllib.parse

from . import procs, scram
from .sampler import now
from .wire import Closed, ServerError, Wire

HOUR = 3600

HONEST = {"57P01", "57P02", "57P03", "08006", "58000", "25006"}
"""What clients may be told when servers and proxies die."""

AFTERMATH = 10
"""Seconds after a deed for which a connection may be closed without a word."""

Deed = collections.namedtuple("Deed", "what name began ended")


class Storm:
    """What goes on, and what came of it."""

    def __init__(self, control, computes, clock=None, seed=None):
        self.control, self.clock = control, clock
        self.random = random.Random(seed)
        self.passwords = {c["id"]: urllib.parse.urlsplit(c["connection_uri"]).password
                          for c in computes}
        self.names = list(self.passwords)
        self.deeds, self.failures = [], []
        self.outcomes = collections.Counter()
        self._over = threading.Event()
        self._threads = []

    # Those who come and go.

    def login(self, name):
        w = Wire(self.control.proxy.address, timeout=45 * procs.PATIENCE)
        try:
            return scram.login(w, "app", self.passwords[name], f"{name}/app")
        except BaseException:
            w.sock.close()
            raise

    def _visit(self, name, rng):
        with self.login(name) as w:
            for _ in range(rng.choice((1, 1, 3))):
                found = w.query("select name, current_setting('cluster_name') from marker")
                if found != [[name, name]]:
                    self.failures.append(f"{name}: on the wrong compute: {found}")
                time.sleep(rng.choice((0, 0, 0.3)))
            w.close()

    def _client(self, name, seed):
        rng = random.Random(seed)
        while not self._over.is_set():
            began = now()
            try:
                self._visit(name, rng)
                self.outcomes["answered"] += 1
            except ServerError as e:
                self.outcomes[e.sqlstate] += 1
                if e.sqlstate not in HONEST:
                    self.failures.append(f"{name}: was told {e}")
            except TimeoutError:
                self.failures.append(f"{name}: was left without an answer since {began:.3f}")
            except (Closed, OSError) as e:
                self.outcomes[type(e).__name__] += 1
                if not self._is_excused(began):
                    self.failures.append(f"{name}: {began:.3f} to {now():.3f}: {e!r}")
            self._over.wait(rng.choice((0, 0.1, 1.2, 2.5)))

    def _is_excused(self, began):
        """Who serves him was killed; such a one says nothing any more."""
        return any(d.what in ("worker", "supervisor") and d.began < now()
                   and d.ended + AFTERMATH > began for d in self.deeds)

    def _orders(self, seed):
        """Somebody has computes suspended, frozen and woken."""
        rng = random.Random(seed)
        while not self._over.wait(rng.uniform(0, 0.4)):
            name = rng.choice(self.names)
            method, path = rng.choice((
                ("POST", f"/api/v1/compute/{name}/suspend"),
                ("POST", f"/api/v1/compute/{name}/suspend?mode=freeze"),
                ("POST", f"/api/v1/compute/{name}/suspend?mode=immediate"),
                ("POST", f"/api/v1/compute/{name}/resume"),
                ("GET", f"/api/v1/wake_compute?endpointish={name}")))
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                answer = self.control.call(method, path, timeout=20)
                self.outcomes[f"api {answer.status}"] += 1
                if answer.status not in (200, 202, 423, 503, 504):
                    self.failures.append(f"{method} {path}: {answer}")

    def begin(self, clients=2):
        for name in self.names:
            with self.login(name) as w:
                w.query("create table marker as select current_setting('cluster_name') as name")
        for i, name in enumerate(self.names * clients):
            self._threads.append(threading.Thread(target=self._client, args=(name, i)))
        self._threads.append(threading.Thread(target=self._orders, args=(7,)))
        for t in self._threads:
            t.start()

    def end(self):
        self._over.set()
        for t in self._threads:
            t.join()

    # What may happen to them.

    def _kill(self, pid):
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _control(self, _name):
        self._kill(self.control.proxy.control())

    def _stop_control(self, _name):
        pid = self.control.proxy.control()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._over.wait(self.random.uniform(0.2, 3))
                os.kill(pid, signal.SIGCONT)

    def _stop_control_and_kill_server(self, name):
        """Who is not there when a server dies must not count the time until he is."""
        pid = self.control.proxy.control()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._server(name)
                self._over.wait(self.random.uniform(1, 3))
                os.kill(pid, signal.SIGCONT)

    def _worker(self, _name):
        workers = self.control.proxy.workers()
        self._kill(self.random.choice(workers) if workers else None)

    def _monitor(self, _name):
        self._kill(self.control.proxy.monitor())

    def _server(self, name):
        for pid in self.control.servers(name)[:1]:
            self._kill(pid)

    def _backend(self, name):
        for server in self.control.servers(name)[:1]:
            sessions = [p for p in procs.children(server) if "[local]" in procs.title(p)]
            self._kill(self.random.choice(sessions) if sessions else None)

    def _supervisor(self, _name):
        proxy = self.control.proxy
        proxy.kill()
        proxy.start()

    def _step_clock(self, _name):
        if self.clock:
            self.clock.step(self.random.choice((-HOUR, HOUR, 0)))

    WAYS = (_control, _control, _control, _server, _server, _backend, _worker, _monitor,
            _supervisor, _stop_control, _stop_control_and_kill_server, _step_clock, _step_clock)

    def do_something_bad(self):
        way, name = self.random.choice(self.WAYS), self.random.choice(self.names)
        what = way.__name__.strip("_")
        if what not in ("supervisor",):
            self.control.proxy.note_tree()
        began = now()
        self.deeds.append(Deed(what, name, began, began + 600))
        way(self, name)
        self.deeds[-1] = Deed(what, name, began, now())

    def rounds(self, n):
        for _ in range(n):
            time.sleep(self.random.uniform(0.1, 1.5))
            self.do_something_bad()
