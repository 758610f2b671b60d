"""Where the control plane's API is served, and how it is reached: addresses, Unix sockets, TLS."""

import http.client
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess

import psycopg
import pytest

from harness import procs
from harness.proxy import Proxy, ctl_program, program
from harness.control import Control


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def ask(connection, path="/readyz", token=None):
    try:
        connection.request("GET", path,
                           headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def over_tls(port, ca, name="localhost", version=None):
    context = ssl.create_default_context(cafile=ca.cert)
    if version:
        context.maximum_version = version
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20),
                                          server_hostname=name)
    return connection


def shown(port):
    """The certificate that a newcomer is shown."""
    return ssl.get_server_certificate(("127.0.0.1", port))


class Secure:
    """A control plane with a certificate, on a port of its own and a Unix socket."""

    def __init__(self, start_proxy, put, certificate):
        self.put, self.port = put, procs.free_port()
        self.cert = self.write("api.pem", certificate.cert)
        self.key = self.write("api.key", certificate.key)
        self.proxy = start_proxy({"*": "wake=control_plane"}, workers=1, launch=False,
                                 control={"tls_cert_file": self.cert, "tls_key_file": self.key})
        self.path = f"{self.proxy.folder}/api"
        self.proxy.sections["control"]["listen"] = f"0.0.0.0:{self.port}, {self.path}"
        self.proxy.sections.pop("wake", None)
        self.proxy.write_ini()
        self.proxy.launch()
        procs.wait_until(self.is_ready, 20, "the control plane to be ready")
        self.proxy.note_tree()

    def is_ready(self):
        try:
            return ask(UnixConnection(self.path))[0] == 200
        except OSError:
            return False

    def write(self, name, source):
        with open(source, encoding="ascii") as f:
            return self.put(name, f.read())

    def token(self):
        with open(f"{self.proxy.folder}/admin.token", encoding="ascii") as f:
            return f.read().strip()

    def ctl(self, *args):
        done = subprocess.run([ctl_program(), *args], capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def secure(start_proxy, put, ca):
    return Secure(start_proxy, put, ca.server("localhost", "127.0.0.1"))


def refusal(*ini_lines):
    """What -t says of a configuration."""
    proxy = Proxy()
    try:
        proxy.write_ini("[control]\nstore = sqlite:/x/c.db\n" + "\n".join(ini_lines) + "\n")
        done = subprocess.run([program(), "-t", proxy.ini], capture_output=True, text=True,
                              timeout=20, check=False)
        return done.returncode, done.stderr
    finally:
        shutil.rmtree(proxy.folder)


@pytest.mark.parametrize("where", ["0.0.0.0:8081", "*:8081", "[::]:8081", "10.1.2.3:8081",
                                   "127.0.0.1:8081, example.com:8081"])
def test_a_network_needs_tls(where):
    status, says = refusal(f"listen = {where}")
    assert status == 1
    assert "is not on loopback, so it needs TLS: set tls_cert_file and tls_key_file" in says


def test_a_bad_certificate_is_found_before_the_start(put, ca):
    good, other = ca.server("localhost"), ca.server("localhost")
    nothing = put("nothing", "x")
    for cert, key, says in ((nothing, good.key, "nothing of the kind in it in PEM form"),
                            (good.cert, other.key, "it is not the key of the certificate"),
                            (good.cert, "/nonexistent", "No such file")):
        status, text = refusal("listen = /x/api", f"tls_cert_file = {cert}",
                               f"tls_key_file = {key}")
        assert status == 1 and says in text and "[control] tls" in text, text


def test_several_addresses_serve_the_same(start_proxy):
    ports = [procs.free_port(), procs.free_port()]
    proxy = start_proxy({"*": "wake=control_plane"}, workers=1, control={}, launch=False)
    path = f"{proxy.folder}/api"
    proxy.sections["control"].update(
        listen=f"127.0.0.1:{ports[0]},{path} , 127.0.0.2:{ports[1]}, @{proxy.folder}",
        unix_socket_mode="0660")
    del proxy.sections["wake"]
    proxy.control_port = ports[0]
    proxy.write_ini()
    control = Control(lambda *a, **k: proxy.start())
    for connection in (http.client.HTTPConnection("127.0.0.1", ports[0], timeout=20),
                       http.client.HTTPConnection("127.0.0.2", ports[1], timeout=20),
                       UnixConnection(path), UnixConnection("\0" + proxy.folder)):
        assert ask(connection)[0] == 200
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    compute = control.compute()
    password = compute["connection_uri"].split(":")[2].split("@")[0]
    with psycopg.connect(host="127.0.0.1", port=proxy.port, user="app", password=password,
                         dbname="db/app") as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_the_proxy_wakes_over_a_unix_socket(start_proxy):
    proxy = start_proxy({"*": "wake=control_plane"}, workers=1, control={}, launch=False)
    proxy.sections["control"]["listen"] += f", {proxy.folder}/api"
    proxy.sections["wake"]["control_plane_url"] = f"unix:{proxy.folder}/api"
    proxy.write_ini()
    control = Control(lambda *a, **k: proxy.start())
    password = control.compute()["connection_uri"].split(":")[2].split("@")[0]
    with psycopg.connect(host="127.0.0.1", port=proxy.port, user="app", password=password,
                         dbname="db/app") as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_tls_is_spoken_on_tcp_and_only_there(secure, ca):
    assert ask(over_tls(secure.port, ca))[0] == 200
    assert ask(over_tls(secure.port, ca, version=ssl.TLSVersion.TLSv1_2))[0] == 200
    assert ask(UnixConnection(secure.path))[0] == 200
    assert ask(over_tls(secure.port, ca), "/api/v1/projects", secure.token())[0] == 200
    assert ask(over_tls(secure.port, ca), "/api/v1/projects")[0] == 401
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(http.client.HTTPConnection("127.0.0.1", secure.port, timeout=20))


def test_tls_before_1_2_is_refused(secure):
    for old in ("-tls1", "-tls1_1"):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", old,
                               "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20, check=False)
        assert "Cipher is (NONE)" in done.stdout, done.stdout


def test_curl_and_s_client_are_served(secure, ca):
    done = subprocess.run(["curl", "-sS", "--cacert", ca.cert, "--noproxy", "*",
                           f"https://localhost:{secure.port}/readyz"], capture_output=True,
                          text=True, timeout=20, check=False)
    assert '"ready"' in done.stdout, done
    done = subprocess.run(["openssl", "s_client", "-quiet", "-ign_eof", "-CAfile", ca.cert,
                           "-verify_return_error", "-connect", f"127.0.0.1:{secure.port}"],
                          input="GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                          capture_output=True, text=True, timeout=20, check=False)
    assert '{"status":"ok"}' in done.stdout, done


def test_a_reload_shows_the_new_certificate_and_a_bad_one_changes_nothing(secure, ca):
    before = shown(secure.port)
    held = over_tls(secure.port, ca)
    held.request("GET", "/healthz")
    assert held.getresponse().read()
    fresh = ca.server("localhost", "127.0.0.1")
    shutil.copyfile(fresh.cert, secure.cert)
    shutil.copyfile(fresh.key, secure.key)
    secure.proxy.hup()
    procs.wait_until(lambda: shown(secure.port) != before, 10, "the new certificate")
    after = shown(secure.port)
    held.request("GET", "/healthz")    # who is connected goes on
    assert held.getresponse().status == 200
    held.close()
    with open(secure.key, "w", encoding="ascii") as f:
        f.write("nonsense")
    assert "nothing has changed" in secure.proxy.hup()
    assert shown(secure.port) == after
    assert ask(over_tls(secure.port, ca))[0] == 200


def test_the_proxy_wakes_over_tls(secure, start_proxy, ca, other_ca, put):
    """A proxy elsewhere, which trusts the authority; one that trusts another is told nothing."""
    with open(ca.cert, encoding="ascii") as f:
        trusted = put("ca.pem", f.read())
    with open(other_ca.cert, encoding="ascii") as f:
        wrong = put("other.pem", f.read())
    with open(f"{secure.proxy.folder}/admin.token", encoding="ascii") as f:
        token = put("token", f.read())
    secure.ctl("-c", secure.proxy.ini, "project", "create", "p")
    project = json.loads(secure.ctl("-c", secure.proxy.ini, "--json", "project", "list")[1])
    project = project["projects"][0]["id"]
    status, text = secure.ctl("-c", secure.proxy.ini, "--json", "compute", "create", project,
                              "--name", "db")
    assert status == 0, text
    password = json.loads(text)["connection_uri"].split(":")[2].split("@")[0]
    wake = {"control_plane_url": f"https://localhost:{secure.port}", "token_file": token}
    elsewhere = start_proxy({"*": "wake=control_plane"}, wake={**wake, "ca_file": trusted})
    with psycopg.connect(host="127.0.0.1", port=elsewhere.port, user="app", password=password,
                         dbname="db/app") as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    deaf = start_proxy({"*": "wake=control_plane"}, wake={**wake, "ca_file": wrong},
                       wake_timeout=2)
    with pytest.raises(psycopg.OperationalError, match="control plane"):
        psycopg.connect(host="127.0.0.1", port=deaf.port, user="app", password=password,
                        dbname="db/app")


def test_reveillectl_goes_all_ways(secure, ca, other_ca):
    token = ("-t", f"{secure.proxy.folder}/admin.token")
    https = f"https://localhost:{secure.port}"
    assert secure.ctl("-c", secure.proxy.ini, "project", "list")[0] == 0
    assert secure.ctl("-u", f"unix:{secure.path}", *token, "project", "list")[0] == 0
    assert secure.ctl("-u", https, "--ca-file", ca.cert, *token, "project", "list")[0] == 0
    status, says = secure.ctl("-u", https, "--ca-file", other_ca.cert, *token, "project", "list")
    assert status == 3 and "certificate" in says
    status, says = secure.ctl("-u", f"unix:{secure.path}x", *token, "project", "list")
    assert status == 3 and "could not ask" in says
