"""Cancelling: the right query, on any worker, and never the next one."""

import asyncio
import random
import signal
import struct
import subprocess
import threading
import time

import asyncpg
import psycopg
import pytest

from harness import procs
from harness.wire import ServerError, Wire, cancel, cancel_packet, query_message


@pytest.fixture
def four(start_proxy, pg):
    """Four workers, so that most cancels arrive at another than the session's."""
    return start_proxy({"*": pg.entry}, workers=4)


def wait_for_sleep(pg, name):
    pg.wait_for_sessions(1, f"application_name = '{name}' and wait_event = 'PgSleep'")


def test_psqls_interrupt_cancels_its_query(four, pg):
    psql = subprocess.Popen(
        ["psql", "-XAt", four.dsn(application_name="interrupted"), "-c", "select pg_sleep(60)"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True)
    wait_for_sleep(pg, "interrupted")
    psql.send_signal(signal.SIGINT)
    _, said = psql.communicate(timeout=20 * procs.PATIENCE)
    assert "canceling statement due to user request" in said


def test_psycopg_cancels_whichever_worker_it_reaches(four, pg):
    for _ in range(12):
        with psycopg.connect(four.dsn(application_name="cancelled"), autocommit=True) as conn:
            waiter = threading.Thread(target=lambda: (wait_for_sleep(pg, "cancelled"),
                                                      conn.cancel()))
            waiter.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                conn.execute("select pg_sleep(60)")
            waiter.join()
            assert conn.execute("select 1").fetchone() == (1,)


def test_asyncpgs_timeout_cancels_and_the_connection_goes_on(four):
    async def visit():
        conn = await asyncpg.connect(host=four.host,
                                     port=four.port, user="app", database="app")
        for _ in range(5):
            with pytest.raises(asyncio.TimeoutError):
                await conn.fetchval("select pg_sleep(60)", timeout=0.05)
            assert await conn.fetchval("select 7") == 7
        await conn.close()
    asyncio.run(visit())


def test_the_key_a_client_gets_is_not_the_servers(four, pg):
    with four.login() as w:
        backend = int(w.value("select pg_backend_pid()"))
        assert w.pid is not None
        # Offered to the server itself, it cancels nothing there.
        w.send(query_message("select pg_sleep(0.5), 'finished'"))
        cancel(pg.address, w.pid, w.secret)
        assert w.read_until()[0][0] == b"D"
        assert (w.pid, w.secret) != (backend, 0)


def test_keys_are_not_guessable_from_one_another(four):
    keys = []
    for _ in range(50):
        with four.login() as w:
            keys.append(w.secret)
    assert len(set(keys)) == len(keys)
    ones = sum(bin(k).count("1") for k in keys) / (32 * len(keys))
    assert 0.35 < ones < 0.65, "secrets do not look random"


def test_a_wrong_secret_gets_silence_and_cancels_nothing(four, pg):
    with four.login(application_name="guarded") as w:
        w.send(query_message("select pg_sleep(60)"))
        wait_for_sleep(pg, "guarded")
        for secret in (0, w.secret ^ 1, w.secret ^ 0x80000000, ~w.secret & 0xffffffff):
            assert cancel(four.address, w.pid, secret) == b""
        for pid in (0, w.pid ^ 1, -1, 0x7fffffff, -0x80000000):
            assert cancel(four.address, pid, w.secret) == b""
        assert pg.sessions("application_name = 'guarded' and state = 'active'") == 1
        assert cancel(four.address, w.pid, w.secret) == b""
        with pytest.raises(ServerError) as cancelled:
            w.read_until()
        assert cancelled.value.sqlstate == "57014"


def test_a_cancel_stops_one_session_and_no_other(four, pg):
    with four.login(application_name="one") as one, four.login(application_name="two") as two:
        for w in (one, two):
            w.send(query_message("select pg_sleep(60)"))
        wait_for_sleep(pg, "one")
        wait_for_sleep(pg, "two")
        cancel(four.address, one.pid, one.secret)
        with pytest.raises(ServerError):
            one.read_until()
        assert pg.sessions("application_name = 'two' and state = 'active'") == 1
        cancel(four.address, two.pid, two.secret)
        with pytest.raises(ServerError):
            two.read_until()


def test_a_cancel_for_a_session_at_rest_or_gone_does_nothing(four):
    w = four.login()
    assert cancel(four.address, w.pid, w.secret) == b""
    assert w.value("select 'unharmed'") == "unharmed"
    w.close()
    assert cancel(four.address, w.pid, w.secret) == b""
    with four.login() as again:
        assert cancel(four.address, w.pid, w.secret) == b""
        assert again.value("select 'unharmed'") == "unharmed"


def test_a_cancel_is_closed_only_after_the_server_was_told(four, pg):
    """What libpq relies on: when PQcancel returns, the next query is safe."""
    with four.login(application_name="told") as w:
        w.send(query_message("select pg_sleep(60)"))
        wait_for_sleep(pg, "told")
        cancel(four.address, w.pid, w.secret)
        with pytest.raises(ServerError):
            w.read_until()
        assert w.value("select 'next'") == "next"


@pytest.mark.slow
def test_200_rounds_of_cancelling_never_hit_the_next_query(four):
    dice = random.Random(7)
    cancelled = 0
    with four.login() as w:
        for i in range(200):
            w.send(query_message(f"select pg_sleep({dice.uniform(0, 0.004):.5f})"))
            with Wire(four.address) as canceller:
                time.sleep(dice.uniform(0, 0.004))     # the race itself, not a wait for anything
                canceller.send(cancel_packet(w.pid, w.secret))
                canceller.until_closed()
            try:
                w.read_until()
            except ServerError as e:
                assert e.sqlstate == "57014"
                cancelled += 1
            assert w.value(f"select {i} from pg_sleep(0.002)") == str(i)
    assert 0 < cancelled, "no cancel ever hit, the race was not run"


def test_a_cancel_on_its_way_holds_the_next_query_until_it_is_delivered(start_proxy, pg, gate):
    between = gate(pg.address)
    proxy = start_proxy({"*": f"host=127.0.0.1 port={between.port}"}, workers=4)
    for _ in range(4):
        between.cancels.clear()
        between.cancel_seen.clear()
        with proxy.login(application_name="held") as w, proxy.wire() as canceller:
            w.send(query_message("select pg_sleep(0.4)"))
            wait_for_sleep(pg, "held")
            canceller.send(cancel_packet(w.pid, w.secret))
            assert between.cancel_seen.wait(20 * procs.PATIENCE), "no cancel reached the compute"
            w.read_until()      # the query ended by itself while the cancel is on its way
            w.send(query_message("select 'mine' from pg_sleep(0.3)"))
            w.sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                w.read()
            assert pg.sessions("application_name = 'held' and state = 'active'") == 0
            between.cancels.set()
            w.sock.settimeout(20)
            assert [body for kind, body in w.read_until() if kind == b"D"] == \
                [b"\0\1\0\0\0\4mine"]
            assert canceller.until_closed() == b""


def test_a_cancel_that_the_compute_does_not_take_is_given_up_and_the_session_goes_on(start_proxy,
                                                                                     pg, gate):
    between = gate(pg.address)
    proxy = start_proxy({"*": f"host=127.0.0.1 port={between.port}"}, cancel_wait_timeout="500ms")
    between.cancels.clear()
    with proxy.login(application_name="undelivered") as w:
        w.send(query_message("select pg_sleep(0.3)"))
        wait_for_sleep(pg, "undelivered")
        started = time.monotonic()
        assert cancel(proxy.address, w.pid, w.secret) == b""
        assert time.monotonic() - started < 10 * procs.PATIENCE
        w.read_until()
        assert w.value("select 'alive'") == "alive"


@pytest.mark.parametrize("leave", ["close", "reset", "half_close"])
def test_a_client_that_vanishes_in_the_middle_of_a_query_has_it_cancelled(four, pg, leave):
    w = four.login(application_name="vanished")
    w.send(query_message("select pg_sleep(600)"))
    wait_for_sleep(pg, "vanished")
    {"close": w.sock.close, "reset": w.reset, "half_close": w.half_close}[leave]()
    pg.wait_for_sessions(0, "application_name = 'vanished'", seconds=10)
    w.sock.close()


def test_a_killed_psql_has_its_query_cancelled(four, pg):
    psql = subprocess.Popen(["psql", "-X", four.dsn(application_name="killed"),
                             "-c", "select pg_sleep(600)"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_sleep(pg, "killed")
    psql.kill()
    psql.wait()
    pg.wait_for_sessions(0, "application_name = 'killed'", seconds=10)


def test_a_cancel_works_behind_an_encryption_request(four, pg):
    with four.login(application_name="behind-ssl") as w, four.wire() as canceller:
        w.send(query_message("select pg_sleep(60)"))
        wait_for_sleep(pg, "behind-ssl")
        canceller.send(struct.pack("!ii", 8, 80877103))
        assert canceller.exactly(1) == b"N"
        canceller.send(cancel_packet(w.pid, w.secret))
        assert canceller.until_closed() == b""
        with pytest.raises(ServerError):
            w.read_until()
