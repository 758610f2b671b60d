"""Bytes in both directions: everything arrives, nothing is kept, and both legs end together."""

import hashlib
import os
import select
import signal
import subprocess
import threading
import time

import psycopg
import psycopg2
import psycopg2.extras
import pytest

from harness import procs
from harness.postgres import bin_dir
from harness.proxy import sanitized
from harness.wire import Closed, ServerError, Wire, message, query_message

MEGABYTE = 1 << 20


def run(*command, seconds=120, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=seconds * procs.PATIENCE, stdin=subprocess.DEVNULL, check=False,
                          **kwargs)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


class bounded_memory:
    """Asserts that no worker's memory rose by more than this while the block ran."""

    def __init__(self, proxy, kib=4096):
        self.proxy, self.kib = proxy, kib

    def __enter__(self):
        self.workers = self.proxy.workers()
        for pid in self.workers:
            procs.forget_peak(pid)
        self.before = [procs.peak_kib(p) for p in self.workers]

    def __exit__(self, kind, *_):
        if kind is None and not sanitized():
            grown = [procs.peak_kib(p) - b for p, b in zip(self.workers, self.before)]
            assert max(grown) <= self.kib, f"KiB that workers grew by: {grown}"


def drain(w, digest=None):
    """Reads a result to its end without keeping it; returns its bytes."""
    total, tail = 0, b""
    while not tail.endswith(b"Z\0\0\0\x05I"):
        data = w.sock.recv(MEGABYTE)
        assert data, "closed in the middle of a result"
        total += len(data)
        tail = (tail + data)[-6:]
        if digest:
            digest.update(data)
    return total


# Volume.

@pytest.mark.heavy
def test_a_result_of_200_mb_streams_in_bounded_memory(proxy):
    with proxy.login(timeout=120) as w, bounded_memory(proxy):
        w.send(query_message("select repeat('x', 1000) from generate_series(1, 200000)"))
        assert drain(w) > 200 * 1000 * 1000


@pytest.mark.heavy
def test_copy_out_of_200_mb_streams_in_bounded_memory(proxy):
    with psycopg.connect(proxy.dsn()) as conn, bounded_memory(proxy):
        total = 0
        with conn.cursor().copy("copy (select repeat('x', 1000) from generate_series(1, 200000)) "
                                "to stdout") as copy:
            for data in copy:
                total += len(data)
    assert total == 200000 * 1001


@pytest.mark.heavy
def test_copy_in_of_200_mb_streams_in_bounded_memory(proxy, pg):
    row = b"x" * 999 + b"\n"
    with psycopg.connect(proxy.dsn(), autocommit=True) as conn:
        conn.execute("create unlogged table copied (line text)")
        with bounded_memory(proxy):
            with conn.cursor().copy("copy copied from stdin") as copy:
                for _ in range(200):
                    copy.write(row * 1000)
        assert conn.execute("select count(*), sum(length(line)) from copied").fetchone() == \
            (200000, 200000 * 999)
        conn.execute("drop table copied")


def test_every_byte_of_a_result_arrives_as_the_server_sent_it(proxy, pg):
    digests = []
    for server in (proxy, pg):
        with Wire(server.address).login() as w:
            w.send(query_message("select i, md5(i::text), repeat(chr(65 + i % 26), i % 3000) "
                                 "from generate_series(1, 20000) i"))
            digest = hashlib.sha256()
            digests.append((drain(w, digest), digest.hexdigest()))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("size", [1, 8191, 8192, 32767, 32768, 32769, 65536, 20 * MEGABYTE])
def test_a_value_of_any_size_makes_the_journey_both_ways(proxy, size):
    value = os.urandom(size)
    with psycopg.connect(proxy.dsn()) as conn:
        assert conn.execute("select %s::bytea", (value,), binary=True).fetchone()[0] == value


# Back-pressure.

@pytest.mark.heavy
def test_a_slow_reader_stops_its_server_and_nobody_else(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    with proxy.wire(timeout=120, receive_buffer=65536) as slow, proxy.login() as other, \
            bounded_memory(proxy):
        slow.login(application_name="slow-reader")
        slow.send(query_message("select repeat('x', 1000) from generate_series(1, 100000)"))
        procs.wait_until(lambda: pg.sessions("application_name = 'slow-reader' and "
                                             "wait_event = 'ClientWrite'"),
                         20, "the server to be stopped")
        assert other.value("select 'served'") == "served"
        assert drain(slow) > 100 * 1000 * 1000


@pytest.mark.heavy
def test_a_server_that_does_not_read_stops_its_client(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1)
    with proxy.login(timeout=120) as keeper, proxy.login(timeout=120) as w, \
            proxy.login() as other:
        keeper.query("create unlogged table locked (line text)")
        keeper.query("begin; lock table locked in access exclusive mode")
        piece = message(b"d", b"x" * 8000 + b"\n") * 128
        with bounded_memory(proxy):
            w.send(query_message("copy locked from stdin"))
            w.sock.setblocking(False)
            sent = 0
            while select.select([], [w.sock], [], 1)[1] and sent < 200 * MEGABYTE:
                sent += w.sock.send(piece[sent % len(piece):])
            assert sent < 100 * MEGABYTE, "the proxy took in what nobody could take from it"
            assert other.value("select 'served'") == "served"
            w.sock.settimeout(120)
            keeper.query("rollback")
            w.send(piece[sent % len(piece):] + message(b"c"))
            w.read_until(b"G")
            w.read_until(b"Z")
        assert int(w.value("select count(*) from locked")) >= sent // 8006
        w.query("drop table locked")


# Protocols inside the protocol.

def extended(sql):
    """Parse, Bind, Describe and Execute of one statement."""
    return (message(b"P", b"\0" + sql.encode() + b"\0\0\0") + message(b"B", b"\0" * 8)
            + message(b"D", b"P\0") + message(b"E", b"\0" * 5))


def test_a_pipeline_of_a_thousand_statements_and_one_sync(proxy):
    with proxy.login(timeout=60) as w:
        w.send(b"".join(extended(f"select {i}") for i in range(1000)) + message(b"S"))
        rows = [body for kind, body in w.read_until() if kind == b"D"]
    assert len(rows) == 1000


def test_a_pipeline_of_a_thousand_syncs(proxy):
    with proxy.login(timeout=60) as w:
        w.send(b"".join(extended(f"select {i}") + message(b"S") for i in range(1000)))
        for i in range(1000):
            rows = [body for kind, body in w.read_until() if kind == b"D"]
            assert rows == [b"\0\1" + len(str(i)).to_bytes(4, "big") + str(i).encode()]


def test_simple_queries_may_be_sent_before_their_predecessors_are_answered(proxy):
    with proxy.login(timeout=60) as w:
        w.send(b"".join(query_message(f"select {i}") for i in range(500)))
        for i in range(500):
            assert w.read_until()[0][1].endswith(str(i).encode())


def test_psycopgs_pipeline_mode_works(proxy):
    with psycopg.connect(proxy.dsn(), autocommit=True) as conn, conn.pipeline():
        cursors = [conn.execute("select %s::int * 2", (i,)) for i in range(300)]
        assert [c.fetchone()[0] for c in cursors] == [i * 2 for i in range(300)]


def test_an_error_in_a_pipeline_skips_to_the_sync_and_the_session_lives(proxy):
    with proxy.login() as w:
        w.send(extended("select 1") + extended("select 1/0") + extended("select 3")
               + message(b"S"))
        with pytest.raises(ServerError) as failed:
            w.read_until()
        assert failed.value.sqlstate == "22012"
        assert w.value("select 4") == "4"


def test_a_sync_inside_copy_in_is_swallowed_as_the_server_swallows_it(proxy):
    with proxy.login() as w:
        w.query("create temp table t (i int)")
        w.send(query_message("copy t from stdin"))
        w.read_until(b"G")
        w.send(message(b"d", b"1\n") + message(b"S") + message(b"H") + message(b"d", b"2\n")
               + message(b"c"))
        w.read_until()
        assert w.value("select sum(i) from t") == "3"


def test_a_failed_copy_leaves_the_session_alive(proxy):
    with proxy.login() as w:
        w.query("create temp table t (i int)")
        for ending in (message(b"f", b"changed my mind\0"),
                       message(b"d", b"not a number\n") + message(b"c")):
            w.send(query_message("copy t from stdin"))
            w.read_until(b"G")
            w.send(ending)
            with pytest.raises(ServerError):
                w.read_until()
            assert w.status == "I"
        assert w.value("select count(*) from t") == "0"


def test_a_notification_reaches_a_session_at_rest(proxy):
    with proxy.login() as listener, proxy.login() as speaker:
        listener.query("listen news")
        speaker.query("notify news, 'it rains'")
        kind, body = listener.read()
        assert (kind, body[4:]) == (b"A", b"news\0it rains\0")


def test_transactions_cursors_and_session_state_belong_to_their_session(proxy):
    with proxy.login() as a, proxy.login() as b:
        a.query("create temp table mine (i int); insert into mine values (1), (2)")
        a.query("set my.name = 'a'; begin; declare c cursor for select i from mine order by i")
        assert a.status == "T"
        assert a.query("fetch 1 from c") == [["1"]]
        b.query("set my.name = 'b'")
        with pytest.raises(ServerError):
            b.query("select * from mine")
        assert a.query("fetch 1 from c") == [["2"]]
        assert (a.value("show my.name"), b.value("show my.name")) == ("a", "b")
        with pytest.raises(ServerError):
            a.query("select 1/0")
        assert a.status == "E"


def test_large_objects_use_the_function_call_protocol(proxy):
    conn = psycopg2.connect(proxy.dsn())
    try:
        payload = os.urandom(300000)
        big = conn.lobject(0, "wb")
        big.write(payload)
        number = big.oid
        big.close()
        again = conn.lobject(number, "rb")
        assert again.read() == payload
        again.close()
        conn.rollback()
    finally:
        conn.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_runs_in_every_query_mode(proxy, pg, mode):
    where = ["-h", proxy.host, "-p", proxy.port, "-U", "app", "app"]
    if not pg.value("select to_regclass('pgbench_accounts') is not null", database="app"):
        run("pgbench", "-i", "-q", "-s", "1", *where)
    for script in (["-S"], []):
        said = run("pgbench", "-n", *script, "-M", mode, "-c", "8", "-j", "2", "-t", "150", *where)
        assert "number of transactions actually processed: 1200/1200" in said


# Replication.

def test_pg_receivewal_streams_through_the_proxy(proxy, pg, tmp_path):
    pg.sql("select pg_create_physical_replication_slot('receivewal', true)")
    pg.sql("select pg_logical_emit_message(false, 'test', repeat('x', 100000))")
    end = pg.value("select pg_current_wal_lsn()")
    pg.sql("select pg_switch_wal()")
    try:
        run(f"{bin_dir()}/pg_receivewal", "-h", proxy.host, "-p", proxy.port, "-U", "app",
            "-D", tmp_path, "--slot", "receivewal", "--endpos", end, "--no-loop")
        assert sum(f.stat().st_size for f in tmp_path.iterdir()) > 100000
    finally:
        pg.sql("select pg_drop_replication_slot('receivewal')")


def test_logical_replication_streams_through_the_proxy(proxy, pg):
    conn = psycopg2.connect(proxy.dsn(), connection_factory=psycopg2.extras
                            .LogicalReplicationConnection)
    cursor = conn.cursor()
    cursor.create_replication_slot("through_proxy", output_plugin="test_decoding")
    cursor.start_replication("through_proxy", decode=True)
    try:
        pg.sql("create table replicated as select 42 as answer", database="app")
        heard = []
        deadline = time.monotonic() + 20 * procs.PATIENCE
        while not any("answer[integer]:42" in h for h in heard):
            assert time.monotonic() < deadline, heard
            change = cursor.read_message()
            if change:
                heard.append(change.payload)
                change.cursor.send_feedback(flush_lsn=change.data_start)
            else:
                select.select([conn], [], [], 0.2)
    finally:
        conn.close()
        procs.wait_until(lambda: not pg.value(
            "select active from pg_replication_slots where slot_name = 'through_proxy'"), 20,
            "the slot to be free")
        pg.sql("select pg_drop_replication_slot('through_proxy')")
        pg.sql("drop table replicated", database="app")


@pytest.mark.heavy
def test_pg_basebackup_runs_through_the_proxy(proxy, pg, tmp_path):
    run(f"{bin_dir()}/pg_basebackup", "-h", proxy.host, "-p", proxy.port, "-U", "app",
        "-D", tmp_path / "copy", "-X", "stream", "-c", "fast", "--no-sync")
    assert (tmp_path / "copy" / "PG_VERSION").exists()


# Ends.

def gone(pg, name):
    pg.wait_for_sessions(0, f"application_name = '{name}'")


def test_a_client_that_takes_leave_ends_its_servers_leg(proxy, pg):
    proxy.login(application_name="polite").close()
    gone(pg, "polite")
    proxy.wait_for_log(r"session close .*reason=")


def test_a_client_that_closes_without_a_word_ends_its_servers_leg(proxy, pg):
    proxy.login(application_name="silent").sock.close()
    gone(pg, "silent")


def test_a_client_that_resets_ends_its_servers_leg(proxy, pg):
    proxy.login(application_name="rude").reset()
    gone(pg, "rude")


def test_a_client_that_closes_its_sending_half_ends_both_legs(proxy, pg):
    with proxy.login(application_name="half") as w:
        w.half_close()
        assert w.until_closed() == b""
    gone(pg, "half")


def test_a_client_that_closes_in_the_middle_of_a_message_ends_both_legs(proxy, pg):
    with proxy.login(application_name="middle") as w:
        w.send(query_message("select 1")[:7])
        w.half_close()
        w.until_closed()
    gone(pg, "middle")


def test_a_client_that_closes_in_the_middle_of_copy_in_ends_both_legs(proxy, pg):
    with proxy.login(application_name="copier") as w:
        w.query("create temp table t (line text)")
        w.send(query_message("copy t from stdin"))
        w.read_until(b"G")
        w.send(message(b"d", b"x" * 1000)[:500])
    gone(pg, "copier")


def test_a_client_that_leaves_in_the_middle_of_a_large_result_ends_both_legs(proxy, pg):
    with proxy.login(application_name="deserter") as w:
        w.send(query_message("select repeat('x', 1000) from generate_series(1, 10000000)"))
        w.exactly(100000)
    gone(pg, "deserter")


def test_a_server_that_ends_a_session_is_quoted_and_then_the_client_is_closed(proxy, pg):
    with proxy.login(application_name="victim") as w:
        pg.end_sessions("victim")
        with pytest.raises(ServerError) as ended:
            w.read_until()
        assert ended.value.sqlstate == "57P01"
        assert w.until_closed() == b""


def test_a_server_that_dies_in_the_middle_of_a_query_is_an_error_and_a_close(start_proxy,
                                                                             spare_pg):
    proxy = start_proxy({"*": spare_pg.entry})
    with proxy.login() as w, proxy.login() as bystander:
        backend = int(w.value("select pg_backend_pid()"))
        w.send(query_message("select pg_sleep(60)"))
        spare_pg.wait_for_sessions(1, f"pid = {backend} and wait_event = 'PgSleep'")
        procs.kill_hard(backend)
        states = []
        for session in (w, bystander):
            with pytest.raises((ServerError, Closed)) as ended:
                while True:
                    session.read_until()
            assert not isinstance(ended.value, Closed), "closed without a word"
            states.append(ended.value.sqlstate)
        # The killed backend can say nothing any more; the others warn (57P02) and leave.
        assert states == ["08006", "08006"]
        assert [notice["C"] for notice in bystander.notices] == ["57P02"]
    spare_pg.recover()


def test_a_reset_from_the_servers_side_is_an_error_and_a_close(start_proxy, pg, gate):
    between = gate(pg.address)
    proxy = start_proxy({"*": f"host=127.0.0.1 port={between.port}"})
    with proxy.login() as idle, proxy.login() as busy:
        busy.send(query_message("select pg_sleep(1)"))
        between.reset_all()
        for w in (idle, busy):
            with pytest.raises(ServerError) as ended:
                w.read_until()
            assert (ended.value.sqlstate, ended.value.severity) == ("08006", "FATAL")
            assert w.until_closed() == b""


def test_a_server_that_is_shut_down_says_so_to_its_clients(start_proxy, spare_pg):
    proxy = start_proxy({"*": spare_pg.entry})
    with proxy.login() as w:
        stopping = threading.Thread(target=spare_pg.stop, args=(signal.SIGINT,))
        stopping.start()
        with pytest.raises(ServerError) as ended:
            w.read_until()
        stopping.join()
        assert ended.value.sqlstate == "57P01"


def test_ends_are_logged_with_their_reason_and_phase(proxy):
    with proxy.login() as w:
        assert w.value("select 1") == "1"
    line = proxy.wait_for_log(r".*session close .*").group()
    assert "reason=" in line and "phase=" in line
    assert proxy.wait_for_log(r"session open ")
