"""Which compute a client gets, from what it says in its startup packet."""

import pytest

from harness.fakeplane import awake
from harness.wire import ServerError, startup_packet


@pytest.fixture
def routed(start_proxy, plane, pg):
    """A proxy that asks the stand-in, which knows the computes c1, solo and app."""
    def start(**settings):
        for compute in ("c1", "solo", "app"):
            plane.behave(compute, awake(pg.endpoint))
        return start_proxy(plane=plane, **settings)
    return start


def asked(plane):
    return list(plane.all_calls())


def where(w):
    return w.query("select current_user, current_database()")[0]


def test_the_part_before_the_separator_is_the_compute_and_the_rest_the_database(routed, plane):
    with routed().login(database="c1/other") as w:
        assert where(w) == ["app", "other"]
    assert asked(plane) == ["c1"]


def test_a_database_without_separator_is_the_compute_and_goes_on_unchanged(routed, plane):
    with routed().login(database="solo") as w:
        assert where(w) == ["app", "solo"]
    assert asked(plane) == ["solo"]


def test_a_client_that_names_no_database_means_the_one_called_like_its_user(routed, plane):
    proxy = routed()
    with proxy.wire() as w:
        w.send(startup_packet(user="app"))
        w.read_until()
        assert where(w) == ["app", "app"]
    assert asked(plane) == ["app"]


def test_compute_ids_are_compared_in_lower_case(routed, plane):
    with routed().login(database="C1/other") as w:
        assert where(w) == ["app", "other"]
    assert asked(plane) == ["c1"]


def test_the_separator_is_a_setting(routed, plane):
    with routed(route_separator="::").login(database="c1::other") as w:
        assert where(w) == ["app", "other"]
    assert asked(plane) == ["c1"]


def test_only_the_first_separator_counts(routed, plane, pg):
    pg.sql('create database "a/b" owner app')
    with routed().login(database="c1/a/b") as w:
        assert where(w) == ["app", "a/b"]
    assert asked(plane) == ["c1"]


@pytest.mark.parametrize("options", [
    "-c endpoint=c1", "-cendpoint=c1", "endpoint=c1", "project=c1", "-c project=c1",
    "  endpoint=c1  ", "-c endpoint=C1",
])
def test_options_may_name_the_compute_and_the_database_goes_on_unchanged(routed, plane, options):
    with routed().login(database="other", options=options) as w:
        assert where(w) == ["app", "other"]
    assert asked(plane) == ["c1"]


@pytest.mark.parametrize("options", [
    "-c geqo=off -c endpoint=c1 -c statement_timeout=12345",
    "endpoint=c1 -c geqo=off --statement_timeout=12345",
    "-c geqo=off -c statement_timeout=12345 project=c1",
])
def test_other_options_reach_the_server(routed, plane, options):
    with routed().login(database="other", options=options) as w:
        assert w.value("show geqo") == "off"
        assert w.value("show statement_timeout") == "12345ms"
    assert asked(plane) == ["c1"]


def test_options_with_escaped_spaces_reach_the_server_as_they_were(routed):
    options = r"-c endpoint=c1 -c my.text=a\ b,c\\d -c my.endpoint=kept"
    with routed().login(database="other", options=options) as w:
        assert w.value("show my.text") == r"a b,c\d"
        assert w.value("show my.endpoint") == "kept"


@pytest.mark.parametrize("user", ["endpoint$c1$app", "endpoint$c1;app"])
def test_the_user_may_carry_the_compute_which_the_server_does_not_see(routed, plane, user):
    with routed(route_by="options,user,database").login(user=user, database="other") as w:
        assert where(w) == ["app", "other"]
    assert asked(plane) == ["c1"]


def test_a_user_that_only_begins_alike_is_left_alone(routed, plane):
    with routed(route_by="options,user,database").login(database="c1/other") as w:
        assert where(w) == ["app", "other"]
    assert asked(plane) == ["c1"]


@pytest.mark.parametrize("options", ["-c endpoint=a.b", "endpoint=a_b",
                                     "endpoint=-a", "endpoint=" + "a" * 64, "endpoint=a%2fb"])
def test_an_id_in_options_that_is_no_dns_label_reaches_no_url(routed, plane, options):
    with pytest.raises(ServerError) as refused:
        routed().login(database="other", options=options)
    assert refused.value.sqlstate in ("3D000", "08P01")
    assert asked(plane) == []


@pytest.mark.parametrize("database", [
    "../x/app", "a b/app", "-a/app", "a-/app", "a" * 64 + "/app", "/app", "é/app", "a%2fb/app",
    "x?y=z/app", "x&y/app", "x#y/app", "x\r\ny/app", "a_b/app", "a.b/app",
])
def test_an_id_that_is_no_dns_label_reaches_no_url(routed, plane, database):
    with pytest.raises(ServerError) as refused:
        routed().login(database=database)
    assert (refused.value.sqlstate, refused.value.severity) == ("3D000", "FATAL")
    assert asked(plane) == []


def test_a_compute_that_nobody_knows_is_refused_by_its_sqlstate(routed, plane):
    with pytest.raises(ServerError) as refused:
        routed().login(database="nobody/app")
    assert (refused.value.sqlstate, refused.value.severity) == ("3D000", "FATAL")
    assert "nobody" in refused.value.text
    assert asked(plane) == ["nobody"]


def test_two_computes_are_two_servers(start_proxy, plane, pg, spare_pg):
    plane.behave("c1", awake(pg.endpoint))
    plane.behave("c2", awake(spare_pg.endpoint))
    proxy = start_proxy(plane=plane)
    for compute, server in (("c1", pg), ("c2", spare_pg), ("c1", pg)):
        with proxy.login(database=f"{compute}/app") as w:
            assert int(w.value("show port")) == server.port


def test_every_parameter_goes_on_unchanged(routed):
    params = {"application_name": "it's \"mine\" é", "client_encoding": "LATIN1",
              "DateStyle": "German, DMY", "TimeZone": "Asia/Kathmandu", "search_path": "x, y",
              "extra_float_digits": "1"}
    params["application_name"] = params["application_name"].encode("utf-8")
    proxy = routed()
    with proxy.login(database="c1/other", **params) as w:
        assert w.value("show client_encoding") == "LATIN1"
        assert w.value("show datestyle") == "German, DMY"
        assert w.value("show timezone") == "Asia/Kathmandu"
        assert w.value("show search_path") == "x, y"
        assert w.value("show extra_float_digits") == "1"
        assert w.parameters["TimeZone"] == "Asia/Kathmandu"
        assert w.parameters["application_name"].startswith("it's \"mine\"")


def test_a_proxy_without_star_knows_only_its_entries(start_proxy, pg):
    proxy = start_proxy({"app": pg.entry})
    with proxy.login() as w:
        assert w.value("select 1") == "1"
    with pytest.raises(ServerError) as refused:
        proxy.login(database="other")
    assert refused.value.sqlstate == "3D000"
