"""Routing by the name that a client says in its TLS handshake (SNI)."""

import ssl
import subprocess

import psycopg
import pytest

from harness import procs
from harness.certs import client_tls, libpq_tls
from harness.fakeplane import awake
from harness.tls import SecureWire, client_context
from harness.wire import ServerError

DOMAIN = "db.example.com"


@pytest.fixture(scope="module")
def pair(ca):
    return ca.server("*.db.example.com", "*.sql.example.org", "plain.example.net")


@pytest.fixture
def start_sni(start_proxy, plane, pg, pair):
    """A function that starts a proxy whose computes alpha and beta are reached by name."""
    for compute in ("alpha", "beta", "app"):
        plane.behave(compute, awake(pg.endpoint))

    def start(route_domain=DOMAIN, **settings):
        return start_proxy(plane=plane, route_domain=route_domain, **client_tls(pair), **settings)
    return start


@pytest.fixture
def sni(start_sni):
    return start_sni()


def visit(proxy, name, database="app", ctx=None, direct=False, **params):
    """Logs in with this server name; the name of the database there."""
    with SecureWire(proxy.address, ctx, name=name, direct=direct) as w:
        return w.login(database=database, **params).value("select current_database()")


def refused(proxy, name, **how):
    with pytest.raises(ServerError) as error:
        visit(proxy, name, **how)
    return error.value


def test_the_label_before_the_domain_names_the_compute(sni, plane):
    assert visit(sni, f"alpha.{DOMAIN}") == "app"
    assert visit(sni, f"beta.{DOMAIN}", database="other") == "other"
    assert plane.all_calls() == {"alpha": 1, "beta": 1}
    sni.wait_for_log("session open .*compute=beta")


def test_direct_tls_says_its_name_too(sni, plane):
    assert visit(sni, f"beta.{DOMAIN}", direct=True) == "app"
    assert plane.all_calls() == {"beta": 1}


def test_libpq_with_a_wildcard_certificate_goes_where_its_host_says(sni, plane, ca):
    with psycopg.connect(host=f"beta.{DOMAIN}", hostaddr=sni.host, port=sni.port, user="app",
                         dbname="app", **libpq_tls("verify-full", ca)) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    assert plane.all_calls() == {"beta": 1}


@pytest.mark.parametrize("sslsni, compute", [("1", "alpha"), ("0", "app")])
def test_psql_names_its_host_unless_told_not_to(sni, plane, sslsni, compute):
    done = subprocess.run(
        ["psql", "-XAtw", sni.dsn(host=f"alpha.{DOMAIN}", hostaddr=sni.host, sslmode="require",
                                  sslsni=sslsni), "-c", "select 7"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "7\n", done.stderr
    assert plane.all_calls() == {compute: 1}


@pytest.mark.parametrize("name", [f"ALPHA.{DOMAIN}", "Alpha.DB.Example.COM"])
def test_names_are_compared_in_lower_case(sni, plane, name):
    assert visit(sni, name) == "app"
    assert plane.all_calls() == {"alpha": 1}


@pytest.mark.parametrize("domains", ["db.example.com, sql.example.org",
                                     "sql.example.org,db.example.com",
                                     "x.example.com , db.example.com ,sql.example.org"])
def test_there_may_be_several_domains(start_sni, plane, domains):
    proxy = start_sni(route_domain=domains)
    assert visit(proxy, "alpha.db.example.com") == "app"
    assert visit(proxy, "beta.sql.example.org") == "app"
    assert plane.all_calls() == {"alpha": 1, "beta": 1}


@pytest.mark.parametrize("name", ["plain.example.net", "alpha.example.com", "db.example.com",
                                  "alpha.notdb.example.com", "one.alpha.db.example.com",
                                  "alpha.db.example.com.evil.example", None])
def test_a_name_outside_the_domains_is_ignored(sni, plane, name):
    assert visit(sni, name, database="alpha/other") == "other"
    assert plane.all_calls() == {"alpha": 1}


def test_without_a_domain_names_are_ignored(start_sni, plane):
    assert visit(start_sni(route_domain=""), "alpha.db.example.com", database="beta/app") == "app"
    assert plane.all_calls() == {"beta": 1}


def test_where_route_by_does_not_say_so_names_are_ignored(start_sni, plane):
    proxy = start_sni(route_by="options,database")
    assert visit(proxy, "alpha.db.example.com", database="beta/app") == "app"
    assert plane.all_calls() == {"beta": 1}


@pytest.mark.parametrize("compute", ["nowhere", "under_score", "-dash"])
def test_an_unknown_compute_is_refused(sni, compute):
    error = refused(sni, f"{compute}.{DOMAIN}")
    assert (error.sqlstate, error.severity) == ("3D000", "FATAL")
    assert compute in error.text


# Two that name a compute.

@pytest.mark.parametrize("how", [{"options": "endpoint=alpha"}, {"options": "-c endpoint=alpha"},
                                 {"options": "project=ALPHA"}, {"user": "endpoint$alpha$app"},
                                 {"database": "alpha/app"}, {"database": "ALPHA/app"}],
                         ids=lambda h: "-".join(h.values()))
def test_two_that_agree_are_one(sni, plane, how):
    assert visit(sni, f"alpha.{DOMAIN}", **how) == "app"
    assert plane.all_calls() == {"alpha": 1}


@pytest.mark.parametrize("how", [{"options": "endpoint=beta"}, {"options": "-c project=beta"},
                                 {"user": "endpoint$beta$app"}, {"user": "endpoint$beta;app"},
                                 {"database": "beta/app"}], ids=lambda h: "-".join(h.values()))
def test_two_that_disagree_are_an_error_that_names_both(sni, plane, how):
    error = refused(sni, f"alpha.{DOMAIN}", **how)
    assert error.sqlstate == "3D000"
    assert '"alpha"' in error.text and '"beta"' in error.text
    assert plane.all_calls() == {}


def test_what_named_the_compute_again_is_not_passed_on(sni):
    with SecureWire(sni.address, name=f"alpha.{DOMAIN}") as w:
        w.login(options="-c endpoint=alpha -c work_mem=123kB")
        assert w.value("show work_mem") == "123kB"


def test_static_entries_are_found_by_name_too(start_proxy, pg, pair):
    proxy = start_proxy({"static": f"{pg.entry} dbname=other"}, route_domain=DOMAIN,
                        **client_tls(pair))
    assert visit(proxy, f"static.{DOMAIN}") == "other"
    assert refused(proxy, f"alpha.{DOMAIN}").sqlstate == "3D000"


# What a ticket remembers is no route.

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=lambda v: v.name)
def test_a_ticket_does_not_lead_to_the_compute_that_it_was_got_for(sni, plane, version):
    ctx = client_context(version=version)
    with SecureWire(sni.address, ctx, name=f"alpha.{DOMAIN}").login() as w:
        assert w.value("select 1") == "1"
        session = w.session
    for name, compute in ((f"beta.{DOMAIN}", "beta"), (None, "app")):
        with SecureWire(sni.address, ctx, name=name, session=session).login() as w:
            assert w.value("select 1") == "1"
        assert plane.calls(compute) == 1


def test_hup_takes_other_domains(start_sni, plane):
    proxy = start_sni()
    proxy.sections["reveille"]["route_domain"] = "sql.example.org"
    proxy.write_ini()
    proxy.hup()
    procs.wait_until(lambda: visit(proxy, "beta.sql.example.org", database="app") and
                     plane.calls("beta"), 10, "the other domain")
