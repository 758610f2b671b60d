"""A running control plane, talked to as its clients do, and looked at from outside."""

import collections
import http.client
import json
import os
import sqlite3
import threading

import psycopg

from harness import procs

Answer = collections.namedtuple("Answer", "status body headers")

ADMIN = object()


class Control:
    """A running control plane, talked to as its clients do."""

    def __init__(self, start_proxy, reveille=None, process=None, **control):
        self.proxy = start_proxy({"*": "wake=control_plane"}, process=process,
                                 control={"check_interval": "100ms", **control},
                                 **{"workers": 1, **(reveille or {})})
        self.wait_until_ready()

    def wait_until_ready(self):
        procs.wait_until(self.is_ready, 20, "the control plane to be ready")

    def is_ready(self):
        try:
            return os.path.exists(self.token_file) and self.get("/readyz", timeout=5).status == 200
        except OSError:
            return False

    folder = property(lambda self: self.proxy.folder)
    token_file = property(lambda self: self.proxy.sections["control"]["admin_token_file"])
    db_path = property(lambda self: f"{self.folder}/control.db")

    def token(self):
        with open(self.token_file, encoding="ascii") as f:
            return f.read().strip()

    def call(self, method, path, body=None, token=ADMIN, headers=(), timeout=90):
        """body: an object, or bytes as they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.control_port,
                                                timeout=timeout)
        headers = dict(headers)
        if token is ADMIN:
            token = self.token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
            return Answer(answer.status, json.loads(text) if text else None, answer.headers)
        finally:
            connection.close()

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def project(self, **config):
        answer = self.call("POST", "/api/v1/projects", {"name": "a project", "config": config})
        assert answer.status == 201, answer
        return answer.body["id"]

    def compute(self, name="db", project=None, **config):
        project = project or self.project()
        answer = self.call("POST", f"/api/v1/projects/{project}/compute",
                           {"name": name, "config": config})
        assert answer.status == 201, answer
        return answer.body

    def wake(self, name="db", **kwargs):
        return self.get(f"/api/v1/wake_compute?endpointish={name}", **kwargs)

    def woken(self, name="db"):
        answer = self.wake(name)
        assert answer.status == 200, answer
        return answer.body

    def suspend(self, name="db", mode=""):
        answer = self.call("POST", f"/api/v1/compute/{name}/suspend{mode}")
        assert answer.status == 200 and answer.body["state"] == "suspended", answer

    def show(self, name="db"):
        answer = self.get(f"/api/v1/compute/{name}")
        assert answer.status == 200, answer
        return answer.body

    def state(self, name="db"):
        return self.show(name)["state"]

    def wait_for_state(self, state, name="db", seconds=30):
        procs.wait_until(lambda: self.state(name) == state, seconds, f"{name} to be {state}")

    def operations(self, name="db"):
        """The states that the compute went through, oldest first."""
        answer = self.get(f"/api/v1/compute/{name}/operations?limit=1000")
        return [o["to"] for o in reversed(answer.body["operations"])]

    def usage(self, project):
        answer = self.get(f"/api/v1/projects/{project}/usage")
        assert answer.status == 200, answer
        return answer.body

    def connect(self, compute, name="db", **kwargs):
        """To the server itself, past the proxy, with the password that creation showed."""
        password = compute["connection_uri"].split(":")[2].split("@")[0]
        kwargs = {"user": "app", "dbname": "app", "password": password, "autocommit": True,
                  **kwargs}
        return psycopg.connect(host=self.sockets(name), **kwargs)

    def through_the_proxy(self, compute, **kwargs):
        """The same, as its clients come: through the proxy, which wakes it."""
        password = compute["connection_uri"].split(":")[2].split("@")[0]
        return psycopg.connect(
            self.proxy.dsn("app", f"{compute['id']}/app", password=password),
            **{"autocommit": True, **kwargs})

    def sockets(self, name="db"):
        """The folder of the last life's sockets."""
        lives = f"{self.folder}/computes/run/{name}"
        return f"{lives}/{max((n for n in os.listdir(lives) if n.isdigit()), key=int)}"

    def data(self, name="db"):
        return f"{self.folder}/computes/postgres/{name}/data"

    def servers(self, name="db"):
        """The pids of all servers that run on the compute's data."""
        found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                 if f" -D {self.data(name)} " in procs.title(pid) and procs.alive(pid)]
        young = {child for pid in found for child in procs.children(pid)}    # no title yet
        return [pid for pid in found if pid not in young and procs.alive(pid)]

    def kill(self):
        """kill -9; back when the supervisor has replaced it and it serves again."""
        before = procs.wait_until(self.proxy.control, 10, "the control process to be there")
        procs.kill_hard(before)
        procs.wait_until(lambda: self.proxy.control() not in (None, before), 10,
                         "a new control process")
        self.wait_until_ready()

    def store(self, statement, *args):
        """Looks into the store from outside."""
        with sqlite3.connect(f"file:{self.db_path}?mode=ro", uri=True) as db:
            return db.execute(statement, args).fetchall()

    def write(self, *statements):
        """Into the store, beside the control plane: each a statement and, perhaps, what it takes."""
        with sqlite3.connect(self.db_path, timeout=20) as db:
            for statement in statements:
                db.execute(*statement)


def in_background(function, *args):
    """Runs a function in a thread; the result is in the list once the thread has ended."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*args)))
    thread.start()
    return thread, result


def assert_problem(answer, status, says="", reason=None):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.body["status"]    # to proxies it is Neon's object
    assert said == status or said["code"] == str(status)
    assert answer.body["type"] and answer.body["title"]
    assert says in answer.body["detail"], answer.body
    assert answer.body.get("reason") == reason
