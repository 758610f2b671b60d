"""SCRAM passed through with TLS on no leg, on either and on both: channel binding ends here."""

import asyncio
import base64
import hashlib
import hmac
import os
import ssl
import threading

import asyncpg
import psycopg
import pytest

from harness import procs
from harness.certs import client_tls, libpq_tls, server_tls
from harness.fakeplane import awake, held
from harness.tls import SecureWire
from harness.wire import ServerError, message, startup_packet

USERS = {"user_scram": "secret-scram", "user_md5": "secret-md5", "user_password": "secret-password"}


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def rsa_pair(ca):
    return ca.server("localhost", "127.0.0.1", key="RSA")


@pytest.fixture(scope="module")
def tls_pg(start_postgres, ca):
    """A compute whose certificate is not the proxy's."""
    return start_postgres(tls=ca.server("localhost"))


@pytest.fixture(scope="module")
def same_pg(start_postgres, pair):
    """A compute with the proxy's own certificate."""
    return start_postgres(tls=pair)


@pytest.fixture(scope="module")
def same_rsa_pg(start_postgres, rsa_pair):
    return start_postgres(tls=rsa_pair)


@pytest.fixture
def start_legs(start_proxy, pg, tls_pg, pair):
    """A function that starts a proxy with TLS on these legs."""
    def start(client, compute):
        own = client_tls(pair) if client else {}
        return start_proxy({"*": (tls_pg if compute else pg).entry}, **own,
                           **server_tls("require" if compute else "disable"))
    return start


def ask(proxy, user="user_scram", password=None, **settings):
    with psycopg.connect(host=proxy.host, port=proxy.port, user=user, dbname="app",
                         password=password or USERS[user], **settings) as conn:
        return conn.execute("select current_user::text").fetchone()[0]


def sslmode(client):
    return "require" if client else "disable"


@pytest.mark.parametrize("binding", ["disable", "prefer"])
@pytest.mark.parametrize("compute", [False, True], ids=["compute-plain", "compute-tls"])
@pytest.mark.parametrize("client", [False, True], ids=["client-plain", "client-tls"])
def test_scram_passes_through_in_all_combinations_but_one(start_legs, client, compute, binding):
    proxy = start_legs(client, compute)
    how = {"sslmode": sslmode(client), "channel_binding": binding}
    if not (client and compute and binding == "prefer"):
        assert ask(proxy, **how) == "user_scram"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            ask(proxy, password="wrong", **how)
        return
    with pytest.raises(psycopg.OperationalError) as refused:
        ask(proxy, **how)
    said = str(refused.value)
    assert "cannot be passed through" in said
    assert "auth_type = scram-sha-256" in said and "channel_binding=disable" in said


@pytest.mark.parametrize("compute", [False, True], ids=["compute-plain", "compute-tls"])
@pytest.mark.parametrize("client", [False, True], ids=["client-plain", "client-tls"])
def test_other_methods_pass_through_in_all_combinations(start_legs, client, compute):
    proxy = start_legs(client, compute)
    for user in ("user_md5", "user_password"):
        assert ask(proxy, user, sslmode=sslmode(client)) == user


@pytest.mark.parametrize("compute", [False, True], ids=["compute-plain", "compute-tls"])
@pytest.mark.parametrize("client", [False, True], ids=["client-plain", "client-tls"])
def test_a_driver_without_channel_binding_passes_in_all_combinations(start_legs, client, compute):
    proxy = start_legs(client, compute)

    async def visit():
        ctx = ssl.create_default_context()
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        conn = await asyncpg.connect(host=proxy.host, port=proxy.port, user="user_scram",
                                     password=USERS["user_scram"], database="app",
                                     ssl=ctx if client else False)
        try:
            return await conn.fetchval("select current_user")
        finally:
            await conn.close()

    assert asyncio.run(visit()) == "user_scram"


def mechanisms(w):
    """Those that are offered to this client."""
    w.send(startup_packet(user="user_scram", database="app"))
    kind, body = w.read()
    assert kind == b"R" and body[:4] == b"\0\0\0\x0a"
    return body[4:].split(b"\0")[:-2]


def first_message(mechanism, flag):
    """A client's first message of SCRAM, with this gs2 header."""
    first = flag + b",,n=,r=" + base64.b64encode(os.urandom(18))
    return message(b"p", mechanism + b"\0" + len(first).to_bytes(4, "big") + first)


def test_the_refusal_has_its_sqlstate_and_its_hint(start_legs):
    proxy = start_legs(True, True)
    with SecureWire(proxy.address) as w:
        assert mechanisms(w) == [b"SCRAM-SHA-256"]
        w.send(first_message(b"SCRAM-SHA-256", b"y"))
        with pytest.raises(ServerError) as refused:
            w.read_until()
    assert (refused.value.sqlstate, refused.value.severity) == ("28000", "FATAL")
    assert "auth_type" in refused.value.fields["H"]
    assert "channel_binding" in refused.value.fields["H"]
    proxy.wait_for_log("session refused .*phase=login sqlstate=28000")


def test_binding_is_not_offered_to_a_client_without_tls(start_legs):
    with start_legs(False, True).wire() as w:
        assert mechanisms(w) == [b"SCRAM-SHA-256"]


def test_who_insists_on_binding_is_let_down_by_his_own_library(start_legs):
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        ask(start_legs(True, True), sslmode="require", channel_binding="require")


@pytest.mark.parametrize("which", ["pair", "rsa_pair"])
def test_one_certificate_on_proxy_and_compute_lets_binding_pass_through(start_proxy, request, which,
                                                                        ca):
    server = request.getfixturevalue({"pair": "same_pg", "rsa_pair": "same_rsa_pg"}[which])
    proxy = start_proxy({"*": server.entry}, **client_tls(request.getfixturevalue(which)),
                        **server_tls("require"))
    for binding in ("require", "prefer", "disable"):
        assert ask(proxy, channel_binding=binding, **libpq_tls("verify-ca", ca)) == "user_scram"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(proxy, password="wrong", sslmode="require", channel_binding="require")
    with SecureWire(proxy.address) as w:
        assert mechanisms(w) == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]


def test_binding_to_another_connection_is_noticed_by_the_compute(start_proxy, same_pg, pair):
    """An attacker between client and proxy has another certificate, and the proof shows it."""
    proxy = start_proxy({"*": same_pg.entry}, **client_tls(pair), **server_tls("require"))
    bound = b"p=tls-server-end-point,,"
    with SecureWire(proxy.address) as w:
        assert b"SCRAM-SHA-256-PLUS" in mechanisms(w)
        bare = b"n=,r=" + base64.b64encode(os.urandom(18))
        first = bound + bare
        w.send(message(b"p", b"SCRAM-SHA-256-PLUS\0" + len(first).to_bytes(4, "big") + first))
        kind, body = w.read()
        assert kind == b"R" and body[:4] == b"\0\0\0\x0b"
        fields = dict(f.split(b"=", 1) for f in body[4:].split(b","))
        seen = hashlib.sha256(b"the certificate of somebody else").digest()
        without = b"c=" + base64.b64encode(bound + seen) + b",r=" + fields[b"r"]
        salted = hashlib.pbkdf2_hmac("sha256", USERS["user_scram"].encode(),
                                     base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(),
                                bare + b"," + body[4:] + b"," + without, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        w.send(message(b"p", without + b",p=" + base64.b64encode(proof)))
        with pytest.raises(ServerError) as refused:
            w.read_until()
    assert "channel binding" in refused.value.text


def test_after_hup_to_another_certificate_binding_is_not_offered_any_more(start_proxy, same_pg,
                                                                         pair, rsa_pair):
    proxy = start_proxy({"*": same_pg.entry}, **client_tls(pair), **server_tls("require"))
    assert ask(proxy, sslmode="require", channel_binding="require") == "user_scram"
    proxy.sections["reveille"].update(client_tls(rsa_pair))
    proxy.write_ini()
    proxy.hup()

    def refused():
        try:
            ask(proxy, sslmode="require", channel_binding="require")
            return False
        except psycopg.OperationalError as e:
            return "channel binding" in str(e)

    procs.wait_until(refused, 10, "the other certificate")


def test_a_session_is_bound_to_the_certificate_that_it_was_shown(start_proxy, plane, same_pg, pair,
                                                                 rsa_pair):
    """A new certificate that comes while the compute wakes is no matter to who is waiting."""
    awaken = threading.Event()
    plane.behave("db", held(awaken, awake(same_pg.endpoint)))
    proxy = start_proxy(plane=plane, workers=1, **client_tls(pair), **server_tls("require"))
    with SecureWire(proxy.address) as w:
        w.send(startup_packet(user="user_scram", database="db/app"))
        plane.wait_for_calls("db", 1)
        proxy.sections["reveille"].update(client_tls(rsa_pair))
        proxy.write_ini()
        proxy.hup()

        def certificate():
            with SecureWire(proxy.address) as other:
                return other.certificate()

        procs.wait_until(lambda: certificate() != w.certificate(), 10, "the other certificate")
        awaken.set()
        kind, body = w.read()
        assert kind == b"R" and b"SCRAM-SHA-256-PLUS" in body
