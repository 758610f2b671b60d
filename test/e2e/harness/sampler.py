"""Which server ran on which data folder from when to when, seen by one who is not part of it.

A process of its own looks at the pid files of the data folders some hundred times a second, and
hears of each server's end by its pidfd.  A life is what is known of one server: when it was born,
took sessions, let nobody new in, ended, and when it stood still.  Moments are CLOCK_BOOTTIME's, in
seconds.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time

PAUSE_MS = 2


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Sampler:
    """The process that looks, from outside of it."""

    def __init__(self, out, folders):
        self.out = out
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), out,
             *(f"{name}={folder}" for name, folder in folders.items())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def stop(self):
        """It looks no more; this may be said twice."""
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()

    def finish(self):
        """Lives, what should not be, and the longest time that it did not look."""
        self.stop()
        with open(self.out, encoding="ascii") as f:
            found = json.load(f)
        return found["lives"], found["wrong"], found["gap"]


class Watcher:
    """The process that looks, from within."""

    def __init__(self, folders):
        self.folders = folders
        self.seen = dict.fromkeys(folders, b"")
        self.living = {}
        self.lives, self.wrong = [], []
        self.gap, self.looked = 0.0, now()
        self.poller = select.poll()

    def _events_file(self, pid):
        try:
            with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
                path = next(line.strip()[3:] for line in f if line.startswith("0::"))
        except (OSError, StopIteration):
            return None
        for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            if path != "/" and os.path.exists(f"{mount}{path}/cgroup.events"):
                return os.open(f"{mount}{path}/cgroup.events", os.O_RDONLY)
        return None

    def _born(self, name, pid):
        try:
            fd = os.pidfd_open(pid)
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                ours = os.fsencode(self.folders[name]) in f.read()
        except OSError:
            return
        before = self.living.get(name)
        if not ours or (before and before["pid"] == pid):
            os.close(fd)
            return
        if before:
            self._look_for_ends(0)
        if name in self.living:
            self.wrong.append(f"{name}: server {pid} while server {before['pid']} lives")
        life = {"name": name, "pid": pid, "born": now(), "ready": None, "closing": None,
                "ended": None, "frozen": []}
        life["fd"], life["events"] = fd, self._events_file(pid)
        self.poller.register(fd, select.POLLIN)
        self.living[name] = life
        self.lives.append(life)

    def _look_at_file(self, name):
        try:
            with open(f"{self.folders[name]}/postmaster.pid", "rb") as f:
                text = f.read()
        except OSError:
            text = b""
        if text == self.seen[name]:
            return
        self.seen[name] = text
        lines = text.split(b"\n")
        if lines[0].isdigit():
            self._born(name, int(lines[0]))
        life = self.living.get(name)
        status = lines[7].strip() if len(lines) > 7 else b""
        if life and lines[0] == b"%d" % life["pid"]:
            if status == b"ready" and life["ready"] is None:
                life["ready"] = now()
            elif status == b"stopping" and life["closing"] is None:
                life["closing"] = now()

    def _stands_still(self, life):
        if life["events"] is not None:
            try:
                return b"frozen 1" in os.pread(life["events"], 200, 0)
            except OSError:
                return False
        try:
            with open(f"/proc/{life['pid']}/stat", "rb") as f:
                return f.read().rpartition(b") ")[2][:1] == b"T"
        except OSError:
            return False

    def _look_at_frost(self, life):
        still, spells = self._stands_still(life), life["frozen"]
        is_open = bool(spells) and spells[-1][1] is None
        if still and not is_open:
            spells.append([now(), None])
        elif not still and is_open:
            spells[-1][1] = now()

    def _look_for_ends(self, ms):
        for fd, _ in self.poller.poll(ms):
            name = next(n for n, life in self.living.items() if life["fd"] == fd)
            self._end(self.living.pop(name))

    def _end(self, life):
        life["ended"] = now()
        self.poller.unregister(life["fd"])
        os.close(life["fd"])
        if life["events"] is not None:
            os.close(life["events"])
        if life["frozen"] and life["frozen"][-1][1] is None:
            life["frozen"][-1][1] = life["ended"]

    def look(self):
        for name in self.folders:
            self._look_at_file(name)
        for life in list(self.living.values()):
            self._look_at_frost(life)
        self._look_for_ends(PAUSE_MS)
        self.gap, self.looked = max(self.gap, now() - self.looked), now()

    def write(self, path):
        for life in self.lives:
            life.pop("fd")
            life.pop("events")
        with open(path, "w", encoding="ascii") as f:
            json.dump({"lives": self.lives, "wrong": self.wrong, "gap": self.gap}, f)


def main(out, *folders):
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    try:
        os.nice(-10)
    except PermissionError:
        pass
    watcher = Watcher(dict(f.split("=", 1) for f in folders))
    print("looking", flush=True)
    while not over:
        watcher.look()
    watcher.write(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
