"""auth_type = hba: the first rule that fits decides, and a file with a mistake changes nothing."""

import os
import re
import signal

import pytest

from harness import procs, scram
from harness.certs import client_tls
from harness.fakeplane import access, awake
from harness.proxy import check, ini_text, userlist
from harness.tls import SecureWire, client_context
from harness.wire import ServerError, Wire, startup_packet

RULES = r"""
# kind    databases      users           address             method
local     app            user_trust                          trust
local     all            user_password                       password
host      app            "all"           all                 reject     # a user of that name
host      solo           app             10.1.0.0/16         trust
host      solo           app             10.1.2.0/24         reject     # too late to matter
host      solo           app             10.2.0.0 255.255.0.0 reject
host      solo,other     app,user_trust  10.2.2.2/32         trust      # for app in solo, too late
host      other          app             2001:db8::/32       trust
hostssl   other          app             10.3.0.0/16         trust
hostnossl other          app             10.3.0.0/16         reject
host      other          app             10.3.0.0/16         scram-sha-256   # never reached
hostssl   other          app             10.4.0.0/16         trust clientcert=verify-ca
host      sameuser       all             10.5.0.0/16         trust
host      replication    app             10.6.0.0/16         trust
host      app            app             10.7.0.0/16         md5
host      "App",\
          "two words"    app             10.8.0.0/16         trust
hostssl   all            user_password   10.9.0.0/16         password
host      all            user_password   10.9.0.0/16         passthrough
"""

UNIX, CLEAR, TLS = "unix", "clear", "TLS"
IN, SCRAM, PASSWORD, REFUSED = "in", "SCRAM", "password", "28000"

CASES = [
    (UNIX, None, "user_trust", "app", IN),
    (UNIX, None, "user_trust", "solo", REFUSED),
    (UNIX, None, "app", "app", REFUSED),
    (UNIX, None, "user_password", "anything", PASSWORD),
    (CLEAR, "10.1.2.3", "user_trust", "app", REFUSED),
    (CLEAR, "10.1.2.3", "all", "app", REFUSED),
    (CLEAR, "10.1.2.3", "app", "solo", IN),
    (CLEAR, "10.1.255.255", "app", "solo", IN),
    (CLEAR, "10.0.255.255", "app", "solo", REFUSED),
    (TLS, "10.1.2.3", "app", "solo", IN),
    (CLEAR, "10.2.2.2", "app", "solo", REFUSED),
    (CLEAR, "10.2.2.2", "user_trust", "solo", IN),
    (CLEAR, "10.2.2.2", "app", "other", IN),
    (CLEAR, "10.2.2.3", "app", "other", REFUSED),
    (CLEAR, "10.2.2.2", "APP", "other", REFUSED),
    (CLEAR, "2001:db8:1::1", "app", "other", IN),
    (CLEAR, "2001:db9::1", "app", "other", REFUSED),
    (CLEAR, "::ffff:10.2.2.2", "app", "other", IN),
    (TLS, "10.3.0.1", "app", "other", IN),
    (CLEAR, "10.3.0.1", "app", "other", REFUSED),
    (TLS, "10.4.0.1", "app", "other", REFUSED),
    (CLEAR, "10.5.0.1", "app", "app", IN),
    (CLEAR, "10.5.0.1", "app", "solo", REFUSED),
    (CLEAR, "10.5.0.1", "app", None, IN),               # the database is the user's name
    (CLEAR, "10.6.0.1", "app", "replication", REFUSED),     # a database's name is no replication
    (CLEAR, "10.7.0.1", "app", "app", SCRAM),
    (CLEAR, "10.8.0.1", "app", "App", IN),
    (CLEAR, "10.8.0.1", "app", "two words", IN),
    (CLEAR, "10.8.0.1", "app", "two", REFUSED),
    (TLS, "10.9.0.1", "user_password", "app", PASSWORD),
    (CLEAR, "10.9.0.1", "user_password", "app", PASSWORD),  # the compute's own question
    (CLEAR, None, "app", "app", REFUSED),
]


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("db.example.com", "127.0.0.1")


@pytest.fixture(scope="module")
def server(pg):
    for name in ("App", "two words"):
        if not pg.sql("select from pg_database where datname = %s", name):
            pg.sql(f'create database "{name}"')
    return pg


@pytest.fixture
def start(start_proxy, put, server):
    def run(rules, **settings):
        return start_proxy(settings.pop("databases", {"*": server.entry}), auth_type="hba",
                           auth_hba_file=put("hba.conf", rules), login_throttle=0,
                           proxy_protocol_networks="127.0.0.1", **settings)
    return run


def header(address):
    """What a load balancer says of the client (PROXY protocol, version 1)."""
    if address is None:
        return b""
    family = "TCP6 {} ::1" if ":" in address else "TCP4 {} 127.0.0.1"
    return f"PROXY {family.format(address)} 4711 5432\r\n".encode()


def knock(proxy, how, address, ctx=None):
    if how == UNIX:
        return Wire(proxy.unix_address)
    if how == TLS:
        return SecureWire(proxy.address, ctx, before=header(address))
    w = proxy.wire()
    w.send(header(address))
    return w


def outcome(proxy, how, address, user, database, ctx=None, **params):
    with knock(proxy, how, address, ctx) as w:
        params = {**params, **({"database": database} if database else {})}
        w.send(startup_packet(user=user, **params))
        try:
            kind, _ = scram.request(w)
            if kind == scram.OK:
                w.read_until(b"Z")
            return {scram.OK: IN, scram.PASSWORD: PASSWORD, scram.SASL: SCRAM}[kind]
        except ServerError as e:
            return e.sqlstate


def test_the_first_rule_that_fits_decides(start, pair, ca):
    proxy = start(RULES, **client_tls(pair, "prefer", ca))
    wrong = [case for case in CASES if outcome(proxy, *case[:4]) != case[4]]
    assert not wrong
    shown = client_context(pair=ca.client("whoever"))
    assert outcome(proxy, TLS, "10.4.0.1", "app", "other", shown) == IN


def test_no_rule_is_a_refusal_that_says_who_came_from_where(start, pair):
    proxy = start(RULES, **client_tls(pair, "prefer"))
    for how, said in ((CLEAR, "no TLS"), (TLS, "TLS")):
        with knock(proxy, how, "10.99.0.1") as w, pytest.raises(ServerError) as refused:
            w.login("app", "app")
        assert refused.value.sqlstate == "28000"
        assert refused.value.text == ('no rule of auth_hba_file lets user "app" into "app" from '
                                      f'10.99.0.1:4711, {said}')
    proxy.wait_for_log(r'sqlstate=28000 .*client="10\.99\.0\.1:4711"')


@pytest.mark.parametrize("value, expected", [("true", IN), ("on", IN), ("1", IN),
                                             ("false", REFUSED), ("database", REFUSED)])
def test_physical_replication_needs_a_rule_that_names_it(start, value, expected):
    proxy = start("host replication app 10.6.0.0/16 trust\nhost solo app 10.7.0.0/16 trust\n")
    assert outcome(proxy, CLEAR, "10.6.0.1", "app", "solo", replication=value) == expected
    # Logical replication is a session in a database like any other.
    assert outcome(proxy, CLEAR, "10.7.0.1", "app", "solo", replication=value) == \
        (REFUSED if expected == IN else IN)


def test_a_walsender_answers_behind_the_rule(start):
    proxy = start("host replication app 10.6.0.0/16 trust\n")
    with knock(proxy, CLEAR, "10.6.0.1") as w:
        w.login("app", "app", replication="true")
        assert len(w.query("IDENTIFY_SYSTEM")[0]) == 4


def test_all_does_not_mean_replication(start):
    proxy = start("host all all all trust\n")
    assert outcome(proxy, CLEAR, "10.6.0.1", "app", "app", replication="true") == REFUSED


def test_a_rule_names_what_the_client_asks_for(start, server):
    """As in PgBouncer: an entry or compute, and not the database behind it."""
    at = f"host=127.0.0.1 port={server.port} dbname=app"
    rules = "host plain all all trust\nhost there/solo all all trust\n"
    proxy = start(rules, databases={"plain": at, "forced": f"{at} user=user_trust",
                                    "there": f"host=127.0.0.1 port={server.port}"})
    assert outcome(proxy, CLEAR, None, "app", "plain") == IN
    assert outcome(proxy, CLEAR, None, "app", "forced") == REFUSED
    assert outcome(proxy, CLEAR, None, "app", "there/solo") == IN
    assert outcome(proxy, CLEAR, None, "app", "there/app") == REFUSED


def test_who_is_refused_wakes_nothing(start, plane):
    plane.admit("*", access())
    plane.behave("*", awake("127.0.0.1:1"))
    proxy = start(RULES, databases={"*": "wake=control_plane"}, plane=plane)
    assert outcome(proxy, CLEAR, "10.99.0.1", "app", "app") == REFUSED
    assert outcome(proxy, CLEAR, "10.7.0.1", "app", "app") == SCRAM
    assert not plane.all_calls()


def test_each_method_of_a_rule_does_what_it_does_alone(start, server, put, pair, ca):
    secret = server.value("select rolpassword from pg_authid where rolname = 'user_scram'")
    proxy = start("host all all 10.1.0.0/16 scram-sha-256\nhostssl all all 10.2.0.0/16 password\n"
                  "host all all 10.3.0.0/16 passthrough\n",
                  auth_file=put("users", userlist({"user_scram": secret})),
                  **client_tls(pair, "prefer", ca))
    with knock(proxy, CLEAR, "10.1.0.1") as w:
        scram.login(w, "user_scram", "secret-scram")
        assert w.value("select current_user") == "user_scram"
    with knock(proxy, CLEAR, "10.3.0.1") as w:
        scram.login(w, "user_scram", "secret-scram")
    assert outcome(proxy, TLS, "10.2.0.1", "user_scram", "app") == PASSWORD
    assert outcome(proxy, CLEAR, "10.2.0.1", "user_scram", "app") == REFUSED


# Files with mistakes.

MISTAKES = [
    ("host all all all trust\nhosts all all all trust\n", 2, "hosts"),
    ("host all all 10.0.0.0/33 trust\n", 1, "10.0.0.0/33"),
    ("\n\nhost all all 10.0.0.1/8 trust\n", 3, "10.0.0.1/8"),
    ("host all all example.com trust\n", 1, "example.com"),
    ("host all all all\n", 1, "method"),
    ("host all all all ldap\n", 1, "ldap"),
    ("host all all all peer\n", 1, "peer"),
    ("host all all all cert\n", 1, "cert"),
    ("local all all trust map=x\n", 1, "map"),
    ("local all all peer map=nowhere\n", 1, "map"),
    ("host all +admins all trust\n", 1, "+admins"),
    ("host @dbs all all trust\n", 1, "@dbs"),
    ("host samerole all all trust\n", 1, "samerole"),
    ("host all all samenet trust\n", 1, "samenet"),
    ("host all /^a all trust\n", 1, "/^a"),
    ("include other.conf\n", 1, "include"),
    ("host all \"all all trust\n", 1, None),
    ("# nothing\n", 0, "nobody could connect"),
    ("host all all all trust trust\n", 1, "trust"),
    ("host all \\\n all \\\n all nonsense\n", 0, "nonsense"),
]


@pytest.mark.parametrize("text, line, word", MISTAKES, ids=lambda v: str(v)[:20])
def test_a_mistake_is_named_with_file_and_line(put, text, line, word):
    path = put("hba.conf", text)
    code, said = check(text=ini_text({"databases": {"*": "host=127.0.0.1"},
                                      "reveille": {"user": procs.SERVICE_USER, "auth_type": "hba",
                                                   "auth_hba_file": path}}))
    assert code != 0
    assert re.search(re.escape(path) + (rf":{line}: " if line else r"(:\d+)?: "), said), said
    assert word is None or word in said


def test_a_mistake_at_the_start_ends_the_program(start_proxy, put, pg):
    path = put("hba.conf", "host all all all trust\nnonsense\n")
    proxy = start_proxy({"*": pg.entry}, auth_type="hba", auth_hba_file=path, launch=False)
    proxy.expected_status = 1
    proxy.launch()
    assert proxy.wait_for_exit(10) == 1
    assert f"{path}:2: " in proxy.log()


def test_a_file_that_is_missing_is_named(start_proxy, pg):
    for settings in ({"auth_hba_file": "/nowhere/hba.conf"}, {}):
        proxy = start_proxy({"*": pg.entry}, auth_type="hba", launch=False, **settings)
        proxy.expected_status = 1
        proxy.launch()
        assert proxy.wait_for_exit(10) == 1
        assert "auth_hba_file" in proxy.log() or "/nowhere/hba.conf" in proxy.log()


def both_serve(proxy):
    """The workers, when each has shown that it is there: it reads the files at its start."""
    held, owners = [], set()
    while len(owners) < 2:
        held.append(proxy.wire())
        owners.add(proxy.worker_of(held[-1]))
    for w in held:
        w.sock.close()
    return proxy.workers()


@pytest.mark.parametrize("which", ["hba.conf", "ident.conf", "users.txt"])
def test_a_mistake_at_a_reload_changes_nothing(start, put, which):
    good = {"hba.conf": "host all app all trust\n", "ident.conf": "m a b\n",
            "users.txt": userlist({"app": "", "user_trust": ""})}
    paths = {name: put(name, text) for name, text in good.items()}
    proxy = start(good["hba.conf"], auth_ident_file=paths["ident.conf"],
                  auth_file=paths["users.txt"])
    pids = both_serve(proxy)
    put("hba.conf", "host all user_trust all trust\n")
    put(which, f"{good[which] if which != 'hba.conf' else ''}nonsense\n")
    said = proxy.hup()
    line = good[which].count("\n") + 1 if which != "hba.conf" else 1
    assert f"{paths[which]}:{line}: " in said
    for _ in range(4):
        assert outcome(proxy, CLEAR, None, "app", "app") == IN
        assert outcome(proxy, CLEAR, None, "user_trust", "app") == REFUSED
    put(which, good[which])
    put("hba.conf", "host all user_trust all trust\n")
    proxy.hup()
    procs.wait_until(lambda: outcome(proxy, CLEAR, None, "user_trust", "app") == IN
                     and outcome(proxy, CLEAR, None, "app", "app") == REFUSED, 10, "the new rules")
    assert proxy.workers() == pids


def test_a_worker_born_while_the_files_are_bad_begins_with_what_was_good(start, put):
    proxy = start("host all app all trust\n")
    put("hba.conf", "nonsense\n")
    assert "hba.conf:1: " in proxy.hup()
    for pid in proxy.workers():
        os.kill(pid, signal.SIGKILL)
    procs.wait_until(lambda: outcome(proxy, CLEAR, None, "app", "app") == IN, 10, "a new worker")
    assert outcome(proxy, CLEAR, None, "user_trust", "app") == REFUSED


def test_new_rules_leave_old_sessions_alone(start, put):
    proxy = start("host all app all trust\n")
    with proxy.login("app") as w:
        put("hba.conf", "host all all all reject\n")
        proxy.hup()
        procs.wait_until(lambda: outcome(proxy, CLEAR, None, "app", "app") == REFUSED, 10,
                         "the new rules")
        assert w.value("select 1") == "1"
