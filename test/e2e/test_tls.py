"""TLS towards clients: who gets it, who must have it, what it costs, and what goes wrong."""

import hashlib
import itertools
import os
import pathlib
import random
import re
import shutil
import ssl
import struct
import subprocess
import threading
import time

import psycopg
import pytest

from harness import procs
from harness.certs import client_tls, expired, libpq_tls
from harness.proxy import check
from harness.syscalls import can_be_counted, costs_six_calls
from harness.tls import (CrumbWire, SecureWire, ask_for_tls, client_context, client_hello,
                         hears_close)
from harness.wire import (GSS_REQUEST, SSL_REQUEST, Closed, ServerError, cancel, message,
                          query_message, startup_packet)

NAME = "a.db.example.com"
MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("*.db.example.com", "localhost", "127.0.0.1")


@pytest.fixture
def start_tls(start_proxy, pg, pair):
    """A function that starts a proxy which offers TLS before the shared server."""
    def start(mode="require", databases=None, certificate=pair, client_ca=None, **settings):
        return start_proxy(databases or {"*": pg.entry}, log_dedup_interval=0,
                           **client_tls(certificate, mode, client_ca), **settings)
    return start


@pytest.fixture
def tls(start_tls):
    return start_tls()


def attempt(server, host=None, user="app", **settings):
    """What a libpq client comes to: "TLS", "plain" or "refused"."""
    try:
        with psycopg.connect(host=host or server.host, hostaddr=server.host, port=server.port,
                             user=user, dbname="app", connect_timeout=20, **settings) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
            return "TLS" if conn.pgconn.ssl_in_use else "plain"
    except psycopg.OperationalError:
        return "refused"


# Who gets TLS, and who must have it.

RULES_OF_POSTGRES = """
host    all rule_prefer 127.0.0.1/32 trust
hostssl all rule_require 127.0.0.1/32 trust
hostssl all rule_verify 127.0.0.1/32 trust clientcert=verify-ca
"""
RULE_FOR = {"allow": "rule_prefer", "prefer": "rule_prefer", "require": "rule_require",
            "verify-ca": "rule_verify", "verify-full": "rule_verify"}


@pytest.fixture(scope="module")
def strict_pg(start_postgres, pair, ca):
    """A server whose users live under the rules that a proxy has for everybody."""
    server = start_postgres(tls=pair, client_ca=ca, hba=RULES_OF_POSTGRES)
    for role in set(RULE_FOR.values()):
        server.sql(f"create role {role} login")
    return server


@pytest.mark.parametrize("mode", MODES)
def test_each_sslmode_of_proxy_and_client_does_as_postgresql_does(start_proxy, pg, strict_pg, pair,
                                                                  ca, other_ca, mode):
    reference, user = (strict_pg, RULE_FOR[mode]) if mode in RULE_FOR else (pg, "app")
    own = {} if mode == "disable" else client_tls(pair, mode, ca)
    proxy = start_proxy({"*": pg.entry}, **own)
    certificates = [None]
    if mode.startswith("verify"):
        certificates = [None, ca.client("app"), other_ca.client("app"),
                        ca.client("app", **expired())]
    for sslmode, shown in itertools.product(MODES, certificates):
        how = libpq_tls(sslmode, ca if sslmode != "disable" else None, shown)
        if sslmode == "verify-full":
            how["host"] = NAME
        assert attempt(proxy, **how) == attempt(reference, user=user, **how), (sslmode, shown)


@pytest.mark.parametrize("sni", ["0", "1"])
def test_psql_is_told_what_protects_it(tls, ca, sni):
    done = subprocess.run(
        ["psql", "-XAt", tls.dsn(host=NAME, hostaddr=tls.host, sslmode="verify-full",
                                 sslrootcert=ca.cert, sslsni=sni), "-c", "\\conninfo"],
        capture_output=True, text=True, timeout=60, check=False)
    assert "SSL connection (protocol: TLSv1.3" in done.stdout, done.stderr


def test_another_name_or_authority_is_noticed_by_the_client(tls, ca, other_ca):
    assert attempt(tls, NAME, **libpq_tls("verify-full", ca)) == "TLS"
    assert attempt(tls, "a.example.com", **libpq_tls("verify-full", ca)) == "refused"
    assert attempt(tls, NAME, **libpq_tls("verify-ca", other_ca)) == "refused"
    tls.wait_for_log("does not trust the authority of our certificate")


def test_authorities_between_ours_and_the_root_are_sent_along(start_tls, ca):
    between = ca.intermediate()
    for key in ("P-256", "RSA"):
        proxy = start_tls(certificate=between.server(NAME, key=key))
        assert attempt(proxy, NAME, **libpq_tls("verify-full", ca)) == "TLS"


def test_who_must_have_tls_is_told_what_helps(tls):
    with tls.wire() as w, pytest.raises(ServerError) as refused:
        w.login()
    assert (refused.value.sqlstate, refused.value.severity) == ("28000", "FATAL")
    assert "sslmode=require" in refused.value.fields["H"]


def test_who_must_have_tls_may_cancel_in_clear_and_over_tls(tls, pg):
    with SecureWire(tls.address).login(application_name="cancelled") as w:
        for secure in (False, True):
            w.send(query_message("select pg_sleep(60)"))
            pg.wait_for_sessions(1, "application_name = 'cancelled' and wait_event = 'PgSleep'")
            if secure:
                with SecureWire(tls.address) as c:
                    c.send(struct.pack("!iiiI", 16, 80877102, w.pid, w.secret))
                    assert c.until_closed() == b""
            else:
                assert cancel(tls.address, w.pid, w.secret) == b""
            with pytest.raises(ServerError) as cancelled:
                w.read_until()
            assert cancelled.value.sqlstate == "57014"


def test_the_unix_socket_needs_no_tls(tls):
    assert psycopg.connect(host=tls.folder, port=tls.port, user="app", dbname="app").execute(
        "select 1").fetchone() == (1,)


def test_gss_is_answered_n_and_tls_may_follow(tls):
    with tls.wire() as w:
        w.send(GSS_REQUEST)
        assert w.exactly(1) == b"N"
        ask_for_tls(w)
        w.sock = client_context().wrap_socket(w.sock)
        assert w.login().value("select 1") == "1"


# Certificates of clients.

def test_a_client_certificate_that_is_missing_or_bad_is_refused_and_the_log_says_why(start_tls, ca,
                                                                                     other_ca):
    proxy = start_tls("verify-ca", client_ca=ca)
    for shown, words in ((None, "asks for a client certificate, and there was none"),
                         (other_ca.client("app"), "client_tls_ca_file"),
                         (ca.client("app", **expired()), "certificate has expired")):
        assert attempt(proxy, **libpq_tls("require", pair=shown)) == "refused"
        proxy.wait_for_log(words)
    assert attempt(proxy, **libpq_tls("require", pair=ca.client("whoever"))) == "TLS"
    assert attempt(proxy, **libpq_tls("require", pair=ca.intermediate().client("app"))) == "TLS"


def test_a_client_certificate_that_nobody_asked_for_does_no_harm(start_tls, ca, other_ca):
    for settings in ({}, {"client_ca": ca}):
        proxy = start_tls("require", **settings)
        for shown in (other_ca.client("app"), ca.client("app", **expired()), ca.client("app")):
            assert attempt(proxy, **libpq_tls("require", pair=shown)) == "TLS"


# Versions and ciphers.

@pytest.mark.parametrize("word, version", [("tlsv1.2", "TLSv1.2"), ("tlsv1.3", "TLSv1.3")])
def test_only_the_version_that_is_allowed_is_spoken(start_tls, word, version):
    proxy = start_tls(client_tls_protocols=word)
    for asked in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        if asked.name.replace("_", ".") == version:
            with SecureWire(proxy.address, client_context(version=asked)).login() as w:
                assert w.version == version
        else:
            with pytest.raises(ssl.SSLError, match="alert protocol version"):
                SecureWire(proxy.address, client_context(version=asked))


def s_client(proxy, *args, sends=b""):
    """openssl s_client: what it printed."""
    until_closed = ["-ign_eof"] if sends else []
    done = subprocess.run(["openssl", "s_client", "-connect", f"{proxy.host}:{proxy.port}",
                           *until_closed, *args],
                          input=sends, capture_output=True, timeout=30 * procs.PATIENCE,
                          check=False)
    return (done.stdout + done.stderr).decode("latin-1")


def test_an_old_version_is_refused_and_the_log_has_reason_peer_and_what_helps(tls):
    said = s_client(tls, "-starttls", "postgres", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "alert protocol version" in said
    line = tls.wait_for_log(r"session refused .*TLS.*").group(0)
    assert "unsupported protocol" in line
    assert re.search(r"client=.?127\.0\.0\.1:\d+", line)
    assert "client_tls_protocols" in line


def test_ciphers_are_those_that_the_settings_name(start_tls):
    proxy = start_tls(client_tls_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384",
                      client_tls13_ciphers="TLS_CHACHA20_POLY1305_SHA256",
                      client_tls_ecdhcurve="secp384r1")
    expected = {ssl.TLSVersion.TLSv1_2: "ECDHE-ECDSA-AES256-GCM-SHA384",
                ssl.TLSVersion.TLSv1_3: "TLS_CHACHA20_POLY1305_SHA256"}
    for version, cipher in expected.items():
        with SecureWire(proxy.address, client_context(version=version)) as w:
            assert w.sock.cipher()[0] == cipher
    ctx = client_context(version=ssl.TLSVersion.TLSv1_2)
    ctx.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError, match="handshake failure"):
        SecureWire(proxy.address, ctx)
    proxy.wait_for_log("client_tls_ciphers")
    assert "P-384" in s_client(proxy, "-starttls", "postgres", "-brief") \
        or "secp384r1" in s_client(proxy, "-starttls", "postgres")


# Settings that cannot be.

@pytest.fixture
def bad_settings(pair, ca):
    """Settings with a mistake each, and a word that the complaint has to have.

    The files lie with the pair's own, where the service's user gets to see them."""
    folder = pathlib.Path(pair.key).parent
    broken = folder / "broken.crt"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    locked = folder / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", pair.key, "-aes256", "-passout", "pass:x",
                    "-out", locked], check=True)
    os.chmod(locked, 0o644)
    good = client_tls(pair, "require", ca)
    return [({**good, "client_tls_key_file": "/nowhere/key"}, "/nowhere/key"),
            ({**good, "client_tls_cert_file": "/nowhere/cert"}, "/nowhere/cert"),
            ({**good, "client_tls_ca_file": "/nowhere/ca"}, "/nowhere/ca"),
            ({**good, "client_tls_key_file": ca.server("other").key},
             "it is not the key of the certificate"),
            ({**good, "client_tls_key_file": str(locked)}, "take the passphrase off"),
            ({**good, "client_tls_cert_file": str(broken)}, "broken.crt"),
            ({**good, "client_tls_ciphers": "NO-SUCH-CIPHER"}, "NO-SUCH-CIPHER"),
            ({**good, "client_tls13_ciphers": "NO_SUCH_CIPHER"}, "NO_SUCH_CIPHER"),
            ({**good, "client_tls_ecdhcurve": "no-such-curve"}, "no-such-curve"),
            ({**good, "client_tls_protocols": "tlsv9"}, "tlsv9"),
            ({**good, "client_tls_sslmode": "always"}, "always"),
            ({"client_tls_sslmode": "require"}, "client_tls_key_file"),
            ({**client_tls(pair, "verify-ca")}, "client_tls_ca_file"),
            ({"server_tls_sslmode": "verify-full"}, "server_tls_ca_file"),
            ({"server_tls_ca_file": "/nowhere/ca"}, "/nowhere/ca"),
            ({"server_tls_cert_file": pair.cert}, "server_tls_key_file"),
            ({"server_tls_ciphers": "NO-SUCH-CIPHER"}, "NO-SUCH-CIPHER")]


def test_a_setting_of_tls_that_cannot_be_is_an_error_with_t_and_at_start(bad_settings):
    own = {"user": procs.SERVICE_USER} if procs.running_as_root() else {}
    for settings, word in bad_settings:
        for args in (("-t",), ()):
            status, said = check(*args, sections={
                "databases": {"*": "host=127.0.0.1"},
                "reveille": {"listen_addr": "127.0.0.1", "listen_port": procs.free_port(),
                             "unix_socket_dir": "", "http_port": 0, "workers": 1,
                             **own, **settings}})
            assert status, (args, settings)
            assert word in said, (args, settings)


@pytest.mark.skipif(not procs.running_as_root(), reason="only root can become somebody else")
def test_files_are_tried_as_the_user_who_will_read_them(pair):
    own = pathlib.Path(pair.key).with_name("roots.key")
    own.write_bytes(open(pair.key, "rb").read())
    os.chmod(own, 0o600)
    settings = {**client_tls(pair), "client_tls_key_file": str(own), "user": procs.SERVICE_USER}
    status, said = check(sections={"reveille": settings})
    assert status and "client_tls_key_file" in said and "Permission denied" in said


def test_a_reload_with_a_setting_of_tls_that_cannot_be_changes_nothing(tls, bad_settings):
    other = {name: value for name, value in tls.sections["reveille"].items()
             if "_tls_" not in name}
    for settings, word in bad_settings:
        tls.sections["reveille"] = {**other, **settings}
        tls.write_ini()
        said = tls.hup()
        assert "nothing has changed" in said and word in said, settings
        with SecureWire(tls.address).login() as w:
            assert w.value("select 1") == "1"


# TLS without asking (PostgreSQL 17's sslnegotiation=direct).

def test_tls_may_be_spoken_directly_with_alpn(tls):
    with SecureWire(tls.address, direct=True) as w:
        assert w.sock.selected_alpn_protocol() == "postgresql"
        assert w.login().value("select 'direct'") == "direct"
    said = s_client(tls, "-alpn", "postgresql")
    assert "ALPN protocol: postgresql" in said and "TLSv1.3" in said


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "behind-ssl-request"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=lambda v: v.name)
def test_alpn_that_is_wrong_is_refused_by_its_alert(tls, direct, version):
    for alpn in ("h2", "postgresql2", "postgres"):
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            SecureWire(tls.address, client_context(alpn=alpn, version=version), direct=direct)
    tls.wait_for_log("no application protocol")


def test_alpn_that_is_missing_is_refused_if_nobody_asked_for_tls_before(tls):
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        SecureWire(tls.address, client_context(alpn=None), direct=True)
    assert "alert number 120" in s_client(tls) or "no application protocol" in s_client(tls)
    tls.wait_for_log("needs ALPN")
    with SecureWire(tls.address, client_context(alpn=None)).login() as w:
        assert w.sock.selected_alpn_protocol() is None


def test_one_of_several_protocols_is_chosen(tls):
    ctx = client_context(alpn=None)
    ctx.set_alpn_protocols(["h2", "postgresql", "http/1.1"])
    with SecureWire(tls.address, ctx, direct=True) as w:
        assert w.sock.selected_alpn_protocol() == "postgresql"


def test_tls_is_not_spoken_where_there_is_none(proxy):
    with proxy.wire() as w:
        w.send(client_hello())
        assert w.verdict() in ("08P01", "closed")


def test_tls_inside_tls_is_refused(tls):
    with SecureWire(tls.address) as w:
        w.send(SSL_REQUEST)
        assert w.verdict() in ("08P01", "closed")
    with SecureWire(tls.address, direct=True) as w:
        w.send(SSL_REQUEST)
        assert w.verdict() in ("08P01", "closed")
    with SecureWire(tls.address) as w:
        w.send(client_hello())
        assert w.verdict() in ("08P01", "closed")


# Bytes that were sent in clear by somebody in between (CVE-2021-23222 and its kin).

@pytest.mark.parametrize("first", [SSL_REQUEST, GSS_REQUEST], ids=["ssl", "gss"])
@pytest.mark.parametrize("smuggled", [startup_packet(user="app", database="app"), client_hello(),
                                      b"\0", SSL_REQUEST], ids=["startup", "hello", "byte", "ssl"])
def test_bytes_behind_a_request_for_encryption_end_the_connection(tls, first, smuggled):
    with tls.wire() as w:
        w.send(first + smuggled)
        assert w.verdict() in ("08P01", "closed")


# Session tickets.

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                                   ids=lambda v: v.name)


def with_ticket(proxy, ctx):
    """A session that was had from the proxy: in TLS 1.3 it comes with the first words."""
    with SecureWire(proxy.address, ctx).login() as w:
        assert w.value("select 1") == "1"
        return w.session


def resume_on_all(proxy, ctx, session):
    """Connects until every worker has served a connection; each must have been resumed."""
    guests, served = [], set()
    while served != set(proxy.workers()):
        assert len(guests) < 40, f"40 connections came to {len(served)} workers"
        w = SecureWire(proxy.address, ctx, session=session).login()
        guests.append(w)
        assert w.resumed, f"connection {len(guests)} was not resumed"
        served.add(proxy.worker_of(w))
    for w in guests:
        w.close()
    return len(guests)


@VERSIONS
def test_a_ticket_of_one_worker_is_good_with_all_across_hup_and_kill(start_tls, version):
    proxy = start_tls(workers=4)
    ctx = client_context(version=version)
    session = with_ticket(proxy, ctx)
    count = resume_on_all(proxy, ctx, session)
    assert proxy.metric("reveille_tls_handshakes_total", result="resumed") == count
    assert proxy.metric("reveille_tls_handshakes_total", result="full") == 1

    proxy.hup()
    resume_on_all(proxy, ctx, session)

    before = proxy.workers()
    procs.kill_hard(before[0])
    procs.wait_until(lambda: len(proxy.workers()) == 4 and proxy.workers() != before, 20,
                     "a new worker")
    resume_on_all(proxy, ctx, session)


def test_a_resumed_session_gets_a_further_ticket(tls):
    ctx = client_context(version=ssl.TLSVersion.TLSv1_3)
    session = with_ticket(tls, ctx)
    for _ in range(5):
        with SecureWire(tls.address, ctx, session=session).login() as w:
            assert w.resumed
            assert w.value("select 1") == "1"
            session = w.session


def test_openssl_resumes_directly_and_behind_a_request(tls, tmp_path):
    for how in (("-alpn", "postgresql"), ("-starttls", "postgres")):
        for version in ("-tls1_2", "-tls1_3"):
            kept = str(tmp_path / "session")
            # A malformed startup packet is answered, and the ticket comes with the answer.
            first = s_client(tls, *how, version, "-sess_out", kept, sends=bytes(8))
            assert "New, TLSv1" in first
            assert "Reused, TLSv1" in s_client(tls, *how, version, "-sess_in", kept,
                                               sends=bytes(8))


def test_a_ticket_comes_also_to_a_client_that_does_not_speak(tls):
    ctx = client_context(version=ssl.TLSVersion.TLSv1_3)
    with SecureWire(tls.address, ctx) as w:
        w.sock.settimeout(0.05)

        def has_ticket():
            try:
                w.sock.recv(1)
            except TimeoutError:
                pass
            return w.session and w.session.has_ticket

        procs.wait_until(has_ticket, 10, "a ticket")


def wait_until_refused(proxy, ctx, session):
    """Until all workers have taken over a reload, by which this session is not good any more."""
    def refused():
        for _ in range(6):
            try:
                SecureWire(proxy.address, ctx, session=session).login().close()
                return False
            except (ssl.SSLError, Closed, ConnectionError):
                continue
        return True

    procs.wait_until(refused, 10, "the session to be refused by all workers")


def test_a_ticket_is_not_good_under_another_authority(start_tls, ca, other_ca):
    proxy = start_tls("verify-ca", client_ca=ca)
    ctx = client_context(pair=ca.client("app"))
    session = with_ticket(proxy, ctx)
    with SecureWire(proxy.address, ctx, session=session).login() as w:
        assert w.resumed
    proxy.sections["reveille"]["client_tls_ca_file"] = other_ca.cert
    proxy.write_ini()
    proxy.hup()
    wait_until_refused(proxy, ctx, session)


def test_a_ticket_from_before_certificates_were_asked_for_does_not_replace_one(start_tls, ca):
    proxy = start_tls("require", client_ca=ca)
    ctx = client_context()
    session = with_ticket(proxy, ctx)
    proxy.sections["reveille"]["client_tls_sslmode"] = "verify-ca"
    proxy.write_ini()
    proxy.hup()
    wait_until_refused(proxy, ctx, session)


def test_without_tickets_nothing_is_resumed(start_tls):
    proxy = start_tls(client_tls_ticket_rotate=0)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        ctx = client_context(version=version)
        session = with_ticket(proxy, ctx)
        assert not session or not session.has_ticket
        with SecureWire(proxy.address, ctx, session=session).login() as w:
            assert not w.resumed


def test_a_ticket_of_another_proxy_is_ignored(start_tls):
    one, other = start_tls(workers=1), start_tls(workers=1)
    ctx = client_context()
    with SecureWire(other.address, ctx, session=with_ticket(one, ctx)).login() as w:
        assert not w.resumed


# A new certificate.

def test_hup_takes_new_certificates_and_old_sessions_go_on(start_tls, ca, pair):
    folder_pair = type(pair)(pair.cert + ".moving", pair.key + ".moving")

    def put(made):
        for source, target in zip(made, folder_pair):
            shutil.copyfile(source, target + ".new")
            shutil.copymode(source, target + ".new")
            procs.give_to_service_user(target + ".new")
            os.rename(target + ".new", target)

    def shown():
        with SecureWire(proxy.address) as w:
            return w.certificate()

    put(pair)
    proxy = start_tls(certificate=folder_pair)
    with SecureWire(proxy.address).login() as old:
        first = old.certificate()
        put(ca.server("new.db.example.com"))
        assert shown() == first, "a certificate is taken by HUP, not before"
        proxy.hup()
        procs.wait_until(lambda: all(shown() != first for _ in range(8)), 10,
                         "all workers to show the new certificate")
        assert old.value("select 'still here'") == "still here"


# Much, little, and in pieces.

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=lambda v: v.name)
def test_much_goes_in_and_out_whatever_the_records_are(tls, version):
    dice = random.Random(1530)
    rows = b"".join(b"%d\t%s\n" % (i, bytes([97 + i % 26]) * dice.randrange(0, 300))
                    for i in range(20000))
    with SecureWire(tls.address, client_context(version=version)).login() as w:
        w.query("create temp table t (i int, filling text)")
        w.send(query_message("copy t from stdin"))
        assert w.read()[0] == b"G"
        at = 0
        while at < len(rows):
            piece = rows[at:at + dice.choice([1, 7, 900, 4096, 16383, 16384, 16385, 60000])]
            w.send(message(b"d", piece))
            at += len(piece)
        w.send(message(b"c"))
        w.read_until()
        w.send(query_message("copy (select * from t order by i) to stdout"))
        back = b"".join(body for kind, body in w.read_until(keep=b"d"))
    assert hashlib.sha256(back).digest() == hashlib.sha256(rows).digest()


def test_a_reader_that_stops_stops_the_compute_and_gets_everything(tls, pg):
    with SecureWire(tls.address, receive_buffer=4096).login(application_name="slow") as w:
        w.send(query_message("copy (select repeat('x', 1000) from generate_series(1, 20000)) "
                             "to stdout"))
        pg.wait_for_sessions(1, "application_name = 'slow' and wait_event = 'ClientWrite'")
        got = w.read_until(keep=b"d")
        assert len(got) == 20000 and all(len(body) == 1001 for _, body in got)
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("size", [16380, 16384, 16390, 32760, 32768, 65536, 131072])
def test_a_record_that_comes_in_two_reads_is_not_forgotten(tls, size):
    """A read that ends inside a record, with whole ones before it (pgbouncer#1530)."""
    with CrumbWire(tls.address, size=1 << 20).login() as w:
        text = "x" * size
        records = w.records(query_message(f"select length('{text}')") + query_message("select 2"))
        for cut in (1, 5, 20, 16384, 16413, 32768, len(records) // 2, len(records) - 1):
            if cut >= len(records):
                continue
            w.sock.sendall(records[:cut])
            w.sock.sendall(records[cut:])
            assert w.read_until()[0] == (b"D", struct.pack("!hi", 1, len(str(size)))
                                         + str(size).encode())
            assert w.read_until()[0] == (b"D", b"\0\1\0\0\0\0012")
            records = w.records(query_message(f"select length('{text}')")
                                + query_message("select 2"))


def test_a_client_may_send_byte_by_byte_from_the_first(tls):
    with CrumbWire(tls.address, size=1).login() as w:
        assert w.value("select 'crumbs'") == "crumbs"


def test_a_client_may_send_a_byte_in_each_record(tls):
    with SecureWire(tls.address) as w:
        for data in (startup_packet(user="app", database="app"), query_message("select 'b'")):
            for byte in data:
                w.send(bytes([byte]))
        w.read_until()
        assert w.read_until()[0][1].endswith(b"b")


def test_a_startup_packet_and_a_query_may_follow_the_handshake_at_once(tls):
    with CrumbWire(tls.address, size=1 << 20) as w:
        w.send(startup_packet(user="app", database="app") + query_message("select 'early'"))
        w.read_until()
        assert w.read_until()[0][1].endswith(b"early")


def test_pipelines_of_the_extended_protocol_come_back_whole(tls):
    with psycopg.connect(tls.dsn(sslmode="require")) as conn:
        with conn.pipeline():
            cursors = [conn.execute("select %s::int, repeat('y', %s)", (i, i % 500))
                       for i in range(2000)]
        assert [c.fetchone()[0] for c in cursors] == list(range(2000))


# Ends.

@pytest.mark.parametrize("leave", ["end_tls", "close", "reset", "half_close"])
def test_however_a_client_leaves_the_compute_is_left_too(tls, pg, leave):
    busy = SecureWire(tls.address).login(application_name="leaving")
    busy.send(query_message("select pg_sleep(600)"))
    idle = SecureWire(tls.address).login(application_name="leaving")
    pg.wait_for_sessions(1, "application_name = 'leaving' and wait_event = 'PgSleep'")
    for w in (busy, idle):
        {"end_tls": w.end_tls, "close": w.sock.close, "reset": w.reset,
         "half_close": w.half_close}[leave]()
    pg.wait_for_sessions(0, "application_name = 'leaving'", seconds=10)
    procs.wait_until(lambda: not tls.metric("reveille_client_connections"), 10,
                     "the clients to be gone")


def test_a_goodbye_is_answered_with_close_notify(tls):
    ctx = client_context()
    with SecureWire(tls.address, ctx).login() as w:
        w.sock.suppress_ragged_eofs = False
        w.send(message(b"X"))
        assert w.sock.recv(1) == b""       # and not SSLEOFError: an attacker cut nothing off


def test_an_error_of_ours_reaches_a_client_over_tls(start_tls, pg):
    proxy = start_tls(databases={"app": pg.entry})
    with SecureWire(proxy.address) as w, pytest.raises(ServerError) as refused:
        w.login(database="nowhere")
    assert refused.value.sqlstate == "3D000"


@pytest.mark.parametrize("what", ["garbage", "plain-startup", "cut-record", "long-record",
                                  "alert"])
def test_nonsense_instead_of_a_handshake_ends_the_connection(tls, what):
    nonsense = {"garbage": bytes(range(256)) * 4,
                "plain-startup": startup_packet(user="app", database="app"),
                "cut-record": client_hello()[:50] + bytes(2000),
                "long-record": b"\x16\x03\x01\xff\xff" + bytes(70000),
                "alert": b"\x15\x03\x01\0\2\2\x28"}[what]
    with tls.wire() as w:
        ask_for_tls(w)
        try:
            w.send(nonsense)
        except OSError:
            pass
        assert hears_close(w, 5 * procs.PATIENCE)
    procs.wait_until(lambda: tls.metric("reveille_tls_handshakes_total", result="failed"), 5,
                     "the failure to be counted")
    with SecureWire(tls.address).login() as w:
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("damage", ["type", "length", "body"])
def test_a_damaged_record_ends_a_session_without_harm(tls, damage):
    with CrumbWire(tls.address, size=1 << 20).login() as w, \
            SecureWire(tls.address).login() as other:
        record = bytearray(w.records(query_message("select 1")))
        record[{"type": 0, "length": 3, "body": 8}[damage]] ^= 0x55
        w.sock.sendall(record + bytes(20000))
        assert hears_close(w, 10 * procs.PATIENCE)
        assert other.value("select 1") == "1"


# Time and room for handshakes.

@pytest.mark.parametrize("sent", [client_hello()[:1], client_hello()[:100], client_hello()],
                         ids=["one-byte", "half-a-hello", "no-finished"])
def test_half_a_handshake_is_given_up(start_tls, sent):
    proxy = start_tls(client_tls_handshake_timeout="300ms")
    with proxy.wire() as w:
        ask_for_tls(w)
        w.send(sent)
        started = time.monotonic()
        assert hears_close(w, 10 * procs.PATIENCE)
        assert 0.2 <= time.monotonic() - started < 5 * procs.PATIENCE
    proxy.wait_for_log("client_tls_handshake_timeout")


def test_a_handshake_that_is_never_begun_is_given_up(start_tls):
    proxy = start_tls(client_login_timeout="300ms")
    with proxy.wire() as w:
        ask_for_tls(w)
        assert hears_close(w, 5 * procs.PATIENCE)
    proxy.wait_for_log("client_login_timeout")


def test_a_handshake_that_drips_is_given_up(start_tls):
    proxy = start_tls(client_tls_handshake_timeout="500ms")
    with proxy.wire() as w:
        ask_for_tls(w)
        started = time.monotonic()
        w.sock.settimeout(0.02)
        for byte in client_hello() + bytes(2000):
            try:
                w.send(bytes([byte]))
                if w.sock.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - started < 5 * procs.PATIENCE


def test_silent_ones_do_not_keep_a_client_out(start_tls):
    proxy = start_tls(workers=1, client_tls_max_handshakes=2)
    silent = [proxy.wire() for _ in range(20)]
    for w in silent:
        w.send(SSL_REQUEST)
    for w in silent[:2]:
        assert w.exactly(1) == b"S"
    started = time.monotonic()
    with SecureWire(proxy.address, timeout=30 * procs.PATIENCE).login() as w:
        assert w.value("select 1") == "1"
    assert time.monotonic() - started < 10 * procs.PATIENCE
    for w in silent:
        w.sock.close()


def test_a_handshake_that_waits_for_its_place_gets_it_when_another_is_done(start_tls):
    proxy = start_tls(workers=1, client_tls_max_handshakes=1)
    done = []

    def visit():
        with SecureWire(proxy.address).login() as w:
            done.append(w.value("select 1"))

    threads = [threading.Thread(target=visit) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20 * procs.PATIENCE)
    assert done == ["1"] * 12


def test_waiting_handshakes_that_leave_are_forgotten(start_tls):
    proxy = start_tls(workers=1, client_tls_max_handshakes=1)
    holder = proxy.wire()
    ask_for_tls(holder)
    for leave in ("close", "reset"):
        for _ in range(5):
            w = proxy.wire()
            w.send(SSL_REQUEST)
            w.sock.close() if leave == "close" else w.reset()
    holder.sock.close()
    with SecureWire(proxy.address).login() as w:
        assert w.value("select 1") == "1"
    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 10,
                     "the others to be gone")


# What it costs.

@can_be_counted
@pytest.mark.parametrize("legs", ["client", "both"])
def test_a_transaction_over_tls_costs_six_system_calls(start_tls, start_postgres, pair, tmp_path,
                                                       pg, legs):
    server = pg if legs == "client" else start_postgres(tls=pair)
    proxy = start_tls(databases={"*": server.entry}, workers=1)
    script = tmp_path / "one.sql"
    script.write_text("select 1\n")

    def is_secured():
        encrypted = server.sessions("pid in (select pid from pg_stat_ssl where ssl)")
        assert legs == "client" or encrypted == 1

    costs_six_calls(proxy, str(tmp_path / "calls"), ["-f", str(script), "-M", "simple"],
                    count=1500, others=5, warm=is_secured, PGSSLMODE="require")
