"""The other ways to prove who one is: a password in clear, a certificate, a socket, or nothing."""

import hashlib
import os
import pwd
import subprocess
import time

import psycopg
import pytest

from harness import procs, scram
from harness.certs import client_tls, libpq_tls
from harness.fakeplane import access, awake
from harness.figures import Comparison
from harness.proxy import check, ini_text, userlist
from harness.tls import SecureWire, client_context
from harness.wire import Closed, ServerError, Wire, message, startup_packet

USER, PASSWORD = "user_scram", "secret-scram"


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("db.example.com", "127.0.0.1")


@pytest.fixture
def start(start_proxy, put, pg):
    """A function that starts a proxy before the shared server, without any throttle."""
    def run(auth_type, users=None, databases=None, hba=None, ident=None, **settings):
        if users is not None:
            settings["auth_file"] = put("users.txt", userlist(users))
        if hba is not None:
            settings["auth_hba_file"] = put("hba.conf", hba)
        if ident is not None:
            settings["auth_ident_file"] = put("ident.conf", ident)
        return start_proxy(databases or {"*": pg.entry}, auth_type=auth_type, login_throttle=0,
                           **settings)
    return run


def say_password(w, user, password, database="app"):
    w.send(startup_packet(user=user, database=database))
    assert scram.request(w)[0] == scram.PASSWORD
    w.send(message(b"p", password.encode() + b"\0"))
    w.read_until(b"Z")
    return w.value("select current_user")


def outcome(proxy, user, **how):
    """Who one is, or the error, of a login that needs no password."""
    try:
        with psycopg.connect(proxy.dsn(user=user, **how)) as conn:
            return conn.execute("select current_user").fetchone()[0]
    except psycopg.OperationalError as e:
        return str(e)


# auth_type = plain.

def test_a_password_in_clear_is_taken_over_tls_and_unix_sockets(start, pg, pair, ca):
    secret = pg.value("select rolpassword from pg_authid where rolname = %s", USER)
    for kept in (secret, PASSWORD):
        proxy = start("plain", {USER: kept, "user_md5": "secret-md5"}, **client_tls(pair, "allow"))
        with SecureWire(proxy.address) as w:
            assert say_password(w, USER, PASSWORD) == USER
        with Wire(proxy.unix_address) as w:
            assert say_password(w, USER, PASSWORD) == USER
        with Wire(proxy.unix_address) as w:
            assert say_password(w, "user_md5", "secret-md5") == "user_md5"
        assert outcome(proxy, USER, password=PASSWORD, **libpq_tls("verify-ca", ca)) == USER


def test_a_password_in_clear_is_refused_in_clear_before_it_is_asked_for(start, pair):
    proxy = start("plain", {USER: PASSWORD}, **client_tls(pair, "allow"))
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        w.login(USER)
    assert refused.value.sqlstate == "28000" and "only over TLS" in refused.value.text
    assert "sslmode=require" in refused.value.fields["H"]


@pytest.mark.parametrize("kept", ["scram", "plain"])
def test_wrong_and_unknown_look_alike_and_wake_nothing(start, plane, pg, kept, capsys):
    plane.behave("*", awake(pg.endpoint))
    secret = scram.secret("right") if kept == "scram" else "right"
    proxy = start("plain", {"known_user_0": secret}, databases={"*": "wake=control_plane"},
                  workers=1, wake={"control_plane_url": plane.url})
    plane.admit("*", access())
    words = set()

    def once(what):
        user = {"wrong password": "known_user_0", "unknown user": "other_user_1"}[what]
        with Wire(proxy.unix_address) as w, pytest.raises(ServerError) as refused:
            started = time.perf_counter()
            say_password(w, user, "wrong", "db/app")
        words.add((refused.value.sqlstate, refused.value.text.replace(user, "USER")))
        return time.perf_counter() - started

    times = Comparison(once, "wrong password", "unknown user", 150)
    with capsys.disabled():
        print(f"\n{kept} secret, {times}")
    assert words == {("28P01", 'password authentication failed for user "USER"')}
    assert times.alike() and not plane.all_calls()


def test_an_md5_hash_proves_nobody(start, pg):
    secret = "md5" + hashlib.md5(b"secret-md5user_md5").hexdigest()
    assert secret == pg.value("select rolpassword from pg_authid where rolname = 'user_md5'")
    proxy = start("plain", {"user_md5": secret})
    for password in ("secret-md5", secret):
        with Wire(proxy.unix_address) as w, pytest.raises(ServerError) as refused:
            say_password(w, "user_md5", password)
        assert refused.value.sqlstate == "28P01"


def test_what_is_no_password_is_refused(start):
    proxy = start("plain", {USER: PASSWORD})
    for body in (b"", b"no zero", b"two\0zeros\0", b"\0", bytes(9000)):
        with Wire(proxy.unix_address) as w:
            w.send(startup_packet(user=USER, database="app"))
            assert scram.request(w)[0] == scram.PASSWORD
            w.send(message(b"p", body))
            assert w.verdict() == "08P01", body[:10]


# auth_type = cert.

@pytest.fixture(scope="module")
def certificates(ca, other_ca):
    return {"own": ca.client("user_trust"), "other name": ca.client("somebody"),
            "other authority": other_ca.client("user_trust"),
            "empty name": ca.client("user_trust\\0x"),
            "longer": ca.client("user_trust2")}


@pytest.mark.parametrize("mode", ["require", "verify-ca"])
def test_a_certificate_must_be_of_our_authority_and_name_the_user(start, pair, ca, certificates,
                                                                  mode):
    proxy = start("cert", **client_tls(pair, mode, ca))

    def with_certificate(name):
        return outcome(proxy, "user_trust", **libpq_tls("verify-ca", ca, certificates[name]))

    assert with_certificate("own") == "user_trust"
    for name in ("other name", "empty name", "longer"):
        assert 'certificate authentication failed for user "user_trust"' in with_certificate(name)
    foreign = with_certificate("other authority")
    without = outcome(proxy, "user_trust", **libpq_tls("verify-ca", ca), sslcert="/nowhere")
    if mode == "verify-ca":
        assert "unknown ca" in foreign and "certificate required" in without
    else:
        assert "certificate authentication failed" in foreign and foreign == without


def test_a_certificate_needs_tls(start, pair, ca):
    for mode in ("allow", "prefer"):
        proxy = start("cert", **client_tls(pair, mode, ca))
        for open_wire in (proxy.wire, lambda p=proxy: Wire(p.unix_address)):
            with open_wire() as w, pytest.raises(ServerError) as refused:
                w.login("user_trust")
            assert refused.value.sqlstate == "28000"


def test_a_map_says_whose_certificate_is_whose(start, pair, ca, certificates):
    proxy = start("hba", hba="hostssl all user_trust all cert map=m\nhostssl all all all cert\n",
                  ident="# map, certificate, user\nm somebody user_trust\nn user_trust app\n",
                  **client_tls(pair, "require", ca))

    def enter(user, name):
        return outcome(proxy, user, **libpq_tls("verify-ca", ca, certificates[name]))

    assert enter("user_trust", "other name") == "user_trust"
    assert "certificate authentication failed" in enter("user_trust", "own")
    assert "certificate authentication failed" in enter("app", "own")


def test_who_has_a_certificate_is_logged_in_with_what_auth_file_has(start, pair, ca):
    mine = libpq_tls("verify-ca", ca, ca.client(USER))
    proxy = start("cert", {USER: PASSWORD}, **client_tls(pair, "require", ca))
    assert outcome(proxy, USER, **mine) == USER
    for users in (None, {"other": "x"}, {USER: scram.secret(PASSWORD)}):
        proxy = start("cert", users, **client_tls(pair, "require", ca))
        with SecureWire(proxy.address, client_context(pair=ca.client(USER))) as w:
            with pytest.raises(ServerError) as refused:
                w.login(USER)
        assert refused.value.sqlstate == "58000" and "auth_file" in refused.value.fields["H"]


def test_a_certificate_that_is_resumed_is_still_known(start, pair, ca, certificates):
    proxy = start("cert", **client_tls(pair, "verify-ca", ca))
    own = client_context(pair=certificates["own"])
    with SecureWire(proxy.address, own) as w:
        session = w.login("user_trust").session
    with SecureWire(proxy.address, own, session=session) as w:
        assert w.resumed and w.login("user_trust").value("select current_user") == "user_trust"
    with SecureWire(proxy.address, own, session=session) as w, pytest.raises(ServerError) as no:
        w.login("app")
    assert no.value.sqlstate == "28000"


# auth_type = trust and any.

def test_trust_wants_a_listed_user_if_there_is_a_list(start):
    assert outcome(start("trust"), "user_trust") == "user_trust"
    proxy = start("trust", {"user_trust": "", USER: PASSWORD})
    assert outcome(proxy, "user_trust") == "user_trust"
    assert outcome(proxy, USER) == USER
    assert 'trust authentication failed for user "app"' in outcome(proxy, "app")


def test_any_is_anybody(start, pg):
    proxy = start("any", {"user_trust": ""},
                  {"forced": f"{pg.entry} dbname=app user={USER} password={PASSWORD}",
                   "*": pg.entry})
    assert outcome(proxy, "app") == "app"
    assert outcome(proxy, "whoever", dbname="forced") == USER


# What the compute is shown: user= and password= of an entry.

@pytest.fixture(scope="module")
def computes(start_postgres):
    """Servers that each ask for the password in one way only."""
    def one(method, encryption):
        server = start_postgres(hba=f"host all all 127.0.0.1/32 {method}\n")
        server.sql(f"set password_encryption = '{encryption}'; "
                   "create role forced login password 'se cret''s'")
        return server
    return {"scram": one("scram-sha-256", "scram-sha-256"), "md5": one("md5", "md5"),
            "clear": one("password", "scram-sha-256")}


@pytest.mark.parametrize("kind", ["scram", "md5", "clear"])
def test_the_user_of_an_entry_is_logged_in_as_whoever_the_client_is(start, computes, kind):
    entry = f"{computes[kind].entry} dbname=app user=forced"
    said = entry + " password='se cret''s'"
    proxy = start("trust", {"alice": "", "forced": "se cret's"},
                  {"said": said, "listed": entry, "wrong": entry + " password=wrong"})
    assert outcome(proxy, "alice", dbname="said") == "forced"
    assert outcome(proxy, "alice", dbname="listed") == "forced"
    assert outcome(proxy, "forced", dbname="listed") == "forced"
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        w.login("alice", "wrong")
    assert refused.value.sqlstate in ("58000", "28P01")


@pytest.mark.parametrize("kind", ["scram", "md5", "clear"])
def test_a_client_that_proved_itself_is_logged_in_as_the_entrys_user(start, computes, kind):
    proxy = start("scram-sha-256", {"alice": scram.secret("alice's")},
                  {"*": f"{computes[kind].entry} dbname=app user=forced password='se cret''s'"})
    with proxy.wire() as w:
        scram.login(w, "alice", "alice's")
        assert w.value("select current_user") == "forced"
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        scram.login(w, "alice", "wrong")
    assert refused.value.sqlstate == "28P01"
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        scram.login(w, "forced", "se cret's")      # who is in no list is nobody here
    assert refused.value.sqlstate == "28P01"


def test_the_proof_of_one_user_is_no_proof_of_the_entrys(start, computes):
    secret = computes["scram"].value("select rolpassword from pg_authid where rolname = 'forced'")
    proxy = start("scram-sha-256", {"alice": secret},
                  {"*": f"{computes['scram'].entry} dbname=app user=forced"})
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        scram.login(w, "alice", "se cret's")
    assert refused.value.sqlstate == "58000" and "auth_file" in refused.value.fields["H"]


def test_a_password_in_an_entry_gives_nobody_in_by_passthrough(start, pg, start_proxy):
    entry = f"{pg.entry} dbname=app user={USER} password={PASSWORD}"
    code, said = check(text=ini_text({"databases": {"*": entry}, "reveille": {}, "wake": {}}))
    if code:
        assert "passthrough" in said or "auth_type" in said
        return
    proxy = start_proxy({"*": entry})
    with proxy.wire() as w:
        w.send(startup_packet(user="whoever", database="app"))
        assert scram.request(w)[0] == scram.SASL, "the compute's own question"


# Peer: the user of the operating system.

def test_peer_asks_the_socket_who_is_there(start):
    me = pwd.getpwuid(os.geteuid()).pw_name
    proxy = start("hba", hba="local all user_trust peer map=m\nlocal all all peer\n"
                             "host all all all trust\n",
                  ident=f"m {me} user_trust\n")
    here = {"host": proxy.folder}
    assert outcome(proxy, "user_trust", **here) == "user_trust"
    assert 'peer authentication failed for user "app"' in outcome(proxy, "app", **here)
    assert outcome(proxy, "user_trust") == "user_trust"     # by the rule for the network


@pytest.mark.skipif(not procs.running_as_root(), reason="only root can be two users")
def test_peer_knows_one_user_from_another(start):
    proxy = start("hba", hba="local all all peer\n")
    command = ["psql", "-XAtw", "-h", proxy.folder, "-p", str(proxy.port), "-U", "postgres",
               "-d", "app", "-c", "select current_user"]

    def ask(as_whom):
        return subprocess.run(as_whom(command), capture_output=True, text=True, cwd="/",
                              check=False, timeout=60)

    assert ask(procs.as_service_user).stdout == "postgres\n"
    assert 'peer authentication failed for user "postgres"' in ask(list).stderr


def test_peer_is_nobody_behind_a_load_balancer(start):
    """A PROXY header cannot make a Unix socket of a connection."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    proxy = start("hba", hba="local all all peer map=m\nhost all all all reject\n",
                  ident=f"m {me} all\n", proxy_protocol_networks="127.0.0.1")
    unix_header = b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8" + bytes(216)
    for header in (b"PROXY UNKNOWN\r\n", unix_header):
        with proxy.wire() as w:
            w.send(header + startup_packet(user="user_trust", database="app"))
            with pytest.raises((ServerError, Closed)) as refused:
                w.read_until(b"Z")
            assert getattr(refused.value, "sqlstate", "28000") == "28000"
