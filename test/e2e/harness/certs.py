"""Certificate authorities in a folder, made with the openssl command.

An Authority signs certificates for servers and clients, and further authorities. Keys are P-256
unless a test wants RSA: they take a few milliseconds. Everything may be read by the service user.

    ca = Authority(folder)
    server = ca.server("*.db.example.com", "127.0.0.1")
    start_proxy({...}, **client_tls(server, "require"))
    psycopg.connect(..., **libpq_tls("verify-full", ca=ca))
"""

import ipaddress
import itertools
import os
import subprocess
from typing import NamedTuple

from . import procs

KEYS = {"P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "RSA": ["-newkey", "rsa:2048"]}

_numbers = itertools.count(1)


class Certificate(NamedTuple):
    """Paths of PEM files; `cert` also holds the authorities between it and the root."""
    cert: str
    key: str


def _openssl(*args):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, f"openssl {' '.join(args)}: {done.stderr}"
    return done.stdout


def _alternative(name):
    """A subjectAltName as OpenSSL wants it."""
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


class Authority:
    """One certificate authority; `cert` is the file that those who trust it are given."""

    def __init__(self, folder, name="ca", signer=None, key="P-256"):
        self.folder, self.name, self.signer = folder, name, signer
        extensions = ["basicConstraints=critical,CA:true", "keyUsage=critical,keyCertSign,cRLSign"]
        if signer:
            self.cert, self.key = signer.issue(name, extensions, key=key)
        else:
            self.cert, self.key = self._paths("root")
            self._request(self.cert, self.key, name, extensions, key, "-x509", "-days", "30")

    def _paths(self, what):
        base = os.path.join(self.folder, f"{next(_numbers):03}-{self.name}-{what}")
        return Certificate(base + ".crt", base + ".key")

    @staticmethod
    def _request(out, key_path, name, extensions, key, *more):
        before = os.umask(0o077)
        try:
            _openssl("req", "-new", "-nodes", *KEYS[key], *more, "-subj", f"/CN={name}",
                     *(word for e in extensions for word in ("-addext", e)),
                     "-keyout", key_path, "-out", out)
        finally:
            os.umask(before)
        os.chmod(out, 0o644)
        for path in (out, key_path):
            procs.give_to_service_user(path)

    def issue(self, name, extensions, key="P-256", days=30):
        """A certificate with this CN; with negative `days` it ended that long ago."""
        made = self._paths("leaf")
        self._request(made.cert + ".request", made.key, name, extensions, key)
        text = _openssl("x509", "-req", "-in", made.cert + ".request", "-copy_extensions", "copy",
                        "-CA", self.cert, "-CAkey", self.key, "-days", str(days))
        os.unlink(made.cert + ".request")
        with open(made.cert, "w", encoding="ascii") as f:
            f.write(text + (_read(self.cert) if self.signer else ""))
        os.chmod(made.cert, 0o644)
        procs.give_to_service_user(made.cert)
        return made

    def server(self, *names, cn=None, **how):
        """For a server with these names and addresses; without any, `cn` is all it says."""
        extensions = ["basicConstraints=critical,CA:false", "extendedKeyUsage=serverAuth"]
        if names:
            extensions.append("subjectAltName=" + ",".join(map(_alternative, names)))
        return self.issue(cn or "server", extensions, **how)

    def alone(self, *names, key="P-256"):
        """For a server, signed by itself: this authority has nothing to do with it."""
        made = self._paths("alone")
        self._request(made.cert, made.key, "alone",
                      ["subjectAltName=" + ",".join(map(_alternative, names))], key,
                      "-x509", "-days", "30")
        return made

    def client(self, user, **how):
        """For the client who is this user."""
        return self.issue(user, ["basicConstraints=critical,CA:false",
                                 "extendedKeyUsage=clientAuth"], **how)

    def intermediate(self, name="intermediate", **how):
        """An authority that this one vouches for; what it signs brings its certificate along."""
        return Authority(self.folder, name, signer=self, **how)


def expired():
    """How to ask for a certificate that is over: ca.server(..., **expired())."""
    return {"days": -1}


def client_tls(pair, mode="require", ca=None):
    """Reveille's settings towards clients."""
    settings = {"client_tls_sslmode": mode, "client_tls_cert_file": pair.cert,
                "client_tls_key_file": pair.key}
    return {**settings, "client_tls_ca_file": ca.cert} if ca else settings


def server_tls(mode="require", ca=None, pair=None):
    """Reveille's settings towards computes."""
    settings = {"server_tls_sslmode": mode}
    if ca:
        settings["server_tls_ca_file"] = ca.cert
    if pair:
        settings.update(server_tls_cert_file=pair.cert, server_tls_key_file=pair.key)
    return settings


def libpq_tls(mode="require", ca=None, pair=None):
    """The same for a client that is made of libpq."""
    settings = {"sslmode": mode}
    if ca:
        settings["sslrootcert"] = ca.cert
    if pair:
        settings.update(sslcert=pair.cert, sslkey=pair.key)
    return settings
