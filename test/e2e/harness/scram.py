"""The client's half of SCRAM-SHA-256 (RFC 5802 and 7677), step by step, so that it can be bent.

    with SecureWire(proxy.address) as w:
        scram.login(w, "alice", "secret", binding=scram.end_point(w.certificate()))
"""

import base64
import functools
import hashlib
import hmac
import os
import struct

from .wire import message, startup_packet

PLAIN, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
OK, PASSWORD, SASL, CONTINUE, FINAL = 0, 3, 10, 11, 12


@functools.lru_cache
def _salted(password, salt, iterations):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def secret(password, salt=b"sixteen bytes ..", iterations=4096):
    """What a server keeps of a password, in the form of pg_authid.rolpassword."""
    salted = _salted(password, salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(b).decode() for b in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"


def end_point(certificate):
    """Channel binding data of type tls-server-end-point (RFC 5929), of a certificate as DER."""
    return hashlib.sha256(certificate).digest()


class Client:
    """One conversation; flag is 'n', 'y' or 'p', and `salt` is what the server said."""

    def __init__(self, password, flag="n", binding=b""):
        self.password, self.flag, self.binding = password, flag, binding
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.salt = self.iterations = self._server = self._signed = None

    mechanism = property(lambda self: PLUS if self.flag == "p" else PLAIN)
    header = property(lambda self: "p=tls-server-end-point,," if self.flag == "p"
                      else f"{self.flag},,")

    def first(self):
        return f"{self.header}n=,r={self.nonce}".encode()

    def final(self, server_first):
        fields = dict(part.split("=", 1) for part in server_first.decode().split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce)
        self.salt, self.iterations = base64.b64decode(fields["s"]), int(fields["i"])
        salted = _salted(self.password, self.salt, self.iterations)
        key = hmac.digest(salted, b"Client Key", "sha256")
        bound = base64.b64encode(self.header.encode() + self.binding).decode()
        bare = f"c={bound},r={fields['r']}"
        self._signed = f"n=,r={self.nonce},{server_first.decode()},{bare}".encode()
        self._server = hmac.digest(salted, b"Server Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), self._signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final):
        """The server's own proof that it knows the secret."""
        expected = hmac.digest(self._server, self._signed, "sha256")
        assert server_final == b"v=" + base64.b64encode(expected)


def request(w):
    """The next request for authentication: its number, and what follows."""
    _, body = w.read_until(b"R", keep=b"R")[-1]
    return struct.unpack("!i", body[:4])[0], body[4:]


def begin(w, user="app", database="app", **params):
    """Sends the startup packet; returns the SASL mechanisms that are offered."""
    w.send(startup_packet(user=user, database=database, **params))
    kind, body = request(w)
    assert kind == SASL, f"request {kind} instead of SASL"
    return [name.decode() for name in body.split(b"\0") if name]


def challenge(w, client):
    """Sends the client's first message; returns the server's, which has the salt."""
    first = client.first()
    w.send(message(b"p", client.mechanism.encode() + b"\0" + struct.pack("!i", len(first))
                   + first))
    kind, body = request(w)
    assert kind == CONTINUE
    return body


def prove(w, client):
    """The whole exchange; ServerError if it is refused."""
    w.send(message(b"p", client.final(challenge(w, client))))
    kind, body = request(w)
    assert kind == FINAL
    client.check(body)
    assert request(w)[0] == OK


def login(w, user, password, database="app", binding=None, **params):
    """Logs in; with `binding` by SCRAM-SHA-256-PLUS."""
    assert (PLUS if binding else PLAIN) in begin(w, user, database, **params)
    prove(w, Client(password, "p" if binding else "n", binding or b""))
    w.read_until(b"Z")
    return w
