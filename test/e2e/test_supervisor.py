"""The process tree: how it starts, reloads, drains, ends, and what each signal does."""

import json
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import procs
from harness.fakeplane import awake, held
from harness.proxy import check, ini_text, program
from harness.wire import Closed, ServerError, query_message, startup_packet


def last_word(w):
    """The SQLSTATE with which a session was ended."""
    with pytest.raises(ServerError) as ended:
        while True:
            w.read_until()
    assert ended.value.severity == "FATAL"
    assert w.until_closed() == b""
    return ended.value.sqlstate


# Shape.

def test_processes_bear_the_titles_of_the_manual(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=3)
    titles = sorted(procs.title(p) for p in procs.tree(proxy.pid))
    assert titles == ["reveille: monitor", "reveille: supervisor", "reveille: worker 1",
                      "reveille: worker 2", "reveille: worker 3"]


def test_workers_zero_means_one_for_each_cpu(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=0)
    assert len(proxy.workers()) == len(os.sched_getaffinity(0))


@pytest.mark.slow
def test_1000_sessions_spread_evenly_over_4_workers(start_proxy, crowd_pg):
    proxy = start_proxy({"*": crowd_pg.entry}, workers=4)
    sessions = [proxy.login() for _ in range(1000)]
    counts = [proxy.metric("reveille_worker_sessions", worker=str(i)) for i in range(1, 5)]
    for w in sessions:
        w.sock.close()
    assert sum(counts) == 1000
    assert max(counts) / min(counts) <= 1.2, counts


@pytest.mark.skipif(not procs.running_as_root(), reason="only root can be refused as root")
def test_root_without_user_is_refused(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    del proxy.sections["reveille"]["user"]
    proxy.write_ini()
    proxy.launch()
    proxy.expected_status = proxy.wait_for_exit()
    assert proxy.status not in (0, None) and proxy.status > 0
    assert "root" in proxy.log() and "user" in proxy.log()


@pytest.mark.skipif(not procs.running_as_root(), reason="only root can become somebody else")
def test_children_run_as_user(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry})
    wanted = pwd.getpwnam(procs.SERVICE_USER).pw_uid
    for pid in [*proxy.workers(), proxy.monitor()]:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            uids = next(line for line in f if line.startswith("Uid:")).split()[1:]
        assert set(map(int, uids)) == {wanted}


# Checking the file.

def test_t_accepts_a_good_file_and_starts_nothing():
    status, said = check(sections={"databases": {"*": "host=127.0.0.1"},
                                   "reveille": {"workers": 2}})
    assert status == 0, said


BAD_FILES = {
    "unknown-name": ("[reveille]\nworkers = 2\nlisten_prot = 1\n", 3, "listen_prot"),
    "out-of-bounds": ("[reveille]\nworkers = 65\n", 2, "between 0 and 64"),
    "not-a-number": ("[reveille]\nlisten_port = http\n", 2, "listen_port"),
    "bad-time": ("[reveille]\n\n\nwake_timeout = 5 fortnights\n", 4, "wake_timeout"),
    "bad-choice": ("[reveille]\nlog_format = xml\n", 2, "text|json"),
    "section-twice": ("[reveille]\n[databases]\n[reveille]\n", 3, "twice"),
    "setting-twice": ("[reveille]\nworkers = 1\nworkers = 2\n", 3, "workers"),
    "unknown-section": ("[pgbouncer]\n", 1, "pgbouncer"),
    "before-any-section": ("workers = 1\n", 1, "section"),
    "no-equals": ("[reveille]\nworkers\n", 2, "workers"),
    "open-section": ("[reveille\n", 1, "]"),
    "not-yet": ("[reveille]\npool_mode = transaction\n", 2, "pool_mode"),
    "tls-without-key": ("[reveille]\n\nclient_tls_sslmode = require\n", 3, "client_tls_key_file"),
    "bad-network": ("[reveille]\nallow_networks = 10.0.0.1/8\n", 2, "10.0.0.0/8"),
    "bad-user": ("[users]\nbob = pool_mode=session\n", 2, "bob"),
    "bad-peer": ("[peers]\n1 = port=5432\n", 2, "host="),
    "mysql-not-yet": ("[reveille]\nmysql_listen_port = 3306\n", 2, "mysql_listen_port"),
}


@pytest.mark.parametrize("text, line, word", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_its_line_and_what_would_be_right(text, line, word):
    status, said = check(text=text)
    assert status != 0
    assert f"INI:{line}: " in said and word in said


def test_a_bad_file_keeps_the_program_from_starting(start_proxy):
    proxy = start_proxy({}, launch=False)
    proxy.write_ini("[reveille]\nworkers = many\n")
    proxy.launch()
    proxy.expected_status = proxy.wait_for_exit()
    assert proxy.status > 0
    assert f"{proxy.ini}:2: " in proxy.log()


def test_a_missing_file_is_refused_by_name():
    done = subprocess.run([program(), "-t", "/no/such/file.ini"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode != 0 and "/no/such/file.ini" in done.stdout + done.stderr


def test_c_overrides_the_file():
    good = {"databases": {"*": "host=127.0.0.1"}, "reveille": {"workers": 2}}
    assert check("-t", "-c", "workers=3", sections=good)[0] == 0
    status, said = check("-t", "-c", "workers=99", sections=good)
    assert status != 0 and "workers" in said


@pytest.mark.parametrize("option", ["--help", "--version", "--print-ini", "--print-man"])
def test_what_the_program_says_about_itself(option):
    done = subprocess.run([program(), option], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 0 and "reveille" in done.stdout.lower()


def test_the_printed_ini_is_accepted_as_it_is():
    printed = subprocess.run([program(), "--print-ini"], capture_output=True, text=True,
                             timeout=20, check=True).stdout
    status, said = check(text=printed)
    assert status == 0, said


def test_the_environment_overrides_the_file(start_proxy, pg, plane, monkeypatch):
    plane.behave("db", awake(pg.endpoint))
    proxy = start_proxy({"*": "wake=control_plane"}, launch=False,
                        wake={"control_plane_url": "http://127.0.0.1:1"})
    port = proxy.port
    proxy.sections["reveille"]["listen_port"] = procs.free_port()
    proxy.write_ini()
    monkeypatch.setenv("PROXY_LISTEN_ADDR", f"127.0.0.1:{port}")
    monkeypatch.setenv("CONTROL_PLANE_URL", plane.url)
    proxy.start()
    with proxy.login(database="db/app") as w:
        assert w.value("select 1") == "1"


# HUP.

def test_hup_applies_a_good_file_to_new_sessions_and_keeps_the_old(start_proxy, pg, spare_pg):
    proxy = start_proxy({"*": pg.entry})
    with proxy.login() as old:
        proxy.sections["databases"]["*"] = spare_pg.entry
        proxy.write_ini()
        proxy.hup()

        def new_server():
            with proxy.login() as w:
                return int(w.value("show port")) == spare_pg.port

        procs.wait_until(new_server, 5, "new sessions to go to the new server")
        assert int(old.value("show port")) == pg.port


BAD_RELOADS = {
    "unknown-name": ("wake_timeuot = 5", "wake_timeuot"),
    "out-of-bounds": ("wake_timeout = 2h", "between 100ms and 1h"),
    "twice": ("[reveille]", "twice"),
}


@pytest.mark.parametrize("addition, word", BAD_RELOADS.values(), ids=BAD_RELOADS)
def test_hup_with_a_bad_file_changes_nothing_and_names_the_line(start_proxy, pg, spare_pg,
                                                                addition, word):
    proxy = start_proxy({"*": pg.entry})
    workers = proxy.workers()
    text = ini_text({**proxy.sections, "databases": {"*": spare_pg.entry}}) + addition + "\n"
    proxy.write_ini(text)
    said = proxy.hup()
    assert f"{proxy.ini}:{len(text.splitlines())}: " in said and word in said
    for _ in range(8):
        with proxy.login() as w:
            assert int(w.value("show port")) == pg.port, "a part of the bad file was applied"
    assert proxy.workers() == workers


def test_hup_applies_the_rest_and_names_what_needs_a_restart(start_proxy, pg, spare_pg):
    proxy = start_proxy({"*": pg.entry})
    proxy.sections["databases"]["*"] = spare_pg.entry
    proxy.sections["reveille"]["listen_port"] = procs.free_port()
    proxy.write_ini()
    said = proxy.hup()
    assert "listen_port" in said and "restart" in said

    def new_server():
        with proxy.login() as w:
            return int(w.value("show port")) == spare_pg.port

    procs.wait_until(new_server, 5, "the rest to be applied")


def test_hup_under_load_drops_nobody(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=2)
    load = subprocess.Popen(["pgbench", "-n", "-f", "/dev/stdin", "-c", "4", "-T", "3", "-h",
                             proxy.host, "-p", str(proxy.port), "-U", "app", "app"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    load.stdin.write("select 1;\n")
    load.stdin.close()
    while load.poll() is None:
        proxy.hup()
    assert load.returncode == 0 and "aborted" not in load.stdout.read()


# TERM, INT, QUIT.

def test_term_ends_sessions_at_rest_at_once_with_57p01(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="30")
    sessions = [proxy.login() for _ in range(6)]
    started = time.monotonic()
    proxy.signal(signal.SIGTERM)
    assert [last_word(w) for w in sessions] == ["57P01"] * 6
    assert proxy.wait_for_exit() == 0
    assert time.monotonic() - started < 10 * procs.PATIENCE


def test_term_lets_a_query_and_a_transaction_finish(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="30")
    with proxy.login(application_name="busy") as busy, proxy.login() as open_, \
            proxy.login() as idle:
        open_.query("begin")
        busy.send(query_message("select 'finished' from pg_sleep(1.5)"))
        pg.wait_for_sessions(1, "application_name = 'busy' and wait_event = 'PgSleep'")
        proxy.signal(signal.SIGTERM)
        assert last_word(idle) == "57P01"
        assert busy.read_until()[0][1].endswith(b"finished")
        assert last_word(busy) == "57P01"
        assert open_.value("select 'still here'") == "still here"
        open_.query("commit")
        assert last_word(open_) == "57P01"
    assert proxy.wait_for_exit() == 0


def test_term_stops_accepting(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="30")
    with proxy.login() as w:
        w.query("begin")
        proxy.signal(signal.SIGTERM)

        def refused():
            try:
                with proxy.wire(timeout=5) as late:
                    late.login()
                return False
            except ServerError as e:
                return e.sqlstate == "57P01"
            except (Closed, ConnectionError):
                return True

        procs.wait_until(refused, 5, "new connections to be refused")
        assert proxy.get("/readyz")[0] != 200
        w.query("commit")
        assert last_word(w) == "57P01"
    assert proxy.wait_for_exit() == 0


def test_term_waits_no_longer_than_shutdown_timeout(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="1")
    with proxy.login(application_name="endless") as w:
        w.send(query_message("select pg_sleep(600)"))
        pg.wait_for_sessions(1, "application_name = 'endless' and wait_event = 'PgSleep'")
        started = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert last_word(w) == "57P01"
        assert proxy.wait_for_exit() == 0
        assert 0.9 <= time.monotonic() - started < 10 * procs.PATIENCE
    pg.end_sessions("endless")


def test_a_second_term_is_no_hurry(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="30")
    with proxy.login() as w:
        w.query("begin")
        for _ in range(3):
            proxy.signal(signal.SIGTERM)
        assert w.value("select 1") == "1"
        w.query("commit")
        assert last_word(w) == "57P01"
    assert proxy.wait_for_exit() == 0


def test_int_ends_every_session_with_57p01_and_exits(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="60")
    with proxy.login(application_name="interrupted-work") as busy, proxy.login() as open_, \
            proxy.login() as idle:
        open_.query("begin")
        busy.send(query_message("select pg_sleep(600)"))
        pg.wait_for_sessions(1, "application_name = 'interrupted-work' and "
                                "wait_event = 'PgSleep'")
        proxy.signal(signal.SIGINT)
        assert [last_word(w) for w in (idle, open_, busy)] == ["57P01"] * 3
    assert proxy.wait_for_exit() == 0
    pg.end_sessions("interrupted-work")


def test_quit_exits_now(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="60")
    with proxy.login() as w:
        w.query("begin")
        proxy.signal(signal.SIGQUIT)
        proxy.expected_status = proxy.wait_for_exit(5)
        w.until_closed()


def test_int_after_term_does_not_wait(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, shutdown_timeout="60")
    with proxy.login() as w:
        w.query("begin")
        proxy.signal(signal.SIGTERM)
        assert w.value("select 1") == "1"
        proxy.signal(signal.SIGINT)
        assert last_word(w) == "57P01"
    assert proxy.wait_for_exit() == 0


def test_clients_that_wait_for_a_wake_are_told_at_term(start_proxy, plane, pg):
    plane.behave("db", held(threading.Event(), awake(pg.endpoint)))
    proxy = start_proxy(plane=plane, shutdown_timeout="1")
    with proxy.wire() as w:
        w.send(startup_packet(user="app", database="db/app"))
        plane.wait_for_calls("db", 1)
        proxy.signal(signal.SIGTERM)
        assert last_word(w) in ("57P01", "57P03")
    assert proxy.wait_for_exit() == 0


# Files, daemon, death.

def test_usr1_reopens_the_logfile_in_every_process(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    logfile = f"{proxy.folder}/reveille.log"
    proxy.sections["reveille"]["logfile"] = logfile
    proxy.write_ini()
    proxy.start()
    proxy.login().close()
    procs.wait_until(lambda: "session close" in read(logfile), 10, "the first log")
    os.rename(logfile, logfile + ".1")
    old = read(logfile + ".1")
    proxy.signal(signal.SIGUSR1)
    procs.wait_until(lambda: os.path.exists(logfile), 10, "a new log")

    def logged_anew():
        proxy.login().close()
        return "session close" in read(logfile)

    procs.wait_until(logged_anew, 10, "sessions in the new log")
    assert "session" in old


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def test_the_pidfile_names_the_supervisor_and_goes_with_it(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    pidfile = f"{proxy.folder}/pid"
    proxy.sections["reveille"]["pidfile"] = pidfile
    proxy.write_ini()
    proxy.start()
    assert int(read(pidfile)) == proxy.pid
    assert proxy.term() == 0
    assert not os.path.exists(pidfile)


def test_a_stale_pidfile_is_no_obstacle_and_a_living_one_is(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    pidfile = f"{proxy.folder}/pid"
    with open(pidfile, "w", encoding="ascii") as f:
        f.write("4194304\n")
    procs.give_to_service_user(pidfile)
    proxy.sections["reveille"]["pidfile"] = pidfile
    proxy.write_ini()
    proxy.start()
    second = subprocess.run([program(), proxy.ini], capture_output=True, text=True, timeout=20,
                            stdin=subprocess.DEVNULL, check=False)
    assert second.returncode > 0
    assert int(read(pidfile)) == proxy.pid
    with proxy.login() as w:
        assert w.value("select 1") == "1"


def test_a_taken_port_is_said_and_ends_the_start(start_proxy, pg):
    first = start_proxy({"*": pg.entry})
    second = start_proxy({"*": pg.entry}, launch=False)
    second.sections["reveille"]["listen_port"] = first.port
    second.write_ini()
    second.launch()
    second.expected_status = second.wait_for_exit()
    assert second.status > 0 and str(first.port) in second.log()


def test_d_goes_to_the_background_and_term_by_pidfile_ends_it(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    pidfile, logfile = f"{proxy.folder}/pid", f"{proxy.folder}/reveille.log"
    proxy.sections["reveille"].update(pidfile=pidfile, logfile=logfile)
    proxy.write_ini()
    done = subprocess.run([program(), "-d", proxy.ini], timeout=20, capture_output=True,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    # It returned, so it serves: an init script may rely on that.
    supervisor = int(read(pidfile))
    try:
        with proxy.login() as w:
            assert w.value("select 1") == "1"
        assert procs.title(supervisor) == "reveille: supervisor"
        assert os.getsid(supervisor) != os.getsid(0)
        family = procs.tree(supervisor)
    finally:
        os.kill(supervisor, signal.SIGTERM)
    procs.end_of(supervisor, 10, "the daemon")
    procs.wait_until(lambda: not any(map(procs.alive, family)), 5, "its children to end")


def test_d_without_a_pidfile_or_a_logfile_is_refused(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    done = subprocess.run([program(), "-d", proxy.ini], timeout=20, capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, check=False)
    assert done.returncode != 0 and "pidfile" in done.stdout + done.stderr


def test_a_killed_supervisor_takes_its_children_with_it(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=3)
    family = procs.tree(proxy.pid)
    with proxy.login() as w:
        w.query("begin")
        proxy.expected_status = -signal.SIGKILL
        procs.kill_hard(proxy.pid)
        procs.wait_until(lambda: not any(map(procs.alive, family)), 5, "the children to end")


def test_after_a_killed_supervisor_the_next_one_starts(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    proxy.sections["reveille"]["pidfile"] = f"{proxy.folder}/pid"
    proxy.write_ini()
    proxy.start()
    proxy.kill()
    proxy.start()       # over a stale pid file and a stale Unix socket
    with proxy.login() as w:
        assert w.value("select 1") == "1"


def test_readiness_is_told_to_systemd(start_proxy, pg, monkeypatch):
    proxy = start_proxy({"*": pg.entry}, launch=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        path = f"{proxy.folder}/notify"
        ear.bind(path)
        os.chmod(path, 0o777)
        ear.settimeout(20 * procs.PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        proxy.launch()
        heard = b""
        while b"READY=1" not in heard:
            heard = ear.recv(4096)
        with proxy.login() as w:
            assert w.value("select 1") == "1"
        proxy.note_tree()


def test_log_lines_have_one_shape(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry})
    proxy.login().close()
    proxy.wait_for_log("session close")
    assert re.search(r"session open .*\w+=\S+", proxy.log())
    for line in proxy.log().splitlines():
        assert not line.endswith("."), line


def test_json_log_lines_are_json(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, log_format="json")
    proxy.login(application_name='quote " and \\ and é'.encode()).close()
    proxy.wait_for_log("session close")
    for line in proxy.log().splitlines():
        assert isinstance(json.loads(line), dict), line
