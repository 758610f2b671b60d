"""What an idle session costs, with both its legs."""

import pytest

from harness import procs
from harness.proxy import sanitized


@pytest.mark.heavy
@pytest.mark.slow
@pytest.mark.skipif(sanitized(), reason="sanitizers have a memory of their own")
def test_2000_idle_sessions_cost_at_most_4_kib_each(start_proxy, crowd_pg, record_property):
    proxy = start_proxy({"*": crowd_pg.entry}, workers=2, log_connections="no",
                        log_disconnections="no")
    family = procs.tree(proxy.pid)
    proxy.login().close()
    before = procs.pss_kib(family)
    sessions = [proxy.login() for _ in range(2000)]
    for w in sessions:
        w.query("select 1")
    each = (procs.pss_kib(family) - before) / 2000
    for w in sessions:
        w.sock.close()
    print(f"PSS of an idle session with both legs: {each:.2f} KiB")
    record_property("pss_kib_per_idle_session", f"{each:.2f}")
    assert each <= 4
    procs.wait_until(lambda: not proxy.metric("reveille_client_connections"), 30,
                     "the sessions to be gone")


@pytest.mark.slow
@pytest.mark.skipif(sanitized(), reason="sanitizers have a memory of their own")
def test_sessions_that_come_and_go_leave_no_memory_behind(start_proxy, pg):
    proxy = start_proxy({"*": pg.entry}, workers=1, log_connections="no", log_disconnections="no")
    worker, = proxy.workers()

    def visits(count):
        for _ in range(count):
            with proxy.login() as w:
                w.query("select repeat('x', 100000)")

    visits(100)
    memory, files = procs.rss_kib(worker), procs.descriptors(worker)
    visits(600)
    assert procs.rss_kib(worker) - memory < 256
    procs.wait_until(lambda: procs.descriptors(worker) <= files, 10, "descriptors as before")
