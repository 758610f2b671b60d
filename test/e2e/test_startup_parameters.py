"""What a client says when it begins: what reaches the compute, what does not, what is added."""

import asyncio
import re

import asyncpg
import psycopg
import pytest

from harness import procs, scram
from harness.fakecompute import WELCOME, FakeCompute, read_startup
from harness.proxy import check, userlist
from harness.wire import ServerError, Wire, startup_packet

USUAL = {"extra_float_digits": "3", "client_encoding": "LATIN1", "DateStyle": "SQL, DMY",
         "TimeZone": "Asia/Kathmandu", "search_path": "pg_catalog", "statement_timeout": "7s",
         "application_name": "ünïcode".encode(), "options": "-c geqo=off -c work_mem=8MB"}


def show(w, name):
    return w.value(f"show {name}")


@pytest.fixture
def seen():
    """A compute that notes startup packets; its entry, and what it has noted."""
    packets = []

    def serve(sock, _):
        body = read_startup(sock)
        words = body[4:-1].split(b"\0")[:-1]
        packets.append(dict(zip(words[::2], words[1::2])))
        sock.sendall(WELCOME)
        sock.recv(1)
        sock.close()

    compute = FakeCompute(serve)
    yield compute.entry, packets
    compute.stop()


def said(start_proxy, seen, params, **settings):
    """What the compute hears of these parameters."""
    entry, packets = seen
    proxy = start_proxy({"*": entry}, server_tls_sslmode="disable", **settings)
    proxy.login(**params).close()
    return packets[-1]


# In session mode the compute is the client's alone, so it may set whatever the compute lets it.

def test_parameters_reach_a_real_compute(proxy):
    with proxy.login(**USUAL) as w:
        assert [show(w, n) for n in ("extra_float_digits", "datestyle", "timezone", "search_path",
                                     "statement_timeout", "geqo", "work_mem")] == \
            ["3", "SQL, DMY", "Asia/Kathmandu", "pg_catalog", "7s", "off", "8MB"]
        assert w.parameters["client_encoding"] == "LATIN1"


def test_parameters_reach_it_byte_for_byte_and_in_order(start_proxy, seen):
    params = {**USUAL, "_pq_.not_known": "x", "my.setting": "a=b\\ 'c'", "empty": ""}
    heard = said(start_proxy, seen, params)
    expected = {"user": "app", "database": "app", **params}
    expected.pop("_pq_.not_known")
    encoded = {k.encode(): v if isinstance(v, bytes) else v.encode() for k, v in expected.items()}
    heard.pop(b"_pq_.not_known", None)      # an option of the protocol, which is ours to answer
    assert list(heard.items()) == list(encoded.items())


def test_what_the_compute_does_not_know_is_refused_in_its_words(proxy, pg):
    for params in ({"no_such_setting": "1"}, {"client_encoding": "EBCDIC"},
                   {"options": "-c no_such_setting=1"}, {"extra_float_digits": "99"}):
        verdicts = []
        for server in (proxy, pg):
            with Wire(server.address) as w, pytest.raises(ServerError) as refused:
                w.login(**params)
            verdicts.append(refused.value.fields)
        assert verdicts[0] == verdicts[1]


def test_drivers_that_send_much_are_understood(proxy):
    async def visit():
        conn = await asyncpg.connect(host=proxy.host, port=proxy.port, user="app", database="app",
                                     server_settings={"extra_float_digits": "0", "jit": "off",
                                                      "application_name": "much"})
        try:
            return await conn.fetchrow("select current_setting('extra_float_digits'), "
                                       "current_setting('jit'), current_setting('application_name')")
        finally:
            await conn.close()
    assert tuple(asyncio.run(visit())) == ("0", "off", "much")
    with psycopg.connect(proxy.dsn(options="-c geqo=off -cstatement_timeout=9s",
                                   client_encoding="sql_ascii")) as conn:
        assert conn.execute("select current_setting('geqo')::bool, current_setting("
                            "'statement_timeout') = '9s'").fetchone() == (False, True)
        assert conn.info.parameter_status("client_encoding") == "SQL_ASCII"


def test_they_reach_it_too_when_we_log_in_ourselves(start_proxy, put, pg):
    proxy = start_proxy({"*": pg.entry}, auth_type="scram-sha-256",
                        auth_file=put("users", userlist({"user_scram": "secret-scram"})))
    with proxy.wire() as w:
        scram.login(w, "user_scram", "secret-scram", extra_float_digits="3",
                    application_name="ours", options="-c geqo=off")
        assert [show(w, n) for n in ("extra_float_digits", "application_name", "geqo")] == \
            ["3", "ours", "off"]
        assert w.parameters["application_name"] == "ours" and w.pid


# ignore_startup_parameters.

def test_what_is_to_be_ignored_does_not_reach_the_compute(start_proxy, seen):
    heard = said(start_proxy, seen, {**USUAL, "no_such_setting": "1"},
                 ignore_startup_parameters="extra_float_digits, no_such_setting,options")
    assert set(heard) == {b"user", b"database", b"client_encoding", b"DateStyle", b"TimeZone",
                          b"search_path", b"statement_timeout", b"application_name"}


def test_a_client_with_a_parameter_that_is_ignored_gets_in(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, ignore_startup_parameters="no_such_setting")
    with proxy.login(no_such_setting="1", geqo="off") as w:
        assert show(w, "geqo") == "off"
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        w.login(no_such_setting2="1")
    assert refused.value.sqlstate == "42704"


@pytest.mark.parametrize("name", ["user", "database"])
def test_who_one_is_cannot_be_ignored(name):
    code, said_of_it = check(sections={"databases": {"*": "host=127.0.0.1"}, "reveille": {
        "user": procs.SERVICE_USER, "ignore_startup_parameters": f"geqo, {name}"}})
    assert code != 0
    assert f"ignore_startup_parameters cannot have {name}" in said_of_it and "INI:" in said_of_it


def test_ignored_options_still_say_which_compute_it_is(start_proxy, pg):
    proxy = start_proxy({"first": pg.entry}, ignore_startup_parameters="options")
    with proxy.login(options="-c endpoint=first -c geqo=off") as w:
        assert show(w, "geqo") == "on"


# application_name_add_host.

@pytest.mark.parametrize("name, expected", [("psql", "psql"), (None, "app"), ("", "app"),
                                            ("with - dash", "with - dash")])
def test_the_clients_address_is_added_to_its_name(start_proxy, pg, name, expected):
    proxy = start_proxy({"*": pg.entry}, application_name_add_host=1)
    params = {} if name is None else {"application_name": name}
    with proxy.login(**params) as w:
        assert show(w, "application_name") == f"{expected} - 127.0.0.1:{w.port}"


def test_a_name_that_is_too_long_is_cut_by_the_compute_alone(start_proxy, seen):
    heard = said(start_proxy, seen, {"application_name": "x" * 200}, application_name_add_host=1)
    assert re.fullmatch(rb"x{200} - 127\.0\.0\.1:\d+", heard[b"application_name"])


def test_on_a_unix_socket_that_is_what_is_added(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, application_name_add_host=1)
    with Wire(proxy.unix_address) as w:
        w.login(application_name="local")
        assert re.fullmatch(r"local - unix(\(.*\))?(:\S*)?", show(w, "application_name"))


def test_behind_a_load_balancer_the_true_address_is_added(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, application_name_add_host=1,
                        proxy_protocol_networks="127.0.0.1")
    for header, address in ((b"PROXY TCP4 10.1.2.3 127.0.0.1 4711 5432\r\n", "10.1.2.3:4711"),
                            (b"PROXY TCP6 2001:db8::1 ::1 4711 5432\r\n", "[2001:db8::1]:4711")):
        with proxy.wire() as w:
            w.send(header)
            w.login(application_name="behind")
            assert show(w, "application_name") == f"behind - {address}"


def test_the_name_of_an_entry_comes_before_and_is_added_to(start_proxy, pg):
    proxy = start_proxy({"*": f"{pg.entry} application_name=entry"}, application_name_add_host=1)
    with proxy.login(application_name="mine") as w:
        assert show(w, "application_name") == f"entry - 127.0.0.1:{w.port}"


def test_a_packet_that_grows_too_long_is_refused_and_not_cut(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, application_name_add_host=1)
    base = len(startup_packet(user="app", database="app", application_name=""))
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="app", application_name="x" * (10000 - base)))
        assert w.verdict() == "08P01"
