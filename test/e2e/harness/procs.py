"""Processes, sockets and memory as /proc shows them, and waiting for what has no event."""

import contextlib
import functools
import itertools
import os
import pwd
import random
import select
import signal
import socket
import time

PATIENCE = float(os.environ.get("REVEILLE_PATIENCE", "1"))
"""Upper bounds are multiplied by this: sanitizer builds and busy machines take their time."""

SERVICE_USER = "postgres"
"""Who servers run as when the tests run as root."""


def running_as_root():
    return os.geteuid() == 0


def as_service_user(command):
    """The command, so that it runs as the unprivileged user if we are root."""
    if not running_as_root():
        return list(command)
    return ["setpriv", "--reuid", SERVICE_USER, "--regid", SERVICE_USER, "--clear-groups",
            *command]


def give_to_service_user(path):
    if running_as_root():
        user = pwd.getpwnam(SERVICE_USER)
        os.chown(path, user.pw_uid, user.pw_gid)


def wait_until(true_of_it, seconds, what):
    """Waits for what can only be looked at, and returns the first true value."""
    deadline = time.monotonic() + seconds * PATIENCE
    pause = 0.002
    while True:
        value = true_of_it()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds * PATIENCE:g} s in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


@functools.cache
def _ports():
    """All ports that this run may take, in turn: who asked, but does not listen yet, has his alone."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        ceiling = int(f.read().split()[0])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ours = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])    # no two take the same
    ports = range(10000 // workers * workers + ours, max(ceiling, 11000), workers)
    return itertools.cycle(random.sample(ports, len(ports)))


def free_port():
    """A loopback port nobody listens on, below those the kernel gives to clients."""
    for port in itertools.islice(_ports(), 1000):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port below the kernel's range for clients")


def _stat(pid):
    """Fields of /proc/PID/stat behind the name, or None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
            text = f.read()
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()


def alive(pid):
    """Whether the process runs; one that only waits to be reaped does not."""
    fields = _stat(pid)
    return fields is not None and fields[0] not in "ZX"


def is_traced(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return "TracerPid:\t0\n" not in f.read()


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        fields = _stat(name) if name.isdigit() else None
        if fields and int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(name))
    return sorted(found)


def tree(pid):
    """The process and all its descendants, by one look at all there are."""
    born = {}
    for name in os.listdir("/proc"):
        fields = _stat(name) if name.isdigit() else None
        if fields and fields[0] not in "ZX":
            born.setdefault(int(fields[1]), []).append(int(name))
    found = [pid]
    for p in found:
        found.extend(sorted(born.get(p, [])))
    return found


def title(pid):
    """The process title, as ps shows it; empty if the process is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def end_of(pid, seconds, what):
    """Waits until a process has ended, by its pidfd."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        if not poller.poll(seconds * PATIENCE * 1000):
            raise AssertionError(f"{what} did not end within {seconds * PATIENCE:g} s")
    finally:
        os.close(fd)


def kill_hard(pid):
    """SIGKILL, and back only when the process does nothing any more."""
    fd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    assert poller.poll(10000), f"process {pid} survived SIGKILL"
    os.close(fd)


def _freezer(pid):
    """The file that freezes the process's control group and the word that thaws it, or None."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
            groups = [line.strip().split(":", 2) for line in f]
    except OSError:
        return None
    for _, kind, path in groups:
        for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            if not kind and path != "/" and os.path.exists(f"{mount}{path}/cgroup.freeze"):
                return f"{mount}{path}/cgroup.freeze", "0"
        v1 = f"/sys/fs/cgroup/freezer{path}/freezer.state"
        if kind == "freezer" and path != "/" and os.path.exists(v1):
            return v1, "THAWED"
    return None


def let_go_on(pid):
    """Thaws a process and all that descends from it, whichever way they were frozen."""
    freezer = _freezer(pid)
    if freezer:
        with open(freezer[0], "w", encoding="ascii") as f:
            f.write(freezer[1])
    for p in tree(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(p, signal.SIGCONT)


def _kib(path, key):
    with open(path, encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith(key):
                return int(line.split()[1])
    return 0


def rss_kib(pid):
    """Private and shared anonymous memory; file pages come and go and are left out."""
    return _kib(f"/proc/{pid}/status", "RssAnon:")


def peak_kib(pid):
    return _kib(f"/proc/{pid}/status", "VmHWM:")


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


def pss_kib(pids):
    """Memory of several processes; what they share counts once."""
    return sum(_kib(f"/proc/{p}/smaps_rollup", "Pss:") for p in pids)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def _tcp_inode(local_port, remote_port):
    with open("/proc/net/tcp", encoding="ascii") as f:
        next(f)
        for line in f:
            fields = line.split()
            local, remote = (int(fields[i].split(":")[1], 16) for i in (1, 2))
            if (local, remote) == (local_port, remote_port):
                return fields[9]
    return None


def owner_of_connection(local_port, remote_port, pids):
    """Which of the processes holds the socket with these ports; None if none does."""
    inode = _tcp_inode(local_port, remote_port)
    if inode in (None, "0"):
        return None
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                    return pid
        except OSError:
            continue
    return None
