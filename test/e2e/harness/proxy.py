"""The program under test, started from an ini in a folder of its own and watched from outside."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from . import procs
from .wire import Wire

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))

REPORTS = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer|"
                     r"[Aa]ssertion .*failed|assert failed")


def _program(variable, name):
    asked = os.environ.get(variable)
    candidates = [asked] if asked else [f"{TOP}/build/{name}", f"{TOP}/{name}"]
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise AssertionError(f"{name} is not built; looked at {', '.join(candidates)} "
                         f"(set {variable} to the program)")


def program():
    return _program("REVEILLE", "reveille")


def ctl_program():
    beside = os.path.join(os.path.dirname(program()), "reveillectl")
    os.environ.setdefault("REVEILLECTL", beside)
    return _program("REVEILLECTL", "reveillectl")


def sanitized():
    """Whether the program was built with a sanitizer, which changes its memory and speed."""
    try:
        with open(program(), "rb") as f:
            return re.search(rb"__(asan|tsan|ubsan)_", f.read()) is not None
    except AssertionError:
        return False    # not built yet; whoever wants to run it is told so


def folder_of_folders():
    """$TMPDIR, or where files are in memory if there is room, or /tmp."""
    if "TMPDIR" in os.environ:
        return os.environ["TMPDIR"]
    try:
        room = os.statvfs("/dev/shm")
    except OSError:
        return "/tmp"
    roomy = room.f_bavail * room.f_frsize > 4 << 30 and os.access("/dev/shm", os.W_OK)
    return "/dev/shm" if roomy else "/tmp"


def make_folder():
    """A short path (Unix sockets may not be long) that the service user may use too."""
    folder = tempfile.mkdtemp(prefix="rv-", dir=folder_of_folders())
    os.chmod(folder, 0o755)
    procs.give_to_service_user(folder)
    return folder


def ini_text(sections):
    lines = []
    for section, settings in sections.items():
        lines.append(f"[{section}]")
        lines.extend(f"{name} = {value}" for name, value in settings.items())
    return "\n".join(lines) + "\n"


def userlist(users):
    """The text of an auth_file with these secrets."""
    def quoted(text):
        return '"' + text.replace('"', '""') + '"'
    return "".join(f"{quoted(name)} {quoted(secret)}\n" for name, secret in users.items())


class Proxy:
    """One running Reveille with its supervisor, workers, monitor and perhaps control plane."""

    host = "127.0.0.1"

    def __init__(self, databases=None, plane=None, workers=2, control=None, process=None,
                 wake=None, **settings):
        self.folder = make_folder()
        self.port, self.http_port = procs.free_port(), procs.free_port()
        self.ini = os.path.join(self.folder, "reveille.ini")
        self.log_path = os.path.join(self.folder, "log")
        self.process = self.status = self.env = None
        self.expected_status = 0
        self._seen = set()
        wake = dict(wake or {})
        if plane:
            wake.setdefault("control_plane_url", plane.url)
            databases = databases or {"*": "wake=control_plane"}
        own = {"workers": workers, "listen_addr": self.host, "listen_port": self.port,
               "unix_socket_dir": self.folder, "http_addr": self.host,
               "http_port": self.http_port, "shutdown_timeout": 5}
        if procs.running_as_root():
            own["user"] = procs.SERVICE_USER
        self.sections = {"databases": databases or {}, "reveille": {**own, **settings}}
        if control is not None:
            self.control_port = procs.free_port()
            self.sections["control"] = {
                "listen": f"{self.host}:{self.control_port}",
                "store": f"sqlite:{self.folder}/control.db",
                "admin_token_file": f"{self.folder}/admin.token",
                "rate": 0,    # tests are impatient
                **control}
            self.sections["process"] = {"data_dir": f"{self.folder}/computes", **(process or {})}
            wake.setdefault("control_plane_url", self.control_url)
        if wake:
            self.sections["wake"] = wake
        self.write_ini()

    address = property(lambda self: (self.host, self.port))
    unix_address = property(lambda self: f"{self.folder}/.s.PGSQL.{self.port}")
    control_url = property(lambda self: f"http://{self.host}:{self.control_port}")

    def write_ini(self, text=None):
        with open(self.ini, "w", encoding="utf-8") as f:
            f.write(ini_text(self.sections) if text is None else text)
        os.chmod(self.ini, 0o644)

    # Running it.

    def launch(self, *args):
        """Starts the program without waiting for it to be ready."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program(), *args, self.ini], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd="/",
                                            env=self.env, start_new_session=True)
        self.pid = self.process.pid
        return self

    def start(self, *args):
        self.launch(*args)
        procs.wait_until(self._ready, 20, "the proxy to be ready")
        self.note_tree()
        return self

    def _ready(self):
        assert self.process.poll() is None, \
            f"the program ended with status {self.process.returncode}:\n{self.log()[-3000:]}"
        n_workers = self.sections["reveille"]["workers"]
        return (self.get("/readyz")[0] == 200 and self.listens() and self._control_answers()
                and (not n_workers or len(self.workers()) == n_workers))

    def _control_answers(self):
        if "control" not in self.sections:
            return True
        try:
            with urllib.request.urlopen(self.control_url + "/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def listens(self):
        try:
            with Wire(self.address, timeout=2):
                return True
        except OSError:
            return False

    def signal(self, number):
        os.kill(self.pid, number)

    def hup(self):
        """Reloads; back when the program has said in its log what came of it."""
        before = len(self.log())
        self.signal(signal.SIGHUP)
        procs.wait_until(lambda: re.search("reload|nothing has changed", self.log()[before:]), 10,
                         "a log line about the reload")
        return self.log()[before:]

    def term(self, seconds=20):
        """Asks for an orderly end and returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait_for_exit(seconds)

    def kill(self):
        """kill -9 of the supervisor; back when its children have followed it: who still ends may
        refuse a connection before all of its sockets are free."""
        self.note_tree()
        procs.kill_hard(self.pid)
        self.status = self.process.wait()
        procs.wait_until(lambda: not any(map(procs.alive, self._seen)), 10,
                         "the children to follow their supervisor")

    def wait_for_exit(self, seconds=20):
        procs.end_of(self.pid, seconds, "the supervisor")
        self.status = self.process.wait()
        return self.status

    # Looking at it.

    def note_tree(self):
        """Remembers which processes there were, so that teardown can tell what was left over."""
        self._seen.update(p for p in procs.tree(self.pid)
                          if procs.title(p).startswith("reveille"))

    def _titled(self, pattern):
        return {procs.title(p): p for p in procs.children(self.pid)
                if re.match(pattern, procs.title(p))}

    def workers(self):
        """The pids of the workers, in the order of their numbers."""
        found = self._titled(r"reveille: worker \d+")
        self._seen.update(found.values())
        return [found[t] for t in sorted(found, key=lambda t: int(t.split()[2]))]

    def monitor(self):
        return next(iter(self._titled("reveille: monitor").values()), None)

    def control(self):
        return next(iter(self._titled("reveille: control").values()), None)

    def worker_of(self, wire):
        """The pid of the worker that serves a connection."""
        return procs.wait_until(
            lambda: procs.owner_of_connection(self.port, wire.port, self.workers()), 10,
            "a worker to own the connection")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_for_log(self, pattern, seconds=20):
        return procs.wait_until(lambda: re.search(pattern, self.log()), seconds,
                                f"a log line like {pattern}")

    def get(self, path, timeout=5):
        """GET from the monitor: status and text; status 0 if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.http_port}{path}",
                                        timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ""

    def metrics(self):
        """All samples: {'name{label="value"}': number}. No answer is not the same as none."""
        found = {}
        for line in procs.wait_until(self._samples, 20, "the monitor to answer").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def _samples(self):
        status, text = self.get("/metrics")
        return text if status == 200 else None

    def metric(self, name, **labels):
        """The sum of a metric's samples that bear these labels."""
        wanted = [f'{k}="{v}"' for k, v in labels.items()]
        return sum(value for sample, value in self.metrics().items()
                   if sample.split("{")[0] == name and all(w in sample for w in wanted))

    # Using it.

    def wire(self, **kwargs):
        return Wire(self.address, **kwargs)

    def login(self, user="app", database="app", timeout=20, **params):
        w = self.wire(timeout=timeout)
        try:
            return w.login(user, database, **params)
        except BaseException:
            w.sock.close()
            raise

    def dsn(self, user="app", database="app", **more):
        more = {"host": self.host, "port": self.port, "user": user, "dbname": database,
                "connect_timeout": 20, **more}
        return " ".join(f"{k}='{v}'" for k, v in more.items())

    def api(self, method, path, body=None, timeout=60):
        """Calls the control plane as its admin: status and parsed answer."""
        with open(f"{self.folder}/admin.token", encoding="ascii") as f:
            token = f.read().strip()
        request = urllib.request.Request(
            self.control_url + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                data = answer.read()
                return answer.status, json.loads(data) if data else None
        except urllib.error.HTTPError as e:
            data = e.read()
            return e.code, json.loads(data) if data else None

    # The end of it.

    def finish(self):
        """Ends what runs and checks that it ended as a program should."""
        problems = []
        if self.process and self.process.poll() is None:
            self.note_tree()
            try:
                self.term(5 + self.sections["reveille"]["shutdown_timeout"] * 2)
            except AssertionError as e:
                problems.append(str(e))
                for pid in reversed(procs.tree(self.pid)):
                    os.kill(pid, signal.SIGKILL)
        if self.process:
            self.status = self.process.wait()
            if self.status != self.expected_status:
                problems.append(f"exit status {self.status}, not {self.expected_status}")
            problems += self._left_over()
        end_computes(os.path.join(self.folder, "computes"))
        log = self.log() if os.path.exists(self.log_path) else ""
        problems += [line for line in log.splitlines() if REPORTS.search(line)]
        if problems:
            raise AssertionError("\n".join(["the proxy did not end well:", *problems,
                                            "the end of its log:", log[-4000:]]))

    def _left_over(self):
        """Processes of the tree that still run; the supervisor promises to take them along."""
        try:
            procs.wait_until(lambda: not any(map(procs.alive, self._seen)), 5, "the tree to end")
            return []
        except AssertionError:
            left = [f"still there: {p} {procs.title(p)}" for p in self._seen if procs.alive(p)]
            for pid in self._seen:
                if procs.alive(pid):
                    os.kill(pid, signal.SIGKILL)
            return left

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def end_computes(data_dir):
    """Computes outlive the proxy by design, so the tests end them."""
    for folder, _, files in os.walk(data_dir):
        if "postmaster.pid" in files:
            try:
                with open(os.path.join(folder, "postmaster.pid"), encoding="ascii") as f:
                    pid = int(f.readline())
                if folder in procs.title(pid):
                    os.kill(pid, signal.SIGQUIT)
                    procs.let_go_on(pid)
                    procs.end_of(pid, 20, "a compute")
            except (OSError, ValueError):
                continue


def check(*args, sections=None, text=None):
    """Runs `reveille -t` (or other arguments) on an ini; returns status and all output."""
    folder = make_folder()
    ini = os.path.join(folder, "reveille.ini")
    try:
        with open(ini, "w", encoding="utf-8") as f:
            f.write(text if text is not None else ini_text(sections or {}))
        done = subprocess.run([program(), *(args or ("-t",)), ini], capture_output=True, text=True,
                              timeout=30, stdin=subprocess.DEVNULL, cwd="/", check=False)
        return done.returncode, (done.stdout + done.stderr).replace(ini, "INI")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
