"""A compute that freezes and thaws: a real server, stopped and continued as the control plane says.

What a driver does with a cgroup is done here with SIGSTOP and SIGCONT of all its processes. The
stand-in for a control plane tells of it, and thaws it when somebody wakes it.
"""

import contextlib
import os
import signal
import threading

from . import procs
from .fakeplane import awake


class Freezer:
    """One compute of a fake plane, which runs on a server of the test's own."""

    def __init__(self, plane, server, compute="db", address=None):
        self.plane, self.server, self.compute = plane, server, compute
        self.address = address or server.endpoint
        self.generation, self.frozen = 1, False
        # The server answers while a wake still continues the rest of its processes.
        self._lock = threading.RLock()
        plane.behave(compute, self.wake)
        plane.tell(compute, "active", self.generation, self.address)

    def _signal(self, number):
        """To every process of the server, until there is none that has not had it."""
        done = set()
        while new := set(procs.tree(self.server.postmaster())) - done:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            done |= new

    def stop(self):
        """The server does not run any more, and nobody is told."""
        with self._lock:
            self._signal(signal.SIGSTOP)
            self.frozen = True

    def go_on(self):
        with self._lock:
            if self.frozen:
                self._signal(signal.SIGCONT)
            self.frozen = False

    def tell(self, state, **more):
        with self._lock:
            self.generation += 1
            self.plane.tell(self.compute, state, self.generation, self.address, **more)
            return self.generation

    def freeze(self, **more):
        with self._lock:
            self.stop()
            return self.tell("frozen", **more)

    def wake(self, call):
        """A step for the plane's behave()."""
        with self._lock:
            depth = "frozen" if self.frozen else "warm"
            if self.frozen:
                self.go_on()
                self.tell("active")
            answer = awake(self.address, generation=self.generation, cold_start_info=depth)
        answer(call)
