"""HTTP as bytes: requests that no library would send, and server-sent events as they come."""

import json
import socket


class Raw:
    """A connection to the API on which a test says what it likes."""

    def __init__(self, control, *said):
        self.socket = socket.create_connection(("127.0.0.1", control.proxy.control_port), 20)
        self.got = b""
        for text in said:
            self.say(text)

    def say(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _more(self):
        more = self.socket.recv(65536)
        self.got += more
        return more

    def _until(self, end):
        while end not in self.got:
            if not self._more():
                raise EOFError(self.got)
        head, self.got = self.got.split(end, 1)
        return head

    def answer(self, body=True):
        """Status, fields in lower case, and the body as bytes."""
        lines = self._until(b"\r\n\r\n").decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        size = int(fields.get("content-length", 0)) if body else 0
        while len(self.got) < size:
            assert self._more()
        text, self.got = self.got[:size], self.got[size:]
        return int(lines[0].split()[1]), fields, text

    def is_closed(self):
        """Whether nothing more comes but the end."""
        try:
            return not self.got and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def request(line, *fields, body=""):
    return "\r\n".join((line, "Host: h", *fields, "", body))


def bearer(control):
    return f"Authorization: Bearer {control.token()}"


class Listener:
    """Reads server-sent events as they come."""

    def __init__(self, control, query="", token=None):
        self.raw = Raw(control, request(f"GET /api/v1/events{query} HTTP/1.0",
                                        f"Authorization: Bearer {token or control.token()}"))
        self.status, self.fields, self.body = self.raw.answer()
        self.beats = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.socket.close()

    def next(self):
        """The next event: its number, name and data."""
        while True:
            lines = self.raw._until(b"\n\n").decode().split("\n")
            if lines != [": beat"]:
                event = dict(line.split(": ", 1) for line in lines)
                return int(event["id"]), event["event"], json.loads(event["data"])
            self.beats += 1

    def snapshot(self):
        """What it is told first; also checks the closing event."""
        computes = {}
        while True:
            _, name, data = self.next()
            if name == "snapshot":
                assert data == {"computes": len(computes)}
                return computes
            assert name == "compute"
            computes[data["compute_id"]] = data

    def states(self, last):
        """The states that are told of, up to that one."""
        states = []
        while not states or states[-1] != last:
            _, name, data = self.next()
            assert name == "compute"
            states.append(data["state"])
        return states
