"""Static entries of [databases], written as PgBouncer writes them."""

import socket
import time

import pytest

from harness import procs
from harness.proxy import check
from harness.wire import ServerError


def test_an_entry_by_name_wins_over_the_star(start_proxy, pg, spare_pg):
    proxy = start_proxy({"*": pg.entry, "solo": spare_pg.entry})
    with proxy.login(database="solo") as w:
        assert int(w.value("show port")) == spare_pg.port
    with proxy.login(database="app") as w:
        assert int(w.value("show port")) == pg.port


def test_an_entry_may_rename_database_and_user(start_proxy, pg):
    proxy = start_proxy({"sales": pg.entry + " dbname=other user=user_trust"})
    with proxy.login(database="sales") as w:
        assert w.query("select current_user, current_database()") == [["user_trust", "other"]]


def test_a_client_may_choose_the_database_behind_the_separator(start_proxy, pg):
    proxy = start_proxy({"sales": pg.entry})
    with proxy.login(database="sales/other") as w:
        assert w.value("select current_database()") == "other"


def test_a_compute_may_be_reached_through_a_unix_socket(start_proxy, pg):
    proxy = start_proxy({"*": f"host={pg.folder} port={pg.port}"})
    with proxy.login() as w:
        assert w.value("select coalesce(inet_server_addr()::text, 'unix')") == "unix"


def test_a_host_name_is_looked_up(start_proxy, pg):
    proxy = start_proxy({"*": f"host=localhost port={pg.port}"})
    with proxy.login() as w:
        assert w.value("select 1") == "1"


def test_a_host_list_with_a_dead_first_host_is_served_by_the_next(start_proxy, pg):
    entry = f"host=127.0.0.9,127.0.0.1 port={pg.port} load_balance_hosts=disable"
    proxy = start_proxy({"*": entry})
    started = time.monotonic()
    for _ in range(4):
        with proxy.login() as w:
            assert w.value("select 1") == "1"
    assert time.monotonic() - started < 5 * procs.PATIENCE


def test_hosts_of_a_list_take_turns(start_proxy, pg, spare_pg):
    proxy = start_proxy({"*": f"host={pg.folder},{spare_pg.folder} port={pg.port}"}, workers=1)
    # The second folder has no socket for this port; every session must still be served.
    for _ in range(6):
        with proxy.login() as w:
            assert int(w.value("show port")) == pg.port


def test_a_host_name_that_does_not_exist_fails_within_the_deadline(start_proxy):
    proxy = start_proxy({"*": "host=no-such-host.invalid port=5432"}, wake_timeout="2")
    started = time.monotonic()
    with pytest.raises(ServerError) as failed:
        proxy.login()
    assert (failed.value.sqlstate, failed.value.severity) == ("57P03", "FATAL")
    assert time.monotonic() - started < 10 * procs.PATIENCE


def test_a_server_that_refuses_fails_within_the_deadline_and_says_so(start_proxy):
    proxy = start_proxy({"*": f"host=127.0.0.1 port={procs.free_port()}"}, wake_timeout="1")
    started = time.monotonic()
    with pytest.raises(ServerError) as failed:
        proxy.login()
    assert (failed.value.sqlstate, failed.value.severity) == ("57P03", "FATAL")
    assert 0.5 < time.monotonic() - started < 10 * procs.PATIENCE


def test_a_host_that_swallows_packets_is_given_up_after_server_connect_timeout(start_proxy, pg):
    # A full backlog makes the kernel drop what comes, as a firewall would.

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.9", pg.port))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for s in fillers:
            s.setblocking(False)
            s.connect_ex(("127.0.0.9", pg.port))
        proxy = start_proxy({"*": f"host=127.0.0.9,127.0.0.1 port={pg.port} "
                                  "load_balance_hosts=disable"}, server_connect_timeout="500ms")
        started = time.monotonic()
        with proxy.login() as w:
            assert w.value("select 1") == "1"
        assert 0.4 < time.monotonic() - started < 10 * procs.PATIENCE
        for s in fillers:
            s.close()


def test_a_connect_query_runs_before_the_clients_first(start_proxy, pg):
    query = "select set_config(''my.greeting'', ''hello'', false)"
    proxy = start_proxy({"*": f"{pg.entry} connect_query='{query}'"})
    with proxy.login() as w:
        assert w.value("show my.greeting") == "hello"
        assert w.value("select 1") == "1"


def test_a_connect_query_that_fails_fails_the_login(start_proxy, pg):
    proxy = start_proxy({"*": f"{pg.entry} connect_query='select nonsense'"})
    with pytest.raises(ServerError) as failed:
        proxy.login()
    assert failed.value.severity == "FATAL"
    pg.wait_for_sessions(0, "application_name = 'nobody'")


def test_parameters_of_an_entry_reach_the_server(start_proxy, pg):
    entry = (f"{pg.entry} client_encoding=LATIN1 datestyle='German, DMY' timezone=Asia/Kathmandu "
             "application_name=entry")
    proxy = start_proxy({"*": entry})
    with proxy.login() as w:
        shown = [w.value(f"show {name}") for name in
                 ("client_encoding", "datestyle", "timezone", "application_name")]
    assert shown == ["LATIN1", "German, DMY", "Asia/Kathmandu", "entry"]


REFUSED_KEYS = ["password=x", "auth_query='select 1'", "auth_dbname=y", "pool_size=3",
                "min_pool_size=1", "reserve_pool=1", "pool_mode=transaction",
                "max_db_connections=-1", "read_only=on", "deny_networks=10.0.0.1/8"]


@pytest.mark.parametrize("key", REFUSED_KEYS, ids=lambda k: k.split("=")[0])
def test_a_key_that_makes_no_sense_here_is_refused_by_name(key):
    status, said = check(sections={"databases": {"x": f"host=127.0.0.1 {key}"}, "reveille": {}})
    assert status != 0
    assert "INI:2: " in said and key.split("=")[0] in said


@pytest.mark.parametrize("entry, word", [
    ("host=127.0.0.1 colour=red", "colour"),
    ("port=5432", "host"),
    ("host=127.0.0.1 wake=control_plane", "wake"),
    ("host=127.0.0.1 port=0", "port"),
    ("host=127.0.0.1 port=65536", "port"),
    ("host=127.0.0.1 port=x", "port"),
    ("host=127.0.0.1 dbname='open", "quote"),
    ("wake=somebody", "wake"),
    ("host", "host"),
])
def test_an_entry_that_cannot_be_understood_is_refused_with_its_line(entry, word):
    status, said = check(sections={"databases": {"x": entry}, "reveille": {}})
    assert status != 0
    assert "INI:2: " in said and word in said


def test_a_database_that_stands_twice_is_refused_with_its_line():
    status, said = check(text="[databases]\nx = host=a\nx = host=b\n")
    assert status != 0
    assert "INI:3: " in said and "twice" in said
