"""Several Reveilles behind one name: a cancel request that reaches the wrong one is sent on, once."""

import asyncio
import os
import socket
import struct
import time

import pytest

from harness import procs
from harness.certs import client_tls
from harness.figures import Comparison
from harness.proxy import check
from harness.wire import (CANCEL_CODE, VERSION_3_2, ServerError, Wire, cancel, cancel_packet,
                          query_message, startup_packet)


@pytest.fixture
def group(start_proxy, pg):
    """A function that starts that many proxies, each of which knows all."""
    def build(size=2, others=None, **settings):
        proxies = [start_proxy({"*": pg.entry}, launch=False, peer_id=i + 1, **settings)
                   for i in range(size)]
        peers = {i + 1: f"host={p.host} port={p.port}" for i, p in enumerate(proxies)}
        for proxy in proxies:
            proxy.sections["peers"] = {**peers, **(others or {})}
            proxy.write_ini()
            proxy.start()
        return proxies
    return build


def login(proxy, name, minor=0):
    """A session with its key, which in protocol 3.2 has more than 4 bytes."""
    w = proxy.wire()
    w.send(startup_packet(VERSION_3_2 if minor else 3 << 16, user="app", database="app",
                          application_name=name))
    kind = None
    while kind != b"Z":
        kind, body = w.read()
        if kind == b"E":
            raise ServerError(body)
        if kind == b"K":
            w.pid, w.secret = struct.unpack("!i", body[:4])[0], body[4:]
    return w


def packet(pid, secret):
    return struct.pack("!iii", 12 + len(secret), CANCEL_CODE, pid) + secret


def send_cancel(proxy, pid, secret):
    """Back when the other side has closed; how long that took."""
    begun = time.monotonic()
    with proxy.wire() as w:
        w.send(packet(pid, secret))
        assert w.until_closed() == b""
    return time.monotonic() - begun


def sleep(w, pg, name):
    w.send(query_message("select pg_sleep(60)"))
    pg.wait_for_sessions(1, f"application_name = '{name}' and wait_event = 'PgSleep'")


def was_cancelled(w):
    with pytest.raises(ServerError) as error:
        w.read_until(b"Z")
    return error.value.sqlstate == "57014"


def connections(proxies):
    return [p.metric("reveille_connections_total") for p in proxies]


@pytest.mark.parametrize("minor", [0, 2])
def test_a_cancel_through_any_of_the_group_works(group, pg, minor):
    proxies = group(3)
    for home in proxies:
        for reached in proxies:
            with login(home, "peered", minor) as w:
                assert (len(w.secret) > 4) == bool(minor)
                sleep(w, pg, "peered")
                send_cancel(reached, w.pid, w.secret)
                assert was_cancelled(w)
                assert w.value("select 'unharmed'") == "unharmed"


def test_a_long_key_is_told_to_its_maker_alone(group, pg):
    proxies = group(3)
    with login(proxies[1], "made", 2) as w:
        sleep(w, pg, "made")
        before = connections(proxies)
        send_cancel(proxies[0], w.pid, w.secret)
        assert was_cancelled(w)
        assert [b - a for a, b in zip(before, connections(proxies))] == [1, 1, 0]
    assert proxies[0].metric("reveille_cancels_forwarded_total") == 1
    assert proxies[1].metric("reveille_cancels_total") == 1


@pytest.mark.parametrize("size", [4, 32])
def test_a_key_of_nobody_does_not_go_round(group, size):
    proxies = group(3)
    before = connections(proxies)
    # Of a long key the first two bytes say who made it: the third, who says that it did not.
    send_cancel(proxies[0], 12345, b"\0\3" + os.urandom(size - 2))
    told = [1, 1, 1] if size == 4 else [1, 0, 1]
    assert [b - a for a, b in zip(before, connections(proxies))] == told
    # A key that says it comes from nobody of the group is told to nobody.
    if size == 32:
        send_cancel(proxies[0], 12345, b"\x3f\xff" + os.urandom(30))
        send_cancel(proxies[0], 12345, b"\0\1" + os.urandom(30))
        assert [b - a for a, b in zip(before, connections(proxies))] == [3, 0, 1]


def test_a_wrong_key_cancels_nothing_on_any_of_them(group, pg):
    proxies = group(2)
    for minor in (0, 2):
        with login(proxies[1], "guarded", minor) as w:
            sleep(w, pg, "guarded")
            for at in range(len(w.secret)):
                wrong = bytearray(w.secret)
                wrong[at] ^= 1
                for proxy in proxies:
                    send_cancel(proxy, w.pid, bytes(wrong))
            send_cancel(proxies[0], w.pid + 1, w.secret)
            send_cancel(proxies[0], w.pid, w.secret[:-1])
            assert pg.sessions("application_name = 'guarded' and state = 'active'") == 1
            send_cancel(proxies[0], w.pid, w.secret)
            assert was_cancelled(w)


def test_the_canceller_is_held_until_the_other_one_has_delivered(start_proxy, group, gate, pg):
    """So that the next query cannot be hit, as with one proxy."""
    between = gate(pg.address)
    first, second = group(2, server_tls_sslmode="disable", workers=1)
    second.sections["databases"] = {"*": f"host=127.0.0.1 port={between.port}"}
    second.write_ini()
    second.hup()

    def goes_through_the_gate():
        login(second, "early").close()
        return between.opened

    procs.wait_until(goes_through_the_gate, 10, "the reload to reach the worker")
    with login(second, "held") as w, first.wire() as canceller:
        sleep(w, pg, "held")
        between.cancels.clear()
        canceller.send(packet(w.pid, w.secret))
        assert between.cancel_seen.wait(10 * procs.PATIENCE)
        canceller.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            canceller.sock.recv(1)
        between.cancels.set()
        canceller.sock.settimeout(20)
        assert canceller.until_closed() == b""
        assert was_cancelled(w)


def test_a_dead_peer_holds_nobody_longer_than_cancel_wait_timeout(group, pg):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        nobody = procs.free_port()
        proxies = group(2, {7: f"host=127.0.0.1 port={silent.getsockname()[1]}",
                            8: f"host=127.0.0.1 port={nobody}",
                            9: "host=/nowhere port=1", 10: "host=no.such.host.invalid port=1"},
                        cancel_wait_timeout="500ms")
        with login(proxies[1], "late") as w:
            sleep(w, pg, "late")
            took = send_cancel(proxies[0], w.pid, w.secret)
            assert 0.4 < took < 0.5 + 2 * procs.PATIENCE
            assert was_cancelled(w), "the one that lives had to wait for the one that does not"
        # Whoever knows whose key it is does not ask the dead.
        with login(proxies[1], "soon", 2) as w:
            sleep(w, pg, "soon")
            assert send_cancel(proxies[0], w.pid, w.secret) < 0.45 * procs.PATIENCE
            assert was_cancelled(w)


def test_strangers_get_no_more_than_so_many_peers_told_at_a_time(start_proxy, pg):
    most = 64
    with socket.create_server(("127.0.0.1", 0), backlog=2 * most) as silent:
        peer = f"host=127.0.0.1 port={silent.getsockname()[1]}"
        proxy = start_proxy({"*": pg.entry}, launch=False, workers=1, peer_id=1, cancel_rate=0,
                            cancel_wait_timeout="600s")
        proxy.sections["peers"] = {2: peer}
        proxy.write_ini()
        proxy.start()

        def figures():
            return [proxy.metric(f"reveille_cancels_{name}_total")
                    for name in ("forwarded", "wrong")]

        waiting = [proxy.wire() for _ in range(most)]
        for w in waiting:
            w.send(packet(12345, b"\0\2xx"))
        procs.wait_until(lambda: figures() == [most, 0], 10, "the peer to be told")
        send_cancel(proxy, 12345, b"\0\2xx")
        assert figures() == [most, 1], "one too many was told, or kept waiting"
        with proxy.login(application_name="ours") as w:
            sleep(w, pg, "ours")
            cancel(proxy.address, w.pid, w.secret)
            assert was_cancelled(w)
        for w in waiting:
            w.close()


def test_a_peer_that_is_killed_and_comes_back_is_told_again(group, pg):
    first, second = group(2, cancel_wait_timeout="500ms")
    second.term()
    send_cancel(first, 1, b"\0\2xx")
    second.start()
    with login(second, "back") as w:
        sleep(w, pg, "back")
        send_cancel(first, w.pid, w.secret)
        assert was_cancelled(w)


def test_peers_may_be_on_unix_sockets_and_behind_tls(start_proxy, pg, ca):
    settings = client_tls(ca.server("127.0.0.1"), "require")
    first, second = (start_proxy({"*": pg.entry}, launch=False, peer_id=i, **settings)
                     for i in (1, 2))
    first.sections["peers"] = {2: f"host={second.host} port={second.port}"}
    second.sections["peers"] = {1: f"host={first.folder} port={first.port}"}
    for proxy in (first, second):
        proxy.write_ini()
        proxy.start()
    for home, reached in ((first, second), (second, first)):
        with Wire(home.unix_address) as w:
            w.login(application_name="apart")
            sleep(w, pg, "apart")
            assert cancel(reached.unix_address, w.pid, w.secret) == b""
            assert was_cancelled(w)


def test_guessing_hits_nothing_and_is_limited(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=4, peer_id=1, cancel_rate=50, cancel_burst=500,
                        wake={"provider": "none"})
    guesses = 4000

    async def guess(at, pid):
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(cancel_packet(pid if at % 2 else at, at * 2654435761 % (1 << 32)))
        assert await reader.read() == b""
        writer.close()

    async def everybody(pid):
        for start in range(0, guesses, 500):
            await asyncio.gather(*(guess(at, pid) for at in range(start, start + 500)))

    with proxy.login(application_name="target") as w:
        sleep(w, pg, "target")
        begun = time.monotonic()
        asyncio.run(everybody(w.pid))
        took = time.monotonic() - begun
        assert pg.sessions("application_name = 'target' and state = 'active'") == 1
        limited = proxy.metric("reveille_cancels_limited_total")
        looked_at = proxy.metric("reveille_cancels_wrong_total")
        assert limited + looked_at == guesses
        assert 500 <= looked_at <= 500 + 50 * took + 1
        # Who is limited is not heard, not even with the right key; a while later he is.
        procs.wait_until(lambda: try_cancel(proxy, w), 10, "the right key to be heard")
        assert was_cancelled(w)


def try_cancel(proxy, w):
    before = proxy.metric("reveille_cancels_total")
    cancel(proxy.address, w.pid, w.secret)
    return proxy.metric("reveille_cancels_total") > before


def test_time_does_not_tell_which_process_ids_there_are(group, pg):
    proxies = group(2)
    with login(proxies[0], "timed") as w:
        pids = {"known": w.pid, "unknown": w.pid ^ 0x55555}
        times = Comparison(lambda what: send_cancel(proxies[0], pids[what], os.urandom(4)),
                           "known", "unknown", 25)
        assert times.apart < 5000 and abs(times.z) < 4.5, str(times)


@pytest.mark.parametrize("peers, settings, words", [
    ({1: "host=a"}, {}, "peer_id"),
    ({0: "host=a"}, {"peer_id": 1}, "peer_id"),
    ({2: "port=1"}, {"peer_id": 1}, "host"),
    ({2: "host=a pool_size=3"}, {"peer_id": 1}, "pool_size"),
    ({2: "host=a port=99999"}, {"peer_id": 1}, "port"),
], ids=["no-id", "zero", "no-host", "pool", "port"])
def test_a_mistake_in_the_group_is_named(peers, settings, words):
    code, said = check(sections={"databases": {"*": "host=127.0.0.1"}, "peers": peers,
                                 "reveille": {"user": procs.SERVICE_USER, **settings}})
    assert code != 0 and words in said and "INI:" in said, said
