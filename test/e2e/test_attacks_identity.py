"""What those tried who had not proved who they are, or for whom a reload came at a bad moment."""

import select
import threading

import pytest

from harness import procs, scram
from harness.certs import client_tls, server_tls
from harness.fakecompute import FakeCompute
from harness.fakeplane import access, awake, held
from harness.proxy import program, userlist
from harness.tls import SecureWire, ask_for_tls, client_context, server_context
from harness.wire import SSL_REQUEST, ServerError, startup_packet


def reload(proxy, **settings):
    """Changes settings, and is back when the only worker has them: it lets nobody in any more."""
    proxy.sections["reveille"].update(deny_networks="0.0.0.0/0", **settings)
    proxy.write_ini()
    proxy.hup()

    def is_denied():
        with proxy.wire(timeout=1) as w:
            w.send(startup_packet(user="app", database="app"))
            try:
                return b"from this address" in w.read()[1]
            except TimeoutError:
                return False

    procs.wait_until(is_denied, 10, "the worker to have reloaded")


# Reloads.

def test_tls_that_was_promised_is_given_though_a_reload_turns_it_off(start_proxy, pg, ca):
    proxy = start_proxy({"*": pg.entry}, workers=1, **client_tls(ca.server("127.0.0.1"), "prefer"))
    with proxy.wire() as promised, proxy.wire() as direct:
        ask_for_tls(promised)
        reload(proxy, client_tls_sslmode="disable")
        for w in promised, direct:
            w.sock = client_context().wrap_socket(w.sock)
            assert w.login().value("select 1") == "1"


def test_tls_to_a_compute_goes_on_though_a_reload_turns_it_off(start_proxy, ca):
    asked, go_on, secured = threading.Event(), threading.Event(), threading.Event()

    def serve(sock, number):
        sock.recv(8)
        asked.set()
        go_on.wait(60)
        sock.sendall(b"S")
        with server_context(ca.server("127.0.0.1")).wrap_socket(sock, server_side=True):
            secured.set()

    compute = FakeCompute(serve)
    try:
        proxy = start_proxy({"*": compute.entry}, workers=1, **server_tls("require"))
        with proxy.wire() as w:
            w.send(startup_packet(user="app", database="app"))
            assert asked.wait(20)
            reload(proxy, server_tls_sslmode="disable")
            go_on.set()
            assert secured.wait(20)
    finally:
        go_on.set()
        compute.stop()


def test_the_map_of_a_rule_outlives_a_reload_while_the_control_plane_thinks(start_proxy, plane, pg,
                                                                            ca, put):
    release = threading.Event()
    plane.behave("*", awake(pg.endpoint))
    plane.admit("*", held(release, access()))
    proxy = start_proxy(
        plane=plane, workers=1, auth_type="hba", wake={"access_control": "yes"},
        auth_hba_file=put("hba", "hostssl all all all cert map=guests\n"),
        auth_ident_file=put("ident", "guests alice app\nguests bob user_trust\n"),
        **client_tls(ca.server("127.0.0.1"), "allow", ca=ca))
    with SecureWire(proxy.address, client_context(pair=ca.client("alice"))) as w:
        w.send(startup_packet(user="app", database="db/app"))
        procs.wait_until(lambda: plane.roles_asked("db"), 10, "the question")
        reload(proxy)
        release.set()
        w.read_until()
        assert w.value("select current_user") == "app"


# Rules.

@pytest.mark.parametrize("asked", ["true", "t", "TR", "y", "on", "1"])
def test_replication_is_replication_however_it_is_abbreviated(start_proxy, pg, put, asked):
    rules = put("hba", "host replication all all reject\nhost all all all trust\n")
    proxy = start_proxy({"*": pg.entry}, auth_type="hba", auth_hba_file=rules)
    assert proxy.login().value("select 1") == "1"
    with pytest.raises(ServerError) as refused:
        proxy.login(replication=asked)
    assert (refused.value.sqlstate, refused.value.text[:7]) == ("28000", "no rule")


def test_no_database_is_the_users_for_the_rules_too(start_proxy, pg, put):
    rules = put("hba", "host app app all reject\nhost all all all trust\n")
    proxy = start_proxy({"*": pg.entry}, auth_type="hba", auth_hba_file=rules)
    for database in "app", "":
        with pytest.raises(ServerError) as refused:
            proxy.login(database=database)
        assert (refused.value.sqlstate, refused.value.text[:7]) == ("28000", "no rule")


@pytest.mark.parametrize("rules", ["host app all all reject\nhost all all all trust\n",
                                   "host other all all trust\nhost all all all reject\n"])
def test_a_compute_that_is_made_up_hides_no_database_from_the_rules(start_proxy, pg, put, rules):
    proxy = start_proxy({"*": pg.entry}, auth_type="hba", auth_hba_file=put("hba", rules))
    for how in ({}, {"options": "endpoint=other"}):
        with pytest.raises(ServerError) as refused:
            proxy.login(database="app", **how)
        assert (refused.value.sqlstate, refused.value.text[:7]) == ("28000", "no rule")


# Costs.

def test_questions_about_users_who_have_left_are_given_up(start_proxy, plane):
    plane.admit("*", held(threading.Event(), access()))
    proxy = start_proxy(plane=plane, workers=1, auth_type="scram-sha-256")
    before = procs.descriptors(proxy.workers()[0])
    for n in range(20):
        with proxy.wire() as w:
            w.send(startup_packet(user=f"nobody{n}", database="db"))
            procs.wait_until(lambda: len(plane.roles_asked("db")) > n, 10, "the question")
    procs.wait_until(lambda: procs.descriptors(proxy.workers()[0]) <= before + 4, 5,
                     "the questions to be given up")


def test_names_that_are_made_up_do_not_fill_the_log(start_proxy, pg):
    proxy = start_proxy({"app": pg.entry}, workers=1, log_dedup_interval="1h")
    for n in range(50):
        with pytest.raises(ServerError) as refused:
            proxy.login(database=f"nowhere{n}")
        assert refused.value.sqlstate == "3D000"
    assert proxy.log().count("session refused") == 1


# Places.

def test_who_waits_for_a_place_of_his_own_keeps_none_of_the_computes(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, auth_type="trust", max_db_connections="3",
                        max_user_connections="1", query_wait_timeout="1min")
    first, greedy = proxy.login(), [proxy.wire() for _ in range(8)]
    for w in greedy:
        w.send(startup_packet(user="app", database="app"))
        assert w.read()[0] == b"R"      # it is trusted, and now it waits
    with proxy.login(user="user_trust") as w:
        assert w.value("select 1") == "1"
    first.close()
    while greedy:                       # one after the other gets its turn
        ready = select.select([w.sock for w in greedy], [], [], 20 * procs.PATIENCE)[0]
        assert len(ready) == 1
        w = next(w for w in greedy if w.sock in ready)
        w.read_until()
        greedy.remove(w)
        w.close()


# Sources of secrets that are not what they should be.

@pytest.mark.parametrize("answer", ["select from pg_roles where $1::text is not null",
                                    "select $1::text", "select null, null where $1 = $1",
                                    "select $1::text, repeat('x', 100000)",
                                    "select $1::text, 'SCRAM-SHA-256$4096:'"])
def test_an_answer_of_auth_query_that_is_none_lets_nobody_in(start_proxy, pg, put, answer):
    proxy = start_proxy({"*": f"{pg.entry} auth_user=app"}, workers=1, auth_query=answer,
                        auth_type="scram-sha-256", auth_file=put("users", '"app" ""\n'))
    with pytest.raises(ServerError) as refused, proxy.wire() as w:
        scram.login(w, "user_scram", "secret-scram")
    assert refused.value.sqlstate in ("28P01", "58000")


def test_who_came_before_the_rules_were_changed_comes_in_by_the_old_ones(start_proxy, pg, put):
    rules = put("hba", "host all all all trust\n")
    proxy = start_proxy({"*": pg.entry}, workers=1, auth_type="hba", auth_hba_file=rules)
    with proxy.wire() as early, proxy.wire() as late:
        early.send(startup_packet(user="app", database="app")[:20])
        late.send(SSL_REQUEST)
        assert late.exactly(1) == b"N"      # both have been accepted
        reload(proxy, auth_type="scram-sha-256")
        early.send(startup_packet(user="app", database="app")[20:])
        early.read_until()
        assert late.login().value("select 1") == "1"


# Guesses.

@pytest.mark.parametrize("entry", ["host=127.0.0.1 port=1", "wake=control_plane"])
def test_guesses_at_computes_that_are_made_up_are_throttled_all_the_same(start_proxy, plane, put,
                                                                         entry):
    proxy = start_proxy({"*": entry}, plane=plane, auth_type="scram-sha-256", login_throttle="30s",
                        auth_file=put("users", userlist({"app": "right"})))
    for n, sqlstate in enumerate(["28P01", "53300", "53300"]):
        with proxy.wire() as w, pytest.raises(ServerError) as refused:
            scram.login(w, "app", "wrong", f"made-up-{n}")
        assert refused.value.sqlstate == sqlstate


def test_a_compute_and_a_user_are_not_another_compute_and_another_user(start_proxy, pg, put):
    proxy = start_proxy({"*": f"{pg.entry} dbname=app auth_user=app auth_dbname=lookup",
                         "lookup": f"{pg.entry} dbname=app"}, workers=1,
                        auth_type="scram-sha-256", auth_file=put("users", '"app" ""\n'),
                        auth_query="select $1::text, case $1 when 'user_scram' then '"
                                   + scram.secret("mine") + "' end")
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        scram.login(w, "user_scram", "mine", "a/b")     # right, but not the compute's secret
    assert refused.value.sqlstate == "58000"
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        scram.login(w, "b/user_scram", "mine", "a")
    assert refused.value.sqlstate == "28P01"


def test_a_made_up_name_makes_no_fields_in_the_log(start_proxy, pg):
    proxy = start_proxy({"*": f"{pg.entry} dbname=app"})
    proxy.login(database='a user="root" b').close()
    proxy.wait_for_log(r'session open id=\d+ compute="a user=\\"root\\" b" user="app"')


@pytest.mark.parametrize("allowed,sqlstate", [([""], "57P03"), (["unix"], "28000"),
                                              (["10.0.0.0/8,0.0.0.0/0"], "57P03"),
                                              (["::/0"], "28000"), (["::ffff:0:0/96"], "28P01")])
def test_a_list_of_networks_that_is_not_quite_one_lets_nobody_in(start_proxy, plane, allowed,
                                                                 sqlstate):
    plane.admit("*", access(allowed_ips=allowed))
    proxy = start_proxy(plane=plane, auth_type="scram-sha-256")
    with proxy.wire() as w, pytest.raises(ServerError) as refused:
        scram.login(w, "app", "wrong")
    assert refused.value.sqlstate == sqlstate


# Crowds.

@pytest.mark.parametrize("begun", ["silent", "asked"])
def test_strangers_cannot_take_all_descriptors(start_proxy, pg, put, tmp_path, monkeypatch, begun):
    limited = tmp_path / "reveille"
    limited.write_text(f'#!/bin/sh\nulimit -n 80\nexec {program()} "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setenv("REVEILLE", str(limited))
    proxy = start_proxy({"*": pg.entry}, workers=1, max_client_conn=1000,
                        auth_type="scram-sha-256",
                        auth_file=put("users", userlist({"user_scram": "secret-scram"})))
    resident, crowd = proxy.wire(), []
    scram.login(resident, "user_scram", "secret-scram")
    for _ in range(200):
        crowd.append(proxy.wire())
        if begun == "asked":
            crowd[-1].send(startup_packet(user="user_scram", database="app"))
    with proxy.wire() as w:
        scram.login(w, "user_scram", "secret-scram")
        assert w.value("select 1") == "1"
    assert resident.value("select 1") == "1"
    for w in [resident, *crowd]:
        w.sock.close()
