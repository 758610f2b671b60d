"""A PostgreSQL client in raw bytes, for what drivers would never send or never show."""

import socket
import struct

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)
CANCEL_CODE = 80877102
VERSION_3_0 = 3 << 16
VERSION_3_2 = 3 << 16 | 2


class ServerError(Exception):
    """An ErrorResponse; its fields by their one-letter code."""

    def __init__(self, body):
        self.fields = error_fields(body)
        super().__init__(f"{self.severity} {self.sqlstate}: {self.text}")

    sqlstate = property(lambda self: self.fields.get("C"))
    severity = property(lambda self: self.fields.get("V") or self.fields.get("S"))
    text = property(lambda self: self.fields.get("M"))


class Closed(Exception):
    """The other side closed the connection where a message was expected."""


def error_fields(body):
    return {f[:1].decode(): f[1:].decode("utf-8", "replace") for f in body.split(b"\0") if f}


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def query_message(sql):
    return message(b"Q", sql.encode() + b"\0")


def startup_packet(version=VERSION_3_0, **params):
    body = struct.pack("!i", version)
    for name, value in params.items():
        value = value if isinstance(value, bytes) else value.encode()
        body += name.encode() + b"\0" + value + b"\0"
    body += b"\0"
    return struct.pack("!i", len(body) + 4) + body


def cancel_packet(pid, secret):
    """The secret is a number, or bytes as protocol 3.2 has them."""
    secret = secret if isinstance(secret, bytes) else struct.pack("!I", secret)
    return struct.pack("!iii", 12 + len(secret), CANCEL_CODE, pid) + secret


def row_values(body):
    """The columns of a DataRow."""
    (count,), at, values = struct.unpack_from("!h", body), 2, []
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if size < 0 else body[at:at + size].decode())
        at += max(size, 0)
    return values


class Wire:
    """One blocking connection; every read has a deadline."""

    def __init__(self, address, timeout=20, receive_buffer=None):
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        if not isinstance(address, str):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parameters, self.notices, self.notifications = {}, [], []
        self.pid = self.secret = self.key = self.negotiated = self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    port = property(lambda self: self.sock.getsockname()[1])

    def send(self, data):
        self.sock.sendall(data)

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                more = self.sock.recv(min(size - len(data), 1 << 20))
            except ConnectionResetError as e:
                raise Closed(f"reset by the other side after {len(data)} bytes") from e
            if not more:
                raise Closed(f"closed by the other side after {len(data)} bytes")
            data += more
        return bytes(data)

    def read(self):
        """The next message, as kind and body."""
        kind, size = struct.unpack("!ci", self.exactly(5))
        return kind, self.exactly(size - 4)

    def read_until(self, last=b"Z", keep=b"DC"):
        """Reads to a message of kind `last`; errors are raised at the end, or at once if FATAL."""
        kept, error = [], None
        while True:
            kind, body = self.read()
            if kind == b"E":
                error = error or ServerError(body)
                if error.severity in ("FATAL", "PANIC"):
                    raise error
            elif kind == b"N":
                self.notices.append(error_fields(body))
            elif kind == b"A":
                self.notifications.append(body)
            elif kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == b"K":
                self.pid, self.key = struct.unpack_from("!i", body)[0], body[4:]
                self.secret = int.from_bytes(self.key, "big") if len(self.key) == 4 else self.key
            elif kind == b"v":
                self.negotiated = body
            elif kind in keep:
                kept.append((kind, body))
            if kind == b"Z":
                self.status = body.decode()
            if kind == last or (kind == b"Z" and error):
                if error:
                    raise error
                return kept

    def login(self, user="app", database="app", version=VERSION_3_0, **params):
        self.send(startup_packet(version, user=user, database=database, **params))
        self.read_until(b"Z")
        return self

    def query(self, sql):
        """The rows of a simple query, each a list of texts."""
        self.send(query_message(sql))
        return [row_values(body) for kind, body in self.read_until() if kind == b"D"]

    def value(self, sql):
        return self.query(sql)[0][0]

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        """Takes leave as a client should."""
        try:
            self.send(message(b"X"))
        except OSError:
            pass
        self.sock.close()

    def verdict(self):
        """What a hostile client gets: an SQLSTATE, "closed", or the kind of another message."""
        try:
            kind, body = self.read()
        except Closed:
            return "closed"
        if kind != b"E":
            return f"message {kind.decode()}"
        state = ServerError(body).sqlstate
        self.until_closed()
        return state

    def until_closed(self):
        """Reads to the end; returns what came."""
        data = bytearray()
        try:
            while more := self.sock.recv(1 << 16):
                data += more
        except ConnectionResetError:
            pass
        return bytes(data)


def cancel(address, pid, secret, timeout=20):
    """Sends a CancelRequest and waits, as libpq does, until the other side closes."""
    with Wire(address, timeout) as w:
        w.send(cancel_packet(pid, secret))
        return w.until_closed()
