"""PostgreSQL's own suites pass through the proxy exactly as they do without it."""

import os
import subprocess

import pytest

from harness.proxy import TOP, folder_of_folders, program

SKIPPED = 77


@pytest.mark.heavy
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_postgresqls_own_suites_pass_as_they_do_without_a_proxy():
    environment = {**os.environ, "REVEILLE": program(), "TMPDIR": folder_of_folders()}
    done = subprocess.run([os.path.join(TOP, "test", "regress", "run")], env=environment,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    said = done.stdout + done.stderr
    if done.returncode == SKIPPED:
        pytest.skip(said.strip().splitlines()[-1])
    print(said)
    assert done.returncode == 0, said[-8000:]
