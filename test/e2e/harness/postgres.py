"""Real PostgreSQL servers in throwaway folders, on a Unix socket and a loopback port."""

import glob
import os
import shutil
import signal
import subprocess

import psycopg

from . import procs
from .wire import Closed, ServerError, Wire

HBA_OF_HARNESS = "local all,replication postgres trust\n"

HBA = """
local all,replication all trust
host  all user_password 127.0.0.1/32 password
host  all user_md5      127.0.0.1/32 md5
host  all user_scram    127.0.0.1/32 scram-sha-256
host  all,replication all 127.0.0.1/32 trust
"""

ROLES = """
create role app login replication;
set password_encryption = 'md5';
create role user_md5 login password 'secret-md5';
set password_encryption = 'scram-sha-256';
create role user_scram login password 'secret-scram';
create role user_password login password 'secret-password';
create role user_trust login;
"""

SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "shared_buffers": "64MB", "max_connections": "100", "wal_level": "logical",
    "max_wal_senders": "8", "max_replication_slots": "8", "autovacuum": "off",
    "logging_collector": "off", "log_min_messages": "warning",
    "log_line_prefix": "'%m [%p] %u '", "log_checkpoints": "off",
}


def bin_dir():
    """Where this machine's newest server programs are."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"),
                   key=lambda p: int(p.split("/")[4]))
    if found:
        return os.path.dirname(found[-1])
    initdb = shutil.which("initdb")
    assert initdb, "PostgreSQL's server programs are not installed"
    return os.path.dirname(initdb)


def make_template(folder):
    """initdb, once for all servers of a run."""
    data = os.path.join(folder, "template")
    subprocess.run(procs.as_service_user(
        [f"{bin_dir()}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync"]), check=True, stdout=subprocess.DEVNULL, cwd="/")
    return data


def tls_settings(pair, client_ca=None):
    """What turns TLS on; with client_ca, certificates of clients are looked at."""
    settings = {"ssl": "on", "ssl_cert_file": f"'{pair.cert}'", "ssl_key_file": f"'{pair.key}'"}
    return {**settings, "ssl_ca_file": f"'{client_ca.cert}'"} if client_ca else settings


class Postgres:
    """One server; `sql` asks it directly, not through any proxy.

    With `tls`, a pair from `certs`, it speaks TLS; `hba` is its pg_hba.conf.
    """

    host = "127.0.0.1"

    def __init__(self, folder, template, tls=None, client_ca=None, hba=HBA, **settings):
        self.folder, self.data = folder, os.path.join(folder, "data")
        self.port = procs.free_port()
        self.socket = f"{folder}/.s.PGSQL.{self.port}"
        self.log_path = os.path.join(folder, "postgres.log")
        self._process = self._admin = None
        subprocess.run(procs.as_service_user(["cp", "-a", template, self.data]), check=True)
        self._write("pg_hba.conf", HBA_OF_HARNESS + hba)
        settings = {**SETTINGS, "port": str(self.port), "listen_addresses": "'127.0.0.1'",
                    "unix_socket_directories": f"'{folder}'",
                    **(tls_settings(tls, client_ca) if tls else {}), **settings}
        self._write("postgresql.auto.conf",
                    "".join(f"{name} = {value}\n" for name, value in settings.items()))

    address = property(lambda self: (self.host, self.port))
    endpoint = property(lambda self: f"{self.host}:{self.port}")
    entry = property(lambda self: f"host={self.host} port={self.port}")

    def _write(self, name, text):
        path = os.path.join(self.data, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        procs.give_to_service_user(path)

    def touch(self, name):
        self._write(name, "")

    def start(self):
        """Starts the server; back when it accepts sessions (or says why it does not, 57P03)."""
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                procs.as_service_user([f"{bin_dir()}/postgres", "-D", self.data]),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/",
                start_new_session=True)
        procs.wait_until(self._answers, 60, f"PostgreSQL in {self.data} to accept sessions")
        return self

    def _answers(self):
        assert self._process.poll() is None, f"PostgreSQL ended; see {self.log_path}"
        try:
            with Wire(self.socket, timeout=5) as w:
                w.login("postgres", "postgres")
            return True
        except ServerError as e:
            assert e.sqlstate == "57P03", e
            return "not accepting" in e.text
        except (OSError, Closed):
            return False

    def recover(self):
        """Waits for a server whose session was killed to be back: told to stop while it starts
        itself anew, it may never hear that."""
        procs.wait_until(self._answers, 60, f"PostgreSQL in {self.data} to recover")

    def stop(self, how=signal.SIGINT):
        """Ends the server; SIGQUIT is the quick way that leaves recovery to the next start."""
        if self._admin:
            self._admin.close()
            self._admin = None
        if self._process and self._process.poll() is None:
            os.kill(self.postmaster(), how)
            self._process.wait(60)
        self._process = None

    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as f:
            return int(f.readline())

    def restart(self):
        self.stop()
        return self.start()

    def sql(self, statement, *args, database="postgres"):
        """Runs one statement as superuser; returns its rows, if it has any."""
        if database != "postgres":
            with psycopg.connect(host=self.folder, port=self.port, user="postgres",
                                 dbname=database, autocommit=True) as conn:
                return self._run(conn, statement, args)
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(host=self.folder, port=self.port, user="postgres",
                                          dbname=database, autocommit=True,
                                          application_name="harness")
        return self._run(self._admin, statement, args)

    @staticmethod
    def _run(conn, statement, args):
        cursor = conn.execute(statement, args or None)
        return cursor.fetchall() if cursor.description else []

    def value(self, statement, *args, **kwargs):
        return self.sql(statement, *args, **kwargs)[0][0]

    def sessions(self, condition="true"):
        """How many client sessions the server has, the harness's own left out."""
        return self.value("select count(*) from pg_stat_activity where backend_type in "
                          "('client backend', 'walsender') and application_name <> 'harness' and "
                          + condition)

    def wait_for_sessions(self, count, condition="true", seconds=20):
        procs.wait_until(lambda: self.sessions(condition) == count, seconds,
                         f"{count} sessions where {condition}")

    def end_sessions(self, name):
        """Ends the sessions of an application."""
        self.sql("select pg_terminate_backend(pid) from pg_stat_activity "
                 "where application_name = %s", name)

    def processes(self, word):
        """Titles of the server's processes that contain a word, also before they are sessions."""
        return [t for t in map(procs.title, procs.children(self.postmaster())) if word in t]

    def create_standard(self):
        """The roles and databases that tests expect of a server."""
        for statement in ROLES.strip().splitlines():
            self.sql(statement)
        for name in ("app", "solo", "other"):
            self.sql(f"create database {name} owner app")
        return self
