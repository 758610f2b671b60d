"""Who may connect to a compute: what the control plane tells a proxy, and that it holds there."""

import base64
import hashlib
import hmac
import http.client
import os
import struct

import psycopg
import pytest

from harness import procs
from harness.wire import Wire, message, startup_packet

PATHS = ("/api/v1/get_endpoint_access_control", "/get_endpoint_access_control")


@pytest.fixture
def control(start_proxy):
    return start_proxy({"*": "wake=control_plane"}, workers=1, control={})


def make_project(control, **config):
    code, body = control.api("POST", "/api/v1/projects", {"name": "a project", "config": config})
    assert code == 201, body
    return body["id"]


def make_compute(control, project=None, name="db"):
    code, body = control.api("POST", f"/api/v1/projects/{project or make_project(control)}/compute",
                             {"name": name})
    assert code == 201, body
    return body


def password_of(compute):
    return compute["connection_uri"].split(":")[2].split("@")[0]


def ask(control, name="db", role="app", path=PATHS[0]):
    return control.api("GET", f"{path}?endpointish={name}&role={role}")


def access(control, name="db", role="app"):
    code, body = ask(control, name, role)
    assert code == 200, body
    return body


class Verifier:
    """SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY (RFC 5803, as PostgreSQL keeps it)."""

    def __init__(self, text):
        scheme, rounds, keys = text.split("$")
        assert scheme == "SCRAM-SHA-256"
        self.iterations, self.salt64 = rounds.split(":")
        self.stored_key, self.server_key = map(base64.b64decode, keys.split(":"))

    def client_key(self, password):
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(self.salt64),
                                     int(self.iterations))
        return hmac.digest(salted, b"Client Key", "sha256")


# What is answered.


def test_a_proxy_learns_all_it_wants_to_know_by_a_computes_or_its_projects_id(control):
    compute = make_compute(control, name="Shop")
    expected = {"project_id": compute["project_id"], "account_id": None, "allowed_ips": [],
                "allowed_vpc_endpoint_ids": None, "block_public_connections": None,
                "block_vpc_connections": None,
                "rate_limits": {"connection_attempts": {"tcp": None}}}
    for path in PATHS:
        for name in ("shop", "SHOP", compute["project_id"]):
            code, body = ask(control, name, path=path)
            verifier = Verifier(body.pop("role_secret"))
            assert (code, body) == (200, expected)
            key = verifier.client_key(password_of(compute))
            assert hashlib.sha256(key).digest() == verifier.stored_key


def test_a_role_that_there_is_not_has_an_empty_secret_whatever_it_is_called(control):
    make_compute(control)
    known = access(control)
    assert known.pop("role_secret")
    for role in ("postgres", "reveille_control", "App", "app%20", "+app", "", "%ff%fe", "a%0d%0ab",
                 "%27%22%3b%24", "app%26role%3dapp", "x" * 63, "x" * 64, "app" + "%20" * 1000):
        unknown = access(control, role=role)
        assert unknown.pop("role_secret") == ""
        assert unknown == known, role
    assert access(control, role="%61%70p")["role_secret"]


def test_what_is_no_question_is_refused(control):
    make_compute(control)
    for query in ("", "?endpointish=db", "?role=app", "?endpointish=db&role=app%00",
                  "?endpointish=db&Role=app"):
        for path in PATHS:
            code, body = control.api("GET", path + query)
            assert (code, body["status"]["code"]) == (400, "400"), query
    for method in ("POST", "PUT", "DELETE"):
        assert control.api(method, f"{PATHS[0]}?endpointish=db&role=app")[0] == 405


def test_a_compute_that_there_is_not_is_refused_as_a_wake_refuses_it(control):
    make_compute(control)
    project = make_project(control)
    for name in ("nowhere", project, "..%2fdb", "d_b", "", "a" * 64, "db%0d%0a"):
        code, body = ask(control, name)
        assert (code, body["reason"]) == (404, "ENDPOINT_NOT_FOUND")
        assert control.api("GET", f"/api/v1/wake_compute?endpointish={name}") == (code, body)
    assert control.api("DELETE", "/api/v1/compute/db")[0] == 204
    assert ask(control)[0] == 404


def test_nobody_learns_a_secret_without_a_token(control):
    make_compute(control)
    for path in PATHS:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            connection = http.client.HTTPConnection(control.host, control.control_port, timeout=20)
            connection.request("GET", f"{path}?endpointish=db&role=app", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 401 and b"SCRAM" not in answer.read()
            assert answer.headers["Content-Type"] == "application/problem+json"
            connection.close()


def test_asking_wakes_changes_and_writes_nothing(control):
    def world():
        files = [f"{control.folder}/control.db{end}" for end in ("", "-wal")]
        compute = control.api("GET", "/api/v1/compute/db")[1]
        del compute["last_activity"]    # told by two clocks, which differ in the last digit
        return (compute, control.api("GET", "/api/v1/compute/db/operations"),
                [(os.stat(f).st_size, os.stat(f).st_mtime_ns) for f in files])

    make_compute(control)
    before = world()
    for role in ("app", "nobody"):
        for name in ("db", "nowhere"):
            for _ in range(50):
                ask(control, name, role)
    assert world() == before
    assert before[0]["state"] == "suspended"
    assert "SCRAM" not in control.log()


def test_the_description_has_it(control):
    paths = control.api("GET", "/api/v1/openapi.json")[1]["paths"]
    for path in PATHS:
        assert paths[path]["get"]["security"] == [{"bearer": []}]


# What a project says.


def test_a_projects_networks_and_rates_are_told_and_hold_after_a_kill(control):
    networks = ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]
    project = make_project(control, allowed_ips=networks, connect_rate=5, connect_burst=20)
    make_compute(control, project)

    def told():
        body = access(control)
        return body["allowed_ips"], body["rate_limits"]["connection_attempts"]["tcp"]

    def change(**config):
        code, body = control.api("PATCH", f"/api/v1/projects/{project}", {"config": config})
        assert code == 200, body

    assert told() == (networks, {"rps": 5, "burst": 20})
    before = control.control()
    procs.kill_hard(before)
    procs.wait_until(lambda: control.control() not in (None, before) and control.get("/readyz")
                     and control._control_answers(), 20, "a new control process")
    assert told() == (networks, {"rps": 5, "burst": 20})
    change(connect_burst=None)
    assert told() == (networks, {"rps": 5, "burst": 5})
    change(allowed_ips=["::1"], connect_rate=0)
    assert told() == (["::1"], None)
    change(allowed_ips=None, connect_rate=None)
    assert told() == ([], None)


def test_a_bad_network_is_named_and_changes_nothing(control):
    project = make_project(control, allowed_ips=["10.0.0.0/8"])
    for config, says in (
            ({"allowed_ips": ["10.0.0.1", "10.0.0.300"]}, "10.0.0.300"),
            ({"allowed_ips": ["10.0.0.0/33"]}, "10.0.0.0/33"),
            ({"allowed_ips": ["host.example.com"]}, "host.example.com"),
            ({"allowed_ips": ["::1", 7]}, "allowed_ips[1]"),
            ({"allowed_ips": ["\u00e9" * 1000]}, "allowed_ips[0]"),
            ({"allowed_ips": "10.0.0.1"}, "allowed_ips"),
            ({"allowed_ips": ["::1"] * 65}, "at most 64"),
            ({"connect_rate": -1}, "connect_rate"), ({"connect_burst": "many"}, "connect_burst")):
        code, body = control.api("PATCH", f"/api/v1/projects/{project}", {"config": config})
        assert code == 422 and says in body["detail"], body
    assert control.api("GET", f"/api/v1/projects/{project}")[1]["config"] == {
        "allowed_ips": ["10.0.0.0/8"]}


# The compute has the very secret that the proxy is told of.


def scram_login(address, verifier, client_key):
    """Logs in with a client key, as who has no password can; returns the connection."""
    wire = Wire(address)
    wire.send(startup_packet(user="app", database="app"))
    kind, body = wire.read()
    assert kind == b"R" and struct.unpack("!i", body[:4]) == (10,), body
    assert body[4:].split(b"\0")[0] == b"SCRAM-SHA-256"
    first = "n=,r=rOprNGfwEbeRWgbNEkqO"
    data = b"n,," + first.encode()
    wire.send(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(data)) + data))
    kind, body = wire.read()
    assert kind == b"R" and struct.unpack("!i", body[:4]) == (11,), body
    server_first = body[4:].decode()
    nonce, salt, iterations = (f[2:] for f in server_first.split(","))
    assert (salt, iterations) == (verifier.salt64, verifier.iterations)
    without_proof = f"c=biws,r={nonce}"
    auth = f"{first},{server_first},{without_proof}".encode()
    signature = hmac.digest(verifier.stored_key, auth, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    wire.send(message(b"p", f"{without_proof},p={base64.b64encode(proof).decode()}".encode()))
    kind, body = wire.read()
    assert kind == b"R" and struct.unpack("!i", body[:4]) == (12,), body
    expected = hmac.digest(verifier.server_key, auth, "sha256")
    assert body[4:] == b"v=" + base64.b64encode(expected)
    wire.read_until(b"Z")
    return wire


def test_the_client_key_behind_the_told_secret_opens_the_compute(control):
    compute = make_compute(control)
    verifier = Verifier(access(control)["role_secret"])
    key = verifier.client_key(password_of(compute))
    for _ in range(2):      # and again in another life of its server
        address = control.api("GET", "/api/v1/wake_compute?endpointish=db")[1]["address"]
        with scram_login(address, verifier, key) as wire:
            assert wire.value("select current_user") == "app"
            wire.close()
        assert control.api("POST", "/api/v1/compute/db/suspend")[1]["state"] == "suspended"
    assert Verifier(access(control)["role_secret"]).stored_key == verifier.stored_key


def test_the_computes_rules_ask_everybody_for_scram_and_the_superuser_not_at_all(control):
    compute = make_compute(control)
    _, woken = control.api("GET", "/api/v1/wake_compute?endpointish=db")
    with open(f"{control.folder}/computes/postgres/db/pg_hba.conf", encoding="ascii") as f:
        rules = [line.split() for line in f]
    assert rules == [["local", "all", "postgres", "reject"],
                     ["local", "replication", "postgres", "reject"],
                     ["local", "all", "all", "scram-sha-256"],
                     ["local", "replication", "all", "scram-sha-256"]]
    run = os.path.dirname(woken["address"])
    with psycopg.connect(host=run, user="app", password=password_of(compute), dbname="app") as c:
        assert c.execute("select current_user").fetchone() == ("app",)
    for user, password in (("app", "wrong"), ("app", None), ("postgres", None)):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host=run, user=user, password=password, dbname="app")
