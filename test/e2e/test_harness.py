"""The harness keeps its own word: certificates are what they claim, a free port is one's own."""

import psycopg
import pytest

from harness import procs
from harness.certs import expired, libpq_tls

HBA = """
hostssl all user_trust 127.0.0.1/32 cert
hostssl all all        127.0.0.1/32 scram-sha-256
"""


@pytest.fixture(scope="module")
def tls_pg(start_postgres, ca):
    return start_postgres(tls=ca.server("*.db.example.com", "127.0.0.1"), client_ca=ca, hba=HBA)


def ask(server, host="a.db.example.com", user="user_scram", password="secret-scram", **tls):
    with psycopg.connect(host=host, hostaddr=server.host, port=server.port, user=user,
                         password=password, dbname="app", **tls) as conn:
        return conn.execute("select version from pg_stat_ssl where pid = pg_backend_pid()"
                            ).fetchone()[0]


def test_a_server_with_tls_is_verified_by_name_and_by_address(tls_pg, ca):
    for host in ("a.db.example.com", "127.0.0.1"):
        assert ask(tls_pg, host, **libpq_tls("verify-full", ca)) == "TLSv1.3"


def test_another_name_or_another_authority_is_told_apart(tls_pg, ca, other_ca):
    with pytest.raises(psycopg.OperationalError, match="does not match"):
        ask(tls_pg, "a.example.com", **libpq_tls("verify-full", ca))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        ask(tls_pg, **libpq_tls("verify-ca", other_ca))


def test_without_tls_the_given_hba_lets_nobody_in(tls_pg):
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        ask(tls_pg, sslmode="disable")


def test_a_client_is_who_its_certificate_says(tls_pg, ca, other_ca):
    def as_user(pair):
        return ask(tls_pg, user="user_trust", password=None, **libpq_tls("require", ca, pair))

    assert as_user(ca.client("user_trust")) == "TLSv1.3"
    assert as_user(ca.intermediate().client("user_trust")) == "TLSv1.3"
    assert as_user(ca.client("user_trust", key="RSA")) == "TLSv1.3"
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        as_user(ca.client("user_scram"))
    with pytest.raises(psycopg.OperationalError, match="certificate expired"):
        as_user(ca.client("user_trust", **expired()))
    with pytest.raises(psycopg.OperationalError, match="unknown ca"):
        as_user(other_ca.client("user_trust"))


def test_a_port_is_given_to_one_even_before_he_listens():
    assert len({procs.free_port() for _ in range(500)}) == 500
