"""A control group of the CPU hierarchy (v1) that servers of a test may be limited in."""

import contextlib
import os

from . import procs

MOUNT = "/sys/fs/cgroup/cpu"


class Unavailable(Exception):
    """Why CPU cannot be limited here."""


class CpuGroups:
    """`parent` is what cgroup_parent is set to; its folder belongs to the service user."""

    def __init__(self):
        if not procs.running_as_root():
            raise Unavailable("only root may give a control group away")
        self.parent = f"/rv-test-{os.getpid()}"
        self.folder = MOUNT + self.parent
        try:
            os.mkdir(self.folder)
            with open(f"{self.folder}/cpu.cfs_quota_us", encoding="ascii"):
                procs.give_to_service_user(self.folder)
        except OSError as e:
            self.remove()
            raise Unavailable(f"no CPU hierarchy to make groups in: {e}") from e

    def quota(self, pid):
        """Of the group that a process is in, in CPUs."""
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
            rows = [line.strip().split(":", 2) for line in f]
        path = next(path for _, kinds, path in rows if "cpu" in kinds.split(","))
        with open(f"{MOUNT}{path}/cpu.cfs_quota_us", encoding="ascii") as f:
            return int(f.read()) / 100000

    def remove(self):
        """Whether nothing is left; servers that end are in theirs for a while."""
        for folder, _, _ in os.walk(self.folder, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        return not os.path.exists(self.folder)
