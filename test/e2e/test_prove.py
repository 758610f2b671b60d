"""SCRAM at the proxy: who has not proved who he is wakes nothing, and learns nothing."""

import os
import shutil
import struct
import time

import psycopg
import pytest

from harness import drivers, procs, scram
from harness.certs import client_tls, libpq_tls, server_tls
from harness.fakecompute import read_startup, refusal
from harness.fakeplane import access, awake, drop, status
from harness.figures import Comparison
from harness.proxy import make_folder, userlist
from harness.tls import SecureWire, server_context
from harness.wire import SSL_REQUEST, Closed, ServerError, message, startup_packet

USER, PASSWORD = "user_scram", "secret-scram"       # of every standard server, which wants SCRAM
QUICK = {"auth_type": "scram-sha-256", "login_throttle": 0}


@pytest.fixture(scope="session")
def secret_of(pg):
    """A function that reads a role's secret out of the server."""
    def read(user):
        return pg.value("select rolpassword from pg_authid where rolname = %s", user)
    return read


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("db.example.com", "127.0.0.1")


@pytest.fixture
def start(start_proxy, put):
    """A function that starts a proxy that proves who its users are."""
    def run(databases=None, users=None, **settings):
        if users is not None:
            settings["auth_file"] = put("users.txt", userlist(users))
        return start_proxy(databases, **{**QUICK, **settings})
    return run


def refused(server, user=USER, password="wrong", database="app", **how):
    """The error of a login by SCRAM that must fail."""
    with server.wire() as w:
        with pytest.raises(ServerError) as error:
            scram.login(w, user, password, database, **how)
        assert w.until_closed() == b"", "something was said behind the refusal"
    return error.value


def sqlstate(server, *args, **kwargs):
    return refused(server, *args, **kwargs).sqlstate


def works(server, user=USER, password=PASSWORD, database="app", **params):
    with server.wire() as w:
        scram.login(w, user, password, database, **params)
        return w.value("select current_user") == user


# Drivers.

@pytest.fixture(scope="session")
def node():
    if drivers.lacks_node():
        pytest.skip(drivers.lacks_node())
    folder = make_folder()
    yield drivers.Node(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def jdbc():
    if drivers.lacks_jdbc():
        pytest.skip(drivers.lacks_jdbc())
    folder = make_folder()
    yield drivers.Jdbc(folder)
    shutil.rmtree(folder, ignore_errors=True)


DRIVERS = ["psql", "psycopg3", "psycopg2_", "asyncpg_", "node", "jdbc"]
CAN_BIND = ["psql", "psycopg3", "psycopg2_", "node"]


@pytest.fixture
def visit(request):
    name = request.param
    return getattr(drivers, name, None) or request.getfixturevalue(name)


def each_driver(names):
    return pytest.mark.parametrize("visit", names, indirect=True, ids=lambda n: n.strip("_"))


@each_driver(DRIVERS)
def test_each_driver_proves_itself_in_clear_and_over_tls(start, pg, pair, ca, secret_of, visit):
    proxy = start({"*": pg.entry}, {USER: secret_of(USER), "user_md5": "secret-md5"},
                  **client_tls(pair, "prefer"))
    for trusted in (None, ca):
        assert visit(proxy, USER, PASSWORD, ca=trusted) == USER
        # The compute knows this user by MD5 alone, so we log in with the password.
        assert visit(proxy, "user_md5", "secret-md5", ca=trusted) == "user_md5"
        with pytest.raises(Exception) as said:
            visit(proxy, USER, "wrong", ca=trusted)
        assert f'password authentication failed for user "{USER}"' in str(said.value)


@each_driver(CAN_BIND)
def test_each_driver_that_can_binds_to_the_channel(start, pg, pair, ca, secret_of, visit):
    proxy = start({"*": pg.entry}, {USER: secret_of(USER)}, **client_tls(pair))
    for binding in ("require", "prefer", "disable"):
        assert visit(proxy, USER, PASSWORD, ca=ca, binding=binding) == USER


def test_libpq_that_insists_on_binding_is_told_that_there_is_none_in_clear(start, pg, secret_of):
    proxy = start({"*": pg.entry}, {USER: secret_of(USER)})
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        drivers.psycopg3(proxy, USER, PASSWORD, binding="require")


# Channel binding, byte by byte.

@pytest.fixture
def bound(start, pg, pair, secret_of):
    return start({"*": pg.entry}, {USER: secret_of(USER)}, **client_tls(pair, "prefer"))


def test_plus_is_offered_over_tls_and_only_there(bound):
    with SecureWire(bound.address) as w:
        assert scram.begin(w, USER) == [scram.PLUS, scram.PLAIN]
    with bound.wire() as w:
        assert scram.begin(w, USER) == [scram.PLAIN]


def test_a_proof_bound_to_our_certificate_is_right(bound):
    for _ in range(2):
        with SecureWire(bound.address) as w:
            scram.login(w, USER, PASSWORD, binding=scram.end_point(w.certificate()))
            assert w.value("select current_user") == USER


def attempt(w, client, user=USER):
    scram.begin(w, user)
    with pytest.raises(ServerError) as error:
        scram.prove(w, client)
    return error.value


def test_a_proof_bound_to_another_certificate_is_refused(bound, other_ca):
    with open(other_ca.cert, "rb") as f:
        foreign = scram.end_point(f.read())
    for data in (foreign, b"", b"x", bytes(32), bytes(64)):
        with SecureWire(bound.address) as w:
            error = attempt(w, scram.Client(PASSWORD, "p", data))
            assert (error.sqlstate, error.text) == ("08P01", "SCRAM channel binding check failed")


def test_a_client_that_was_lied_to_about_plus_is_refused(bound):
    """Flag y: who stands between has taken PLUS out of the offer (RFC 5802 section 6)."""
    with SecureWire(bound.address) as w:
        error = attempt(w, scram.Client(PASSWORD, "y"))
        assert error.sqlstate == "08P01" and "negotiation error" in error.text
    with bound.wire() as w:
        scram.begin(w, USER)
        scram.prove(w, scram.Client(PASSWORD, "y"))    # nothing was offered: that is the truth


def test_plus_without_tls_and_flags_that_do_not_fit_are_refused(bound):
    with bound.wire() as w:
        assert attempt(w, scram.Client(PASSWORD, "p", bytes(32))).sqlstate == "08P01"

    class Torn(scram.Client):
        """Says one mechanism and speaks the other."""
        mechanism = property(lambda self: scram.PLAIN if self.flag == "p" else scram.PLUS)

    for flag in "pny":
        with SecureWire(bound.address) as w:
            assert attempt(w, Torn(PASSWORD, flag, bytes(32))).sqlstate == "08P01"


# Secrets from the control plane.

@pytest.fixture
def woken(start, plane, pg, gate, secret_of):
    """A proxy whose compute sleeps behind a gate, and the gate."""
    between = gate(pg.address)
    plane.behave("*", awake(f"127.0.0.1:{between.port}"))
    plane.admit("*", access({USER: secret_of(USER)}))
    return start(plane=plane), between


def test_a_right_proof_wakes_and_logs_in_and_nothing_else_does(woken, plane):
    proxy, between = woken
    words = set()
    for user, password in ((USER, "wrong"), (USER, ""), ("stranger", PASSWORD), ("stranger", ""),
                           ("user_md5", "secret-md5"), ("postgres", ""), (USER, PASSWORD + "\n")):
        error = refused(proxy, user, password, "db/app")
        assert (error.sqlstate, error.severity) == ("28P01", "FATAL")
        words.add(error.text.replace(user, "USER"))
        assert "H" not in error.fields and "D" not in error.fields
    assert words == {'password authentication failed for user "USER"'}
    with proxy.wire() as silent:        # nor does one who says nothing at all
        scram.begin(silent, USER, "db/app")
    assert (plane.all_calls(), between.opened) == ({}, 0)
    assert works(proxy, database="db/app")
    assert (plane.calls("db"), between.opened) == (1, 1)


def test_half_a_proof_wakes_nothing(woken, plane):
    proxy, between = woken
    for cut in (1, 20, -1):
        with proxy.wire() as w:
            scram.begin(w, USER, "db/app")
            client = scram.Client(PASSWORD)
            final = message(b"p", client.final(scram.challenge(w, client)))
            w.send(final[:cut])
            w.half_close()
            w.until_closed()
    with proxy.wire() as w:             # a proof may not be used again
        scram.begin(w, USER, "db/app")
        client = scram.Client(PASSWORD)
        scram.challenge(w, client)
        w.send(final)
        assert w.verdict() == "08P01"
    assert (plane.all_calls(), between.opened) == ({}, 0)


def test_who_is_asked_about_is_asked_about_once_while_it_is_fresh(woken, plane):
    proxy, _ = woken
    proxies = 2     # each of the two workers asks for itself
    for _ in range(12):
        assert sqlstate(proxy, USER, "wrong", "db/app") == "28P01"
        assert sqlstate(proxy, "stranger", "wrong", "db/app") == "28P01"
    asked = plane.roles_asked("db")
    assert set(asked) == {USER, "stranger"}
    assert asked.count(USER) <= proxies and asked.count("stranger") <= proxies


def test_a_name_is_asked_about_as_it_is(start, plane, pg):
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", access())
    proxy = start(plane=plane, workers=1)
    names = ["a b", "a&role=app", "ä", "%61pp", "a/b", "a?b#c", "x" * 63, "a+b"]
    for name in names:
        assert sqlstate(proxy, name, "x", "db/app") == "28P01"
    assert plane.roles_asked("db") == names


def test_no_compute_looks_like_no_user_and_wakes_nothing(start, plane):
    """Which computes there are is not a stranger's business."""
    plane.admit("nowhere", status(404))
    plane.admit("db", access())
    plane.behave("*", status(404))
    proxy = start(users={"listed": scram.secret("x")}, plane=plane)
    for _ in range(2):
        errors = [refused(proxy, USER, "wrong", f"{name}/app") for name in ("nowhere", "db")]
        assert [e.sqlstate for e in errors] == ["28P01", "28P01"]
        assert errors[0].text == errors[1].text
    assert not plane.all_calls()
    assert sqlstate(proxy, "listed", "x", "nowhere/app") == "3D000"     # who is known is told


@pytest.mark.parametrize("step", [status(500), status(401), drop, status(200, b"{"),
                                  status(200, {"role_secret": "x" * 5000}),
                                  status(200, {"allowed_ips": "10.0.0.1"})],
                         ids=["500", "401", "drop", "half", "long", "no-list"])
def test_a_control_plane_that_cannot_say_makes_no_wrong_passwords(start, plane, step):
    plane.admit("*", step)
    proxy = start(plane=plane)
    with proxy.wire() as w:
        w.send(startup_packet(user=USER, database="db/app"))
        assert w.verdict() in ("57P03", "58000")
    assert not plane.all_calls()


def test_a_dead_control_plane_leaves_known_users_known(start, plane, pg, secret_of):
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", access({USER: secret_of(USER)}))
    proxy = start(plane=plane, workers=1, auth_cache_ttl="100ms", wake_cache_ttl="100ms",
                  wake_stale_after="50ms")
    assert works(proxy, database="db/app")
    plane.stop()
    old = time.monotonic() + 0.15
    procs.wait_until(lambda: time.monotonic() > old, 1, "what is known to be stale")
    assert works(proxy, database="db/app")
    assert sqlstate(proxy, USER, "wrong", "db/app") == "28P01"
    with proxy.wire() as w:
        w.send(startup_packet(user="stranger", database="db/app"))
        assert w.verdict() == "57P03"


def test_a_real_compute_is_woken_by_its_right_password_and_by_no_other(start_proxy):
    proxy = start_proxy({"*": "wake=control_plane"}, control={}, **QUICK)
    code, project = proxy.api("POST", "/api/v1/projects", {"name": "p"})
    assert code == 201, project
    code, compute = proxy.api("POST", f"/api/v1/projects/{project['id']}/compute", {"name": "db"})
    assert code == 201, compute
    proxy.api("POST", "/api/v1/compute/db/suspend")

    def look():
        return proxy.api("GET", "/api/v1/compute/db")[1]

    procs.wait_until(lambda: look()["state"] == "suspended", 30, "the compute to sleep")
    before = look()["generation"]
    uri = compute["connection_uri"]
    password = uri.split(":")[2].split("@")[0]
    for wrong in (uri.replace(password, "wrong"), uri.replace("//app:", "//stranger:"),
                  uri.replace("//app:", "//postgres:")):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
    assert (look()["state"], look()["generation"]) == ("suspended", before)
    with psycopg.connect(uri) as conn:
        assert conn.execute("select current_user").fetchone() == ("app",)
    assert look()["state"] == "active"
    for folder, _, files in os.walk(proxy.folder):
        for name in filter(lambda n: not n.startswith(".s."), files):
            with open(os.path.join(folder, name), "rb") as f:
                assert password.encode() not in f.read(), f"{folder}/{name} has the password"


# Secrets from a query.

@pytest.fixture(scope="session")
def asker(pg):
    """Who may read secrets; its own is in auth_file."""
    pg.sql("create role asker superuser login password 'secret-asker'")
    return {"auth_user": "asker"}


def test_a_secret_is_looked_up_in_the_compute(start, pg, asker):
    proxy = start({"*": pg.entry}, {"asker": "secret-asker"}, workers=1, **asker)
    for _ in range(2):
        assert works(proxy)
        assert sqlstate(proxy) == "28P01"
        assert sqlstate(proxy, "stranger") == "28P01"
        assert sqlstate(proxy, "user_trust", "") == "28P01"    # has no password at all
    assert pg.sessions("application_name = 'reveille auth_query'") == 1


def test_a_query_of_ones_own_with_a_database_of_its_own(start, pg, plane, asker, secret_of):
    pg.sql("create table if not exists secrets as select rolname::text as who, rolpassword as what"
           " from pg_authid where rolpassword is not null", database="solo")
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", access())          # knows the compute, but no secrets
    proxy = start({"secrets": f"{pg.entry} dbname=solo", "*": "wake=control_plane"},
                  {"asker": "secret-asker"}, plane=plane, **asker, auth_dbname="secrets",
                  auth_query="select who, what from public.secrets where who = $1")
    assert sqlstate(proxy, USER, "wrong", "db/app") == "28P01"
    assert sqlstate(proxy, "' or true --", "wrong", "db/app") == "28P01"
    assert not plane.all_calls()
    assert works(proxy, database="db/app")


def test_the_query_is_not_the_clients_to_bend(start, pg, asker):
    """CVE-2025-12819: a search_path of the client's must not reach the connection of auth_query."""
    pg.sql("create schema if not exists evil; grant all on schema evil to public; "
           "create or replace view evil.pg_authid as select 'user_scram'::name as rolname, "
           f"'{scram.secret('evil')}' as rolpassword, true as rolcanlogin, "
           "null::timestamptz as rolvaliduntil", database="app")
    proxy = start({"*": pg.entry}, {"asker": "secret-asker"}, workers=1, auth_cache_ttl=0,
                  ignore_startup_parameters="x", **asker)
    for params in ({"search_path": "evil,pg_catalog"},
                   {"options": "-c search_path=evil,pg_catalog"}):
        assert sqlstate(proxy, USER, "evil", **params) == "28P01"
        assert works(proxy, **params)


def test_a_query_for_another_user_or_with_an_error_lets_nobody_in(start, pg, asker):
    for query in ("select 'asker', rolpassword from pg_authid where rolname = 'asker' or $1 = ''",
                  "select nonsense, $1", "select $1::text where false or 1/0 = 1"):
        proxy = start({"*": pg.entry}, {"asker": "secret-asker"}, workers=1, auth_query=query,
                      **asker)
        with proxy.wire() as w:
            w.send(startup_packet(user=USER, database="app"))
            assert w.verdict() == "58000", query


def test_a_query_survives_the_end_of_its_connection(start, pg, asker):
    proxy = start({"*": pg.entry}, {"asker": "secret-asker"}, workers=1, auth_cache_ttl=0, **asker)
    assert works(proxy)
    pg.end_sessions("reveille auth_query")
    pg.wait_for_sessions(0, "application_name = 'reveille auth_query'")
    # Whoever comes first may hear of the broken connection; nobody hears of a wrong password.
    with proxy.wire() as w:
        try:
            scram.login(w, USER, PASSWORD)
        except ServerError as e:
            assert e.sqlstate == "58000"
    assert works(proxy)


def test_an_expired_role_is_unknown(start, spare_pg):
    spare_pg.sql("create role late login password 'secret' valid until '2001-01-01'")
    spare_pg.sql("create role asker superuser login password 'secret-asker'")
    proxy = start({"*": spare_pg.entry}, {"asker": "secret-asker"}, auth_user="asker")
    assert sqlstate(proxy, "late", "secret") == "28P01"


def test_a_changed_password_is_asked_for_anew_after_one_failure(start, spare_pg):
    spare_pg.sql("create role asker superuser login password 'secret-asker'")
    proxy = start({"*": spare_pg.entry}, {"asker": "secret-asker"}, workers=1, auth_user="asker",
                  auth_cache_ttl="1h")
    assert works(proxy)
    known = time.monotonic()
    spare_pg.sql("alter role user_scram password 'another'")
    procs.wait_until(lambda: time.monotonic() > known + 1.1, 2, "what is known to be a second old")
    assert sqlstate(proxy, USER, "another") == "28P01"
    assert works(proxy, USER, "another")
    assert sqlstate(proxy, USER, PASSWORD) == "28P01"


# Their order.

def test_auth_file_comes_first_then_the_control_plane_then_the_query(start, plane, pg, asker):
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", access({"of_file": scram.secret("of plane"),
                             "of_plane": scram.secret("of plane")}))
    query = f"select $1::text, '{scram.secret('of query')}'"
    proxy = start({"secrets": f"{pg.entry} dbname=app", "*": "wake=control_plane"},
                  {"asker": "secret-asker", "of_file": scram.secret("of file")}, plane=plane,
                  auth_dbname="secrets", auth_query=query, **asker)
    passwords = ["of file", "of plane", "of query"]

    def accepted(user):
        """The proxy's own verdict: from a right proof on, the compute is what refuses."""
        return [p for p in passwords if sqlstate(proxy, user, p, "db/app") != "28P01"]

    assert accepted("of_file") == ["of file"]
    assert accepted("of_plane") == ["of plane"]
    assert accepted("of_query") == ["of query"]
    assert "of_file" not in plane.roles_asked("db")


# What there is to learn by asking.

def test_the_salt_of_an_unknown_user_stays_the_same(start, pg, put):
    proxy = start({"*": pg.entry}, {"known": scram.secret("x")}, workers=2)

    def salt(user):
        with proxy.wire() as w:
            scram.begin(w, user)
            client = scram.Client("x")
            client.final(scram.challenge(w, client))
            return client.salt, client.iterations

    first = salt("stranger")
    assert {salt("stranger") for _ in range(10)} == {first}
    assert salt("other") != first and len(first[0]) == 16 and first[1] == 4096
    proxy.hup()
    assert salt("stranger") == first
    proxy.term()
    proxy.start()
    assert salt("stranger") == first


@pytest.mark.parametrize("kind", ["scram", "plain"])
def test_time_does_not_tell_an_unknown_user_from_a_wrong_password(start, pg, kind, capsys):
    secret = scram.secret("right") if kind == "scram" else "right"
    proxy = start({"*": pg.entry}, {"known_user_0": secret}, workers=1, log_dedup_interval=60)

    def once(what):
        with proxy.wire() as w:
            started = time.perf_counter()
            scram.begin(w, {"wrong password": "known_user_0", "unknown user": "other_user_1"}[what])
            client = scram.Client("wrong")
            w.send(message(b"p", client.final(scram.challenge(w, client))))
            assert w.verdict() == "28P01"
            return time.perf_counter() - started

    times = Comparison(once, "wrong password", "unknown user", 400)
    with capsys.disabled():
        print(f"\n{kind} secret, {times}")
    assert times.alike()


def test_time_does_not_tell_who_is_listed_when_each_is_asked_for_once(start, pg, capsys):
    """The keys of plain passwords are made before anybody asks."""
    attempts = 200
    proxy = start({"*": pg.entry}, {f"known{i}": f"right{i}" for i in range(attempts + 1)},
                  workers=1)
    worker, ticks = proxy.workers()[0], [-1]

    def rests():
        ticks.append(cpu_ticks(worker))
        time.sleep(0.05)
        return ticks[-1] == ticks[-2]

    procs.wait_until(rests, 20, "the worker to have made the keys")
    numbers = {"wrong password": iter(range(attempts + 1)), "unknown user": iter(range(9999))}

    def once(what):
        name = "known" if what == "wrong password" else "other"
        with proxy.wire() as w:
            started = time.perf_counter()
            scram.begin(w, f"{name}{next(numbers[what])}")
            return time.perf_counter() - started

    times = Comparison(once, "wrong password", "unknown user", attempts)
    with capsys.disabled():
        print(f"\nfirst question, plain secrets, {times}")
    assert times.alike()


# The control plane's rules, whoever judges.

@pytest.mark.parametrize("auth_type", ["passthrough", "trust", "any", "scram-sha-256"])
def test_a_projects_networks_hold_whoever_judges_the_client(start, plane, pg, auth_type):
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", access(allowed_ips=["10.1.0.0/16"]))
    proxy = start(users={"user_trust": scram.secret("x")}, plane=plane, auth_type=auth_type,
                  proxy_protocol_networks="127.0.0.1",
                  wake={"control_plane_url": plane.url, "access_control": "yes"})

    def enter(address):
        with proxy.wire() as w:
            w.send(f"PROXY TCP4 {address} 127.0.0.1 1 2\r\n".encode())
            try:
                if auth_type == "scram-sha-256":
                    scram.login(w, "user_trust", "x", "db/app")
                else:
                    w.login("user_trust", "db/app")
                return None
            except ServerError as e:
                return e.sqlstate

    assert enter("10.2.0.1") == "28000" and not plane.all_calls()
    assert enter("10.1.0.1") is None and plane.calls("db") == 1


def test_a_control_plane_that_has_no_rules_keeps_nobody_out(start, plane, pg):
    plane.behave("*", awake(pg.endpoint))
    for step in (status(404), status(500), drop):
        plane.admit("*", step)
        proxy = start(plane=plane, auth_type="passthrough",
                      wake={"control_plane_url": plane.url, "access_control": "yes"})
        proxy.login("app", "db/app").close()
    plane.admit("*", access(allowed_ips=["10.1.0.0/16"]))
    for ask in ("auto", "no"):      # a foreign one is asked for rules only if that is wanted
        proxy = start(plane=plane, auth_type="passthrough",
                      wake={"control_plane_url": plane.url, "access_control": ask})
        proxy.login("app", "db/app").close()


# What the compute makes of it.

def test_a_compute_with_another_secret_is_our_fault_and_the_hint_says_what_helps(start, pg):
    proxy = start({"*": pg.entry}, {USER: scram.secret("mine")})
    error = refused(proxy, USER, "mine")
    assert error.sqlstate == "58000" and "keeps another secret" in error.text
    assert "SCRAM secret" in error.fields["H"]
    # With the same salt the compute itself is who finds out.
    proxy.wait_for_log("sqlstate=58000")


def test_a_plain_password_that_the_compute_does_not_take_is_its_refusal(start, pg):
    proxy = start({"*": pg.entry}, {USER: "mine"})
    error = refused(proxy, USER, "mine")
    assert error.sqlstate in ("58000", "28P01") and "password" in error.text


def test_a_compute_that_wants_more_than_scram_gives_is_our_fault(start, pg, secret_of):
    pg.sql("create role half login")
    secret = secret_of("user_md5")
    assert secret.startswith("md5")
    proxy = start({"*": pg.entry}, {"user_md5": scram.secret("mine"),
                                    "user_password": scram.secret("mine")})
    for user in ("user_md5", "user_password"):
        error = refused(proxy, user, "mine")
        assert error.sqlstate == "58000" and "auth_file" in error.fields["H"]


def test_a_compute_that_trusts_us_is_logged_in_to(start, pg):
    proxy = start({"*": pg.entry}, {"user_trust": scram.secret("mine")})
    assert works(proxy, "user_trust", "mine")


def authentication(kind, data=b""):
    return message(b"R", struct.pack("!i", kind) + data)


def read_message(sock):
    head = sock.recv(5)
    return sock.recv(struct.unpack("!i", head[1:5])[0] - 4)


def test_a_compute_that_offers_plus_over_tls_gets_it(start, compute, pair):
    seen = []

    def serve(sock, _):
        if sock.recv(8) != SSL_REQUEST:
            return
        sock.sendall(b"S")
        tls = server_context(pair).wrap_socket(sock, server_side=True)
        tls.recv(10000)
        tls.sendall(authentication(scram.SASL, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"))
        seen.append(read_message(tls))
        tls.sendall(refusal("28P01", "enough"))
        tls.close()

    proxy = start({"*": compute(serve).entry}, {USER: scram.secret(PASSWORD)},
                  **server_tls("require"))
    refused(proxy, USER, PASSWORD)
    assert seen[0].startswith(b"SCRAM-SHA-256-PLUS\0") and b"p=tls-server-end-point,," in seen[0]


def test_a_real_compute_with_tls_takes_our_bound_proof(start, start_postgres, pair, ca):
    server = start_postgres(tls=pair)
    secret = server.value("select rolpassword from pg_authid where rolname = %s", USER)
    for keep in (secret, PASSWORD):
        proxy = start({"*": server.entry}, {USER: keep}, **server_tls("verify-ca", ca),
                      **client_tls(pair))
        with SecureWire(proxy.address) as w:
            scram.login(w, USER, PASSWORD, binding=scram.end_point(w.certificate()))
            assert w.value("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"


def asks_for(iterations, seen):
    """A compute whose SCRAM costs what it says."""
    def serve(sock, _):
        read_startup(sock)
        sock.sendall(authentication(scram.SASL, b"SCRAM-SHA-256\0\0"))
        nonce = read_message(sock).rpartition(b"r=")[2]
        sock.sendall(authentication(scram.CONTINUE, b"r=" + nonce + b"more,s=c2FsdHNhbHRzYWx0c2FsdA=="
                                    b",i=" + str(iterations).encode()))
        try:
            seen.append(sock.recv(10000))
        except ConnectionResetError:
            seen.append("reset")
        sock.sendall(refusal("28P01", "enough"))
        sock.close()
    return serve


@pytest.mark.parametrize("iterations", [1 << 31, 1 << 64, 600001, 0, -1, "9" * 500],
                         ids=lambda n: str(n)[:12])
def test_a_compute_that_asks_for_too_much_work_gets_none(start, compute, iterations):
    seen = []
    proxy = start({"*": compute(asks_for(iterations, seen)).entry}, {USER: PASSWORD},
                  server_tls_sslmode="disable")
    error = refused(proxy, USER, PASSWORD)
    procs.wait_until(lambda: seen, 10, "the compute to hear the end")
    assert error.sqlstate in ("08P01", "58000") and "iteration" in error.text
    assert seen in ([b""], ["reset"]), "the compute got a proof"


def test_a_compute_that_asks_for_much_work_does_not_hold_others_up(start, compute, pg):
    seen = []
    costly = compute(asks_for(600000, seen))
    proxy = start({"costly": costly.entry, "*": pg.entry},
                  {USER: PASSWORD, "user_trust": scram.secret("x")}, workers=1,
                  server_tls_sslmode="disable")
    slow = [proxy.wire() for _ in range(8)]
    for w in slow:
        scram.begin(w, USER, "costly")
        client = scram.Client(PASSWORD)
        w.send(message(b"p", client.final(scram.challenge(w, client))))
    procs.wait_until(lambda: costly.opened == len(slow), 20, "all of them to be at work")
    assert works(proxy, "user_trust", "x")
    assert len(seen) < len(slow), "others had to wait for all that work"
    for w in slow:
        w.reset()


@pytest.mark.parametrize("secret", [scram.secret("x").replace("$4096:", "$600001:"),
                                    scram.secret("x").replace("$4096:", "$0:"),
                                    scram.secret("x")[:-4], "SCRAM-SHA-256$4096:c2FsdA==$a:b"],
                         ids=["600001", "0", "short", "no-keys"])
def test_a_secret_that_is_none_lets_nobody_in(start, pg, secret):
    proxy = start({"*": pg.entry}, {"alice": secret, "user_trust": scram.secret("y")})
    assert sqlstate(proxy, "alice", "x") == "28P01"
    assert works(proxy, "user_trust", "y")


def test_a_secret_with_many_iterations_costs_the_proxy_nothing(start, pg):
    proxy = start({"*": pg.entry}, {"user_trust": scram.secret("x", iterations=600000)}, workers=1)
    worker = proxy.workers()[0]
    before = cpu_ticks(worker)
    for _ in range(5):
        assert works(proxy, "user_trust", "x")
    assert cpu_ticks(worker) - before < 20     # each stretch of a password is as many


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("password, prepared", [
    ("pässwörd", "pässwörd"), ("p\u00adass", "pass"), ("\u00aa", "a"), ("e\u0301", "\u00e9"),
    ("a\u00a0b", "a b"), ("  ", "  "), ("x\u0007", "x\u0007")], ids=ascii)
def test_a_password_may_have_any_letters(start, pg, secret_of, password, prepared):
    """libpq and PostgreSQL normalise it (SASLprep, RFC 4013); with their secret we need not."""
    pg.sql(psycopg.sql.SQL("alter role user_scram password {}").format(password).as_string(None))
    try:
        proxy = start({"*": pg.entry}, {USER: secret_of(USER)})
        assert drivers.psycopg3(proxy, USER, password) == USER
        if password == prepared:
            proxy = start({"*": pg.entry}, {USER: password})
            assert drivers.psycopg3(proxy, USER, password) == USER
    finally:
        pg.sql(f"alter role user_scram password '{PASSWORD}'")


# Other ways to say it.

def test_messages_out_of_turn_are_refused(start, pg, secret_of):
    proxy = start({"*": pg.entry}, {USER: secret_of(USER)})
    for sent in (message(b"Q", b"select 1\0"), message(b"p", b""), message(b"p", b"MD5\0"),
                 message(b"p", b"SCRAM-SHA-256\0\0\0\0\xff" + b"n,,n=,r=x"),
                 message(b"p", b"SCRAM-SHA-1\0\0\0\0\x09" + b"n,,n=,r=x"),
                 b"p\x7f\xff\xff\xff", b"p\0\0\0\3", message(b"p", bytes(9000)),
                 message(b"p", b"SCRAM-SHA-256\0\0\0\0\x0d" + b"n,a=x,n=,r=xy")):
        with proxy.wire() as w:
            scram.begin(w, USER)
            w.send(sent)
            assert w.verdict() == "08P01", sent[:20]


def test_a_client_that_does_not_answer_is_sent_away_in_time(start, plane, pg, secret_of):
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", access({USER: secret_of(USER)}))
    proxy = start(plane=plane, client_login_timeout="300ms")
    with proxy.wire() as w:
        scram.begin(w, USER, "db/app")
        assert w.verdict() not in ("closed", "28P01")
    assert not plane.all_calls()


def test_secrets_are_not_in_the_log(start, pg, asker):
    proxy = start({"*": pg.entry}, {"asker": "secret-asker"}, verbose=3, **asker)
    assert works(proxy)
    assert sqlstate(proxy, USER, "secret-mistyped") == "28P01"
    proxy.wait_for_log("session close")
    assert "secret-" not in proxy.log() and "SCRAM-SHA-256$" not in proxy.log()


def test_hup_takes_another_auth_file(start, pg, put):
    proxy = start({"*": pg.entry}, {"user_trust": scram.secret("old")})
    assert works(proxy, "user_trust", "old")
    put("users.txt", userlist({"user_trust": scram.secret("new")}))
    proxy.hup()
    procs.wait_until(lambda: tries(proxy, "new"), 10, "the new secret")
    assert sqlstate(proxy, "user_trust", "old") == "28P01"


def tries(proxy, password):
    try:
        return works(proxy, "user_trust", password)
    except (ServerError, Closed):
        return False
