"""Fixtures: servers that live for the whole run, proxies that live for one test."""

import glob
import os
import resource
import shutil
import signal

import pytest

from harness import procs
from harness.certs import Authority
from harness.fakecompute import FakeCompute
from harness.fakeplane import FakeControlPlane
from harness.gate import Gate
from harness.postgres import Postgres, make_template
from harness.proxy import Proxy, make_folder, program

for name in [n for n in os.environ if n.startswith("PG")]:
    del os.environ[name]
os.environ.update(PGPASSFILE="/nonexistent", PGSERVICEFILE="/nonexistent", PGAPPNAME="e2e",
                  PSQLRC="/dev/null", LC_ALL="C.UTF-8")

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))


def pytest_sessionstart(session):
    """Says once, and not in every test, that there is nothing to test."""
    if not session.config.option.collectonly:
        try:
            program()
        except AssertionError as e:
            pytest.exit(str(e), returncode=2)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures know whether the test failed, so that they keep its folder."""
    outcome = yield
    setattr(item, "report_" + outcome.get_result().when, outcome.get_result())


def _assert_nothing_in(reports):
    found = []
    for path in glob.glob(f"{reports}/*"):
        with open(path, encoding="utf-8", errors="replace") as f:
            found.append(f.read())
        os.unlink(path)
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def reports():
    """Where sanitizers write what they find: also those of processes whose stderr nobody reads."""
    folder = make_folder()
    os.chmod(folder, 0o1777)
    for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
        os.environ[name] = f"{os.environ.get(name, '')}:log_path={folder}/report".lstrip(":")
    yield folder
    _assert_nothing_in(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_reported(reports):
    """Fails a test in which a sanitizer found something, in whatever process of the program."""
    yield
    _assert_nothing_in(reports)


@pytest.fixture(scope="session")
def template():
    folder = make_folder()
    yield make_template(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def certs_folder():
    """Where certificates of this run are kept."""
    folder = make_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ca(certs_folder):
    """The certificate authority that tests trust."""
    return Authority(certs_folder)


@pytest.fixture(scope="session")
def other_ca(certs_folder):
    """One that they do not trust."""
    return Authority(certs_folder, "other")


@pytest.fixture(scope="session")
def start_postgres(template):
    """A function that makes a further real server; all end with the run."""
    servers = []

    def start(standard=True, **settings):
        server = Postgres(make_folder(), template, **settings)
        servers.append(server)
        server.start()
        return server.create_standard() if standard else server

    yield start
    for server in servers:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pg(start_postgres):
    """The server most tests use."""
    return start_postgres()


@pytest.fixture
def spare_pg(start_postgres):
    """A server of the test's own, to stop, start and crash."""
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def crowd_pg(start_postgres):
    """A server for 2,000 sessions, on machines that can hold them."""
    with open("/proc/meminfo", encoding="ascii") as f:
        available = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable"))
    if available < 6 << 20:
        pytest.skip("2,000 real sessions want 6 GiB of free memory")
    if _hard < 8192:
        pytest.skip(f"2,000 sessions want ulimit -n 8192; it is {_hard}")
    return start_postgres(max_connections="2200", shared_buffers="32MB")


@pytest.fixture
def plane():
    """A stand-in for a control plane."""
    fake = FakeControlPlane()
    yield fake
    fake.stop()


@pytest.fixture
def put():
    """A function that writes a file for the program to read; returns its path."""
    folder = make_folder()

    def write(name, text):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        procs.give_to_service_user(path)
        return path

    yield write
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start_proxy(request):
    """A function that starts a proxy; each must end well when the test is over."""
    proxies = []

    def start(*args, launch=True, **settings):
        proxy = Proxy(*args, **settings)
        proxies.append(proxy)
        return proxy.start() if launch else proxy

    yield start
    failed = getattr(request.node, "report_call", None) and request.node.report_call.failed
    problems = []
    for proxy in reversed(proxies):
        try:
            proxy.finish()
        except AssertionError as e:
            problems.append(str(e))
        if problems or failed:
            print(f"kept: {proxy.folder}")
        else:
            proxy.remove()
    assert not problems, "\n".join(problems)


@pytest.fixture
def proxy(start_proxy, pg):
    """The plainest proxy: two workers before the shared server."""
    return start_proxy({"*": pg.entry})


@pytest.fixture
def compute():
    """A function that starts a compute which does what the test says."""
    running = []

    def start(serve):
        running.append(FakeCompute(serve))
        return running[-1]

    yield start
    for c in running:
        c.stop()


@pytest.fixture
def gate():
    """A function that puts a forwarder before a server."""
    gates = []

    def make(target):
        gates.append(Gate(target))
        return gates[-1]

    yield make
    for g in gates:
        g.stop()


@pytest.fixture(autouse=True)
def _patience(request):
    """Sanitizer builds get longer before a test counts as stuck."""
    if procs.PATIENCE > 1:
        marker = request.node.get_closest_marker("timeout")
        seconds = (marker.args[0] if marker else 180) * procs.PATIENCE
        request.node.add_marker(pytest.mark.timeout(seconds))
