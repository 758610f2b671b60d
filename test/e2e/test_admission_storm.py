"""Everything at once: all ways in, reloads, a control plane that lies, workers that are killed."""

import random
import struct
import threading
import time

import pytest

from harness import procs, scram
from harness.certs import client_tls
from harness.fakeplane import access, awake, drop, status
from harness.proxy import userlist
from harness.tls import SecureWire
from harness.wire import Closed, ServerError, cancel, message, startup_packet

USER, PASSWORD = "user_scram", "secret-scram"
SECONDS = 4
WAYS = ["right", "wrong", "unknown", "silent", "trust", "vanish", "half", "cancel"]
RULES = ["host all user_trust all trust\nhost all all all scram-sha-256\n",
         "hostssl all all all password\nhost all all all scram-sha-256\n",
         "host all all all passthrough\n",
         "hostssl all all all cert map=m\nhost all all all md5\n"]


def answer(w, client):
    """Whatever the proxy asks for."""
    kind, _ = scram.request(w)
    if kind == scram.PASSWORD:
        w.send(message(b"p", client.password.encode() + b"\0"))
    elif kind == scram.SASL:
        scram.prove(w, client)


def begin(w, what, dice):
    user = {"unknown": f"nobody{dice.randrange(50)}", "trust": "user_trust"}.get(what, USER)
    w.send(startup_packet(user=user, database=dice.choice(["static", "few", "b/app", "c/app"])))
    client = scram.Client("wrong" if what == "wrong" else PASSWORD)
    if what == "silent":
        return
    if what in ("vanish", "half"):
        if scram.request(w)[0] == scram.SASL and what == "half":
            first = client.first()
            w.send(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
        return
    answer(w, client)
    w.read_until(b"Z")
    assert w.value("select 7") == "7"
    if what == "cancel" and w.pid:
        cancel(w.sock.getpeername(), w.pid, w.secret)


def visit(proxy, seed, until, odd):
    """Comes again and again, each time in another way; notes what must not be."""
    dice = random.Random(seed)
    while time.monotonic() < until:
        try:
            w = SecureWire(proxy.address) if dice.random() < 0.3 else proxy.wire()
            with w:
                begin(w, dice.choice(WAYS), dice)
        except (ServerError, Closed, OSError) as e:
            if isinstance(e, TimeoutError):
                odd.append("a client was left without an answer")
        except Exception as e:      # pylint: disable=broad-except
            odd.append(repr(e))


@pytest.mark.parametrize("killing", [False, True], ids=["reloads", "and-kills"])
def test_all_at_once_leaves_nothing_behind(start_proxy, put, pg, plane, ca, killing):
    known = access({USER: pg.value("select rolpassword from pg_authid where rolname = %s", USER)})
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", known)
    files = {"auth_hba_file": put("hba", RULES[0]), "auth_ident_file": put("ident", "m a all\n"),
             "auth_file": put("users", userlist({USER: PASSWORD}))}
    proxy = start_proxy({"static": f"{pg.entry} dbname=app", "*": "wake=control_plane",
                         "few": f"{pg.entry} dbname=app max_db_connections=4"},
                        plane=plane, workers=4, auth_type="hba", **files, auth_cache_ttl="50ms",
                        login_throttle="10ms", login_throttle_max="50ms",
                        client_login_timeout="2s", query_wait_timeout="300ms",
                        max_user_client_connections=8,
                        **client_tls(ca.server("127.0.0.1"), "allow", ca))
    until, odd, dice = time.monotonic() + SECONDS, [], random.Random(4711)
    clients = [threading.Thread(target=visit, args=(proxy, i, until, odd)) for i in range(16)]
    for c in clients:
        c.start()
    while time.monotonic() < until:
        put("hba", dice.choice(RULES))
        plane.admit("*", dice.choice([known, known, status(500), status(404), drop,
                                      access(allowed_ips=["10.0.0.0/8"])]))
        proxy.sections["reveille"]["auth_type"] = dice.choice(["hba", "scram-sha-256", "plain"])
        proxy.write_ini()
        proxy.hup()
        if killing and proxy.workers():
            procs.kill_hard(dice.choice(proxy.workers()))
    for c in clients:
        c.join()
    assert not odd
    assert killing or "a child died" not in proxy.log()
    plane.admit("*", known)
    put("hba", RULES[0])
    proxy.sections["reveille"]["auth_type"] = "hba"
    proxy.write_ini()
    proxy.hup()
    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 10, "all to leave")
    pg.wait_for_sessions(0)
    all_places_are_there(proxy)


def enter(proxy, database):
    """A session, or None where the limit or the throttle of the storm says no."""
    w = proxy.wire()
    try:
        return scram.login(w, USER, PASSWORD, database)
    except (ServerError, Closed):
        w.sock.close()
        return None


def all_places_are_there(proxy):
    for database, limit in (("few", 4), ("static", 8)):
        held = [procs.wait_until(lambda d=database: enter(proxy, d), 20, "a place")
                for _ in range(limit)]
        assert enter(proxy, database) is None
        for w in held:
            w.close()
        procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 10, "room")
