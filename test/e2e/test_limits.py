"""Limits, rates, networks and the throttle: over all workers, to the last place, and said once."""

import asyncio
import re
import select
import threading
import time

import pytest

from harness import procs, scram
from harness.crowd import Guest
from harness.fakecompute import WELCOME, FakeCompute, read_startup
from harness.fakeplane import access, awake
from harness.proxy import userlist
from harness.wire import ServerError, Wire, message, startup_packet


@pytest.fixture
def start(start_proxy, put):
    """A function that starts a proxy of four workers; `users` is the section of the ini."""
    def run(databases, users=None, secrets=None, workers=4, **settings):
        if secrets is not None:
            settings.update(auth_type="scram-sha-256", auth_file=put("users", userlist(secrets)))
        proxy = start_proxy(databases, launch=False, workers=workers, **settings)
        proxy.sections["users"] = users or {}
        proxy.write_ini()
        return proxy.start()
    return run


def header(address):
    return f"PROXY TCP4 {address} 127.0.0.1 4711 5432\r\n".encode()


def knock(proxy, address=None, user="app", database="app"):
    """The SQLSTATE of a login from an address; None if it works."""
    with proxy.wire() as w:
        if address:
            w.send(header(address))
        try:
            w.login(user, database).close()
            return None
        except ServerError as e:
            return e.sqlstate


# How many there may be.

def storm(guests, seconds=60):
    """All connect at once and stay; those who are in, and the errors of the others."""
    async def everybody():
        async def enter(guest):
            await guest.connect()
            return await guest.logged_in()

        results = await asyncio.wait_for(
            asyncio.gather(*map(enter, guests), return_exceptions=True), seconds * procs.PATIENCE)
        for guest in guests:
            guest.leave()
        return ([r for r in results if isinstance(r, Guest)],
                [r for r in results if not isinstance(r, Guest)])
    return asyncio.run(everybody())


LIMITS = {
    "max_client_conn": ({}, {}, {"max_client_conn": 37}),
    "max_db_client_connections": ({}, {}, {"max_db_client_connections": 37}),
    "max_user_client_connections": ({}, {}, {"max_user_client_connections": 37}),
    "of-an-entry": (" max_db_client_connections=37", {}, {"max_db_client_connections": 5}),
    "of-a-user": ("", {"app": "max_user_client_connections=37"},
                  {"max_user_client_connections": 5}),
    "of-both": (" max_db_client_connections=37", {"app": "max_user_client_connections=60"}, {}),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_a_limit_holds_to_the_last_place_among_a_thousand(start, pg, kind):
    entry, users, settings = LIMITS[kind]
    proxy = start({"*": pg.entry + (entry or "")}, users, **settings)
    for _ in range(2):      # the second time shows that no place was lost
        inside, outside = storm([Guest(proxy.address) for _ in range(1000)])
        assert len(inside) == 37
        assert {e.sqlstate for e in outside} == {"53300"}
        hints = {e.fields.get("H", e.text) for e in outside}
        names = {"of-an-entry": "max_db_client_connections", "of-both": "max_db_client_connections",
                 "of-a-user": "max_user_client_connections"}
        assert all(names.get(kind, kind) in hint for hint in hints), hints
        pg.wait_for_sessions(0)
        procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 10,
                         "everybody to have left")


def test_a_client_that_one_limit_refuses_takes_no_place_of_another(start, pg):
    proxy = start({"*": pg.entry + " max_db_client_connections=20"},
                  {"app": "max_user_client_connections=10",
                   "user_trust": "max_user_client_connections=10"})
    guests = [Guest(proxy.address, user=user) for user in ("app", "user_trust")
              for _ in range(200)]
    inside, outside = storm(guests)
    assert {e.sqlstate for e in outside} == {"53300"}
    assert len(inside) <= 20
    with proxy.wire() as refused:
        held = [proxy.login("app") for _ in range(10)]
        refused.send(startup_packet(user="app", database="app"))
        with pytest.raises(ServerError):
            refused.read_until(b"Z")
        # Refused, but its socket is still open: it may not count.
        held += [proxy.login("user_trust") for _ in range(10)]
        for w in held:
            w.close()


def test_users_and_computes_have_limits_of_their_own(start, pg):
    proxy = start({"small": f"{pg.entry} dbname=app max_db_client_connections=1", "*": pg.entry},
                  {"user_trust": "max_user_client_connections=1"})
    with proxy.login("app", "small"), proxy.login("user_trust", "solo"):
        assert knock(proxy, None, "app", "small") == "53300"
        assert knock(proxy, None, "user_trust", "app") == "53300"
        assert knock(proxy, None, "app", "app") is None


def test_a_limit_changes_with_a_reload(start, pg):
    proxy = start({"*": pg.entry}, max_db_client_connections=1)
    with proxy.login():
        assert knock(proxy) == "53300"
        proxy.sections["reveille"]["max_db_client_connections"] = 2
        proxy.write_ini()
        proxy.hup()
        procs.wait_until(lambda: knock(proxy) is None, 10, "room for two")


@pytest.mark.parametrize("limit", ["max_client_conn", "max_db_client_connections",
                                   "max_user_client_connections"])
def test_a_killed_worker_gives_its_places_back(start, pg, limit):
    proxy = start({"*": pg.entry}, **{limit: 12})
    for _ in range(2):
        held = [proxy.login() for _ in range(12)]
        owners = [proxy.worker_of(w) for w in held]
        victim = owners[0]
        n_lost = owners.count(victim)
        assert knock(proxy) == "53300"
        procs.kill_hard(victim)
        procs.wait_until(lambda: victim not in proxy.workers() and len(proxy.workers()) == 4, 10,
                         "another worker")
        again = []
        for _ in range(n_lost):
            again.append(procs.wait_until(lambda: try_login(proxy), 10, "a place"))
        assert knock(proxy) == "53300"
        for w in held + again:
            w.close()
        pg.wait_for_sessions(0)
        procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 10,
                         "everybody to have left")


def try_login(proxy, **who):
    try:
        return proxy.login(**who)
    except ServerError as e:
        assert e.sqlstate == "53300"
        return None


# Who waits.

class Counting:
    """A compute that counts who is there at once; a connection that was closed counts no more."""

    def __init__(self):
        self.most = 0
        self._here, self._lock = set(), threading.Lock()

    @staticmethod
    def _is_open(sock):
        poller = select.poll()
        try:
            poller.register(sock, select.POLLRDHUP)
        except (OSError, ValueError):
            return False
        return not poller.poll(0)

    def serve(self, sock, _):
        with self._lock:
            self._here = {s for s in self._here if self._is_open(s)} | {sock}
            self.most = max(self.most, len(self._here))
        read_startup(sock)
        sock.sendall(WELCOME)
        while (data := sock.recv(1000)) and data[:1] != b"X":
            sock.sendall(message(b"C", b"SELECT 0\0") + message(b"Z", b"I"))


@pytest.fixture
def counting():
    counter = Counting()
    compute = FakeCompute(counter.serve)
    counter.entry = compute.entry
    yield counter
    compute.stop()


@pytest.mark.parametrize("limit", ["max_db_connections", "max_user_connections"])
@pytest.mark.parametrize("where", ["settings", "own"])
def test_who_is_too_many_for_the_compute_waits_for_a_place(start, counting, limit, where):
    entry, users, settings = counting.entry, {}, {}
    if where == "settings":
        settings = {limit: 5}
    elif limit == "max_db_connections":
        entry += " max_db_connections=5"
    else:
        users = {"app": "max_user_connections=5"}
    proxy = start({"*": entry}, users, server_tls_sslmode="disable", **settings)

    async def visit(guest):
        await guest.connect()
        await guest.logged_in()
        await guest.query()
        guest.leave()

    async def everybody():
        await asyncio.gather(*(visit(Guest(proxy.address)) for _ in range(200)))

    asyncio.run(asyncio.wait_for(everybody(), 60 * procs.PATIENCE))
    assert counting.most == 5


@pytest.mark.parametrize("limit", ["max_db_connections", "max_user_connections"])
def test_the_next_gets_in_when_one_leaves_on_whichever_worker(start, pg, limit):
    proxy = start({"*": pg.entry}, **{limit: 1})
    first = proxy.login()
    waiting = [proxy.wire() for _ in range(8)]
    for w in waiting:
        w.send(startup_packet(user="app", database="app"))
    procs.wait_until(lambda: proxy.metric("reveille_client_connections", state="login") == 8, 10,
                     "8 to wait")
    assert len({proxy.worker_of(w) for w in waiting + [first]}) > 1
    # A waiter that hangs up is not waited for.
    waiting.pop().sock.close()
    first.close()
    for _ in range(len(waiting)):
        w = first_ready(waiting)
        w.read_until(b"Z")
        assert w.value("select 1") == "1"
        waiting.remove(w)
        w.close()


def first_ready(wires):
    poller = select.poll()
    by_fd = {w.sock.fileno(): w for w in wires}
    for fd in by_fd:
        poller.register(fd, select.POLLIN)
    ready = poller.poll(20000 * procs.PATIENCE)
    assert ready, "nobody got in"
    return by_fd[ready[0][0]]


def test_who_waits_too_long_is_told_which_limit_it_was(start, pg):
    proxy = start({"*": pg.entry}, max_db_connections=1, query_wait_timeout="200ms")
    with proxy.login():
        with proxy.wire() as w, pytest.raises(ServerError) as refused:
            w.login()
        assert refused.value.sqlstate == "53300" and "query_wait_timeout" in refused.value.text
        assert "max_db_connections" in refused.value.fields["H"]


def test_who_waits_wakes_nothing_and_waiting_is_no_part_of_the_login(start, plane, pg):
    plane.behave("*", awake(pg.endpoint))
    proxy = start({"*": "wake=control_plane"}, max_user_connections=1,
                  client_login_timeout="500ms", wake={"control_plane_url": plane.url})
    with proxy.login(database="a/app"), proxy.wire() as w:
        w.send(startup_packet(user="app", database="b/app"))
        begun = time.monotonic()
        procs.wait_until(lambda: time.monotonic() > begun + 0.7, 5, "the login's time to be over")
        assert plane.calls("b") == 0
        assert proxy.metric("reveille_client_connections", state="login") == 1
    # The one that held the place has left with the block above; so has the other.
    assert knock(proxy, None, "app", "b/app") is None


def test_a_killed_worker_lets_those_in_who_waited_for_its_places(start, pg):
    proxy = start({"*": pg.entry}, max_db_connections=1)
    for _ in range(2):
        holder = proxy.login()
        victim = proxy.worker_of(holder)
        waiting = []
        while not any(proxy.worker_of(w) != victim for w in waiting):
            w = proxy.wire()
            w.send(startup_packet(user="app", database="app"))
            waiting.append(w)
        survivor = next(w for w in waiting if proxy.worker_of(w) != victim)
        procs.kill_hard(victim)
        survivor.read_until(b"Z")
        assert survivor.value("select 1") == "1"
        for w in [*waiting, holder]:
            w.sock.close()
        procs.wait_until(lambda: len(proxy.workers()) == 4, 10, "another worker")
        pg.wait_for_sessions(0)


# How often.

def count_in(proxy, n, address=None, **who):
    """How many of n get in, how long that took, and the errors of the others."""
    begun = time.monotonic()
    states = [knock(proxy, address, **who) for _ in range(n)]
    return states.count(None), time.monotonic() - begun, set(states) - {None}


def test_connects_of_an_address_have_a_rate(start, pg):
    proxy = start({"*": pg.entry}, connect_rate=5, connect_burst=10,
                  proxy_protocol_networks="127.0.0.1")
    inside, took, errors = count_in(proxy, 40, "10.0.0.1")
    assert 10 <= inside <= 10 + 5 * took + 1 and errors == {"53300"}
    assert knock(proxy, "10.0.0.2") is None
    with pytest.raises(ServerError) as refused:
        for _ in range(50):
            with proxy.wire() as w:
                w.send(header("10.0.0.1"))
                w.login()
    assert "connect_rate" in refused.value.fields["H"]


def test_connects_of_a_compute_have_a_rate(start, pg):
    proxy = start({"*": pg.entry}, compute_connect_rate=5, compute_connect_burst=10)
    inside, took, errors = count_in(proxy, 40)
    assert 10 <= inside <= 10 + 5 * took + 1 and errors == {"53300"}
    assert knock(proxy, None, "app", "solo") is None


def test_wakes_of_an_address_have_a_rate(start, plane, pg):
    plane.behave("*", awake(pg.endpoint))
    proxy = start({"*": "wake=control_plane"}, client_wake_rate=1, client_wake_burst=3,
                  proxy_protocol_networks="127.0.0.1", wake={"control_plane_url": plane.url})
    begun = time.monotonic()
    states = [knock(proxy, "10.0.0.1", "app", f"c{i}/app") for i in range(12)]
    took = time.monotonic() - begun
    assert set(states) == {None, "53300"}
    assert 3 <= states.count(None) <= 3 + took + 1
    assert sum(plane.all_calls().values()) == states.count(None)
    assert knock(proxy, "10.0.0.2", "app", "c99/app") is None
    assert knock(proxy, "10.0.0.1", "app", "c0/app") is None   # is awake: no wake


def test_a_projects_own_rate_and_networks_hold(start, plane, pg):
    secret = scram.secret("x")
    plane.behave("*", awake(pg.endpoint))
    plane.admit("net", access({"user_trust": secret}, allowed_ips=["10.1.0.0/16", "10.2.2.2"]))
    plane.admit("rate", access({"user_trust": secret}, tcp={"rps": 1, "burst": 3}))
    proxy = start({"*": "wake=control_plane"}, auth_type="scram-sha-256", login_throttle=0,
                  proxy_protocol_networks="127.0.0.1", wake={"control_plane_url": plane.url})

    def prove(address, compute):
        with proxy.wire() as w:
            w.send(header(address))
            try:
                scram.login(w, "user_trust", "x", f"{compute}/app").close()
                return None
            except ServerError as e:
                return e.sqlstate

    assert [prove(a, "net") for a in ("10.1.2.3", "10.2.2.2", "10.2.2.3", "127.0.0.1")] == \
        [None, None, "28000", "28000"]
    begun = time.monotonic()
    states = [prove("10.0.0.1", "rate") for _ in range(12)]
    assert set(states) == {None, "53300"}
    assert 3 <= states.count(None) <= 3 + (time.monotonic() - begun) + 1
    assert prove("10.0.0.2", "rate") is None


# From where.

@pytest.mark.parametrize("entry, users, settings", [
    ("", {}, {"allow_networks": "10.1.0.0/16, 10.2.2.2", "deny_networks": "10.1.3.0/24"}),
    (" allow_networks='10.1.0.0/16, 10.2.2.2' deny_networks=10.1.3.0/24", {}, {}),
    ("", {"app": "allow_networks='10.1.0.0/16, 10.2.2.2' deny_networks=10.1.3.0/24"}, {}),
    (" allow_networks='10.1.0.0/16, 10.2.2.2'", {"app": "deny_networks=10.1.3.0/24"}, {}),
], ids=["settings", "entry", "user", "both"])
def test_networks_are_allowed_and_denied(start, pg, entry, users, settings):
    proxy = start({"*": pg.entry + entry}, users, proxy_protocol_networks="127.0.0.1", **settings)
    expected = {"10.1.2.3": None, "10.2.2.2": None, "10.1.3.3": "28000", "10.2.2.3": "28000",
                None: "28000"}
    assert {a: knock(proxy, a) for a in expected} == expected
    with Wire(proxy.unix_address) as w, pytest.raises(ServerError) as refused:
        w.login()
    assert refused.value.sqlstate == "28000"


def test_networks_of_one_user_or_entry_are_nobody_elses(start, pg):
    proxy = start({"app": f"{pg.entry} deny_networks=127.0.0.0/8", "*": pg.entry},
                  {"user_trust": "deny_networks=127.0.0.0/8"})
    assert knock(proxy, None, "app", "app") == "28000"
    assert knock(proxy, None, "app", "solo") is None
    assert knock(proxy, None, "user_trust", "solo") == "28000"


def test_who_is_denied_wakes_nothing(start, plane, pg):
    plane.behave("*", awake(pg.endpoint))
    proxy = start({"*": "wake=control_plane"}, deny_networks="127.0.0.0/8",
                  wake={"control_plane_url": plane.url})
    assert knock(proxy, None, "app", "c/app") == "28000"
    assert not plane.all_calls()


# After failed logins.

SECRETS = {"user_trust": scram.secret("x")}


def fail(proxy, address=None, database="app"):
    """One wrong password; how long it took until the proxy asked for it."""
    with proxy.wire() as w:
        if address:
            w.send(header(address))
        begun = time.monotonic()
        scram.begin(w, "user_trust", database)
        took = time.monotonic() - begun
        with pytest.raises(ServerError) as refused:
            scram.prove(w, scram.Client("wrong"))
        assert refused.value.sqlstate == "28P01"
        return took


def succeed(proxy, address=None):
    with proxy.wire() as w:
        if address:
            w.send(header(address))
        scram.login(w, "user_trust", "x").close()


def throttled(proxy):
    return proxy.metric("reveille_logins_throttled_total")


def test_pauses_double_up_to_the_longest_and_end_with_a_success(start, pg):
    proxy = start({"*": pg.entry, "solo": pg.entry}, secrets=SECRETS, login_throttle="50ms",
                  login_throttle_max="200ms", proxy_protocol_networks="127.0.0.1")
    took = [fail(proxy) for _ in range(6)]
    for seconds, least in zip(took, (0, 0.05, 0.1, 0.2, 0.2, 0.2)):
        assert seconds > least - 0.01, took
    assert throttled(proxy) == 5 and proxy.metric("reveille_logins_failed_total") == 6
    fail(proxy, "10.0.0.1")                     # another address is not concerned,
    fail(proxy, database="solo")                # nor is another entry
    assert throttled(proxy) == 5
    succeed(proxy)
    assert throttled(proxy) == 6
    succeed(proxy)
    fail(proxy)
    assert throttled(proxy) == 6
    assert fail(proxy) > 0.04, "the pause is the first again, but there is one"


def test_a_long_pause_is_said_and_not_waited_for(start, pg):
    proxy = start({"*": pg.entry}, secrets=SECRETS, login_throttle="30s")
    fail(proxy)
    for _ in range(8):      # on whichever worker
        with proxy.wire() as w, pytest.raises(ServerError) as refused:
            scram.begin(w, "user_trust")
        assert refused.value.sqlstate == "53300"
        assert re.fullmatch(r"try again in (2[0-9]|3[01]) s", refused.value.fields["H"])


def test_many_at_once_have_one_try_between_them(start, pg):
    proxy = start({"*": pg.entry}, secrets=SECRETS, login_throttle="300ms")
    fail(proxy)
    crowd = [proxy.wire() for _ in range(20)]
    for w in crowd:
        w.send(startup_packet(user="user_trust", database="app"))
    first = first_ready(crowd)
    begun = time.monotonic()
    crowd.remove(first)
    second = first_ready(crowd)
    assert time.monotonic() - begun > 0.5, "the next has to wait as if the first had failed"
    # The right password of the first frees them all.
    assert scram.request(first)[0] == scram.SASL
    scram.prove(first, scram.Client("x"))
    for w in crowd:
        if w is not second:
            assert scram.request(w)[0] == scram.SASL
    for w in [first, *crowd]:
        w.sock.close()


def test_the_computes_own_refusals_count_too(start, pg):
    """Where the proxy does not judge (passthrough), the compute does."""
    proxy = start({"*": pg.entry}, login_throttle="30s")
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        w.send(startup_packet(user="user_password", database="app"))
        assert scram.request(w)[0] == scram.PASSWORD
        w.send(message(b"p", b"wrong\0"))
        w.read_until(b"Z")
    assert refused.value.sqlstate == "28P01"
    # Only asks to be let in: a login that is good would end the pause.
    procs.wait_until(lambda: refusal_of(proxy) == "53300", 5, "the pause")


def refusal_of(proxy):
    """The SQLSTATE with which a login is refused before it begins; None if it is not."""
    with proxy.wire() as w:
        w.send(startup_packet(user="user_password", database="app"))
        try:
            scram.request(w)
            return None
        except ServerError as e:
            return e.sqlstate


def test_no_throttle_if_there_is_none(start, pg):
    proxy = start({"*": pg.entry}, secrets=SECRETS, login_throttle=0)
    for _ in range(10):
        fail(proxy)
    assert throttled(proxy) == 0


# What the log says.

def test_a_flood_of_refusals_is_one_line_and_a_number(start, pg):
    interval = 2 * procs.PATIENCE
    proxy = start({"*": pg.entry}, deny_networks="10.0.0.0/8", proxy_protocol_networks="127.0.0.1",
                  log_dedup_interval=f"{interval * 1000:.0f}ms")
    begun = time.monotonic()
    for _ in range(100):
        assert knock(proxy, "10.0.0.1") == "28000"
    lines = re.findall("session refused .*", proxy.log())
    assert len(lines) == 1 and lines[0].endswith("repeats=0"), lines
    assert time.monotonic() - begun < interval, "the machine is too slow for this test"
    assert knock(proxy, "10.0.0.2") == "28000"      # another address is another line
    procs.wait_until(lambda: time.monotonic() > begun + interval + 0.1, 5,
                     "the interval to be over")
    assert knock(proxy, "10.0.0.1") == "28000"
    lines = re.findall("session refused .*", proxy.log())
    assert [re.search("client=\"([^:]*).*repeats=(.*)", line).groups() for line in lines] == \
        [("10.0.0.1", "0"), ("10.0.0.2", "0"), ("10.0.0.1", "99")]
