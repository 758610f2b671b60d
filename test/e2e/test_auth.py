"""Authentication is the server's: whatever it asks for passes through, and so does its verdict."""

import asyncio
import subprocess

import asyncpg
import psycopg
import psycopg2
import pytest

from harness import procs
from harness.wire import ServerError, Wire, message, startup_packet

USERS = {"user_trust": None, "user_password": "secret-password", "user_md5": "secret-md5",
         "user_scram": "secret-scram"}


def with_psql(server, user, password):
    environment = {"PATH": "/usr/bin:/bin"}
    if password:
        environment["PGPASSWORD"] = password
    done = subprocess.run(["psql", "-XAtw", "-v", "VERBOSITY=verbose", "-h", server.host,
                           "-p", str(server.port), "-U", user, "-d", "app",
                           "-c", "select current_user"],
                          env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def with_psycopg(server, user, password):
    with psycopg.connect(host=server.host, port=server.port, user=user, password=password,
                         dbname="app") as conn:
        return conn.execute("select current_user").fetchone()[0]


def with_psycopg2(server, user, password):
    conn = psycopg2.connect(host=server.host, port=server.port, user=user, password=password,
                            dbname="app")
    try:
        with conn.cursor() as cursor:
            cursor.execute("select current_user")
            return cursor.fetchone()[0]
    finally:
        conn.close()


def with_asyncpg(server, user, password):
    async def visit():
        conn = await asyncpg.connect(host=server.host, port=server.port, user=user,
                                     password=password, database="app")
        try:
            return await conn.fetchval("select current_user")
        finally:
            await conn.close()
    return asyncio.run(visit())


CLIENTS = [with_psql, with_psycopg, with_psycopg2, with_asyncpg]


def named(value):
    return value.__name__.removeprefix("with_") if callable(value) else value


@pytest.mark.parametrize("user", USERS, ids=lambda u: u.removeprefix("user_"))
@pytest.mark.parametrize("client", CLIENTS, ids=named)
def test_each_driver_logs_in_by_each_method(proxy, client, user):
    assert client(proxy, user, USERS[user]) == user


@pytest.mark.parametrize("user", [u for u in USERS if USERS[u]],
                         ids=lambda u: u.removeprefix("user_"))
@pytest.mark.parametrize("client", CLIENTS, ids=named)
def test_a_wrong_password_gets_the_servers_own_words(proxy, pg, client, user):
    def complaint(server):
        with pytest.raises(Exception) as refused:
            client(server, user, "wrong")
        return str(refused.value).replace(str(server.port), "PORT")

    through = complaint(proxy)
    assert "password authentication failed" in through
    assert through == complaint(pg)


def test_a_wrong_password_is_28p01(proxy):
    with proxy.wire() as w:
        w.send(startup_packet(user="user_password", database="app"))
        assert w.read()[0] == b"R"
        w.send(message(b"p", b"wrong\0"))
        with pytest.raises(ServerError) as refused:
            w.read_until()
    assert (refused.value.sqlstate, refused.value.severity) == ("28P01", "FATAL")


def test_an_unknown_role_and_an_unknown_database_get_the_servers_own_words(proxy, pg):
    for who in ({"user": "stranger"}, {"database": "nowhere"}):
        verdicts = []
        for server in (proxy, pg):
            with Wire(server.address) as w, pytest.raises(ServerError) as refused:
                w.login(**who)
            verdicts.append(refused.value.fields)
        assert verdicts[0] == verdicts[1]


def test_a_client_that_hangs_up_at_the_password_leaves_nothing_behind(proxy, pg):
    for user in ("user_md5", "user_scram", "user_password"):
        with proxy.wire() as w:
            w.send(startup_packet(user=user, database="app"))
            assert w.read()[0] == b"R"
            assert pg.processes("authentication")
    procs.wait_until(lambda: not pg.processes("authentication"), 20, "the servers to be left")


def test_garbage_instead_of_a_password_is_answered_by_the_server(proxy):
    with proxy.wire() as w:
        w.send(startup_packet(user="user_scram", database="app"))
        assert w.read()[0] == b"R"
        w.send(message(b"p", b"NO-SUCH-MECHANISM\0\0\0\0\x01x"))
        with pytest.raises(ServerError) as refused:
            w.read_until()
    assert refused.value.severity == "FATAL"


def test_no_password_is_found_in_the_log(proxy):
    with_psycopg(proxy, "user_password", "secret-password")
    with pytest.raises(psycopg.OperationalError):
        with_psycopg(proxy, "user_password", "mistyped-secret")
    proxy.wait_for_log("session close")
    assert "secret" not in proxy.log()
