"""A stand-in for a control plane, which answers as a test tells it to.

It speaks the wake call of dialect `reveille`, says who may connect (get_endpoint_access_control),
takes activity reports, and, if a test says so (`open_events`), tells what becomes of computes. It wakes nothing: the addresses it gives lead to servers that the test started. What it is for is what a real control
plane does only on a bad day: to hang, to talk nonsense, to refuse, to be slow.
"""

import http.server
import json
import queue
import select
import socket
import socketserver
import threading
import time
import urllib.parse

from .procs import PATIENCE, free_port


def awake(address, **more):
    """A step that answers: the compute is ready at this address."""
    def step(call):
        call.answer(200, {"address": address, "compute_id": call.compute, "generation": 1,
                          "engine": "postgres", "server_name": None, "cold_start_info": "cold",
                          "ready_in_ms": 1, "aux": {}, **more})
    return step


def access(secrets=None, allowed_ips=(), tcp=None):
    """A step that tells the secret of each role, and from where and how often one may connect."""
    def step(call):
        call.answer(200, {"role_secret": (secrets or {}).get(call.role, ""),
                          "project_id": "p", "account_id": None, "allowed_ips": list(allowed_ips),
                          "allowed_vpc_endpoint_ids": None, "block_public_connections": None,
                          "block_vpc_connections": None,
                          "rate_limits": {"connection_attempts": {"tcp": tcp}}})
    return step


def status(code, body=None, **headers):
    """A step that answers with a status; underscores in header names become hyphens."""
    def step(call):
        call.answer(code, body if body is not None else {"title": f"status {code}"},
                    {k.replace("_", "-"): str(v) for k, v in headers.items()})
    return step


def raw(data, then_close=True):
    """A step that sends bytes as they are."""
    def step(call):
        call.wfile.write(data)
        call.close_connection = then_close
    return step


def held(release, then):
    """A step that waits for an event, or for the caller to hang up, before it goes on."""
    def step(call):
        while not release.wait(0.01):
            if call.caller_left():
                call.plane.note_abandoned(call.compute)
                call.close_connection = True
                return
        then(call)
    return step


def drop(call):
    """A step that closes the connection without an answer."""
    call.close_connection = True


class _Call(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plane = compute = role = who = None

    def setup(self):
        super().setup()
        self.plane.connections.add(self.connection)
        if self.plane.over:    # it was accepted before the end and comes to be served after it
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self):
        self.plane.connections.discard(self.connection)
        super().finish()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        arguments = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        self.compute = arguments.get("endpointish", [""])[0]
        self.role = arguments.get("role", [""])[0]
        self.who = tuple(arguments.get(name, [""])[0] for name in ("role", "application_name", "network"))
        if url.path == "/api/v1/wake_compute":
            self.plane.take(self)(self)
        elif url.path == "/get_endpoint_access_control":
            self.plane.take_question(self)(self)
        elif url.path == "/api/v1/events" and self.plane.tells_events:
            self.plane.tell_all(self, arguments.get("proxy_id", [""])[0])
        else:
            self.answer(404, {"title": "no such route"})

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        self.plane.note_activity(self.path, self.rfile.read(size))
        self.answer(200, {})

    def stream(self, told):
        """Sends what comes out of a queue, until the caller is gone or the queue says None."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while True:
            try:
                text = told.get(timeout=5)
            except queue.Empty:
                text = ": beat\n\n"
            if text is None:
                return
            self.wfile.write(text.encode())

    def answer(self, code, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def caller_left(self):
        poller = select.poll()      # select() knows no descriptors above 1023
        poller.register(self.connection, select.POLLIN)
        return bool(poller.poll(0)) and not self.connection.recv(1, socket.MSG_PEEK)

    def log_message(self, *_):
        pass


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def handle_error(self, *_):
        """Callers that hang up are part of the game."""


class FakeControlPlane:
    """Counts calls for each compute; `behave` says how they are answered, in turn."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._changed = threading.Condition()
        self._steps, self._times, self._peers, self._who = {}, {}, {}, {}
        self._access, self._roles = {}, {}
        self._abandoned, self.activity, self.connections = {}, [], set()
        self.over = False
        self.tells_events, self._told, self._listeners, self.heard_by = False, {}, [], []
        handler = type("Call", (_Call,), {"plane": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def behave(self, compute, *steps):
        """Each call takes the next step; the last one stays."""
        with self._changed:
            self._steps[compute] = list(steps)

    def take(self, call):
        with self._changed:
            self._times.setdefault(call.compute, []).append(time.monotonic())
            self._peers.setdefault(call.compute, []).append(call.client_address[1])
            self._who.setdefault(call.compute, []).append(call.who)
            steps = self._steps.get(call.compute) or self._steps.get("*") or [status(404)]
            self._changed.notify_all()
            return steps.pop(0) if len(steps) > 1 else steps[0]

    def admit(self, compute, *steps):
        """As behave(), for questions about who may connect."""
        with self._changed:
            self._access[compute] = list(steps)

    def take_question(self, call):
        with self._changed:
            self._roles.setdefault(call.compute, []).append(call.role)
            self._changed.notify_all()
            steps = self._access.get(call.compute) or self._access.get("*") or [status(404)]
            return steps.pop(0) if len(steps) > 1 else steps[0]

    def open_events(self):
        """From now on whoever asks is told what becomes of computes."""
        self.tells_events = True
        return self

    def tell(self, compute, state, generation, address=None, reason="a test says so", quietly=False):
        """Tells of a compute; quietly: only those who begin to listen later."""
        event = {"compute_id": compute, "project_id": "p", "state": state,
                 "generation": generation, "address": address, "reason": reason}
        with self._changed:
            self._told[compute] = event
            if state == "gone":
                del self._told[compute]
            for told in [] if quietly else self._listeners:
                told.put(self._event("compute", event))

    def tell_raw(self, text):
        with self._changed:
            for told in self._listeners:
                told.put(text)

    @staticmethod
    def _event(name, data):
        return f"event: {name}\ndata: {json.dumps(data)}\n\n"

    def tell_all(self, call, proxy_id):
        told = queue.Queue()
        with self._changed:
            for event in self._told.values():
                told.put(self._event("compute", event))
            told.put(self._event("snapshot", {"computes": len(self._told)}))
            self._listeners.append(told)
            self.heard_by.append(proxy_id)
            self._changed.notify_all()
        try:
            call.stream(told)
        finally:
            with self._changed:
                self._listeners.remove(told)

    def hang_up(self):
        """Ends the streams of all who listen."""
        with self._changed:
            for told in self._listeners:
                told.put(None)

    def wait_for_listeners(self, count, seconds=20):
        """Waits until so many have begun to listen, ever."""
        self._wait(lambda: len(self.heard_by) >= count, seconds, f"listener {count}")

    def roles_asked(self, compute):
        """Whose secrets were asked for, in turn."""
        with self._changed:
            return list(self._roles.get(compute, []))

    def calls(self, compute):
        with self._changed:
            return len(self._times.get(compute, []))

    def all_calls(self):
        """Calls for each compute that was ever asked for."""
        with self._changed:
            return {compute: len(times) for compute, times in self._times.items()}

    def who_woke(self, compute):
        """Role, application and network of each call."""
        with self._changed:
            return list(self._who.get(compute, []))

    def times(self, compute):
        with self._changed:
            return list(self._times.get(compute, []))

    def caller_port(self, compute, call=-1):
        """The client port from which a call came, to find the process that made it."""
        with self._changed:
            return self._peers[compute][call]

    def note_abandoned(self, compute):
        with self._changed:
            self._abandoned[compute] = self._abandoned.get(compute, 0) + 1
            self._changed.notify_all()

    def note_activity(self, path, body):
        with self._changed:
            self.activity.append((path, body))
            self._changed.notify_all()

    def wait_for_calls(self, compute, count, seconds=20):
        self._wait(lambda: len(self._times.get(compute, [])) >= count, seconds,
                   f"call {count} for {compute}")

    def wait_for_questions(self, compute, count, seconds=20):
        self._wait(lambda: len(self._roles.get(compute, [])) >= count, seconds,
                   f"question {count} about {compute}")

    def wait_for_abandoned(self, compute, seconds):
        self._wait(lambda: self._abandoned.get(compute), seconds, f"a call for {compute} given up")

    def wait_for_activity(self, seconds=20):
        self._wait(lambda: self.activity, seconds, "an activity report")

    def _wait(self, true_of_it, seconds, what):
        with self._changed:
            assert self._changed.wait_for(true_of_it, seconds * PATIENCE), f"no {what}"

    def stop(self):
        self.over = True
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
