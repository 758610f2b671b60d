"""A wall clock that can be set, for the program under test alone (see wallclock.c)."""

import os
import shutil
import struct
import subprocess

from . import procs
from .proxy import sanitized

HERE = os.path.dirname(os.path.abspath(__file__))


def lacks_wallclock():
    """Why clocks cannot be set here; empty if they can."""
    if not shutil.which("cc"):
        return "there is no cc"
    return "a sanitizer wants to be loaded first" if sanitized() else ""


class Wallclock:
    """`env` is for the program; step() sets its clock, as ntpdate or an admin would."""

    def __init__(self, folder):
        library, self.file = f"{folder}/wallclock.so", f"{folder}/wallclock.offset"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library,
                        os.path.join(HERE, "wallclock.c"), "-ldl"], check=True)
        os.chmod(library, 0o755)
        with open(self.file, "wb") as f:
            f.write(bytes(8))
        procs.give_to_service_user(self.file)
        self.env = {**os.environ, "LD_PRELOAD": library, "WALLCLOCK": self.file}

    def step(self, seconds):
        """How far it is ahead of the true one from now on."""
        with open(self.file, "r+b", buffering=0) as f:
            f.write(struct.pack("q", int(seconds * 1e9)))
